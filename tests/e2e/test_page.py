"""The page in a real browser: what it shows, how it follows, and what a hand does with it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")

from playwright.sync_api import expect, sync_playwright

from tests.e2e.conftest import wait_for
from trainer.background import RunLock
from trainer.curves.writer import MetricsWriter
from trainer.status import Status, StatusWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page, Route

PHONE = {"width": 400, "height": 800}
DESK = {"width": 1200, "height": 900}
PATIENCE_MS = 20_000
MANY = 9_000
"""More iterations than are sent at once."""

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("there is no chromium; scripts/setup --browser gets Debian's")
    with sync_playwright() as playwright:
        # As root, in a container, it has no sandbox of its own.
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@dataclass(frozen=True)
class Viewer:
    """A page in the browser; ``complaints`` is what its console and its errors said."""

    page: Page
    complaints: list[str]


@pytest.fixture
def look(browser: Browser) -> Iterator[Callable[..., Viewer]]:
    """Opens the page as a new visitor."""
    contexts = []

    def visit(url: str, size: dict[str, int] = DESK, scheme: str = "light", prepare: object = None) -> Viewer:
        context = browser.new_context(
            viewport={"width": size["width"], "height": size["height"]},
            color_scheme="dark" if scheme == "dark" else "light",
            has_touch=size is PHONE,
        )
        contexts.append(context)
        viewer = Viewer(context.new_page(), [])
        viewer.page.on("console", lambda message: viewer.complaints.append(message.text))
        viewer.page.on("pageerror", lambda error: viewer.complaints.append(str(error)))
        if callable(prepare):
            prepare(viewer.page)
        viewer.page.goto(url)
        return viewer

    yield visit
    for context in contexts:
        context.close()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return tmp_path / "my tree"


@contextmanager
def serving(tree: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    argv = [sys.executable, "-m", "trainer", "serve", str(tree)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        try:
            process.stdout.readline()
            yield process.stdout.readline().strip(), process
        finally:
            process.kill()


@pytest.fixture
def url(tree: Path) -> Iterator[str]:
    with serving(tree) as (url, _):
        yield url


def train(writer: MetricsWriter, first: int, last: int) -> None:
    for iteration in range(first, last + 1):
        loss = 100 / iteration
        writer.progress(iteration=iteration, loss=loss, avg_loss=loss, rate=0.001, seconds=0.1)
    writer.flush()


def status(iteration: int) -> Status:
    return Status(
        "training",
        os.getpid(),
        time.time() - 3600,
        iteration=iteration,
        max_batches=10_000,
        safe_iteration=iteration - iteration % 100,
        safe_at_s=time.time(),
    )


@pytest.fixture
def run(tree: Path) -> Iterator[tuple[StatusWriter, MetricsWriter]]:
    """A run at iteration 300, as its supervisor writes it down."""
    with RunLock(tree), MetricsWriter(tree / "backup/metrics.jsonl") as metrics:
        train(metrics, 1, 300)
        writer = StatusWriter(tree, status(300))
        writer.flush()
        yield writer, metrics


def readout(viewer: Viewer, text: str) -> None:
    expect(viewer.page.locator("#readout")).to_contain_text(text)


def card(viewer: Viewer, text: str) -> None:
    expect(viewer.page.locator("#card")).to_contain_text(text)


def colours(viewer: Viewer) -> set[str]:
    """What of the curves' colours is to be found on the canvas."""
    found = viewer.page.evaluate(
        """() => {
            const canvas = document.getElementById("chart");
            const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
            copy.drawImage(canvas, 0, 0);
            const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
            const seen = new Set();
            for (let at = 0; at < data.length; at += 4) {
                if (data[at + 3] === 255) seen.add(`${data[at]},${data[at + 1]},${data[at + 2]}`);
            }
            const style = getComputedStyle(canvas);
            return ["average", "loss", "score", "rate", "seam", "ink"].filter((name) => {
                const [red, green, blue] = style.getPropertyValue(`--${name}`).trim().slice(1).match(/../g);
                return seen.has([red, green, blue].map((part) => parseInt(part, 16)).join());
            });
        }"""
    )
    return set(found)


def test_two_viewers_follow_a_run_from_before_its_beginning(tree: Path, look: Callable[..., Viewer]) -> None:
    with serving(tree) as (url, server):
        viewers = look(url), look(url, PHONE)
        for viewer in viewers:
            card(viewer, "There is no")
            expect(viewer.page.locator("#curve")).to_be_hidden()
        with RunLock(tree), MetricsWriter(tree / "backup/metrics.jsonl") as metrics:
            train(metrics, 1, 40)
            StatusWriter(tree, status(340)).flush()
            for viewer in viewers:
                card(viewer, "safe up to iteration 300")
                readout(viewer, "iteration 40 ")
            assert viewers[0].page.title().startswith("safe up to iteration 300")
            train(metrics, 41, 50)
            # Lost with its session from 31 on, and trained again to 33.
            metrics.resume(31)
            train(metrics, 31, 33)
            for viewer in viewers:
                readout(viewer, "iteration 33 ")
                readout(viewer, "resumed at 31")
        # The supervisor is gone without a word.
        for viewer in viewers:
            card(viewer, "trainer supervise")
        with RunLock(tree):
            StatusWriter(tree, replace(status(480), message="<b id=injected>bold</b>")).flush()
            for viewer in viewers:
                card(viewer, "safe up to iteration 400")
                expect(viewer.page.locator("#injected")).to_have_count(0)
        shutil.rmtree(tree)
        for viewer in viewers:
            card(viewer, "There is no")
            expect(viewer.page.locator("#curve")).to_be_hidden()
            assert viewer.complaints == []
        server.terminate()
        for viewer in viewers:
            expect(viewer.page.locator("#link")).to_contain_text("does not answer")


