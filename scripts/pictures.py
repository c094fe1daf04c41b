"""Makes the README's pictures: the card, the chart and the page, as the programs themselves show a run.

`scripts/pictures` sets everything up and runs it. It writes to .github/, each light and dark:

    card.png   card-dark.png     what `trainer.notebook.show()` puts into a cell, but for the chart
    chart.png  chart-dark.png    backup/chart.png
    page.png   page-dark.png     `trainer serve` on a phone

The run is not a real one. To have mAP, a GPU and lost sessions in one picture takes a day with a GPU and AlexeyAB's
darknet, and each time comes out differently; so its status is that of the tests, and its metrics are made up to fit,
the same each time. All that reads and draws them is real.
"""

from __future__ import annotations

import io
import math
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from PIL import Image
from playwright.sync_api import sync_playwright

from trainer.background import RunLock
from trainer.curves.chart import render
from trainer.curves.metrics import METRICS_NAME, read_metrics
from trainer.curves.writer import MetricsWriter
from trainer.seeing.card import make_card
from trainer.seeing.html import to_html
from trainer.status import StatusWriter
from trainer.testing.standings import NOW_S, TRAINING, ZONE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ViewportSize

    from trainer.curves.curve import SeamKind
    from trainer.curves.metrics import Metrics
    from trainer.status import Status

PICTURES = Path(__file__).resolve().parent.parent / ".github"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CARD_WIDTH_PX = 720
PHONE: ViewportSize = {"width": 400, "height": 860}
COLOURS = 128
"""Enough for letters and lines, and a third of the bytes."""

LIMIT_BYTES = 150_000
SEED = 7

_CLASSES = ("helmet", "vest", "gloves")
_RATE, _BURN_IN = 0.00261, 1000
_MAP_FROM, _MAP_EVERY, _OVERFITS_FROM = 1000, 100, 2400
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/\S+")


@dataclass(frozen=True, slots=True)
class Attempt:
    """A stretch of iterations that one darknet did, and what was before it; None for nothing."""

    first: int
    last: int
    seam: SeamKind | None = None
    reason: str = ""


def list_attempts(status: Status) -> list[Attempt]:
    """What the status tells of, and two sessions before that."""
    crashed, killed = status.restarts
    resumed = status.resumed_from or 0
    return [
        Attempt(1, 938),
        Attempt(901, resumed, "resumed"),
        Attempt(resumed + 1, crashed.iteration, "resumed"),
        Attempt(crashed.resumed_from + 1, killed.iteration, "restarted", crashed.reason),
        Attempt(killed.resumed_from + 1, status.iteration or 0, "restarted", killed.reason),
    ]


class Run:
    """A made-up training of yolov4-tiny that comes to where a status says it is.

    Args:
        tree: where its metrics are to lie.
        now_s: when it was at the status's iteration, in Unix time.
    """

    def __init__(self, tree: Path, now_s: float) -> None:
        self._path = tree / "backup" / METRICS_NAME
        self._attempts = list_attempts(TRAINING)
        self._seconds = 60.0 / (TRAINING.per_minute or 1.0)
        self._now_s = now_s - self._seconds * sum(one.last - one.first + 1 for one in self._attempts)
        self._chance = random.Random(SEED)  # noqa: S311 - the same picture each time, no secret

    def train(self) -> Metrics:
        """Write the metrics, as the supervisor would have."""
        with MetricsWriter(self._path, wall_clock=lambda: self._now_s) as writer:
            for attempt in self._attempts:
                if attempt.seam is not None:
                    writer.resume(attempt.first, kind=attempt.seam, reason=attempt.reason)
                self._attempt(writer, attempt)
        return read_metrics(self._path)

    def _attempt(self, writer: MetricsWriter, attempt: Attempt) -> None:
        avg_loss = math.nan
        for iteration in range(attempt.first, attempt.last + 1):
            self._now_s += self._seconds
            loss = _expected_loss(iteration) * self._chance.lognormvariate(0.0, 0.22)
            avg_loss = loss if math.isnan(avg_loss) else 0.9 * avg_loss + 0.1 * loss
            rate = _RATE * min(1.0, iteration / _BURN_IN) ** 4
            writer.progress(
                iteration=iteration, loss=loss, avg_loss=avg_loss, rate=rate, seconds=self._seconds
            )
            if iteration >= _MAP_FROM and iteration % _MAP_EVERY == 0:
                classes = {name: self._score(iteration, place) for place, name in enumerate(_CLASSES)}
                value = sum(classes.values()) / len(classes)
                writer.event("map", iteration=iteration, value=value, classes=classes)

    def _score(self, iteration: int, place: int) -> float:
        learned = 1 - math.exp(-(iteration - 650) / 560) - max(0, iteration - _OVERFITS_FROM) / 3000
        return (0.73 - 0.11 * place) * learned + self._chance.gauss(0, 0.014)


