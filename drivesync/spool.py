"""The durable queue between a tree and its remote: immutable snapshots, until the remote has them for sure.

    TREE/.drivesync/
      push.lock                        held by the one process that uses the spool
      spool/00000007.tmp/              a snapshot being taken, or thrown away; swept away at the next start
      spool/00000007/entry.json        a snapshot that was taken whole and accepted ...
      spool/00000007/remote_last.weights
      spool/00000007/session           ... of which a part has arrived, perhaps; a secret
      spool/00000007/pushed            ... and that the remote holds,
      spool/00000007/dropped           or is not to get after all
      receipts.jsonl                   see receipts.py
      rejected/                        see rejected.py

A snapshot is a copy: darknet truncates its files in place, so a hard link would be emptied by its next save. The
newest accepted checkpoint of each run stays here after it was pushed, because the file it was taken from may be torn
any moment. Where the disk has no room for a copy, an entry stands for the tree's own file; it lives in memory, and
is taken again from what is in the tree when this process ends before it was pushed.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from drivesync.disk import (
    free_bytes,
    fsync_folder,
    is_same,
    local_errors,
    lock_state,
    look,
    make_state_folder,
    write_atomically,
)
from drivesync.entries import Entry, find_older, find_superfluous, order_pending
from drivesync.errors import DiskFullError, MovedError
from drivesync.files import STATE_FOLDER, Role
from drivesync.notes import FileNote, MemoryNote
from drivesync.receipts import append_receipt, read_receipts
from drivesync.rejected import clear_rejected, keep_rejected
from drivesync.snapshot import judge_in_place, see, take_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Any, BinaryIO

    from drivesync.acceptance import Accept
    from drivesync.files import Receipt
    from drivesync.snapshot import Judged, Seen

__all__ = ["Entry", "Refused", "Spool", "read_pending", "read_receipts"]

_SPOOL = "spool"
_ENTRY = "entry.json"
_PUSHED = "pushed"
_DROPPED = "dropped"
_SESSION = "session"
_OWN = frozenset({_ENTRY, _PUSHED, _DROPPED, _SESSION})
_RECORDED = frozenset(field.name for field in fields(Entry)) - {"pushed", "dropped", "direct"}
_SPARE_BYTES = 4 << 20
"""For receipts and the index."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that was not taken, and why.

    Attributes:
        path: relative to the tree.
        reason: as a clause.
        moved: it was being written to meanwhile.
        kept: where the copy is that was refused, relative to the tree; empty if there is none.
    """

    path: str
    reason: str
    moved: bool = False
    kept: str = ""


@dataclass(frozen=True, slots=True)
class _Direct:
    """What belongs to an entry that stands for the tree's own file."""

    seen: Seen
    note: MemoryNote


