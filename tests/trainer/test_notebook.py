"""A notebook's view of a run: one display, drawn over, small, true, and gone when there is nothing more to see."""

from __future__ import annotations

import base64
import io
import json
import re
import sys
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from PIL import Image, ImageDraw
from traitlets.config import Config

from drivesync.errors import NotFoundError, UsageError
from trainer.background import RunLock
from trainer.checkpoint import RUN_FILE
from trainer.notebook import CHART_EVERY_S, EVERY_S, show
from trainer.status import Status, StatusWriter, status_path, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from IPython.utils.capture import CapturedIO

START_S = 1_790_000_000.0
HOUR_S = 3600
NEW_CHART_S = 600
CELL_LIMIT_BYTES = 200_000
_PICTURE = re.compile(r'src="data:image/png;base64,([^"]+)"')


@pytest.fixture(autouse=True)
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """What a cell runs in, without a kernel around it."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setitem(
        sys.modules, "__main__", sys.modules["__main__"]
    )  # which a shell puts itself in place of
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    yield shell
    InteractiveShell.clear_instance()


class Time:
    """A clock that is moved by whoever sleeps; ``on_sleep`` is what happens meanwhile."""

    def __init__(self, on_sleep: Callable[[float], None] = lambda _now_s: None) -> None:
        self.now_s = START_S
        self._on_sleep = on_sleep

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        self._on_sleep(self.now_s)


class Cell:
    """What a cell that calls ``show`` has sent to the browser."""

    def __init__(self, captured: CapturedIO) -> None:
        self.messages: list[Any] = captured.outputs

    @property
    def htmls(self) -> list[str]:
        return [message.data["text/html"] for message in self.messages]

    @property
    def last(self) -> str:
        """What stays in the notebook."""
        return self.htmls[-1]

    @property
    def stored_bytes(self) -> int:
        """How much the cell takes in the saved notebook."""
        return len(json.dumps(self.messages[-1].data))

    @property
    def pictures(self) -> list[bytes | None]:
        found = [_PICTURE.search(html) for html in self.htmls]
        return [base64.b64decode(match[1]) if match else None for match in found]


def run_cell(tree: Path, time: Time | None = None, **options: Any) -> Cell:
    time = time or Time()
    with capture_output() as captured:
        show(tree, clock=time.clock, sleep=time.sleep, **options)
    cell = Cell(captured)
    assert not captured.stdout
    assert not captured.stderr
    assert len({message.transient["display_id"] for message in cell.messages}) == 1
    assert [bool(message.update) for message in cell.messages] == [
        place > 0 for place in range(len(cell.messages))
    ]
    return cell


@contextmanager
def training(tree: Path, time: Time, **facts: Any) -> Iterator[StatusWriter]:
    """A supervisor of ``tree``: its lock, and its status."""
    with RunLock(tree):
        writer = StatusWriter(tree, Status("training", 1, START_S, **facts), time.clock)
        writer.flush()
        yield writer


def draw_chart(path: Path, seed: int = 0) -> None:
    """A picture of the size and the look of the trainer's own."""
    steps = np.random.default_rng(seed).normal(scale=40, size=(3, 1080)).cumsum(axis=1) % 900
    picture = Image.new("RGBA", (1080, 920), "white")
    draw = ImageDraw.Draw(picture)
    for colour, heights in zip(("#2563eb44", "#2563eb", "#0f8f6b"), steps, strict=True):
        draw.line(list(zip(range(1080), heights.tolist(), strict=True)), fill=colour, width=3)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, compress_level=1)


def test_after_an_hour_the_cell_is_small(tmp_path: Path) -> None:
    chart = tmp_path / "backup/chart.png"

    def train(now_s: float) -> None:
        ran_s = int(now_s - START_S)
        if ran_s % NEW_CHART_S == 0:
            draw_chart(chart, ran_s)
        now = replace(
            begun.value,
            state="training" if ran_s < HOUR_S else "finished",
            iteration=ran_s // 2,
            avg_loss=20 / (1 + ran_s),
            safe_iteration=ran_s // 200 * 100 or None,
        )
        # As the supervisor does, but for the disk, which takes five seconds to have all of them for sure.
        status_path(tmp_path).write_text(json.dumps(to_json(now)))

    time = Time(train)
    with training(tmp_path, time, max_batches=1800) as begun:
        cell = run_cell(tmp_path, time)
    assert "finished at iteration 1,800 of 1,800" in cell.last
    assert len(cell.messages) == HOUR_S / EVERY_S + 1
    assert cell.stored_bytes < CELL_LIMIT_BYTES
    assert max(map(len, cell.htmls)) < CELL_LIMIT_BYTES / 2
    assert len(set(cell.pictures)) == 1 + HOUR_S / NEW_CHART_S
    assert "safe up to iteration 1,800" in cell.messages[-1].data["text/plain"]


