"""PURE: a run's status -> what is out of the ordinary, and what the user can do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.filesize import decimal as format_size

from drivesync.errors import LeaseError
from trainer.seeing.rows import Notice
from trainer.status.value import AWAY, DEAD, WORKING, describe_age

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trainer.status.value import Status

_SILENT_S = 120.0
"""A supervisor that works writes every second."""


def list_notices(status: Status, now_s: float) -> tuple[Notice, ...]:
    """All of them, as of ``now_s``, in Unix time; those that the user is needed for come first."""
    return tuple(sorted(_notices(status, now_s), key=lambda notice: notice.tone != "trouble"))


def _notices(status: Status, now_s: float) -> Iterator[Notice]:
    yield from _endings(status)
    if status.state in WORKING:
        yield from _silence(status, now_s)
    yield from _shortages(status)
    if status.trouble:
        since_s = status.trouble_since_s
        since = "" if since_s is None else f" · for {describe_age(now_s - since_s)}"
        yield Notice(f"{status.trouble}{since}", status.remedy, "trouble" if status.remedy else "waiting")
    if status.warning:
        yield Notice(status.warning)


def _endings(status: Status) -> Iterator[Notice]:
    if status.state == DEAD:
        yield Notice(
            "The supervisor is gone without a word: it was killed, or the machine went down.",
            "Run `trainer supervise`, or the same cell, again: it goes on where it stopped.",
            "trouble",
        )
    elif status.state == AWAY:
        yield _describe_absence(status)
    elif status.state == "waiting" and status.message:
        remedy = "To go on at once: `trainer stop`, then `trainer run --take-over`."
        yield Notice(status.message, remedy)
    elif status.exit_code == LeaseError.exit_code or status.holder:
        yield Notice(status.holder or status.message, _describe_way_back(status), "trouble")
    elif status.state in {"gave up", "failed"}:
        remedy = "When that is mended, run the same command again: it goes on where it stopped."
        yield Notice(status.message, remedy, "trouble")
    elif status.message:
        yield Notice(status.message, "", "over" if status.exit_code is not None else "waiting")


def _describe_absence(status: Status) -> Notice:
    said = "No session of this run has begun in this tree: that is what its files tell."
    if status.max_batches and (status.iteration or 0) >= status.max_batches:
        return Notice(f"{said} It is trained to its end.", "", "over")
    return Notice(said, "Run `trainer run`, or the same cells, again: it goes on where it stopped.")


def _describe_way_back(status: Status) -> str:
    """What to do where another session has the run; what the message says of it already is not said twice."""
    if not status.holder:
        return ""
    return (
        "What is not on Drive stays on this disk. Let the other session go on, or take the run back with "
        "`trainer supervise --take-over`."
    )


def _silence(status: Status, now_s: float) -> Iterator[Notice]:
    silent_s = now_s - status.updated_s
    if silent_s > _SILENT_S:
        yield Notice(
            f"The supervisor has written nothing for {describe_age(silent_s)}, though its process is there.",
            "If that goes on: `trainer stop --now`, then `trainer supervise` again.",
            "trouble",
        )


def _shortages(status: Status) -> Iterator[Notice]:
    # What is full is told as the trouble that it is.
    remote_free_bytes = None if status.trouble else status.remote_free_bytes
    rooms = (
        (
            "Drive" if status.proven else "the remote",
            remote_free_bytes,
            "Empty its trash, or remove files",
        ),
        ("this disk", status.disk_free_bytes, "Remove what is not needed"),
    )
    for name, free_bytes, remedy in rooms:
        if status.is_short(free_bytes) and free_bytes is not None and status.checkpoint_bytes:
            fitting = free_bytes // status.checkpoint_bytes
            yield Notice(
                f"Room is short on {name}: {format_size(free_bytes)} are free, "
                f"{fitting} more checkpoint{'' if fitting == 1 else 's'} of {format_size(status.checkpoint_bytes)}.",
                f"{remedy}: training goes on meanwhile.",
                "trouble",
            )
