"""PURE: a run's curve as TensorBoard's events, and which of them are to be added to those that were told before.

A seam becomes an event that takes back what training is to go over again, as TensorFlow's own writers have it when they
are started again. TensorBoard's Python reader looks for it; its data server, which Colab uses, does not, and drops of
each curve whatever is not below the next step that comes (both seen in TensorBoard 2.21).
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import TYPE_CHECKING

from trainer.curves.curve import Point, Seam, Usage, read_map, settle
from trainer.curves.lines import parse_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainer.curves.curve import Record

POINT, MAP, USAGE = "loss", "mAP", "GPU/memory_GiB"
"""The first tag of each kind of event, by which it is known."""

_SPARE_EVENTS = 5_000
"""So many more than twice as many events as there are in the metrics may stand in a file."""

_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Entry:
    """Values that belong to one step, by their tags."""

    kind: str
    step: int
    unix_s: float
    values: tuple[tuple[str, float], ...]

    @property
    def key(self) -> tuple[int, float]:
        """By which it is told from others of its kind."""
        return self.step, self.unix_s


def read_curve(content: bytes) -> list[Entry | Seam]:
    """What a metrics file tells, in its order."""
    points, others = settle(parse_lines(content))
    merged = heapq.merge(points, others, key=itemgetter(0))
    return [entry for _, record in merged if (entry := _to_entry(record)) is not None]


def _to_entry(record: Record) -> Entry | Seam | None:
    values: dict[str, float]
    match record:
        case Seam():
            return record
        case Point():
            kind, step = POINT, record.iteration
            values = {POINT: record.loss, "avg_loss": record.avg_loss}
            values |= {"rate": record.rate, "seconds": record.seconds}
            values |= {} if record.images is None else {"images": record.images}
        case Usage():
            kind, step = USAGE, record.iteration
            values = {USAGE: record.used_bytes / _GIB}
            values |= {} if math.isnan(record.busy_percent) else {"GPU/busy_percent": record.busy_percent}
        case _:
            if (found := read_map(record)) is None:
                return None
            kind, step = MAP, found.iteration
            known = {name: value for name, value in found.classes.items() if not math.isnan(value)}
            values = {MAP: found.value, **{f"AP/{name}": value for name, value in known.items()}}
    unix_s = 0.0 if math.isnan(record.unix_s) else record.unix_s
    return Entry(kind, step, unix_s, tuple(values.items()))


@dataclass(slots=True)
class Told:
    """What a reader of an event file knows.

    Attributes:
        end: where its last whole record ends.
        events: how many records there are.
        seams: when those were that it tells of.
        keys: step and Unix time of all that stands, by kind, in order.
    """

    end: int = 0
    events: int = 0
    seams: set[float] = field(default_factory=set)
    keys: dict[str, list[tuple[int, float]]] = field(
        default_factory=lambda: {kind: [] for kind in (POINT, MAP, USAGE)}
    )

    def add(self, one: Entry | Seam) -> None:
        """Have it read one more."""
        self.events += 1
        if isinstance(one, Seam):
            self.seams.add(one.unix_s)
            for keys in self.keys.values():
                while keys and keys[-1][0] >= one.first_iteration:
                    keys.pop()
        else:
            self.keys[one.kind].append(one.key)

    def last(self, kind: str) -> int:
        """The last step of a kind that stands; -1 where none does."""
        return self.keys[kind][-1][0] if self.keys[kind] else -1

    def find_cut(self, first_iteration: int) -> int | None:
        """Where to begin anew so that every reader forgets what it knows of ``first_iteration`` and beyond.

        The data server drops a mAP only when another comes that is not above it; so what is told again begins with
        the last that stands. None where none does.
        """
        cut = first_iteration
        for kind in (MAP, USAGE):
            if self.last(kind) >= first_iteration:
                standing = [step for step, _ in self.keys[kind] if step < first_iteration]
                if not standing and kind == MAP:
                    return None
                cut = min([cut, *standing[-1:]])
        return cut


def find_more(told: Told, curve: Sequence[Entry | Seam]) -> list[Entry | Seam] | None:
    """What is to be added so that the curve is told; None where nothing added would bring that about.

    ``told`` becomes what is told then.
    """
    more: list[Entry | Seam] = []
    new = [one for one in curve if isinstance(one, Seam) and one.unix_s not in told.seams]
    if new:
        cut = told.find_cut(new[0].first_iteration)
        if cut is None:
            return None
        more.append(replace(new[0], first_iteration=cut))
        told.add(more[0])
    last = {kind: told.last(kind) for kind in told.keys}
    for one in curve:
        if one in new[1:] if isinstance(one, Seam) else one.step > last[one.kind]:
            more.append(one)
            told.add(one)
    entries = [one for one in curve if isinstance(one, Entry)]
    is_small = told.events <= 2 * len(entries) + _SPARE_EVENTS
    # Points that the metrics have no more, since they were thinned, may stay.
    known = {kind: set(keys) for kind, keys in told.keys.items()}
    is_whole = all(one.key in known[one.kind] for one in entries)
    maps = sum(one.kind == MAP for one in entries)
    return more if is_small and is_whole and maps == len(told.keys[MAP]) else None