def test_what_has_not_changed_is_not_sent_again(tmp_path: Path) -> None:
    looks = []

    def stand_still(now_s: float) -> None:
        looks.append(now_s)
        if len(looks) == 20:
            writer.update(state="finished")

    time = Time(stand_still)
    with training(tmp_path, time, iteration=5) as writer:
        cell = run_cell(tmp_path, time)
    assert len(cell.messages) == 2


def test_it_waits_for_what_has_not_begun(tmp_path: Path) -> None:
    tree = tmp_path / "darknet"
    looks = []

    def begin(now_s: float) -> None:
        looks.append(now_s)
        if len(looks) == 3:
            tree.mkdir()
            StatusWriter(tree, Status("finished", 1, START_S, iteration=9), time.clock).flush()

    time = Time(begin)
    first, last = run_cell(tree, time).htmls
    assert f"nothing has been trained in {tree} yet" in first
    assert "trainer run --background" in first
    assert "finished at iteration 9" in last
    assert len(looks) == 3


@pytest.mark.parametrize("state", ["finished", "stopped", "gave up", "failed", "dead"])
def test_it_ends_with_the_run(tmp_path: Path, state: str) -> None:
    if state == "dead":
        with training(tmp_path, Time(), iteration=9):
            pass
    else:
        StatusWriter(tmp_path, Status(state, 1, START_S, iteration=9), Time().clock).flush()

    def never(_now_s: float) -> None:
        pytest.fail("it waits for what is over")

    assert "iteration 9" in run_cell(tmp_path, Time(never)).last


def press_stop(_now_s: float) -> None:
    raise KeyboardInterrupt


def test_stop_ends_the_view_and_leaves_the_last_card(tmp_path: Path) -> None:
    time = Time(press_stop)
    with training(tmp_path, time, iteration=41, max_batches=100, safe_iteration=40):
        first, last = run_cell(tmp_path, time, zone="Asia/Tokyo").htmls
    for html in (first, last):
        assert "safe up to iteration 40" in html
        assert "at iteration 41 of 100" in html
    assert "the training goes on" in last
    assert "stopped at 23:13:23" in last  # three seconds after START_S, in Tokyo
    assert "the training goes on" not in first


def test_stop_while_nothing_is_trained(tmp_path: Path) -> None:
    (only,) = run_cell(tmp_path, Time(press_stop)).htmls
    assert "nothing has been trained" in only


def test_a_new_chart_is_shown_within_a_minute_and_a_broken_one_never(tmp_path: Path) -> None:
    chart = tmp_path / "results/chart.png"
    wholes = iter([1, 2, 3])

    def write(content: bytes) -> None:
        chart.parent.mkdir(exist_ok=True)
        chart.write_bytes(content)

    def draw() -> None:
        draw_chart(chart, next(wholes))

    def tear() -> None:
        write(chart.read_bytes()[:5000])

    def end() -> None:
        draw()
        writer.update(state="finished")

    (tmp_path / RUN_FILE).parent.mkdir()
    (tmp_path / RUN_FILE).write_text('{"backup": "results", "cfg": "cfg/remote.cfg"}')
    happenings = {3: lambda: write(b""), 6: draw, 12: draw, 75: tear, 150: lambda: write(b"no PNG"), 300: end}

    def happen(now_s: float) -> None:
        happenings.get(int(now_s - START_S), lambda: None)()
        writer.update(iteration=int(now_s - START_S))

    time = Time(happen)
    with training(tmp_path, time) as writer:
        pictures = run_cell(tmp_path, time).pictures
    seen = {after_s: pictures[after_s // 3] for after_s in range(0, 303, 3)}
    assert seen[0] is seen[3] is None
    assert seen[6] is not None
    assert seen[6] == seen[6 + int(CHART_EVERY_S) - 3]
    assert seen[6 + int(CHART_EVERY_S)] not in {None, seen[6]}
    assert len({seen[after_s] for after_s in range(66, 300, 3)}) == 1
    assert seen[300] not in {None, seen[6], seen[66]}
    with Image.open(io.BytesIO(seen[300] or b"")) as picture:
        assert picture.width == 640


def test_a_chart_that_does_not_fit_is_left_out(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1000, 900, 3), dtype=np.uint8)
    (tmp_path / "backup").mkdir()
    Image.fromarray(noise).save(tmp_path / "backup/chart.png")
    StatusWriter(tmp_path, Status("finished", 1, START_S), Time().clock).flush()
    assert run_cell(tmp_path).pictures == [None]


def test_there_is_no_such_zone(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no time zone 'Europe/Nowhere'"):
        show(tmp_path, zone="Europe/Nowhere")


def test_where_no_cell_runs_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    InteractiveShell.clear_instance()
    with pytest.raises(NotFoundError, match="for a notebook") as raised:
        show(tmp_path)
    assert "trainer status --watch" in raised.value.hint
    monkeypatch.setitem(sys.modules, "IPython", None)
    with pytest.raises(NotFoundError, match="for a notebook"):
        show(tmp_path)
