"""What a run has shown so far, over all of its sessions: ``backup/metrics.jsonl``.

One compact JSON object a line, in the order in which it happened:

    {"i":101,"loss":2.31,"avg":2.84,"rate":0.001,"s":0.41,"t":1790000000}     an iteration
    {"event":"saved","i":200,"t":1790000044}                                  something that happened at one
    {"event":"resumed","from":201,"t":1790000300}                             a seam: training went on with 201

``t`` is seconds since 1970 and ``s`` the seconds that the iteration took; ``null`` stands for nan and infinity, which
JSON does not have. Each iteration stands once: a resume takes away what a dropped session had trained beyond it.
Readers do the same on their own, and pass over lines that are torn or not ours, so a file that nobody could put in
order is read as if it were.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import math
import os
import time
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Literal

import numpy as np

from drivesync.errors import LocalWriteError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

POINTS_LIMIT = 20_000
"""More points than this are thinned when a writer opens the file; while it is open there may be twice as many."""

FLUSH_INTERVAL_S = 1.0

_BUFFER_LIMIT_BYTES = 4 << 20

SeamKind = Literal["resumed", "restarted"]
"""``resumed``: a new session went on; ``restarted``: darknet was started again within one."""

_SEAM_KINDS: dict[str, SeamKind] = {"resumed": "resumed", "restarted": "restarted"}


@dataclass(frozen=True, slots=True)
class Point:
    """What darknet said of one iteration; a value that is not finite is nan."""

    iteration: int
    loss: float
    avg_loss: float
    rate: float
    seconds: float
    unix_s: float


@dataclass(frozen=True, slots=True)
class Seam:
    """Training went on with ``first_iteration`` from a checkpoint."""

    kind: SeamKind
    first_iteration: int
    unix_s: float


@dataclass(frozen=True, slots=True)
class Happening:
    """An event that is no seam, as ``saved``, ``pushed`` or ``map``; ``fields`` is what else it said."""

    name: str
    iteration: int | None
    unix_s: float
    fields: Mapping[str, object] = field(default_factory=dict)


Record = Point | Seam | Happening


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
        self._points = sum(isinstance(record, Point) for record in _parse(content))
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
        self._buffer += _to_line(record)
        if self._clock() - self._flushed_at >= FLUSH_INTERVAL_S:
            self.flush()

    def _rewrite(self) -> None:
        """Put a file in order in place of the present one, in one step; where the disk has no room, leave it."""
        if self._buffer:  # what is on disk may end within a line
            return
        new = self._path.with_name(f".{self._path.name}.part")
        with contextlib.suppress(OSError):
            points, others = _settle(_parse(self._path.read_bytes()))
            points = _thin(points, POINTS_LIMIT)
            new.unlink(missing_ok=True)
            descriptor = _open_to_append(new)
            try:
                _write_durably(
                    descriptor, b"".join(_to_line(record) for _, record in heapq.merge(points, others))
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
    points, others = _settle(_parse(content))
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


def _settle(records: Iterable[Record]) -> tuple[list[tuple[int, Point]], list[tuple[int, Seam | Happening]]]:
    """Leave out what a later seam, or a later point of the same iteration, has superseded.

    Returns:
        Points, sorted by iteration as well as by time, and all others by time; each with its place in ``records``.
    """
    points: list[tuple[int, Point]] = []
    others: list[tuple[int, Seam | Happening]] = []
    for place, record in enumerate(records):
        if isinstance(record, Point):
            _cut(points, record.iteration)
            points.append((place, record))
        else:
            if isinstance(record, Seam):
                _cut(points, record.first_iteration)
                others = [(at, other) for at, other in others if _stands(other, record.first_iteration)]
            others.append((place, record))
    return points, others


def _cut(points: list[tuple[int, Point]], first_iteration: int) -> None:
    while points and points[-1][1].iteration >= first_iteration:
        points.pop()


def _stands(other: Seam | Happening, resumed_at: int) -> bool:
    if isinstance(other, Seam):
        return other.first_iteration <= resumed_at
    return other.iteration is None or other.iteration < resumed_at


def _thin(points: Sequence[tuple[int, Point]], limit: int) -> list[tuple[int, Point]]:
    """Keep at most ``limit`` points, if there are more: of each stretch the lowest and the highest loss, and a nan.

    Stretches are equally many iterations, not points, so that what has been thinned before is not thinned again.
    """
    if len(points) <= limit:
        return list(points)
    first, last = points[0][1].iteration, points[-1][1].iteration
    stretches = limit // 4
    kept = {points[0], points[-1]}
    for _, group in groupby(
        points, key=lambda item: (item[1].iteration - first) * stretches // (last - first + 1)
    ):
        stretch = list(group)
        finite = [item for item in stretch if not math.isnan(item[1].loss)]
        if finite:
            kept |= {min(finite, key=_loss), max(finite, key=_loss)}
        if len(finite) < len(stretch):
            kept.add(next(item for item in stretch if math.isnan(item[1].loss)))
    return sorted(kept, key=itemgetter(0))


def _loss(item: tuple[int, Point]) -> float:
    return item[1].loss


def _open_to_append(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)


def _write_durably(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.fsync(descriptor)


def _to_line(record: Record) -> bytes:
    said: dict[str, object]
    match record:
        case Point():
            said = {"i": record.iteration, "loss": _or_null(record.loss), "avg": _or_null(record.avg_loss)}
            said |= {"rate": _or_null(record.rate), "s": _or_null(record.seconds)}
        case Seam():
            said = {"event": record.kind, "from": record.first_iteration}
        case Happening():
            said = {"event": record.name} | ({} if record.iteration is None else {"i": record.iteration})
            said |= {
                key: _or_null(value) if isinstance(value, float) else value
                for key, value in record.fields.items()
            }
    said["t"] = None if math.isnan(record.unix_s) else round(record.unix_s)
    return json.dumps(said, separators=(",", ":")).encode() + b"\n"


def _or_null(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _parse(content: bytes) -> Iterator[Record]:
    for line in content.split(b"\n"):
        try:
            record = _from_json(json.loads(line, parse_constant=_finite_or_null, parse_float=_finite_or_null))
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            continue
        yield record


def _finite_or_null(text: str) -> float | None:
    return _or_null(float(text))


def _from_json(said: dict[str, object]) -> Record:
    """Read one line's object; raises one of several errors if it is none of ours."""
    if "event" not in said:
        loss, avg_loss, rate, seconds, unix_s = (
            _number(said[key]) for key in ("loss", "avg", "rate", "s", "t")
        )
        return Point(_iteration(said["i"]), loss, avg_loss, rate, seconds, unix_s)
    name, unix_s = str(said["event"]), _number(said["t"])
    if (kind := _SEAM_KINDS.get(name)) is not None:
        return Seam(kind, _iteration(said["from"]), unix_s)
    iteration = _iteration(said["i"]) if "i" in said else None
    fields = {key: value for key, value in said.items() if key not in ("event", "i", "t")}
    return Happening(name, iteration, unix_s, fields)


def _iteration(value: object) -> int:
    if isinstance(value, int) and 0 <= value < 2**53:
        return value
    raise ValueError(value)


def _number(value: object) -> float:
    if value is None:
        return math.nan
    if isinstance(value, int | float):
        return float(value)
    raise ValueError(value)
