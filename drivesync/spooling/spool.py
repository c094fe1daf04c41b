"""The durable queue between a tree and its remote: files as they were, until the remote has them for sure.

    TREE/.drivesync/
      push.lock                        held by the one process that uses the spool
      spool/00000007/                  a snapshot, see shelf.py
      spool/rejected/                  what was refused, see rejected.py
      receipts.jsonl                   what is safe, see receipts.py
      ballast                          room for all that on a full disk, see ballast.py

A snapshot is a copy: darknet truncates its files in place, so a hard link would be emptied by its next save. The
newest accepted checkpoint of each run stays here after it was pushed, because the file it was taken from may be torn
any moment. Where the disk has no room for a copy, an entry stands for the tree's own file. That one lives in memory:
when the process ends before it was pushed, the next one takes what it finds in the tree.
"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from drivesync.disk import local_errors, lock_state, look
from drivesync.errors import DiskFullError, LocalWriteError, MovedError
from drivesync.spooling.ballast import drop_ballast, keep_ballast
from drivesync.spooling.entries import Entry, find_older, find_superfluous, order_pending
from drivesync.spooling.notes import FileNote, MemoryNote
from drivesync.spooling.outcome import Refused, tell_outcome
from drivesync.spooling.receipts import append_receipt, read_receipts
from drivesync.spooling.rejected import clear_rejected, keep_rejected
from drivesync.spooling.shelf import Mark, Shelf, name_of, read_pending
from drivesync.spooling.snapshot import judge_in_place, see, take_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType
    from typing import BinaryIO

    from drivesync.acceptance import Accept
    from drivesync.files import Receipt
    from drivesync.spooling.snapshot import Seen

__all__ = ["Entry", "Spool", "read_pending", "read_receipts"]

_IN_THE_WAY = "Wait for it to end, or stop it: `python -m drivesync watch --stop` ends a watch."
_SPARE_BYTES = 4 << 20
"""For receipts and the index."""


@dataclass(frozen=True, slots=True)
class _Direct:
    """What belongs to an entry that stands for the tree's own file."""

    seen: Seen
    note: MemoryNote


