"""Which numbered checkpoints may go from the remote, so that it does not fill up. Pure.

Deletion is for good: Drive's trash counts as used room. So only what this tool has pushed itself, and of which a
receipt says so, may go; and only as long as the remote holds just that revision. What cannot be compared, as the
receipts of an earlier version do not tell the progress, neither goes nor counts.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from rich.filesize import decimal as format_size

from drivesync.files import Role

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drivesync.files import Receipt, RemoteFile


def list_numbered(receipts: Iterable[Receipt]) -> tuple[Receipt, ...]:
    """The newest receipt of each numbered checkpoint whose progress is known, by run, then the furthest first.

    What was deleted since is not among them.

    Args:
        receipts: oldest first; of several for one path the last counts, for its role, too.
    """
    newest = {receipt.path: receipt for receipt in receipts}
    numbered = (
        receipt
        for receipt in newest.values()
        if receipt.role == Role.NUMBERED.value and receipt.progress is not None and not receipt.deleted
    )
    return tuple(sorted(numbered, key=_order))


def find_surplus(receipts: Iterable[Receipt], keep_numbered: int) -> tuple[Receipt, ...]:
    """Those numbered checkpoints that are not among the furthest ``keep_numbered`` of their run; the oldest first."""
    by_run: defaultdict[str, list[Receipt]] = defaultdict(list)
    for receipt in list_numbered(receipts):
        by_run[receipt.run].append(receipt)
    surplus = [receipt for those in by_run.values() for receipt in those[keep_numbered:]]
    return tuple(reversed(surplus))


def is_outnumbered(
    path: str, run: str, progress: int, receipts: Iterable[Receipt], keep_numbered: int
) -> bool:
    """Whether a numbered checkpoint that is to be pushed would be one to go at once."""
    others = (receipt for receipt in list_numbered(receipts) if receipt.run == run and receipt.path != path)
    return sum((receipt.progress or 0) > progress for receipt in others) >= keep_numbered


def may_go(receipt: Receipt, there: RemoteFile) -> bool:
    """Whether ``there`` is still what was pushed then, and not what somebody has put in its place."""
    pushed = (receipt.path, receipt.file_id, receipt.revision_id, receipt.size, receipt.md5)
    return pushed == (there.path, there.id, there.revision_id, there.size, there.md5)


def _order(receipt: Receipt) -> tuple[str, int, str]:
    return receipt.run, -(receipt.progress or 0), receipt.path


def describe_freeable(receipts: Iterable[Receipt], trashed_bytes: int) -> str:
    """What would free how much room on the remote, as sentences; empty if nothing is known that would.

    Args:
        receipts: oldest first.
        trashed_bytes: what lies in the remote's trash.
    """
    said = []
    if trashed_bytes:
        said.append(f"Emptying the trash frees {format_size(trashed_bytes)}.")
    older = [receipt for receipt in find_surplus(receipts, 1) if receipt.size]
    if older:
        size = format_size(sum(receipt.size for receipt in older))
        said.append(f"Deleting {len(older)} older numbered checkpoint(s) frees {size}; see keep_numbered.")
    return " ".join(said)
