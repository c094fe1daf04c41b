"""Writing ``backup/metrics.jsonl``: each iteration once, over all sessions, though a disk fills up and sessions die.

A resume takes away what a dropped session had trained beyond it. Where that cannot be done, the file stays in disorder
and is read as if it were in order (see ``metrics``), until it can.
"""

from __future__ import annotations

import contextlib
import heapq
import math
import os
import time
from typing import TYPE_CHECKING

from drivesync.errors import LocalWriteError
from trainer.curves.curve import Happening, Point, Seam, Usage, settle, thin
from trainer.curves.lines import find_superseded, parse_lines, survey, to_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

    from trainer.curves.curve import Record, SeamKind

POINTS_LIMIT = 20_000
"""Where there are more points, about half as many are kept, and never more than these."""

FLUSH_INTERVAL_S = 1.0
USAGE_INTERVAL_S = 10.0

_BUFFER_LIMIT_BYTES = 4 << 20


class MetricsWriter:
    """Append to a metrics file as long as the ``with`` block lasts; one writer to a file.

    Opening takes away a last line that a crash has torn, and puts a file in order that a crash has left in disorder.
    What is told is written at most once a second, when the next thing is told or :meth:`flush` is called. Once it is
    open nothing here raises: training is not worth stopping because its curve cannot be written, and what the disk did
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
        self._usage_at = -math.inf
        self._points = 0
        self._thin_at = POINTS_LIMIT
        self._last: int | None = None
        self._in_order = True

    def __enter__(self) -> MetricsWriter:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = _open_to_append(self._path)
            content = self._path.read_bytes()
            os.ftruncate(self._descriptor, content.rfind(b"\n") + 1)
        except OSError as error:
            raise LocalWriteError(f"cannot write {self._path}: {error.strerror}") from error
        self._points, self._last, self._in_order = survey(content)
        if self._points > POINTS_LIMIT or not self._in_order:
            self._rewrite()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.flush()
        os.close(self._descriptor)

    def progress(
        self,
        *,
        iteration: int,
        loss: float,
        avg_loss: float,
        rate: float,
        seconds: float,
        images: int | None = None,
    ) -> None:
        """Note what darknet said of one iteration, which took ``seconds``; ``images`` is its count of them."""
        self._points += 1
        self._in_order = self._in_order and (self._last is None or self._last < iteration)
        self._last = iteration
        self._append(Point(iteration, loss, avg_loss, rate, seconds, self._wall_clock(), images))

    def usage(self, *, used_bytes: int, total_bytes: int, busy_percent: float | None) -> None:
        """Note what of the GPU is in use, of several what of all together; once in ten seconds, if told more often."""
        now_s = self._clock()
        if self._last is not None and now_s - self._usage_at >= USAGE_INTERVAL_S:
            self._usage_at = now_s
            busy = math.nan if busy_percent is None else busy_percent
            self._append(Usage(self._last, used_bytes, total_bytes, busy, self._wall_clock()))

    def event(
        self,
        name: str,
        /,
        *,
        iteration: int | None = None,
        **fields: str | float | Mapping[str, float] | None,
    ) -> None:
        """Note that something happened, at ``iteration`` if it belongs to one.

        ``map`` is a mean average precision; of it are asked ``value``, from 0 to 1, and where they are known
        ``classes``, the same by the classes' names.
        """
        self._append(Happening(name, iteration, self._wall_clock(), fields))

    def resume(self, first_iteration: int, *, kind: SeamKind = "resumed", reason: str = "") -> None:
        """Training goes on with ``first_iteration``: take away what is known of it and beyond, and mark the seam.

        Events and seams beyond it go as well, since they belong to a stretch that is trained again. The start of a
        run is no seam: in a file with nothing in it iteration 1 is not marked.
        """
        if first_iteration <= 1 and not self._buffer and os.fstat(self._descriptor).st_size == 0:
            return
        self._append(Seam(kind, first_iteration, self._wall_clock(), reason))
        self.flush()
        self._last = max(0, first_iteration - 1)
        if self._buffer:
            self._in_order = False
        elif self._in_order:
            self._cut_back(first_iteration)
        else:
            self._rewrite()

    def flush(self) -> None:
        """Write what has been told; to be called now and then while nothing is told."""
        self._flushed_at = self._clock()
        with contextlib.suppress(OSError):
            while self._buffer:
                del self._buffer[: os.write(self._descriptor, self._buffer)]
        if len(self._buffer) > _BUFFER_LIMIT_BYTES:
            self._buffer[:] = b"\n"  # ends the line of which the disk may have taken a part
        if self._points > self._thin_at:
            self._rewrite()

    def _append(self, record: Record) -> None:
        self._buffer += to_line(record)
        if self._clock() - self._flushed_at >= FLUSH_INTERVAL_S:
            self.flush()

    def _cut_back(self, first_iteration: int) -> None:
        """Take away, where it stands, what the seam at the file's end has superseded.

        What stays is written over it before the end is cut off, so whoever reads in between, or after a crash, sees
        that seam twice: what stands between the two is none of the curve.
        """
        try:
            content = self._path.read_bytes()
            place, kept = find_superseded(content, first_iteration)
            self._points -= content.count(b'\n{"i":', max(0, place - 1))
            with self._path.open("r+b", buffering=0) as file:
                os.pwrite(file.fileno(), kept, place)
                os.ftruncate(file.fileno(), place + len(kept))
        except OSError:
            self._in_order = False

    def _rewrite(self) -> None:
        """Put a file in order in place of the present one, in one step; where the disk has no room, leave it."""
        self._thin_at = max(POINTS_LIMIT, self._points + POINTS_LIMIT // 2)
        if self._buffer:  # what is on disk may end within a line
            return
        new = self._path.with_name(f".{self._path.name}.part")
        with contextlib.suppress(OSError):
            points, others = settle(parse_lines(self._path.read_bytes()))
            if len(points) > POINTS_LIMIT:
                points, others = thin(points, others, POINTS_LIMIT)
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
            self._points, self._thin_at, self._in_order = len(points), POINTS_LIMIT, True


def _open_to_append(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)


def _write_durably(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.fsync(descriptor)
