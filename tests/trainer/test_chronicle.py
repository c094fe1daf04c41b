"""What a run shows is kept over all sessions, and what follows from it is told at once."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from trainer.chronicle import Chronicle
from trainer.curves.metrics import read_metrics
from trainer.curves.writer import MetricsWriter
from trainer.darknet.output import ClassPrecision, MapBegun, MeanAveragePrecision, Progress, Saving
from trainer.status import GpuNote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_BATCHES = 300


@contextmanager
def session(path: Path) -> Iterator[Chronicle]:
    with MetricsWriter(path) as metrics:
        yield Chronicle(path, metrics, MAX_BATCHES)


def train(chronicle: Chronicle, first: int, last: int, avg_loss: float = 3.0) -> None:
    for iteration in range(first, last + 1):
        event = Progress(iteration, 2.0, avg_loss, 0.001, 0.01, 4 * iteration)
        chronicle.hear(event, 3.0 * iteration)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


def test_each_iteration_stands_once_and_each_seam_says_why(path: Path) -> None:
    with session(path) as chronicle:
        chronicle.begin(0, why_again=None)
        train(chronicle, 1, 30)
        chronicle.begin(20, why_again="it was killed")
        train(chronicle, 21, 40)
    with session(path) as chronicle:
        chronicle.begin(35, why_again=None)
        chronicle.hear(Saving("backup/x_last.weights"), 0.0)
    metrics = read_metrics(path)
    assert metrics.iteration.tolist() == list(range(1, 36))
    assert metrics.images.tolist() == [4.0 * iteration for iteration in range(1, 36)]
    assert [(seam.kind, seam.first_iteration, seam.reason) for seam in metrics.seams] == [
        ("restarted", 21, "it was killed"),
        ("resumed", 36, ""),
    ]


def test_a_map_is_kept_with_its_classes(path: Path) -> None:
    passes = [(1, 0.5, {"cat": 0.75, "dog": 0.25}), (2, 0.4, {"cat": 0.4}), (3, 0.3, {})]
    with session(path) as chronicle:
        chronicle.begin(0, why_again=None)
        for iteration, value, classes in passes:
            train(chronicle, iteration, iteration)
            if iteration == 2:
                # Of a pass that was cut short nothing is left.
                chronicle.hear(ClassPrecision(5, "bird", 0.9), 0.0)
            chronicle.hear(MapBegun(), 0.0)
            for place, (name, precision) in enumerate(classes.items()):
                chronicle.hear(ClassPrecision(place, name, precision), 0.0)
            chronicle.hear(MeanAveragePrecision(value), 0.0)
        told = chronicle.tell()
    assert [(one.iteration, one.value, dict(one.classes)) for one in read_metrics(path).maps] == passes
    assert (told["map_last"], told["map_last_iteration"]) == (0.3, 3)
    assert (told["map_best"], told["map_best_iteration"]) == (0.5, 1)


def test_what_a_pass_found_before_its_darknet_died_is_none_of_the_next_one(path: Path) -> None:
    with session(path) as chronicle:
        chronicle.begin(0, why_again=None)
        chronicle.hear(ClassPrecision(0, "cat", 0.9), 0.0)
        chronicle.begin(0, why_again="it was killed")
        train(chronicle, 1, 1)
        chronicle.hear(MeanAveragePrecision(0.1), 0.0)
    (one,) = read_metrics(path).maps
    assert dict(one.classes) == {}


def test_the_sessions_before_tell_of_the_trend_and_of_the_best(path: Path) -> None:
    with session(path) as chronicle:
        chronicle.begin(0, why_again=None)
        for first in (1, 51, 101, 151):
            train(chronicle, first, first + 49, avg_loss=4.0)
            chronicle.hear(MeanAveragePrecision((first + 49) / 1000), 0.0)
    with session(path) as chronicle:
        chronicle.begin(120, why_again=None)
        told = chronicle.tell()
        # The passes at 150 and 200 are trained again.
        assert (told["map_last"], told["map_last_iteration"], told["map_best_iteration"]) == (0.1, 100, 100)
        train(chronicle, 121, 160)
        told = chronicle.tell()
        assert told["earlier_loss"] == 4.0
        assert 50 <= told["earlier_iteration"] <= 60


@pytest.mark.parametrize(
    ("gpus", "kept"),
    [
        pytest.param([], [], id="none"),
        pytest.param([GpuNote("T4", 5, 16, 90.0)], [(5, 16, 90.0)], id="one"),
        pytest.param([GpuNote("T4", 5, 16, 90.0), GpuNote("T4", 7, 16, 30.0)], [(12, 32, 60.0)], id="two"),
        pytest.param([GpuNote("T4", 5, 16, 90.0), GpuNote("?")], [(5, 16, 90.0)], id="one tells nothing"),
    ],
)
def test_what_the_graphics_cards_do(
    gpus: list[GpuNote], kept: list[tuple[int, int, float]], path: Path
) -> None:
    with session(path) as chronicle:
        chronicle.begin(0, why_again=None)
        train(chronicle, 1, 1)
        chronicle.note_usage(gpus)
    usages = read_metrics(path).usages
    assert [(one.used_bytes, one.total_bytes, one.busy_percent) for one in usages] == kept
