"""PURE: what the ends before this one make of it: whether it gained, and how often it has been so already."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from trainer.deciding.endings import AttemptEnd, Diagnosis, Ending, is_killed

if TYPE_CHECKING:
    from collections.abc import Sequence

# What goes wrong with the machine before the first iteration tells nothing of the checkpoint that was being loaded.
_OF_THE_MACHINE = frozenset({Ending.GPU_MEMORY, Ending.HOST_MEMORY, Ending.DRIVER})


@dataclass(frozen=True, slots=True)
class Judged:
    """An end, and what it was of."""

    end: AttemptEnd
    diagnosis: Diagnosis

    @property
    def is_kill(self) -> bool:
        """Whether it was ended from outside, and nobody knows why."""
        return self.diagnosis.ending is Ending.UNKNOWN and is_killed(self.end)

    @property
    def kind(self) -> tuple[Ending, bool]:
        """What shares a budget."""
        return self.diagnosis.ending, self.is_kill

    @property
    def reached(self) -> int:
        """The highest iteration of a checkpoint that can be trusted when it had ended."""
        end = self.end
        if end.diverged_at is None or end.highest_after < end.diverged_at:
            return end.highest_after
        return min(end.highest_before, end.diverged_at - 1)


@dataclass(frozen=True, slots=True)
class Past:
    """An end in the light of those before it.

    Attributes:
        gained: it got beyond all that this session ever had.
        highest: how far that is.
        spent: ends of its kind in this session since one that gained, itself included; 0 if it gained.
        same: of all ends since then, and of the one that gained, how many are like this one, itself included.
        known: likewise with those of earlier sessions, as long as this one has gained nothing.
    """

    gained: bool
    highest: int
    spent: int
    same: int
    known: int


def look_back(now: Judged, before: Sequence[Judged]) -> Past:
    """Compare an end with those before it, which are oldest first."""
    session = [*(one for one in before if not one.end.earlier_session), now]
    gains, highest = _find_gains(session)
    recent: list[tuple[Judged, bool]] = []
    for one, gained in zip(reversed(session), reversed(gains), strict=True):
        recent.append((one, gained))
        if gained:
            break
    same = _count_same(now, [one for one, _ in recent])
    known = same
    if not any(gains):
        earlier = [one for one in before if one.end.earlier_session]
        known += _count_same(now, list(_since_gain(earlier)))
    spent = sum(one.kind == now.kind for one, gained in recent if not gained)
    return Past(gains[-1], highest, spent, same, known)


def find_trouble(now: Judged, before: Sequence[Judged]) -> tuple[Judged, ...]:
    """The ends of a training that diverges without having got beyond the place where it did, oldest first.

    Those of earlier sessions are among them; ``now``, which diverged, is the last.
    """
    trouble: list[Judged] = []
    for one in (*before, now):
        place = max((other.end.diverged_at or 0 for other in trouble), default=0)
        if one.end.highest_before < place <= one.reached:
            trouble = []
        if one.diagnosis.ending is Ending.DIVERGED:
            trouble.append(one)
    return tuple(trouble)


def _find_gains(session: Sequence[Judged]) -> tuple[list[bool], int]:
    """Which ends of a session, oldest first, got beyond all before; and how far that is."""
    gains: list[bool] = []
    highest = 0
    for one in session:
        highest = max(highest, one.end.highest_before)
        gains.append(one.reached > highest)
        highest = max(highest, one.reached)
    return gains, highest


def _since_gain(ends: Sequence[Judged]) -> list[Judged]:
    """The ends back to the last one that gained anything, that one included, newest first."""
    since: list[Judged] = []
    for one in reversed(ends):
        since.append(one)
        if one.end.gained:
            break
    return since


def _count_same(now: Judged, ends: Sequence[Judged]) -> int:
    """How many of ``ends``, newest first, are like ``now``, which is so itself."""
    likeness = _likeness(now)
    if likeness is None:
        return sum(one is now for one in ends)
    alike = (_likeness(one) == likeness for one in ends)
    return sum(takewhile(bool, alike) if now.is_kill else alike)


def _likeness(one: Judged) -> tuple[object, ...] | None:
    """What makes two ends the same one at the same iteration; None if it tells nothing of the training."""
    end, ending = one.end, one.diagnosis.ending
    status = end.exit_status if ending is Ending.UNKNOWN else None
    if ending is Ending.WEIGHTS:
        return ending, status, end.changes, "from", end.resumed_from
    if end.last_iteration is None and (one.is_kill or ending in _OF_THE_MACHINE):
        return None
    return ending, status, end.changes, "at", end.last_iteration
