from __future__ import annotations

import csv
import math
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import LocalWriteError
from trainer.curves.csv_export import save_csv, to_csv
from trainer.curves.metrics import read_metrics
from trainer.curves.writer import MetricsWriter

if TYPE_CHECKING:
    from pathlib import Path

    from trainer.curves.metrics import Metrics

TABLE = """\
iteration,loss,avg_loss,rate,seconds,images,unix_time,mAP
1,2.5,3,0.001,0.125,64,1790000000,
2,,,0.001,0.125,,1790000000,0.25
3,0.1,3,1e-07,0.125,192,1790000000,
4,,,,,,1790000000,0.5
"""


@pytest.fixture
def metrics(tmp_path: Path) -> Metrics:
    path = tmp_path / "metrics.jsonl"
    with MetricsWriter(path, wall_clock=lambda: 1_790_000_000.0) as writer:
        writer.progress(iteration=1, loss=2.5, avg_loss=3.0, rate=0.001, seconds=0.125, images=64)
        writer.progress(iteration=2, loss=math.nan, avg_loss=math.inf, rate=0.001, seconds=0.125)
        writer.event("map", iteration=2, value=0.25)
        writer.progress(iteration=3, loss=0.1, avg_loss=3.0, rate=1e-7, seconds=0.125, images=192)
        writer.event("map", iteration=4, value=0.5)
    return read_metrics(path)


def test_a_line_to_each_iteration(metrics: Metrics) -> None:
    assert to_csv(metrics) == TABLE


def test_it_is_read_by_others(metrics: Metrics) -> None:
    rows = list(csv.DictReader(to_csv(metrics).splitlines()))
    assert [float(row["loss"]) for row in rows if row["loss"]] == [2.5, 0.1]
    assert [row["iteration"] for row in rows if row["mAP"]] == ["2", "4"]


def test_it_is_saved_in_one_step(metrics: Metrics, tmp_path: Path) -> None:
    save_csv(metrics, tmp_path / "curve.csv")
    assert (tmp_path / "curve.csv").read_text() == TABLE
    with pytest.raises(LocalWriteError):
        save_csv(metrics, tmp_path / "nowhere" / "curve.csv")
