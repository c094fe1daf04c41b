"""What these tests share: a run's metrics file, a clock that stands until it is moved, and what TensorBoard shows."""

from __future__ import annotations

import math
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from trainer.curves.metrics import METRICS_NAME, read_metrics
from trainer.curves.tensorboard import EVENTS_PATH, update_events
from trainer.curves.writer import MetricsWriter

if TYPE_CHECKING:
    from pathlib import Path

Curves = dict[str, list[tuple[int, float]]]


class FakeClock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "backup" / "metrics.jsonl"


def open_writer(path: Path, clock: FakeClock) -> MetricsWriter:
    return MetricsWriter(path, clock=clock, wall_clock=clock)


def tell(writer: MetricsWriter, *iterations: int, loss: float = 2.5) -> None:
    for iteration in iterations:
        writer.progress(iteration=iteration, loss=loss, avg_loss=3.0, rate=0.001, seconds=0.5)


def write_run(path: Path, clock: FakeClock, *iterations: int) -> None:
    with open_writer(path, clock) as writer:
        tell(writer, *iterations)


def line(iteration: int, loss: str = "2.5") -> str:
    return f'{{"i":{iteration},"loss":{loss},"avg":3.0,"rate":0.001,"s":0.5,"t":1000}}\n'


class Run:
    """A run in a folder, its clock, and what is told of it."""

    def __init__(self, backup: Path) -> None:
        self.metrics, self.events = backup / METRICS_NAME, backup / EVENTS_PATH
        self.now_s = 1_790_000_000.25

    def clock(self) -> float:
        return self.now_s

    def writer(self) -> MetricsWriter:
        return MetricsWriter(self.metrics, clock=self.clock, wall_clock=self.clock)

    def train(self, first: int, last: int, *, maps: tuple[int, ...] = (), usages: bool = False) -> None:
        """A session, and an update at its end."""
        with self.writer() as writer:
            writer.resume(first)
            for iteration in range(first, last + 1):
                self.now_s += 4
                writer.progress(
                    iteration=iteration,
                    loss=self.now_s % 1009,
                    avg_loss=2.0,
                    rate=0.001,
                    seconds=0.5,
                    images=64 * iteration,
                )
                if usages:
                    writer.usage(used_bytes=iteration << 20, total_bytes=1 << 34, busy_percent=50)
                if iteration in maps:
                    writer.event(
                        "map",
                        iteration=iteration,
                        value=self.now_s % 1013 / 1013,
                        classes={"a b": 0.5, "c": math.nan},
                    )
        self.update()

    def update(self) -> None:
        self.now_s += 1
        update_events(self.metrics, self.events)

    def expected(self) -> Curves:
        read = read_metrics(self.metrics)
        steps = read.iteration.tolist()
        columns = {"loss": read.loss, "avg_loss": read.avg_loss, "rate": read.rate, "seconds": read.seconds}
        curves = {tag: list(zip(steps, column.tolist(), strict=True)) for tag, column in columns.items()}
        curves["images"] = [
            (step, count)
            for step, count in zip(steps, read.images.tolist(), strict=True)
            if not math.isnan(count)
        ]
        curves["mAP"] = [(found.iteration, found.value) for found in read.maps]
        curves["AP/a b"] = [(found.iteration, 0.5) for found in read.maps]
        curves["GPU/memory_GiB"] = [(usage.iteration, usage.used_bytes / (1 << 30)) for usage in read.usages]
        curves["GPU/busy_percent"] = [(usage.iteration, usage.busy_percent) for usage in read.usages]
        return {tag: curve for tag, curve in curves.items() if curve}

    def shown(self) -> Curves:
        """By TensorBoard's reader, which keeps everything if it is told to."""
        readers = import_module("tensorboard.backend.event_processing.event_accumulator")
        reader = readers.EventAccumulator(str(self.events.parent), size_guidance={readers.SCALARS: 0})
        reader.Reload()
        tags = reader.Tags()["scalars"]
        curves = {tag: [(event.step, event.value) for event in reader.Scalars(tag)] for tag in tags}
        # Of what was taken back, and has not come again, only the name is left.
        return {tag: curve for tag, curve in curves.items() if curve}

    def check(self) -> None:
        self.compare(self.shown())

    def compare(self, shown: Curves) -> None:
        expected = self.expected()
        assert shown.keys() == expected.keys()
        for tag, curve in expected.items():
            assert [step for step, _ in shown[tag]] == [step for step, _ in curve], tag
            values = [value for _, value in curve]
            assert [value for _, value in shown[tag]] == pytest.approx(values, rel=1e-5, nan_ok=True), tag


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "backup")