class Spool:
    """The spool of one tree; a context manager, safe to use from several threads, by one process at a time."""

    def __init__(self, tree: Path) -> None:
        self._tree = tree
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
            held.enter_context(lock_state(self._tree, "push"))
            folder = make_state_folder(self._tree, _SPOOL)
            self._entries, self._direct = {}, {}
            with local_errors(folder):
                for place in folder.iterdir():
                    record = _read_record(place)
                    entry = _read_entry(place, record)
                    if entry is not None and not (_is_unjudged(record) and self._comes_again(entry)):
                        self._entries[entry.sequence] = entry
                    elif place.is_dir():
                        shutil.rmtree(place)
            self._last_sequence = max(self._entries, default=0)
            self._prune()
            self._held = held.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._held.close()

    def entries(self) -> tuple[Entry, ...]:
        """All there are, oldest first."""
        with self._lock:
            return tuple(sorted(self._entries.values(), key=lambda entry: entry.sequence))

    def pending(self) -> tuple[Entry, ...]:
        """What the remote is still to get, in the order in which it is to get it; see ``order_pending``."""
        return order_pending(self.entries())

    @contextmanager
    def claim(self, wanted: Callable[[Entry], bool] = lambda _entry: True) -> Iterator[Entry | None]:
        """The most valuable pending entry that is ``wanted``, not to be replaced by a newer one within the context."""
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
        return self._take_directly(path, accept)

    def open(self, entry: Entry) -> BinaryIO:
        """What is to be sent, from its start.

        Raises:
            MovedError: there is no snapshot, and the file is not as it was taken.
            LocalWriteError: it cannot be read.
        """
        self.check(entry)
        place = self.place_of(entry)
        with local_errors(place, "read"):
            return place.open("rb")

    def check(self, entry: Entry) -> None:
        """See that what is to be sent is still what was taken.

        Raises:
            MovedError: there is no snapshot, and the file is not as it was taken.
        """
        if entry.direct and not self._is_there(entry):
            raise MovedError(
                f"{entry.path} was saved anew before it was sent",
                hint="There is no room for a copy of it on this disk; free some.",
            )

    def place_of(self, entry: Entry) -> Path:
        """Where the snapshot lies, or, without one, the tree's own file."""
        return self._tree / entry.path if entry.direct else _snapshot_in(self._folder(entry), entry)

    def note_of(self, entry: Entry) -> FileNote | MemoryNote:
        """Where a push leaves word of how far it is; it goes with the entry."""
        direct = self._direct.get(entry.sequence)
        return direct.note if direct else FileNote(self._folder(entry) / _SESSION)

    def settle(self, entry: Entry, receipt: Receipt) -> None:
        """Write the receipt of a claimed entry; its snapshot goes then, unless it is the newest checkpoint.

        Raises:
            LocalWriteError: the disk cannot take the receipt; the entry stays pending.
        """
        with self._lock:
            for older in find_older(self._entries.values(), entry):
                self._mark(older, _DROPPED)
        append_receipt(self._tree, receipt)
        with self._lock:
            self._mark(entry, _PUSHED)
            self._prune()

    def drop(self, entry: Entry) -> None:
        """The remote is not to get ``entry`` after all; its snapshot goes, unless it is the newest checkpoint.

        Raises:
            LocalWriteError: the disk cannot take that; the entry stays pending.
        """
        with self._lock:
            self._mark(entry, _DROPPED)
            self._prune()

    def queue_again(self, entry: Entry) -> None:
        """The remote is to get ``entry``, which it has had or was not to get, after all.

        Nothing happens where its snapshot has gone meanwhile.

        Raises:
            LocalWriteError: the disk cannot take that; the entry is as it was.
        """
        with self._lock:
            if entry.sequence not in self._entries or entry.direct:
                return
            self.note_of(entry).write("")
            folder = self._folder(entry)
            with local_errors(folder):
                for mark in (_PUSHED, _DROPPED):
                    (folder / mark).unlink(missing_ok=True)
            fsync_folder(folder)
            self._entries[entry.sequence] = replace(entry, pushed=False, dropped=False)

    def _take_snapshot(self, path: str, accept: Accept) -> Entry | Refused:
        before = look(self._tree, path)
        if before is None:
            return Refused(path, "it is gone", moved=True)
        folder = make_state_folder(self._tree, _SPOOL)
        _check_room(folder, before.size)
        sequence = self._next_sequence()
        making = folder / f"{sequence:08}.tmp"
        shutil.rmtree(making, ignore_errors=True)
        try:
            with local_errors(making):
                making.mkdir()
            snapshot = making / _name_of(path)
            judged = take_snapshot(self._tree / path, snapshot, lambda copy: accept(self._tree, path, copy))
            entry = _enter(sequence, path, judged)
            if isinstance(entry, Refused):
                if judged is None:
                    return entry
                kept = keep_rejected(self._tree, path, snapshot, entry.reason, time.time())
                return replace(entry, kept=kept)
            record = {key: value for key, value in asdict(entry).items() if key in _RECORDED}
            record["role"] = entry.role.value
            write_atomically(making / _ENTRY, json.dumps(record).encode())
            fsync_folder(making)
            with local_errors(making):
                making.replace(self._folder(entry))
            fsync_folder(folder)
            self._add(entry)
        finally:
            shutil.rmtree(making, ignore_errors=True)
        return entry

    def _take_directly(self, path: str, accept: Accept) -> Entry | Refused:
        judged = judge_in_place(self._tree / path, lambda place: accept(self._tree, path, place))
        entry = _enter(self._next_sequence(), path, judged)
        if isinstance(entry, Refused) or judged is None:
            return entry
        entry = replace(entry, direct=True)
        self._direct[entry.sequence] = _Direct(judged.seen, MemoryNote())
        self._add(entry)
        return entry

    def _next_sequence(self) -> int:
        with self._lock:
            self._last_sequence += 1
            return self._last_sequence

    def _add(self, entry: Entry) -> None:
        with self._lock:
            self._entries[entry.sequence] = entry
            self._prune()

    def _mark(self, entry: Entry, mark: str) -> None:
        if entry.sequence not in self._entries:
            return
        if not entry.direct:
            folder = self._folder(entry)
            with local_errors(folder):
                (folder / mark).touch()
            fsync_folder(folder)
        pushed = mark == _PUSHED
        self._entries[entry.sequence] = replace(entry, pushed=pushed, dropped=not pushed)

    def _prune(self) -> None:
        for entry in find_superfluous(self._entries.values(), self._claimed):
            self._remove(entry)

    def _remove(self, entry: Entry) -> None:
        del self._entries[entry.sequence]
        if entry.direct:
            del self._direct[entry.sequence]
            return
        folder = self._folder(entry)
        # Under its own name a half removed snapshot could come back, without the mark that it was pushed.
        with suppress(OSError):
            folder = folder.replace(folder.with_name(f"{folder.name}.tmp"))
        shutil.rmtree(folder, ignore_errors=True)

    def _is_there(self, entry: Entry) -> bool:
        if not entry.direct:
            return self.place_of(entry).is_file()
        direct = self._direct.get(entry.sequence)
        return direct is not None and see(self.place_of(entry)) == direct.seen

    def _comes_again(self, entry: Entry) -> bool:
        """Whether the entry is in the tree, to be offered again, or on the remote."""
        return entry.pushed or is_same(entry.source, look(self._tree, entry.path))

    def _folder(self, entry: Entry) -> Path:
        return self._tree / STATE_FOLDER / _SPOOL / f"{entry.sequence:08}"