class Spool:
    """The spool of one tree; a context manager, safe to use from several threads, by one process at a time."""

    def __init__(self, tree: Path) -> None:
        self._tree = tree
        self._shelf = Shelf(tree)
        self._lock = threading.Lock()
        self._entries: dict[int, Entry] = {}
        self._direct: dict[int, _Direct] = {}
        self._last_sequence = 0
        self._claimed = 0
        self._held = ExitStack()

    def __enter__(self) -> Spool:
        """Read what an earlier process left, and sweep away what it did not finish.

        Raises:
            UnfinishedError: another process uses this spool.
            LocalWriteError: the state folder cannot be written.
        """
        with ExitStack() as held:
            held.enter_context(lock_state(self._tree, "push", _IN_THE_WAY))
            self._entries = {entry.sequence: entry for entry in self._shelf.open()}
            self._direct = {}
            self._last_sequence = max(self._entries, default=0)
            self._prune()
            keep_ballast(self._tree)
            self._held = held.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._held.close()

    def measure(self, accept: Accept) -> None:
        """Have what an earlier version took, which did not ask for a checkpoint's progress, judged for that."""
        for entry in self.entries():
            if entry.iteration is None or entry.progress is not None or entry.direct:
                continue
            progress = accept(self._tree, entry.path, self.place_of(entry)).progress
            if progress is not None:
                measured = replace(entry, progress=progress)
                with self._lock:
                    self._entries[entry.sequence] = measured
                # Without room for it, it is measured again at the next start.
                with suppress(LocalWriteError):
                    self._shelf.amend(measured)

    def entries(self) -> tuple[Entry, ...]:
        """All there are, oldest first."""
        with self._lock:
            return tuple(sorted(self._entries.values(), key=lambda entry: entry.sequence))

    def pending(self) -> tuple[Entry, ...]:
        """What the remote is still to get, in the order in which it is to get it; see ``order_pending``."""
        return order_pending(self.entries())

    @contextmanager
    def claim(self, wanted: Callable[[Entry], bool] = lambda _entry: True) -> Iterator[Entry | None]:
        """The most valuable pending entry that is ``wanted``; no newer one replaces it within the context."""
        with self._lock:
            for lost in [entry for entry in self._entries.values() if not self._is_there(entry)]:
                # Somebody cleaned up here, or saved the file anew. What is in the tree is offered again.
                self._remove(lost)
            entry = next(filter(wanted, order_pending(self._entries.values())), None)
            self._claimed = entry.sequence if entry else 0
        try:
            yield entry
        finally:
            with self._lock:
                self._claimed = 0
                self._prune()

    def take(self, path: str, accept: Accept) -> Entry | Refused:
        """Copy the tree's ``path`` and keep the copy if it is whole; without room for that, see ``Entry.direct``.

        Args:
            path: relative to the tree.
            accept: judges the copy, or, without room for one, the file itself.

        Raises:
            LocalWriteError: the disk cannot take the copy, and not for want of room; the spool is as it was.
        """
        with suppress(DiskFullError):
            return self._take_snapshot(path, accept)
        if clear_rejected(self._tree):
            with suppress(DiskFullError):
                return self._take_snapshot(path, accept)
        drop_ballast(self._tree)
        return self._take_directly(path, accept)

    def place_of(self, entry: Entry) -> Path:
        """Where the snapshot lies, or, without one, the tree's own file."""
        return self._tree / entry.path if entry.direct else self._shelf.snapshot_of(entry)

    def open(self, entry: Entry) -> BinaryIO:
        """What is to be sent, from its start.

        Raises:
            MovedError: see ``check``.
            LocalWriteError: it cannot be read.
        """
        self.check(entry)
        place = self.place_of(entry)
        with local_errors(place, "read"):
            return place.open("rb")

    def check(self, entry: Entry) -> None:
        """See that what is to be sent is still what was taken.

        Raises:
            MovedError: there is no snapshot, and the file is not as it was.
        """
        if entry.direct and not self._is_there(entry):
            raise MovedError(
                f"{entry.path} was saved anew before it was sent",
                hint="There was no room for a copy of it on this disk; free some.",
            )

    def note_of(self, entry: Entry) -> FileNote | MemoryNote:
        """Where a push leaves word of how far it is, for the next try; it goes with the entry."""
        if entry.direct:
            direct = self._direct.get(entry.sequence)
            return direct.note if direct else MemoryNote()
        return FileNote(self._shelf.session_of(entry))

    def settle(self, entry: Entry, receipt: Receipt) -> None:
        """Write the receipt of a claimed entry; its snapshot goes then, unless it is the newest checkpoint.

        Raises:
            LocalWriteError: the disk cannot take the receipt; the entry stays pending.
        """
        with self._lock:
            for older in find_older(self._entries.values(), entry):
                self._mark(older, Mark.DROPPED)
        append_receipt(self._tree, receipt)
        with self._lock:
            self._mark(entry, Mark.PUSHED)
            self._prune()

    def drop(self, entry: Entry) -> None:
        """The remote is not to get ``entry`` after all; its snapshot goes, unless it is the newest checkpoint.

        Raises:
            LocalWriteError: the disk cannot take that; the entry stays pending.
        """
        with self._lock:
            self._mark(entry, Mark.DROPPED)
            self._prune()

    def reject(self, entry: Entry, reason: str) -> str:
        """As ``drop``, but its snapshot stays where people may look at it; returned is where, see ``keep_rejected``."""
        kept = keep_rejected(self._tree, name_of(entry.path), self.place_of(entry), reason, time.time())
        self.drop(entry)
        return kept

    def queue_again(self, entry: Entry) -> None:
        """The remote is to get ``entry``, which it has had or was not to get; nothing happens if that is gone.

        Raises:
            LocalWriteError: the disk cannot take that; the entry is as it was.
        """
        with self._lock:
            if entry.sequence in self._entries and not entry.direct:
                self._shelf.unmark(entry)
                self._entries[entry.sequence] = replace(entry, pushed=False, dropped=False)

    def _take_snapshot(self, path: str, accept: Accept) -> Entry | Refused:
        before = look(self._tree, path)
        if before is None:
            return Refused(path, "it is gone", moved=True)
        self._check_room(before.size)
        sequence = self._next_sequence()
        with self._shelf.make(sequence) as making:
            snapshot = making / name_of(path)
            judged = take_snapshot(self._tree / path, snapshot, lambda copy: accept(self._tree, path, copy))
            outcome = tell_outcome(sequence, path, judged)
            if isinstance(outcome, Entry):
                self._shelf.put(making, outcome)
                self._add(outcome)
                keep_ballast(self._tree)
            elif not outcome.moved:
                kept = keep_rejected(self._tree, path, snapshot, outcome.reason, time.time())
                outcome = replace(outcome, kept=kept)
        return outcome

    def _take_directly(self, path: str, accept: Accept) -> Entry | Refused:
        judged = judge_in_place(self._tree / path, lambda place: accept(self._tree, path, place))
        outcome = tell_outcome(self._next_sequence(), path, judged)
        if judged is not None and isinstance(outcome, Entry):
            outcome = replace(outcome, direct=True)
            self._direct[outcome.sequence] = _Direct(judged.seen, MemoryNote())
            self._add(outcome)
        return outcome

    def _check_room(self, size: int) -> None:
        """See that there is room for a copy of ``size`` bytes, and for darknet to save as much again.

        A darknet that finds the disk full leaves a torn file, and goes on.
        """
        if self._shelf.free_bytes() < 2 * size + _SPARE_BYTES:
            raise DiskFullError(f"there is no room for a snapshot of {size} bytes in {self._tree}")

    def _next_sequence(self) -> int:
        with self._lock:
            self._last_sequence += 1
            return self._last_sequence

    def _add(self, entry: Entry) -> None:
        with self._lock:
            self._entries[entry.sequence] = entry
            self._prune()

    def _mark(self, entry: Entry, mark: Mark) -> None:
        if entry.sequence in self._entries:
            if not entry.direct:
                self._shelf.mark(entry, mark)
            pushed = mark is Mark.PUSHED
            self._entries[entry.sequence] = replace(entry, pushed=pushed, dropped=not pushed)

    def _prune(self) -> None:
        for entry in find_superfluous(self._entries.values(), self._claimed):
            self._remove(entry)

    def _remove(self, entry: Entry) -> None:
        del self._entries[entry.sequence]
        if entry.direct:
            del self._direct[entry.sequence]
        else:
            self._shelf.remove(entry)

    def _is_there(self, entry: Entry) -> bool:
        if not entry.direct:
            return self.place_of(entry).is_file()
        direct = self._direct.get(entry.sequence)
        return direct is not None and see(self.place_of(entry)) == direct.seen
