"""PURE: a run's curve as records, and records as lines of JSON.

One compact object a line, in the order in which it happened:

    {"i":101,"loss":2.31,"avg":2.84,"rate":0.001,"s":0.41,"t":1790000000}     an iteration
    {"event":"saved","i":200,"t":1790000044}                                  something that happened at one
    {"event":"resumed","from":201,"t":1790000300}                             a seam: training went on with 201

``t`` is seconds since 1970 and ``s`` the seconds that the iteration took; ``null`` stands for nan and infinity, which
JSON does not have.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

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


def settle(records: Iterable[Record]) -> tuple[list[tuple[int, Point]], list[tuple[int, Seam | Happening]]]:
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


def thin(points: Sequence[tuple[int, Point]], limit: int) -> list[tuple[int, Point]]:
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


def to_line(record: Record) -> bytes:
    """The record as one line, its end included."""
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


def parse_lines(content: bytes) -> Iterator[Record]:
    """Read a file's lines, in order; those that are torn or not ours are passed over."""
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
