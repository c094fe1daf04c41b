"""A sink that keeps nothing but checksums."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drivesync.files import RemoteFile


class HashSink:
    """Takes a whole file."""

    def __init__(self) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256()

    def write(self, block: bytes) -> None:
        """Append ``block``."""
        self._md5.update(block)
        self._sha256.update(block)

    def fill(self, file: RemoteFile) -> RemoteFile:
        """``file`` with the checksums of what was written."""
        return replace(file, md5=self._md5.hexdigest(), sha256=self._sha256.hexdigest())
