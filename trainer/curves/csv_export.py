"""A run's curve as a table for spreadsheets and scripts: comma-separated values, a line to each iteration."""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING

from drivesync.disk import local_errors, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from trainer.curves.metrics import Metrics

COLUMNS = ("iteration", "loss", "avg_loss", "rate", "seconds", "images", "unix_time", "mAP")


def to_csv(metrics: Metrics) -> str:
    """The table, its first line the columns' names; empty is what is not known, or no number.

    ``mAP`` is from 0 to 1. Where it was measured at an iteration that nobody noted, nothing else stands in the line.
    """
    columns = (metrics.loss, metrics.avg_loss, metrics.rate, metrics.seconds, metrics.images, metrics.unix_s)
    rows = {
        iteration: [*map(_show, values), ""]
        for iteration, *values in zip(
            metrics.iteration.tolist(), *(column.tolist() for column in columns), strict=True
        )
    }
    for measured in metrics.maps:
        nothing = [*[""] * 5, _show(measured.unix_s), ""]
        rows.setdefault(measured.iteration, nothing)[-1] = _show(measured.value)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([iteration, *rows[iteration]] for iteration in sorted(rows))
    return table.getvalue()


def save_csv(metrics: Metrics, path: Path) -> None:
    """Write the table to ``path``, in one step.

    Raises:
        LocalWriteError: it cannot be written; an older one is left as it was.
    """
    with local_errors(path):
        write_atomically(path, to_csv(metrics).encode())


def _show(value: float) -> str:
    """With all its digits; a whole number without a point."""
    if not math.isfinite(value):
        return ""
    return str(int(value)) if value.is_integer() else repr(value)
