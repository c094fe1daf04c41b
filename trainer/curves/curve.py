"""PURE: a run's curve as records, and records as lines of JSON.

One compact object a line, in the order in which it happened:

    {"i":101,"loss":2.31,"avg":2.84,"rate":0.001,"s":0.41,"img":6464,"t":1790000000}         an iteration
    {"event":"pushed","i":200,"t":1790000044}                                       something that happened at one
    {"event":"map","i":200,"value":0.18,"classes":{"circle":0.03,"square":0.33},"t":1790000050}      what was measured
    {"event":"gpu","i":210,"used":3221225472,"total":16106127360,"busy":97.0,"t":1790000054}         what was in use
    {"event":"resumed","from":201,"t":1790000300.125}                     a seam: a new session went on with 201
    {"event":"restarted","from":201,"reason":"darknet hung","t":1790000300.125}          a seam within a session

``t`` is seconds since 1970, ``s`` the seconds that the iteration took, and ``img`` how many images darknet had counted;
``null`` stands for nan and infinity, which JSON does not have.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SeamKind = Literal["resumed", "restarted"]
"""``resumed``: a new session went on; ``restarted``: darknet was started again within one."""

_SEAM_KINDS: dict[str, SeamKind] = {"resumed": "resumed", "restarted": "restarted"}

MAP = "map"
"""The name of the happening that tells of a mean average precision."""

_GPU = "gpu"
_LIMIT = 2**53
"""Whole numbers up to this one are floats, too."""


@dataclass(frozen=True, slots=True)
class Point:
    """What darknet said of one iteration; a value that is not finite is nan."""

    iteration: int
    loss: float
    avg_loss: float
    rate: float
    seconds: float
    unix_s: float
    images: int | None = None
    """None where nobody has noted them."""


@dataclass(frozen=True, slots=True)
class Seam:
    """Training went on with ``first_iteration`` from a checkpoint; ``reason`` is why it had to, where that is known."""

    kind: SeamKind
    first_iteration: int
    unix_s: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """What of the GPU was in use after an iteration; ``busy_percent`` is nan where it does not tell."""

    iteration: int
    used_bytes: int
    total_bytes: int
    busy_percent: float
    unix_s: float


@dataclass(frozen=True, slots=True)
class Happening:
    """An event that is none of these, as ``pushed`` or ``map``; ``fields`` is what else it said."""

    name: str
    iteration: int | None
    unix_s: float
    fields: Mapping[str, object] = field(default_factory=dict)


Record = Point | Seam | Usage | Happening
Other = Seam | Usage | Happening


@dataclass(frozen=True, slots=True)
class MapPoint:
    """A mean average precision that was measured with the weights of ``iteration``, and each class's; from 0 to 1."""

    iteration: int
    value: float
    unix_s: float
    classes: Mapping[str, float] = field(default_factory=dict)
    """By name, in darknet's order; empty where it does not tell, nan where it measured nothing."""


def find_maps(others: Iterable[Other]) -> tuple[MapPoint, ...]:
    """What has been measured, in the order of ``others``."""
    return tuple(found for other in others if (found := read_map(other)))


def read_map(other: Other) -> MapPoint | None:
    """What has been measured; None where this tells of something else."""
    if not isinstance(other, Happening) or other.name != MAP or other.iteration is None:
        return None
    value, classes = other.fields.get("value"), other.fields.get("classes")
    if not isinstance(value, int | float):
        return None
    told = classes if isinstance(classes, dict) else {}
    named = {
        str(name): math.nan if one is None else float(one)
        for name, one in told.items()
        if one is None or isinstance(one, int | float)
    }
    return MapPoint(other.iteration, float(value), other.unix_s, named)


def settle(records: Iterable[Record]) -> tuple[list[tuple[int, Point]], list[tuple[int, Other]]]:
    """Leave out what a later seam, or a later point of the same iteration, has superseded.

    Of a seam that stands twice, whatever stands between the two was about to be taken away.

    Returns:
        Points, sorted by iteration as well as by time, and all others by time; each with its place in ``records``.
    """
    points: list[tuple[int, Point]] = []
    others: list[tuple[int, Other]] = []
    for place, record in enumerate(records):
        if isinstance(record, Point):
            _cut(points, record.iteration)
            points.append((place, record))
        else:
            if isinstance(record, Seam):
                _cut(points, record.first_iteration)
                before = next((index for index, (_, other) in enumerate(others) if other == record), None)
                others = [
                    (at, other) for at, other in others[:before] if _stands(other, record.first_iteration)
                ]
            others.append((place, record))
    return points, others


def _cut(points: list[tuple[int, Point]], first_iteration: int) -> None:
    while points and points[-1][1].iteration >= first_iteration:
        points.pop()


def _stands(other: Other, resumed_at: int) -> bool:
    if isinstance(other, Seam):
        return other.first_iteration <= resumed_at
    return other.iteration is None or other.iteration < resumed_at


def find_superseded(content: bytes, first_iteration: int) -> tuple[int, bytes]:
    """What a seam at ``first_iteration``, the last line of a file that was in order before, takes away.

    Returns:
        The place of the first byte that is not to stay where it is, and what is to stand from there on.
    """
    place, kept, end = len(content), list[tuple[int, bytes]](), len(content)
    while end:
        begin = content.rfind(b"\n", 0, end - 1) + 1
        record = parse_line(line := content[begin:end])
        if isinstance(record, Point) and record.iteration < first_iteration:
            break
        if record is None or isinstance(record, Point) or not _stands(record, first_iteration):
            place = begin
        else:
            kept.append((begin, line))
        end = begin
    return place, b"".join(line for begin, line in reversed(kept) if begin > place)