def _expected_loss(iteration: int) -> float:
    return 62 * math.exp(-iteration / 45) + 3.4 * math.exp(-iteration / 420) + 0.55 + 900 / (iteration + 1500)


def fit_status(metrics: Metrics, now_s: float) -> Status:
    """The status of such a run: its times as of ``now_s``, and the numbers that the metrics have."""
    by_s = now_s - NOW_S
    avg_loss = dict(zip(metrics.iteration.tolist(), metrics.avg_loss.tolist(), strict=True))
    last, best = metrics.maps[-1], metrics.best_map
    assert best is not None
    assert TRAINING.earlier_iteration is not None
    return replace(
        TRAINING,
        started_s=TRAINING.started_s + by_s,
        updated_s=TRAINING.updated_s + by_s,
        safe_at_s=(TRAINING.safe_at_s or NOW_S) + by_s,
        restarts=tuple(replace(note, at_s=note.at_s + by_s) for note in TRAINING.restarts),
        avg_loss=float(metrics.avg_loss[-1]),
        smooth_loss=float(metrics.avg_loss[-1]),
        earlier_loss=avg_loss[TRAINING.earlier_iteration],
        map_last=last.value,
        map_last_iteration=last.iteration,
        map_best=best.value,
        map_best_iteration=best.iteration,
    )


def write_picture(name: str, content: bytes) -> None:
    """Keep a PNG in few colours, and say how large it is."""
    with Image.open(io.BytesIO(content)) as image:
        small = image.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    path = PICTURES / name
    small.save(path, optimize=True)
    size_bytes = path.stat().st_size
    print(f"{path.relative_to(Path.cwd())}: {small.width} x {small.height}, {size_bytes:,} bytes")
    assert size_bytes < LIMIT_BYTES, f"{path} is too large for a README"


def draw_chart(metrics: Metrics, *, dark: bool) -> bytes:
    """The chart as `trainer plot` draws it."""
    return render(metrics, title="darknet", dark=dark)


def photograph_card(browser: Browser, status: Status, *, dark: bool) -> bytes:
    """The card alone, as it is in a cell."""
    html = to_html(make_card(status, NOW_S, zone=ZONE), dark=dark)
    with browser.new_page(viewport={"width": CARD_WIDTH_PX, "height": 100}, device_scale_factor=2) as page:
        page.set_content(f'<body style="margin:0">{html}')
        return page.locator(".tc").screenshot(omit_background=True)


def photograph_page(browser: Browser, url: str, *, dark: bool) -> bytes:
    """The page, as a phone shows it."""
    scheme: Literal["dark", "light"] = "dark" if dark else "light"
    with browser.new_page(viewport=PHONE, device_scale_factor=2, color_scheme=scheme) as page:
        page.goto(url)
        page.locator(".tc").wait_for()
        page.wait_for_timeout(500)  # until the curve is drawn
        return page.screenshot(full_page=True)


@contextmanager
def served(tree: Path) -> Iterator[str]:
    """The address of `trainer serve` for ``tree``, as long as the block lasts."""
    command = [sys.executable, "-u", "-m", "trainer", "serve", str(tree)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            found = next(filter(None, map(_ADDRESS.search, server.stdout)), None)
            assert found, f"{' '.join(command)} told no address"
            yield found[0]
        finally:
            server.terminate()


def find_browser() -> str:
    """The program of a browser that can be told what to do."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        sys.exit(f"pictures: there is no {BROWSERS[0]}. On Debian: apt-get install {BROWSERS[0]}")
    return found


def main() -> None:
    """Make all of them."""
    # Chromium refuses to be root in its sandbox.
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=flags)
        metrics = Run(Path(folder) / "then", NOW_S).train()
        status = fit_status(metrics, NOW_S)
        # The page goes by the clock on the wall.
        tree, now_s = Path(folder) / "darknet", time.time()
        current = fit_status(Run(tree, now_s).train(), now_s)
        with RunLock(tree):
            StatusWriter(tree, current, lambda: now_s).flush()
            with served(tree) as url:
                for dark, ending in ((False, ".png"), (True, "-dark.png")):
                    write_picture(f"card{ending}", photograph_card(browser, status, dark=dark))
                    write_picture(f"chart{ending}", draw_chart(metrics, dark=dark))
                    write_picture(f"page{ending}", photograph_page(browser, url, dark=dark))
        browser.close()


if __name__ == "__main__":
    main()
