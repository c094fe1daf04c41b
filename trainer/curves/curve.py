"""PURE: a run's curve as records: which of them stand, and which are kept where there are too many."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SeamKind = Literal["resumed", "restarted"]
"""``resumed``: a new session went on; ``restarted``: darknet was started again within one."""

MAP = "map"
"""The name of the happening that tells of a mean average precision."""


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
                    (at, other) for at, other in others[:before] if stands(other, record.first_iteration)
                ]
            others.append((place, record))
    return points, others


def _cut(points: list[tuple[int, Point]], first_iteration: int) -> None:
    while points and points[-1][1].iteration >= first_iteration:
        points.pop()


def stands(other: Other, resumed_at: int) -> bool:
    """Whether ``other``, which was told before, still holds when training goes on with ``resumed_at``."""
    if isinstance(other, Seam):
        return other.first_iteration <= resumed_at
    return other.iteration is None or other.iteration < resumed_at


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
