"""The durable queue between a tree and its remote: immutable snapshots, and receipts for what is safe.

    TREE/.drivesync/
      push.lock                        held by the one process that uses the spool
      spool/00000007.tmp/              a snapshot being taken, or thrown away; swept away at the next start
      spool/00000007/entry.json        a snapshot that was taken whole and accepted ...
      spool/00000007/remote_last.weights
      spool/00000007/pushed            ... and that the remote holds
      receipts.jsonl                   one line for each push that was verified

A snapshot is a copy: darknet truncates its files in place, so a hard link would be emptied by its next save. The
newest accepted checkpoint stays here after it was pushed, because the file it was taken from may be torn any moment.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from drivesync.disk import (
    fsync_folder,
    hash_stream,
    local_errors,
    lock_state,
    look,
    make_state_folder,
    write_atomically,
)
from drivesync.files import STATE_FOLDER, LocalFile, Receipt, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from drivesync.acceptance import Accept

_SPOOL = "spool"
_ENTRY = "entry.json"
_PUSHED = "pushed"
_RECEIPTS = "receipts.jsonl"


@dataclass(frozen=True, slots=True)
class Entry:
    """One snapshot in the spool.

    Attributes:
        sequence: grows with each snapshot.
        path: of the file it was taken from, relative to the tree.
        size: in bytes.
        md5, sha256: lower-case hex.
        mtime_ns: of the file it was taken from, at that moment.
        iteration: of a checkpoint; None for other files.
        pushed: the remote holds this content, verified.
    """

    sequence: int
    path: str
    size: int
    md5: str
    sha256: str
    mtime_ns: int
    iteration: int | None
    pushed: bool = False

    @property
    def source(self) -> LocalFile:
        """The file it was taken from, as it was."""
        return LocalFile(self.path, self.size, self.mtime_ns, self.md5)


@dataclass(frozen=True, slots=True)
class Refused:
    """A file of which no snapshot was kept, and why; ``moved`` if it was being written to meanwhile."""

    path: str
    reason: str
    moved: bool = False


class Spool:
    """The spool of one tree; a context manager, safe to use from several threads, by one process at a time."""

    def __init__(self, tree: Path) -> None:
        self._tree = tree
        self._lock = threading.Lock()
        self._entries: dict[int, Entry] = {}
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
            self._entries = {}
            with local_errors(folder):
                for place in folder.iterdir():
                    entry = _read_entry(place)
                    if entry is not None:
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

    def snapshot_of(self, entry: Entry) -> Path:
        """Where the snapshot lies."""
        return self._place(entry.sequence) / Path(entry.path).name

    def entries(self) -> tuple[Entry, ...]:
        """All snapshots, oldest first."""
        with self._lock:
            return tuple(self._entries[sequence] for sequence in sorted(self._entries))

    def pending(self) -> tuple[Entry, ...]:
        """Snapshots that the remote does not hold yet, the most valuable first: highest iteration, then newest."""
        return tuple(sorted((entry for entry in self.entries() if not entry.pushed), key=_worth))

    @contextmanager
    def claim(self) -> Iterator[Entry | None]:
        """The most valuable pending snapshot, not to be replaced by a newer one within the context."""
        with self._lock:
            for lost in [entry for entry in self._entries.values() if not self.snapshot_of(entry).is_file()]:
                # Somebody cleaned up here. What is still in the tree is offered again.
                self._remove(lost)
            waiting = [entry for entry in self._entries.values() if not entry.pushed]
            entry = min(waiting, key=_worth, default=None)
            self._claimed = entry.sequence if entry else 0
        try:
            yield entry
        finally:
            with self._lock:
                self._claimed = 0
                self._prune()

    def take(self, path: str, accept: Accept) -> Entry | Refused:
        """Copy the tree's ``path`` and keep the copy if it is whole.

        Args:
            path: relative to the tree.
            accept: judges the copy.

        Raises:
            LocalWriteError: the disk cannot take the copy; the spool is as it was.
        """
        before = look(self._tree, path)
        if before is None:
            return Refused(path, "it is gone", moved=True)
        with self._lock:
            self._last_sequence += 1
            sequence = self._last_sequence
        place = self._place(sequence)
        making = place.with_name(f"{place.name}.tmp")
        try:
            entry = self._copy(making, sequence, before, accept)
            if isinstance(entry, Entry):
                with local_errors(place):
                    making.replace(place)
                fsync_folder(place.parent)
                with self._lock:
                    self._entries[sequence] = entry
                    self._prune()
        finally:
            shutil.rmtree(making, ignore_errors=True)
        return entry

    def settle(self, entry: Entry, receipt: Receipt) -> None:
        """Write the receipt of a claimed entry; its snapshot goes then, unless it is the newest checkpoint.

        Raises:
            LocalWriteError: the disk cannot take the receipt; the entry stays pending.
        """
        line = json.dumps(asdict(receipt)).encode() + b"\n"
        path = make_state_folder(self._tree) / _RECEIPTS
        with local_errors(path), path.open("ab") as receipts:
            if receipts.tell() and not _ends_line(path):
                receipts.write(b"\n")
            receipts.write(line)
            receipts.flush()
            os.fsync(receipts.fileno())
        with self._lock:
            with local_errors(path):
                (self._place(entry.sequence) / _PUSHED).touch()
            self._entries[entry.sequence] = replace(entry, pushed=True)
            self._prune()

    def _copy(self, making: Path, sequence: int, before: LocalFile, accept: Accept) -> Entry | Refused:
        shutil.rmtree(making, ignore_errors=True)
        snapshot = making / Path(before.path).name
        with local_errors(snapshot):
            making.mkdir(parents=True)
            try:
                source = (self._tree / before.path).open("rb")
            except FileNotFoundError:
                return Refused(before.path, "it is gone", moved=True)
            with source, snapshot.open("wb") as copy:
                sums = hash_stream(source, copy_to=copy)
                # The run bit goes with the content.
                os.fchmod(copy.fileno(), os.fstat(source.fileno()).st_mode & 0o777 | 0o600)
                copy.flush()
                os.fsync(copy.fileno())
        if look(self._tree, before.path) != before or sums.size != before.size:
            return Refused(before.path, "it is being written to", moved=True)
        verdict: Verdict = accept(self._tree, before.path, snapshot)
        if not verdict.accepted:
            return Refused(before.path, verdict.reason)
        entry = Entry(
            sequence, before.path, sums.size, sums.md5, sums.sha256, before.mtime_ns, verdict.iteration
        )
        record = {key: value for key, value in asdict(entry).items() if key != "pushed"}
        write_atomically(making / _ENTRY, json.dumps(record).encode())
        return entry

    def _prune(self) -> None:
        """Drop what a newer snapshot of its file replaces, and what is pushed, but for the newest checkpoint."""
        newest: dict[str, int] = {}
        for entry in self._entries.values():
            newest[entry.path] = max(entry.sequence, newest.get(entry.path, 0))
        best = max(
            (entry for entry in self._entries.values() if entry.iteration is not None),
            key=lambda entry: (entry.iteration or 0, entry.sequence),
            default=None,
        )
        for entry in list(self._entries.values()):
            replaced = entry.sequence < newest[entry.path]
            if (replaced or entry.pushed) and entry is not best and entry.sequence != self._claimed:
                self._remove(entry)

    def _remove(self, entry: Entry) -> None:
        del self._entries[entry.sequence]
        place = self._place(entry.sequence)
        # Under its own name a half removed snapshot could come back, without the mark that it was pushed.
        with suppress(OSError):
            place = place.replace(place.with_name(f"{place.name}.tmp"))
        shutil.rmtree(place, ignore_errors=True)

    def _place(self, sequence: int) -> Path:
        return self._tree / STATE_FOLDER / _SPOOL / f"{sequence:08}"


def read_receipts(tree: Path) -> list[Receipt]:
    """All receipts, oldest first; a line torn by a crash is passed over."""
    receipts = []
    with suppress(FileNotFoundError, NotADirectoryError):
        for line in (tree / STATE_FOLDER / _RECEIPTS).read_bytes().splitlines():
            with suppress(ValueError, TypeError):
                receipts.append(Receipt(**json.loads(line)))
    return receipts


def read_pending(tree: Path) -> tuple[Entry, ...]:
    """As ``Spool.pending``, for who only looks: nothing is locked or swept away."""
    places: list[Path] = []
    with suppress(FileNotFoundError, NotADirectoryError):
        places += (tree / STATE_FOLDER / _SPOOL).iterdir()
    entries = filter(None, map(_read_entry, places))
    return tuple(sorted((entry for entry in entries if not entry.pushed), key=_worth))


def _read_entry(place: Path) -> Entry | None:
    try:
        entry = Entry(**json.loads((place / _ENTRY).read_bytes()))
        whole = (place / Path(entry.path).name).stat().st_size == entry.size
    except (OSError, ValueError, TypeError):
        return None
    if not whole or place.name != f"{entry.sequence:08}":
        return None
    return replace(entry, pushed=(place / _PUSHED).exists())


def _worth(entry: Entry) -> tuple[int, int]:
    """Sorts what is to be pushed first to the front."""
    return -(entry.iteration or -1), -entry.sequence


def _ends_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"
