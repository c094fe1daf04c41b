"""Who may write a run: decisions over the records of its lease, and how they are told. PURE: times are handed in.

All times are by the remote's clock, so that it does not matter what the machines of two sessions take for the time.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from drivesync.errors import LeaseError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drivesync.files import LeaseRecord

STALE_AFTER_S = 300.0
"""A session that was not heard from for so long has lost its claim: it renews every minute."""

_SHOWN_LETTERS = 40
_SHOWN_DIGITS = 16
_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


def is_live(record: LeaseRecord, now_s: float, stale_after_s: float = STALE_AFTER_S) -> bool:
    """Whether the session of ``record`` is at work, as far as anybody can know.

    Args:
        record: the newest of its run.
        now_s: Unix time by the remote's clock.
        stale_after_s: after so many seconds of silence it is not.
    """
    return not record.released and now_s - record.renewed_s < stale_after_s


def may_claim(
    newest: LeaseRecord | None,
    now_s: float,
    *,
    take_over: bool,
    stale_after_s: float = STALE_AFTER_S,
) -> bool:
    """Whether a session may take the turn after ``newest``, which is another's; None if there was no turn yet."""
    return newest is None or take_over or not is_live(newest, now_s, stale_after_s)


def has_shown_life(newest: LeaseRecord, first: LeaseRecord, began_s: float) -> bool:
    """Whether some other session has been heard from since this one began.

    Args:
        newest: the run's newest record now.
        first: the newest when this session looked first.
        began_s: Unix time by the remote's clock when it did.
    """
    return newest.id != first.id or newest.renewed_s > min(first.renewed_s, began_s)


def order_turns(records: Iterable[LeaseRecord]) -> list[LeaseRecord]:
    """``records`` of one run, the one that is current first.

    The highest epoch is current; of several candidates for one epoch the earliest by the remote's clock is, and of
    one moment that with the smallest id, so that all sessions who see the same records agree.
    """
    return sorted(records, key=lambda record: (-record.epoch, record.since_s, record.id))


def lease_key(run: str) -> str:
    """A name for ``run``, which may hold anything, that any file system takes; no two runs share one.

    It begins with what can be shown of the run's own name, for people who look into the folder.
    """
    shown = re.sub(r"[^A-Za-z0-9.]+", "_", run)[:_SHOWN_LETTERS]
    digest = hashlib.sha256(run.encode(errors="surrogatepass")).hexdigest()[:_SHOWN_DIGITS]
    return f"{shown}-{digest}"


def refuse(record: LeaseRecord, now_s: float) -> LeaseError:
    """The error for a session that wants a run which another one has."""
    return LeaseError(
        f"another session has the run {record.run!r}: {describe_holder(record, now_s)}",
        hint="Stop that session or wait until it ends; --take-over takes the run from it.",
    )


def explain_wait(record: LeaseRecord, now_s: float) -> str:
    """The line for a session that waits whether the one of ``record`` is still there."""
    return (
        f"another session has had the run {record.run!r}: {describe_holder(record, now_s)}; waiting to see whether it "
        "is still there"
    )


def report_taken(record: LeaseRecord, now_s: float) -> LeaseError:
    """The error for a session whose run ``record``'s session has taken."""
    return LeaseError(
        f"another session has taken the run {record.run!r}: {describe_holder(record, now_s)}",
        hint="What this session saved is still on its disk; --take-over takes the run back.",
    )


def report_gone(record: LeaseRecord) -> LeaseError:
    """The error for a session whose own record is gone: others have had the run since, or somebody removed it."""
    return LeaseError(
        f"the run {record.run!r} is no longer this session's: its record is gone from the remote",
        hint="What this session saved is still on its disk; start again to see who has the run.",
    )


def describe_holder(record: LeaseRecord, now_s: float) -> str:
    """Who has it, since when, and when it was last heard from."""
    since = datetime.fromtimestamp(record.since_s, tz=timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    since_ago, heard_ago = (describe_age(now_s - then_s) for then_s in (record.since_s, record.renewed_s))
    return f"{record.who}, since {since} ({since_ago}), last heard from {heard_ago}"


def describe_age(age_s: float) -> str:
    """So long ago, in the largest unit that fits; what seems to lie ahead is just now."""
    for name, unit_s in _UNITS:
        count = int(age_s // unit_s)
        if count >= 1:
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just now"
