"""A run that is dropped and crashes again and again: its curves are those of darknet's own log, each iteration once."""

from __future__ import annotations

import random
import re
import shutil
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.e2e.test_kills import EVERY, Impatient, arm, plan
from trainer.config import Wishes, resolve_run
from trainer.curves.csv_export import to_csv
from trainer.curves.figure import draw_chart
from trainer.curves.metrics import METRICS_NAME, read_metrics
from trainer.curves.tensorboard import EVENTS_PATH, update_events
from trainer.testing.supervised import supervise

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from matplotlib.lines import Line2D

SEED = 3
DROPS = 5
CRASHES = 2
"""In each session, before it is dropped."""
MAX_BATCHES = 560

LOSS_LINE = re.compile(r"(\d+): (\S+), (\S+) avg, (\S+) rate, (\S+) seconds, (\d+) images")


@dataclass
class Truth:
    """What darknet itself has said, with what it went over again left out; shares no code with the packages."""

    lines: dict[int, tuple[float, ...]] = field(default_factory=dict)
    seams: list[tuple[str, int]] = field(default_factory=list)
    superseded: int = 0

    def read(self, log: str) -> None:
        """Take in the log of a session; darknet begins each time by the cfg's name."""
        for number, attempt in enumerate(log.split("remote\n")[1:]):
            said = [tuple(map(float, match.groups())) for match in LOSS_LINE.finditer(attempt)]
            first = int(said[0][0])
            lost = [iteration for iteration in self.lines if iteration >= first]
            self.superseded += len(lost)
            for iteration in lost:
                del self.lines[iteration]
            self.seams = [(kind, at) for kind, at in self.seams if at <= first]
            if number or self.lines or self.superseded:
                self.seams.append(("restarted" if number else "resumed", first))
            self.lines |= {int(values[0]): values[1:] for values in said}

    @property
    def columns(self) -> list[tuple[float, ...]]:
        """Iteration, loss, average, rate, seconds, images."""
        assert list(self.lines) == sorted(self.lines)
        return list(zip(*((iteration, *values) for iteration, values in self.lines.items()), strict=True))


def move(old: Path, new: Path, chance: random.Random) -> None:
    """The machine is gone; what comes to the next one is the tree, and a last line that was cut short on its way."""
    shutil.copytree(old, new, ignore=shutil.ignore_patterns(".trainer", "darknet.*"))
    metrics = new / "backup" / METRICS_NAME
    metrics.write_bytes(metrics.read_bytes()[: -chance.randrange(1, 60)])


def show_in_tensorboard(events: Path) -> dict[str, tuple[list[int], list[float]]]:
    readers = import_module("tensorboard.backend.event_processing.event_accumulator")
    reader = readers.EventAccumulator(str(events.parent), size_guidance={readers.SCALARS: 0})
    reader.Reload()
    curves = {tag: reader.Scalars(tag) for tag in reader.Tags()["scalars"]}
    return {
        tag: ([event.step for event in curve], [event.value for event in curve])
        for tag, curve in curves.items()
    }


def draws(chart_lines: Iterable[Line2D], iterations: Iterable[float], values: Iterable[float]) -> bool:
    """Whether one of a chart's lines goes through all these points, in this order, and through no others."""
    wanted = np.array([[*iterations], [*values]], dtype=float)
    for line in chart_lines:
        drawn = np.array([line.get_xdata(), line.get_ydata()], dtype=float)
        drawn = drawn[:, np.isfinite(drawn).all(axis=0)]
        if drawn.shape == wanted.shape and np.allclose(drawn, wanted, rtol=1e-6):
            return True
    return False


def test_five_drops_and_ten_crashes(tmp_path: Path) -> None:
    chance, truth = random.Random(SEED), Truth()
    run = plan(tmp_path / "machine 0", [], max_batches=MAX_BATCHES)
    for drop in range(DROPS + 1):
        lengths = [chance.randrange(102, 115), *chance.sample(range(20, 50), CRASHES)] if drop < DROPS else []
        chance.shuffle(lengths)
        arm(run.tree, lengths)
        done = supervise(run, stop=Impatient(), attempts=len(lengths) or None)
        truth.read((run.tree / ".trainer" / "darknet.log").read_text())
        update_events(run.tree / "backup" / METRICS_NAME, run.tree / "backup" / EVENTS_PATH)
        if drop < DROPS:
            assert len(done.records) == CRASHES + 1
            move(run.tree, tmp_path / f"machine {drop + 1}", chance)
            run = resolve_run(Wishes(tmp_path / f"machine {drop + 1}"))
    assert done.status.state == "finished"
    assert truth.superseded > DROPS * EVERY // 10

    backup = run.tree / "backup"
    metrics = read_metrics(backup / METRICS_NAME)
    iteration, loss, avg_loss, rate, seconds, images = truth.columns
    assert iteration == tuple(range(1, MAX_BATCHES + 1))
    assert tuple(metrics.iteration) == iteration
    assert metrics.loss == pytest.approx(loss)
    assert metrics.avg_loss == pytest.approx(avg_loss)
    assert metrics.rate == pytest.approx(rate)
    assert metrics.seconds == pytest.approx(seconds)
    assert tuple(metrics.images) == images
    on_disk = re.findall(r'^\{"i":(\d+)', (backup / METRICS_NAME).read_text(), re.MULTILINE)
    assert tuple(map(int, on_disk)) == iteration, "who reads it with other tools finds each once, too"
    assert [(seam.kind, seam.first_iteration) for seam in metrics.seams] == truth.seams
    assert len(truth.seams) > DROPS
    assert all("signal 9" in seam.reason for seam in metrics.seams if seam.kind == "restarted")

    shown = show_in_tensorboard(backup / EVENTS_PATH)
    curves = {"loss": loss, "avg_loss": avg_loss, "rate": rate, "seconds": seconds, "images": images}
    for tag, values in curves.items():
        assert tuple(shown[tag][0]) == iteration
        assert shown[tag][1] == pytest.approx(values, rel=1e-5)
    assert draws((line for axes in draw_chart(metrics, "").axes for line in axes.lines), iteration, avg_loss)
    assert len(to_csv(metrics).splitlines()) == 1 + MAX_BATCHES
