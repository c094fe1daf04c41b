"""What a run has shown so far, over all of its sessions: ``backup/metrics.jsonl``, in the lines of ``curve``.

Each iteration stands once: a resume takes away what a dropped session had trained beyond it. Readers do the same on
their own, and pass over lines that are torn or not ours, so a file that nobody could put in order is read as if it
were.
"""

from __future__ import annotations

import contextlib
import heapq
import math
import os
import time
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np

from drivesync.errors import LocalWriteError, NotFoundError
from trainer.curves.curve import Happening, Point, Seam, parse_lines, settle, thin, to_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from trainer.curves.curve import Record, SeamKind

METRICS_NAME = "metrics.jsonl"
CHART_NAME = "chart.png"
"""What lies beside a run's checkpoints for people, and is pushed with them."""

POINTS_LIMIT = 20_000
"""More points than this are thinned when a writer opens the file; while it is open there may be twice as many."""

FLUSH_INTERVAL_S = 1.0

_BUFFER_LIMIT_BYTES = 4 << 20


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
    seams: tuple[Seam, ...]
    """In order of time, and so of iteration."""
    happenings: tuple[Happening, ...]
    """In order of time."""


class MetricsWriter:
    """Append to a metrics file as long as the ``with`` block lasts; one writer to a file.

    Opening takes away a last line that a crash has torn, and thins a file of over :data:`POINTS_LIMIT` points. What
    is told is written at most once a second, when the next thing is told or :meth:`flush` is called. Once it is open
    nothing here raises: training is not worth stopping because its curve cannot be written, and what the disk did
    not take is tried again with the next flush.

    Args:
        path: the file; it and its directory are made if need be.
        clock: seconds of a monotonic clock.
        wall_clock: seconds since 1970.

    Raises:
        LocalWriteError: on entering, if the file cannot be opened for writing.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._clock = clock
        self._wall_clock = wall_clock
        self._descriptor = -1
        self._buffer = bytearray()
        self._flushed_at = -math.inf
        self._points = 0

    def __enter__(self) -> MetricsWriter:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = _open_to_append(self._path)
            content = self._path.read_bytes()
            os.ftruncate(self._descriptor, content.rfind(b"\n") + 1)
        except OSError as error:
            raise LocalWriteError(f"cannot write {self._path}: {error.strerror}") from error
        self._points = sum(isinstance(record, Point) for record in parse_lines(content))
        if self._points > POINTS_LIMIT:
            self._rewrite()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.flush()
        os.close(self._descriptor)

    def progress(self, *, iteration: int, loss: float, avg_loss: float, rate: float, seconds: float) -> None:
        """Note what darknet said of one iteration, which took ``seconds``."""
        self._points += 1
        self._append(Point(iteration, loss, avg_loss, rate, seconds, self._wall_clock()))

    def event(self, name: str, /, *, iteration: int | None = None, **fields: str | float | None) -> None:
        """Note that something happened, at ``iteration`` if it belongs to one."""
        self._append(Happening(name, iteration, self._wall_clock(), fields))

    def resume(self, first_iteration: int, *, kind: SeamKind = "resumed") -> None:
        """Training goes on with ``first_iteration``: take away what is known of it and beyond, and mark the seam.

        Events and seams beyond it go as well, since they belong to a stretch that is trained again. The start of a
        run is no seam: in a file with nothing in it iteration 1 is not marked.
        """
        if first_iteration <= 1 and not self._buffer and os.fstat(self._descriptor).st_size == 0:
            return
        self._append(Seam(kind, first_iteration, self._wall_clock()))
        self.flush()
        self._rewrite()

    def flush(self) -> None:
        """Write what has been told; to be called now and then while nothing is told."""
        self._flushed_at = self._clock()
        with contextlib.suppress(OSError):
            while self._buffer:
                del self._buffer[: os.write(self._descriptor, self._buffer)]
        if len(self._buffer) > _BUFFER_LIMIT_BYTES:
            self._buffer[:] = b"\n"  # ends the line of which the disk may have taken a part
        if self._points > 2 * POINTS_LIMIT:
            self._rewrite()

    def _append(self, record: Record) -> None:
        self._buffer += to_line(record)
        if self._clock() - self._flushed_at >= FLUSH_INTERVAL_S:
            self.flush()

    def _rewrite(self) -> None:
        """Put a file in order in place of the present one, in one step; where the disk has no room, leave it."""
        if self._buffer:  # what is on disk may end within a line
            return
        new = self._path.with_name(f".{self._path.name}.part")
        with contextlib.suppress(OSError):
            points, others = settle(parse_lines(self._path.read_bytes()))
            points = thin(points, POINTS_LIMIT)
            new.unlink(missing_ok=True)
            descriptor = _open_to_append(new)
            try:
                _write_durably(
                    descriptor, b"".join(to_line(record) for _, record in heapq.merge(points, others))
                )
                new.replace(self._path)
            except OSError:
                os.close(descriptor)
                new.unlink()
                raise
            os.close(self._descriptor)
            self._descriptor = descriptor
            self._points = len(points)


def read_metrics(path: Path) -> Metrics:
    """Read a metrics file, also while it is written.

    Raises:
        NotFoundError: there is no such file, or it may not be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NotFoundError(f"cannot read {path}: {error.strerror}") from error
    points, others = settle(parse_lines(content))
    values = attrgetter("iteration", "loss", "avg_loss", "rate", "seconds", "unix_s")
    columns = np.array([values(point) for _, point in points], dtype=np.float64).reshape(-1, 6).T
    return Metrics(
        iteration=columns[0].astype(np.int64),
        loss=columns[1],
        avg_loss=columns[2],
        rate=columns[3],
        seconds=columns[4],
        unix_s=columns[5],
        seams=tuple(other for _, other in others if isinstance(other, Seam)),
        happenings=tuple(other for _, other in others if isinstance(other, Happening)),
    )


def _open_to_append(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)


def _write_durably(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.fsync(descriptor)
