"""What a run has shown so far, over all of its sessions: ``backup/metrics.jsonl``, in the lines of ``lines``.

Each iteration stands once: what a seam, or the same iteration told again, has superseded is left out here as it is
taken away by whoever writes the file (see ``writer``), and lines that are torn or not ours are passed over. So a file
that nobody could put in order is read as if it were.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np

from drivesync.errors import NotFoundError
from trainer.curves.curve import Happening, Seam, Usage, find_maps, settle
from trainer.curves.lines import parse_line

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from trainer.curves.curve import MapPoint

METRICS_NAME = "metrics.jsonl"
CHART_NAME = "chart.png"
"""What lies beside a run's checkpoints for people, and is pushed with them."""


@dataclass(frozen=True, slots=True, eq=False)
class Metrics:
    """A run's curves: arrays of one length, sorted by ``iteration``, each iteration once; nan where not finite."""

    iteration: NDArray[np.int64]
    loss: NDArray[np.float64]
    avg_loss: NDArray[np.float64]
    """darknet's moving average; it starts over at each seam."""
    rate: NDArray[np.float64]
    """Learning rate."""
    seconds: NDArray[np.float64]
    """How long each iteration took."""
    unix_s: NDArray[np.float64]
    images: NDArray[np.float64]
    """How many darknet has counted; nan where nobody noted it."""
    seams: tuple[Seam, ...]
    """In order of time, and so of iteration."""
    usages: tuple[Usage, ...]
    """What of the GPU was in use, in order of time, and so of iteration."""
    happenings: tuple[Happening, ...]
    """All else, in order of time."""
    maps: tuple[MapPoint, ...]
    """What those called ``map`` tell, in order of time, and so of iteration."""
    unreadable: int = 0
    """So many lines are torn or not ours; the last one, which may yet be written, is none of them."""

    @property
    def best_map(self) -> MapPoint | None:
        """The highest mean average precision, the first of equals; None where none was measured."""
        return max(self.maps, key=attrgetter("value"), default=None)


def read_metrics(path: Path) -> Metrics:
    """Read a metrics file, also while it is written.

    Raises:
        NotFoundError: there is no such file, or it may not be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NotFoundError(f"cannot read {path}: {error.strerror}") from error
    lines = content.split(b"\n")
    records = [parse_line(line) for line in lines]
    torn = (record is None and line.strip() for line, record in zip(lines[:-1], records[:-1], strict=True))
    unreadable = sum(map(bool, torn))
    points, others = settle(record for record in records if record is not None)
    values = attrgetter("iteration", "loss", "avg_loss", "rate", "seconds", "unix_s", "images")
    columns = np.array([values(point) for _, point in points], dtype=np.float64).reshape(-1, 7).T
    return Metrics(
        iteration=columns[0].astype(np.int64),
        loss=columns[1],
        avg_loss=columns[2],
        rate=columns[3],
        seconds=columns[4],
        unix_s=columns[5],
        images=columns[6],
        seams=tuple(other for _, other in others if isinstance(other, Seam)),
        usages=tuple(other for _, other in others if isinstance(other, Usage)),
        happenings=tuple(other for _, other in others if isinstance(other, Happening)),
        maps=find_maps(other for _, other in others),
        unreadable=unreadable,
    )