def thin(
    points: Sequence[tuple[int, Point]], others: Sequence[tuple[int, Other]], limit: int
) -> tuple[list[tuple[int, Point]], list[tuple[int, Other]]]:
    """Keep at most ``limit`` points, if there are more: of each stretch the lowest and the highest loss, and a nan.

    Points whose mAP was measured are kept as well, and of what was in use the most in each stretch. Stretches are
    equally many iterations, not points, so that what has been thinned before is not thinned again.
    """
    if len(points) <= limit:
        return list(points), list(others)
    first, last = points[0][1].iteration, points[-1][1].iteration
    stretches = limit // 4

    def stretch_of(item: tuple[int, Point | Usage]) -> int:
        return (item[1].iteration - first) * stretches // (last - first + 1)

    measured = {found.iteration for found in find_maps(other for _, other in others)}
    marked = [item for item in points if item[1].iteration in measured]
    kept = {points[0], points[-1], *marked[:: 1 + len(marked) // stretches]}
    for _, group in groupby(points, key=stretch_of):
        stretch = list(group)
        finite = [item for item in stretch if not math.isnan(item[1].loss)]
        if finite:
            kept |= {min(finite, key=_loss), max(finite, key=_loss)}
        if len(finite) < len(stretch):
            kept.add(next(item for item in stretch if math.isnan(item[1].loss)))
    usages = [(place, other) for place, other in others if isinstance(other, Usage)]
    most = {max(group, key=_used)[0] for _, group in groupby(usages, key=stretch_of)}
    return sorted(kept, key=itemgetter(0)), [
        (place, other) for place, other in others if place in most or not isinstance(other, Usage)
    ]


def _loss(item: tuple[int, Point]) -> float:
    return item[1].loss


def _used(item: tuple[int, Usage]) -> int:
    return item[1].used_bytes


def to_line(record: Record) -> bytes:
    """The record as one line, its end included."""
    said: dict[str, object]
    match record:
        case Point():
            said = {"i": record.iteration, "loss": record.loss, "avg": record.avg_loss}
            said |= {"rate": record.rate, "s": record.seconds}
            said |= {} if record.images is None else {"img": record.images}
        case Seam():
            said = {"event": record.kind, "from": record.first_iteration}
            said |= {"reason": record.reason} if record.reason else {}
        case Usage():
            said = {"event": _GPU, "i": record.iteration, "used": record.used_bytes}
            said |= {"total": record.total_bytes, "busy": record.busy_percent}
        case Happening():
            said = {"event": record.name} | ({} if record.iteration is None else {"i": record.iteration})
            said |= record.fields
    # Of two seams it matters whether they are the same one.
    said["t"] = _round(record.unix_s, 3 if isinstance(record, Seam) else 0)
    return json.dumps(_without_nan(said), separators=(",", ":")).encode() + b"\n"


def _round(unix_s: float, digits: int) -> float:
    if math.isnan(unix_s):
        return unix_s
    rounded = round(unix_s, digits)
    return int(rounded) if rounded.is_integer() else rounded


def _without_nan(value: object) -> object:
    if isinstance(value, float):
        return _or_null(value)
    if isinstance(value, Mapping):
        return {key: _without_nan(one) for key, one in value.items()}
    return value


def _or_null(value: float) -> float | None:
    return value if math.isfinite(value) else None


def parse_lines(content: bytes) -> Iterator[Record]:
    """Read a file's lines, in order; those that are torn or not ours are passed over."""
    return (record for line in content.split(b"\n") if (record := parse_line(line)) is not None)


def parse_line(line: bytes) -> Record | None:
    """Read one line; None where it is torn or not ours."""
    try:
        return _from_json(json.loads(line, parse_constant=_finite_or_null, parse_float=_finite_or_null))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None


def _finite_or_null(text: str) -> float | None:
    return _or_null(float(text))


def _from_json(said: dict[str, object]) -> Record:
    """Read one line's object; raises one of several errors if it is none of ours."""
    if "event" not in said:
        loss, avg_loss, rate, seconds, unix_s = (
            _number(said[key]) for key in ("loss", "avg", "rate", "s", "t")
        )
        images = said.get("img")
        counted = images if isinstance(images, int) and abs(images) < _LIMIT else None
        return Point(_iteration(said["i"]), loss, avg_loss, rate, seconds, unix_s, counted)
    name, unix_s = str(said["event"]), _number(said["t"])
    if (kind := _SEAM_KINDS.get(name)) is not None:
        return Seam(kind, _iteration(said["from"]), unix_s, str(said.get("reason", "")))
    if name == _GPU:
        used_bytes, total_bytes = _iteration(said["used"]), _iteration(said["total"])
        return Usage(_iteration(said["i"]), used_bytes, total_bytes, _number(said["busy"]), unix_s)
    iteration = _iteration(said["i"]) if "i" in said else None
    fields = {key: value for key, value in said.items() if key not in ("event", "i", "t")}
    return Happening(name, iteration, unix_s, fields)


def _iteration(value: object) -> int:
    if isinstance(value, int) and 0 <= value < _LIMIT:
        return value
    raise ValueError(value)


def _number(value: object) -> float:
    if value is None:
        return math.nan
    if isinstance(value, int | float):
        return float(value)
    raise ValueError(value)
