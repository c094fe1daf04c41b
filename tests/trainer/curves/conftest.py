"""What these tests share: a run's metrics file, and a clock that stands until it is moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from trainer.curves.writer import MetricsWriter

if TYPE_CHECKING:
    from pathlib import Path


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
