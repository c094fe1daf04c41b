"""A run's whole life in a few lines: sessions, attempts, restarts and their reasons, iterations over time."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from trainer.deciding.endings import Ending, is_killed
from trainer.status import describe_age

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainer.learning.history import AttemptRecord

_SESSIONS_SHOWN = 5
_LAST_MOMENT_S = 253_402_300_799.0
"""The end of the year 9999, beyond which there is no date: records come from a file that anybody may have written."""


def describe_life(records: Sequence[AttemptRecord], *, sessions_shown: int = _SESSIONS_SHOWN) -> list[str]:
    """Say how a run has come to where it is.

    A session whose machine was taken away leaves no word of its last attempt; that there was one is told by where the
    next one began.

    Args:
        records: of one run, in the order in which they were written.
        sessions_shown: how many of the last sessions get a line of their own.

    Returns:
        Lines; none where there are no records.
    """
    if not records:
        return []
    sessions: dict[float, list[AttemptRecord]] = {}
    for record in records:
        sessions.setdefault(record.session, []).append(record)
    lives = list(sessions.values())
    lines = [_describe_all(records, len(lives))]
    if restarts := _count_restarts(records):
        lines.append(restarts)
    hidden = max(0, len(lives) - sessions_shown)
    if hidden:
        lines.append(f"after {_count(hidden, 'earlier session')}:")
    for place in range(hidden, len(lives)):
        if place and (gap := _describe_gap(lives[place - 1], lives[place])):
            lines.append(gap)
        lines.append(_describe_session(lives[place], is_last=place == len(lives) - 1))
    return lines


def _describe_all(records: Sequence[AttemptRecord], sessions: int) -> str:
    hosts = len({record.host for record in records})
    on = f" on {hosts} machines" if hosts > 1 else ""
    spent_s = sum(max(0.0, record.end.ended_s - record.end.started_s) for record in records)
    attempts = _count(len(records), "attempt")
    since = _describe_moment(records[0].end.started_s)
    return (
        f"{attempts} in {_count(sessions, 'session')}{on} since {since}, {describe_age(spent_s)} of training"
    )


def _count_restarts(records: Sequence[AttemptRecord]) -> str:
    reasons = Counter(_name_ending(record) for record in records if record.decided == "restart")
    if not reasons:
        return ""
    return f"{_count(reasons.total(), 'restart')}: " + ", ".join(
        f"{number} x {reason}" for reason, number in reasons.most_common()
    )


def _describe_session(session: Sequence[AttemptRecord], *, is_last: bool) -> str:
    """When it was, what it trained, and how it ended."""
    first, last = session[0], session[-1]
    took = describe_age(last.end.ended_s - first.end.started_s)
    begin, end = first.end.resumed_from, _reached(session)
    trained = f"iteration {begin:,} to {end:,}" if end > begin else f"not beyond iteration {begin:,}"
    restarts = sum(record.decided == "restart" for record in session)
    again = f", {_count(restarts, 'restart')}" if restarts else ""
    return f"{_describe_moment(first.end.started_s)}, {took}: {trained}{again}{_describe_end(last, is_last=is_last)}"


def _describe_end(last: AttemptRecord, *, is_last: bool) -> str:
    if last.decided == "restart":
        # The last session may still be at it.
        return "" if is_last else ", then cut short"
    if last.decided == "give up":
        return f", given up: {last.reason}"
    return f", {_name_ending(last)}"


def _describe_gap(before: Sequence[AttemptRecord], session: Sequence[AttemptRecord]) -> str:
    """What was trained between two sessions, by attempts that left no word; empty if nothing was."""
    reached, begin = before[-1].end.highest_after, session[0].end.resumed_from
    # Of another batch the iterations are others, too.
    alike = before[-1].facts.images_per_iteration == session[0].facts.images_per_iteration
    if not alike or begin <= reached:
        return ""
    return f"iteration {reached:,} to {begin:,} by attempts that were cut short with their machine"


def _reached(session: Sequence[AttemptRecord]) -> int:
    return max(record.end.last_iteration or record.end.resumed_from for record in session)


def _name_ending(record: AttemptRecord) -> str:
    known = Ending.__members__.get(record.ending)
    if known is Ending.UNKNOWN and is_killed(record.end):
        return "darknet was killed from outside"
    return known.value if known else record.ending


def _describe_moment(unix_s: float) -> str:
    return datetime.fromtimestamp(min(max(0.0, unix_s), _LAST_MOMENT_S), timezone.utc).strftime(
        "%Y-%m-%d %H:%M UTC"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
