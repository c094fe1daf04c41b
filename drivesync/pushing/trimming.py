"""Keeps numbered checkpoints from filling the remote up: what is too many of them is deleted, and never sent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rich.filesize import decimal as format_size

from drivesync.errors import DrivesyncError
from drivesync.files import Role
from drivesync.pushing.retention import describe_freeable, find_surplus, is_outnumbered, may_go
from drivesync.spooling.receipts import append_receipt, read_receipts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.files import LocalFile, Receipt
    from drivesync.progress import Reporter
    from drivesync.remotes.base import Remote
    from drivesync.spooling.entries import Entry


class Trimming:
    """Keeps the newest numbered checkpoints of each run on one remote; used by one thread.

    Args:
        tree: whose receipts say what was pushed, and where.
        remote: entered.
        reporter: hears of each that is deleted.
        keep: so many stay; None keeps all.
        clock: Unix time in seconds.
    """

    def __init__(
        self, tree: Path, remote: Remote, reporter: Reporter, keep: int | None, clock: Callable[[], float]
    ) -> None:
        self._tree = tree
        self._remote = remote
        self._reporter = reporter
        self._keep = keep
        self._clock = clock
        self._replaced: set[tuple[str, str]] = set()
        self._trimmed: frozenset[tuple[str, str]] | None = None

    def refuse(self, entry: Entry) -> str:
        """Say why ``entry`` is not to be pushed: it would be deleted at once; empty if it may."""
        if self._keep is None or entry.role is not Role.NUMBERED or entry.progress is None:
            return ""
        receipts = self._receipts()
        if not is_outnumbered(entry.path, entry.run, entry.progress, receipts, self._keep):
            return ""
        return f"of numbered checkpoints the newest {self._keep} are kept on the remote"

    def trim(self, entry: Entry) -> None:
        """After ``entry`` was pushed, delete what is too many of its run.

        That the remote does not answer is told only: the next push tries again.
        """
        if self._keep is None or entry.role is not Role.NUMBERED:
            return
        surplus = find_surplus(self._receipts(), self._keep)
        try:
            for receipt in surplus:
                if receipt.run == entry.run and not self._is_replaced(receipt):
                    self._delete(receipt, self._keep)
        except DrivesyncError as error:
            self._reporter.note(f"older numbered checkpoints are still on the remote: {error}")

    def describe_freeable(self, trashed_bytes: int) -> str:
        """See ``retention``."""
        there = [receipt for receipt in self._receipts() if not self._is_replaced(receipt)]
        return describe_freeable(there, trashed_bytes)

    def _delete(self, receipt: Receipt, keep: int) -> None:
        there = self._remote.find(receipt.path)
        if there is not None and not may_go(receipt, there):
            self._replaced.add((receipt.path, receipt.revision_id))
            return
        if there is not None:
            self._remote.delete(there)
            self._reporter.note(
                f"deleted on the remote: {receipt.path}, iteration {receipt.iteration} ({format_size(receipt.size)}): "
                f"the newest {keep} numbered checkpoints are kept"
            )
        # Also of one that an earlier process deleted, and could not write down. What is still here is not to be pushed
        # again.
        append_receipt(self._tree, replace(receipt, at_s=self._clock(), deleted=True))
        self._trimmed = None

    def has_trimmed(self, file: LocalFile) -> bool:
        """Whether this content was deleted on the remote under this path, when it was one too many."""
        if self._trimmed is None:
            newest = {receipt.path: receipt for receipt in self._receipts()}
            self._trimmed = frozenset(
                (receipt.path, receipt.md5) for receipt in newest.values() if receipt.deleted
            )
        return (file.path, file.md5) in self._trimmed

    def _receipts(self) -> list[Receipt]:
        """Those of this remote, oldest first."""
        return [receipt for receipt in read_receipts(self._tree) if receipt.remote == self._remote.name]

    def _is_replaced(self, receipt: Receipt) -> bool:
        """Whether somebody has put something else in its place, as this process has seen."""
        return (receipt.path, receipt.revision_id) in self._replaced
