"""Which images and labels of a tree ``init`` has put there, so that it may take away those that are of no use any more.

    TREE/.trainer/prepared.jsonl    one file in each line: its path, size in bytes and modification time (ns)

A line is written before its file is put in its place: a kill between the two leaves a line that fits no file. A file
that has been changed since is the user's own.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from drivesync.disk import local_errors, look, write_atomically
from trainer.config import STATE_FOLDER
from trainer.preparing.layout import is_image_or_label

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path
    from types import TracebackType
    from typing import TextIO

_NAME = "prepared.jsonl"


class _Entry(NamedTuple):
    path: str
    size: int
    mtime_ns: int


class Record:
    """The record of one tree; a context manager, which holds it open to write.

    Args:
        tree: whose state folder is there.
    """

    def __init__(self, tree: Path) -> None:
        self._tree = tree
        self._place = tree / STATE_FOLDER / _NAME
        self._file: TextIO | None = None

    def __enter__(self) -> Record:
        with local_errors(self._place):
            self._file = self._place.open("a", encoding="utf-8")
            # What a kill has torn stays a line of its own.
            self._file.write("\n")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def note(self, path: str, written: Path) -> None:
        """A file is about to be put at ``path`` that lies at ``written`` so far."""
        if self._file is None or not is_image_or_label(path):
            return
        with local_errors(self._place):
            status = written.stat()
            self._file.write(json.dumps(_Entry(path, status.st_size, status.st_mtime_ns)) + "\n")
            self._file.flush()

    def drop(self, kept: Collection[str]) -> int:
        """Delete the files that ``init`` once put there, that nobody has changed since, and that are not in ``kept``.

        Returns:
            How many.

        Raises:
            LocalWriteError: one cannot be deleted.
        """
        gone = [entry.path for entry in self._standing() if entry.path not in kept]
        for path in gone:
            with local_errors(self._tree / path):
                (self._tree / path).unlink()
        return len(gone)

    def tidy(self) -> None:
        """Forget what is not there any more, or has been changed.

        Raises:
            LocalWriteError: the disk cannot take it.
        """
        lines = "".join(json.dumps(entry) + "\n" for entry in self._standing())
        write_atomically(self._place, lines.encode())

    def _standing(self) -> tuple[_Entry, ...]:
        """What is still there as it was written, sorted by path."""
        entries = {entry for entry in self._read() if self._is_unchanged(entry)}
        return tuple(sorted(entries))

    def _is_unchanged(self, entry: _Entry) -> bool:
        place = self._tree / entry.path
        if place.is_symlink() or place.parent.is_symlink():
            return False
        there = look(self._tree, entry.path)
        return there is not None and (there.size, there.mtime_ns) == (entry.size, entry.mtime_ns)

    def _read(self) -> Iterator[_Entry]:
        with local_errors(self._place, "read"):
            lines = self._place.read_text("utf-8", "replace").splitlines()
        for line in lines:
            try:
                said = json.loads(line)
            except (ValueError, RecursionError):
                continue
            match said:
                # A tree that somebody else has made may bring a record, too: it has nothing deleted but such files.
                case [str() as path, int() as size, int() as mtime_ns] if is_image_or_label(path):
                    yield _Entry(path, size, mtime_ns)