def read_pending(tree: Path) -> tuple[Entry, ...]:
    """As ``Spool.pending``, for who only looks: nothing is locked or swept away, and what has no snapshot unknown."""
    places: list[Path] = []
    with suppress(FileNotFoundError, NotADirectoryError):
        places += (tree / STATE_FOLDER / _SPOOL).iterdir()
    return order_pending(filter(None, (_read_entry(place, _read_record(place)) for place in places)))


def _read_record(place: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        record = json.loads((place / _ENTRY).read_bytes())
        return record if isinstance(record, dict) else {}
    return {}


def _read_entry(place: Path, record: dict[str, Any]) -> Entry | None:
    try:
        known = {key: record[key] for key in record.keys() & _RECORDED}
        entry = Entry(**known | {"role": Role(record.get("role", Role.OTHER.value))})
        whole = _snapshot_in(place, entry).stat().st_size == entry.size
    except (OSError, ValueError, TypeError):
        return None
    if not whole or place.name != f"{entry.sequence:08}":
        return None
    return replace(entry, pushed=(place / _PUSHED).exists(), dropped=(place / _DROPPED).exists())


def _is_unjudged(record: dict[str, Any]) -> bool:
    """Whether it was taken before a file's role in its run was asked for."""
    return "role" not in record


def _enter(sequence: int, path: str, judged: Judged | None) -> Entry | Refused:
    if judged is None:
        return Refused(path, "it is being written to", moved=True)
    seen, verdict = judged.seen, judged.verdict
    if not verdict.accepted:
        return Refused(path, verdict.reason)
    return Entry(
        sequence,
        path,
        seen.size,
        seen.mtime_ns,
        iteration=verdict.iteration,
        run=verdict.run,
        role=verdict.role,
        score=verdict.score,
    )


def _check_room(folder: Path, size: int) -> None:
    """See that there is room for a copy of ``size`` bytes, and for darknet to save as much again.

    darknet does not notice that a disk is full: it leaves a torn file, and goes on.
    """
    if free_bytes(folder) < 2 * size + _SPARE_BYTES:
        raise DiskFullError(f"cannot write {folder}: there is no room for a snapshot of {size} bytes")


def _snapshot_in(folder: Path, entry: Entry) -> Path:
    return folder / _name_of(entry.path)


def _name_of(path: str) -> str:
    """What a snapshot is called: as its file, so that whoever looks into the spool knows it."""
    name = Path(path).name
    return f"{name}.snapshot" if name in _OWN else name
