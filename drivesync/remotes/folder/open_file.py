"""One file of a directory while it is read, through the troubles of a mount."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from drivesync.errors import MovedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.remotes.folder.mount import FileSystem


class OpenFile:
    """A file that is being read; opened when the first byte is wanted, and again after an error.

    Args:
        system: what is asked for files.
        find: says where the file is, and raises where it is no longer what it was.
    """

    def __init__(self, system: FileSystem, find: Callable[[], Path]) -> None:
        self._system = system
        self._find = find
        self._descriptor: int | None = None

    def read(self, first: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``first``; one at least."""
        if self._descriptor is None:
            self._descriptor = self._system.open(self._find(), os.O_RDONLY)
        try:
            block = self._system.read(self._descriptor, size, first)
        except OSError:
            # A descriptor of a mount that broke down stays broken.
            self.close()
            raise
        if not block:
            raise MovedError("a file became shorter while it was read")
        return block

    def close(self) -> None:
        """Close it if it is open."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):
                self._system.close(descriptor)
