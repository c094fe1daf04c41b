"""What a push records with a file, on a file system that keeps nothing but files.

    REMOTE/.drivesync/properties/AB/CDEF....json    {"path": "backup/a.weights",
                                                     "contents": {SHA256: {"iteration": "7"}}}

ABCDEF... is the sha256 of the file's id, which may be too long for a name as it is. Properties belong to a content,
named by its checksum: a file that somebody replaced by hand has none. They are written before the content comes into
its place, beside those of the content that is there, so that a kill between any two steps leaves each file with its
own; afterwards the others go.
"""

from __future__ import annotations

import hashlib
import io
import json
from contextlib import suppress
from typing import TYPE_CHECKING

from drivesync.files import STATE_FOLDER
from drivesync.remotes.folder.placing import Content, read_blocks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from drivesync.remotes.folder.mount import FileSystem
    from drivesync.remotes.folder.placing import Placing

Contents = dict[str, dict[str, str]]
"""Properties by the sha256 of the content that they belong to."""


class Properties:
    """Those of all files of one tree. All methods raise OSError where the system does, and what ``Placing`` does.

    Args:
        system: what is asked for files.
        root: the tree's folder.
        placing: into it.
    """

    def __init__(self, system: FileSystem, root: Path, placing: Placing) -> None:
        self._system = system
        self._root = root
        self._placing = placing

    def find(self, id_: str, sha256: str) -> Mapping[str, str]:
        """Those of a file while it has this content."""
        return self._read(id_).get(sha256, {})

    def announce(self, id_: str, sha256: str, properties: Mapping[str, str]) -> None:
        """The file will have this content; those of the one that it has stay as well."""
        before = self._read(id_)
        self._write(id_, before, {**before, sha256: dict(properties)})

    def settle(self, id_: str, sha256: str, properties: Mapping[str, str]) -> None:
        """The file has this content now."""
        self._write(id_, self._read(id_), {sha256: dict(properties)})

    def copy(self, id_: str, to_id: str) -> None:
        """The file will have another id."""
        self._write(to_id, self._read(to_id), self._read(id_))

    def forget(self, id_: str) -> None:
        """The file is gone."""
        self._write(id_, self._read(id_), {})

    def _read(self, id_: str) -> Contents:
        try:
            text = b"".join(read_blocks(self._system, self._root / _place_of(id_)))
        except (FileNotFoundError, NotADirectoryError):
            return {}
        # What no push has written says nothing.
        with suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
            contents = json.loads(text)["contents"].items()
            return {
                str(sha256): {str(key): str(value) for key, value in properties.items()}
                for sha256, properties in contents
            }
        return {}

    def _write(self, id_: str, before: Contents, contents: Contents) -> None:
        contents = {sha256: properties for sha256, properties in contents.items() if properties}
        if contents == before:
            return
        if contents:
            text = json.dumps({"path": id_, "contents": contents}, indent=1).encode()
            self._placing.place(_place_of(id_), Content(io.BytesIO(text), len(text)))
        else:
            place, _ = self._placing.make_folders(_place_of(id_))
            self._system.remove(place)


def _place_of(id_: str) -> str:
    """Shared out over 256 folders: a mounted Drive fails in one that holds tens of thousands of files."""
    name = hashlib.sha256(id_.encode()).hexdigest()
    return f"{STATE_FOLDER}/properties/{name[:2]}/{name[2:]}.json"
