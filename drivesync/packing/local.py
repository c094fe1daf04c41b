"""Which of the remote's files are here, byte for byte: what a pack is made of."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from drivesync.disk import hash_file, is_same, look
from drivesync.errors import LocalWriteError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from drivesync.files import LocalFile, RemoteFile
    from drivesync.index import Index
    from drivesync.packing.pace import Pace


class Copies:
    """The local copies of a remote's files; used by one thread.

    Args:
        tree: where they are.
        index: of ``tree``; what it knows is not read again, and what was read is put there.
        pace: of reading.
    """

    def __init__(self, tree: Path, index: Index, pace: Pace) -> None:
        self._tree = tree
        self._index = index
        self._pace = pace
        self._here: dict[str, LocalFile] = {}

    def add(self, files: Sequence[RemoteFile]) -> None:
        """Look for copies of ``files``, without reading any."""
        synced = self._index.among([file.path for file in files])
        for file in files:
            here = look(self._tree, file.path)
            if here is not None and here.size == file.size:
                known = synced.get(file.path)
                self._here[file.path] = known if known is not None and is_same(known, here) else here
            self._pace.breathe()

    def has(self, file: RemoteFile) -> bool:
        """Whether there is one of ``file``, which was added; it is read where nobody knows its checksum."""
        here = self._here.get(file.path)
        if here is not None and not here.md5:
            here = self._read(file, here)
        return here is not None and here.md5 == file.md5

    def is_unchanged(self, file: RemoteFile) -> bool:
        """Whether that of ``file`` is still what it was, as far as its size and time tell."""
        here = self._here.get(file.path)
        return here is not None and is_same(look(self._tree, file.path), here)

    def _read(self, file: RemoteFile, here: LocalFile) -> LocalFile | None:
        self._pace.breathe()
        # What cannot be read cannot be packed.
        with suppress(LocalWriteError):
            here = self._here[file.path] = hash_file(self._tree, here)
            if here.md5 == file.md5:
                self._index.record(replace(here, revision_id=file.revision_id))
            return here
        del self._here[file.path]
        return None