@pytest.mark.parametrize(
    ("size", "scheme"),
    [pytest.param(PHONE, "light", id="phone, light"), pytest.param(DESK, "dark", id="desk, dark")],
)
def test_it_fits_and_is_drawn(
    look: Callable[..., Viewer],
    run: tuple[StatusWriter, MetricsWriter],
    url: str,
    size: dict[str, int],
    scheme: str,
) -> None:
    _, metrics = run
    metrics.event("map", iteration=200, value=0.4)
    metrics.event("map", iteration=250, value=0.6)
    metrics.resume(301)
    train(metrics, 301, 400)
    viewer = look(url, size, scheme)
    readout(viewer, "iteration 400 ")
    readout(viewer, "mAP 60.0 % at 250")
    wide, visible = viewer.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= visible == size["width"]
    viewer.page.wait_for_function("document.getElementById('chart').width > 300")
    wait_for(lambda: colours(viewer) >= {"average", "score", "rate", "seam"}, "the curves to be drawn")
    viewer.page.get_by_role("checkbox", name="mAP").uncheck()
    wait_for(lambda: "score" not in colours(viewer), "one of them to go")
    assert viewer.complaints == []


def test_hands_look_at_an_iteration_and_choose_a_stretch(
    look: Callable[..., Viewer], run: tuple[StatusWriter, MetricsWriter], url: str
) -> None:
    _, metrics = run
    train(metrics, 301, MANY)
    viewer = look(url)
    page = viewer.page
    readout(viewer, f"iteration {MANY:,} ")
    chart = page.locator("#chart")
    box = chart.bounding_box()
    assert box is not None
    middle = box["y"] + 100

    def shown() -> tuple[int, int]:
        match = re.search(r"iterations ([\d,]+) to ([\d,]+)", chart.get_attribute("aria-label") or "")
        assert match
        return int(match[1].replace(",", "")), int(match[2].replace(",", ""))

    assert shown() == (1, MANY)
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    readout(viewer, "iteration 4,")
    hovered = page.locator("#readout").inner_text()
    page.keyboard.press("Tab")
    chart.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#readout")).not_to_have_text(hovered)
    # By dragging; what lies between the points that were sent is fetched.
    with page.expect_response("**/points?*") as fetched:
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] / 2 + 50, middle, steps=3)
        page.mouse.up()
    first, last = shown()
    assert 4000 < first < last < 5500
    assert fetched.value.json()["points"]["iteration"] == [*range(first, last + 1)]
    # The end of a stretch that was chosen stays where it is while training goes on.
    train(metrics, MANY + 1, MANY + 1)
    page.select_option("#axis", "time")
    page.locator("#to").press("End")
    assert shown()[1] >= MANY
    page.get_by_role("button", name="All").click()
    assert shown()[0] == 1
    page.locator("#from").fill("900")
    assert 8000 < shown()[0] < 8200
    chart.dblclick()
    assert shown()[0] == 1
    assert viewer.complaints == []


def test_a_finger_points(
    look: Callable[..., Viewer], run: tuple[StatusWriter, MetricsWriter], url: str
) -> None:
    _, metrics = run
    viewer = look(url, PHONE)
    readout(viewer, "iteration 300 ")
    expect(viewer.page.get_by_role("checkbox", name="mAP")).to_be_hidden()
    metrics.event("map", iteration=250, value=0.6)
    metrics.flush()
    expect(viewer.page.get_by_role("checkbox", name="mAP")).to_be_visible()
    chart = viewer.page.locator("#chart")
    chart.scroll_into_view_if_needed()
    chart.tap(position={"x": 190, "y": 60})
    expect(viewer.page.locator("#readout")).to_contain_text(re.compile("iteration 1[0-9]{2} "))
    assert viewer.complaints == []


def test_behind_a_proxy_that_holds_back_what_is_sent_it_asks(
    look: Callable[..., Viewer], run: tuple[StatusWriter, MetricsWriter], url: str
) -> None:
    _, metrics = run
    held: list[Route] = []

    def hold_back(page: Page) -> None:
        page.clock.install()
        page.route("**/events?*", lambda route: held.append(route))  # noqa: PLW0108 - it cannot mark a builtin

    viewer = look(url, PHONE, prepare=hold_back)
    expect(viewer.page.locator("#curve")).to_be_hidden()
    viewer.page.clock.run_for(6_000)
    readout(viewer, "iteration 300 ")
    assert len(held) == 1
    # After a minute it tries whether sending works by now.
    train(metrics, 301, 315)
    for route in held:
        route.abort()
    viewer.page.unroute("**/events?*")
    with viewer.page.expect_request("**/events?*"):
        viewer.page.clock.fast_forward(61_000)
        readout(viewer, "iteration 315 ")
        viewer.page.clock.fast_forward(3_000)
    train(metrics, 316, 320)
    readout(viewer, "iteration 320 ")
    assert viewer.complaints == []
