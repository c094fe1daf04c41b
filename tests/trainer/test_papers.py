"""The chart is drawn aside; only the end waits for it, and one in a hurry does not."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest

from trainer import papers as module
from trainer.config import Wishes, resolve_run
from trainer.curves.writer import MetricsWriter
from trainer.papers import Papers
from trainer.testing import make_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SLOW = """
import os, sys, time
from pathlib import Path
print(os.getpid(), file=open(os.environ["DRAWER"], "a"))
while not Path(os.environ["DRAWER"] + ".go").exists():
    time.sleep(0.01)
Path(sys.argv[-1]).write_bytes(b"drawn")
"""


class Bench:
    """Papers whose chart is drawn by a program that waits to be let go."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.run = resolve_run(Wishes(make_tree(folder / "tree", images=4, negatives=1).root))
        self.told: list[str] = []
        self.papers = Papers(self.run, self.told.append)
        self.drawers = folder / "drawers"
        self.chart = self.run.tree / "backup/chart.png"
        # In the place of the module that draws; it is called with the same words.
        fake = folder / "fake/trainer/curves"
        fake.mkdir(parents=True)
        for name, content in {"../__init__": "", "__init__": "", "chart": SLOW}.items():
            (fake / f"{name}.py").write_text(content)
        script = folder / "python"
        script.write_text(f'#!/bin/sh\ncd "{folder}/fake" && exec python3 "$@"\n')
        script.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(script))
        monkeypatch.setenv("DRAWER", str(self.drawers))
        self.grow(1)

    def grow(self, iteration: int) -> None:
        with MetricsWriter(self.papers.metrics) as metrics:
            metrics.progress(iteration=iteration, loss=1.0, avg_loss=1.0, rate=0.1, seconds=1.0)
        # Two writes within a moment have one time; here each has its own.
        os.utime(self.papers.metrics, (iteration, iteration))

    def let_go(self) -> None:
        self.drawers.with_name("drawers.go").touch()

    @property
    def pids(self) -> list[int]:
        return [int(line) for line in self.drawers.read_text().split()] if self.drawers.exists() else []


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def wait_for(condition: Callable[[], object]) -> None:
    give_up_s = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < give_up_s
        time.sleep(0.005)


def never() -> bool:
    return False


def test_nobody_waits_and_one_is_drawn_at_a_time(bench: Bench) -> None:
    bench.papers.begin_to_draw()
    wait_for(lambda: bench.pids)
    for _ in range(3):
        bench.papers.begin_to_draw()
        assert not bench.papers.has_drawn()
    bench.let_go()
    wait_for(bench.papers.has_drawn)
    assert bench.chart.read_bytes() == b"drawn"
    assert (len(bench.pids), bench.papers.has_drawn(), bench.told) == (1, False, [])
    bench.papers.begin_to_draw()
    assert not bench.papers.has_drawn()
    assert len(bench.pids) == 1


def test_the_end_waits_for_a_chart_of_all_that_there_is(bench: Bench) -> None:
    """The one that is being drawn is of metrics that have grown since."""
    bench.papers.begin_to_draw()
    wait_for(lambda: bench.pids)
    bench.grow(2)
    bench.let_go()
    bench.papers.draw(never)
    assert (len(bench.pids), bench.told) == (2, [])
    bench.papers.draw(never)
    assert len(bench.pids) == 2


def test_whoever_is_in_a_hurry_waits_for_none(bench: Bench) -> None:
    bench.papers.draw(lambda: bool(bench.pids))
    (pid,) = bench.pids
    wait_for(lambda: _is_gone(pid))
    assert not bench.chart.exists()
    assert bench.told == []
    # What was ended is not taken for drawn.
    bench.let_go()
    bench.papers.draw(never)
    assert bench.chart.exists()


def test_to_stop_what_is_not_drawn_is_nothing(bench: Bench) -> None:
    bench.papers.stop_drawing()
    assert not bench.papers.has_drawn()


def test_one_that_takes_too_long_is_ended(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHART_TIMEOUT_S", 0.2)
    bench.papers.draw(never)
    assert bench.told == ["no chart could be drawn: it took longer than 0.2 s"]


def test_a_program_that_cannot_be_started(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    bench.papers.draw(never)
    (said,) = bench.told
    assert said.startswith("no chart could be drawn: [Errno 2]")


def test_a_chart_that_is_newer_than_the_metrics_is_left(bench: Bench) -> None:
    bench.chart.touch()
    bench.papers.draw(never)
    assert (bench.pids, bench.chart.read_bytes()) == ([], b"")


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_one_that_was_ended_with_the_training_is_no_news(bench: Bench, number: int) -> None:
    bench.papers.begin_to_draw()
    wait_for(lambda: bench.pids)
    os.kill(bench.pids[0], number)
    wait_for(bench.papers.has_drawn)
    assert bench.told == []
