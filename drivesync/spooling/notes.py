"""Notes: where a write leaves word of how far it is, see ``remotes.base.Note``."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from drivesync.disk import fsync_folder, write_atomically
from drivesync.errors import LocalWriteError

if TYPE_CHECKING:
    from pathlib import Path


class FileNote:
    """A note for this process and later ones, in a file that only its owner may read.

    A disk that cannot take it costs no more than that a later process begins again, so that is no error.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> str:
        """What was left; empty if nothing was."""
        try:
            return self._path.read_text("utf-8")
        except (OSError, ValueError):
            return ""

    def write(self, text: str) -> None:
        """Leave ``text`` in place of what was left before."""
        if text:
            with suppress(LocalWriteError):
                write_atomically(self._path, text.encode(), mode=0o600)
                fsync_folder(self._path.parent)
                return
        # What was left before would lead astray.
        with suppress(OSError):
            self._path.unlink()


class MemoryNote:
    """A note that ends with its process."""

    def __init__(self) -> None:
        self._text = ""

    def read(self) -> str:
        """What was left; empty if nothing was."""
        return self._text

    def write(self, text: str) -> None:
        """Leave ``text`` in place of what was left before."""
        self._text = text
