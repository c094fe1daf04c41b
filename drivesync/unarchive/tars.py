"""Tar archives, compressed by gzip or not, read from the front."""

from __future__ import annotations

import gzip
import tarfile
from functools import partial
from typing import TYPE_CHECKING

from drivesync.disk import BLOCK_BYTES
from drivesync.unarchive.forward import Forward, MalformedError
from drivesync.unarchive.member import Member, to_modified_s

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivesync.unarchive.member import Content

_RUN_BIT = 0o100


class TarArchive:
    """See ``Archive``.

    Args:
        forward: its bytes from the front.
        is_compressed: by gzip.

    Raises:
        tarfile.TarError: it is none.
    """

    def __init__(self, forward: Forward, *, is_compressed: bool) -> None:
        self._forward = _Watched(_inflate(forward) if is_compressed else _blocks_of(forward))
        self._archive = tarfile.TarFile(fileobj=self._forward)

    def declared(self) -> None:
        """See ``Archive``."""

    def members(self) -> Iterator[Member]:
        """See ``Archive``."""
        while (info := self._archive.next()) is not None:
            # It would hold all that it has seen.
            self._archive.members = []  # type: ignore[attr-defined]
            if not info.isdir():
                yield Member(
                    info.name,
                    info.size,
                    to_modified_s(info.mtime),
                    executable=bool(info.mode & _RUN_BIT),
                    refused=_refuse_kind(info),
                    open=partial(self._open, info),
                )
        if self._forward.last.strip(b"\0"):
            # The parser takes a header that it cannot read for the end.
            raise MalformedError("one of its headers is damaged")

    def _open(self, info: tarfile.TarInfo) -> Content:
        content = self._archive.extractfile(info)
        if content is None:
            raise MalformedError(f"{info.name!r} in it is no file")
        return content


class _Watched(Forward):
    """Remembers what was read last."""

    last = b""

    def read(self, size: int = -1, /) -> bytes:
        self.last = super().read(size)
        return self.last


def _blocks_of(forward: Forward) -> Iterator[bytes]:
    while block := forward.read(BLOCK_BYTES):
        yield block


def _inflate(forward: Forward) -> Iterator[bytes]:
    """What is in ``forward``, never more than a block at once, however well it was compressed."""
    with gzip.GzipFile(fileobj=forward) as inflated:
        while block := inflated.read(BLOCK_BYTES):
            yield block


def _refuse_kind(info: tarfile.TarInfo) -> str:
    if info.issym() or info.islnk():
        return "it is a link"
    return "" if info.isreg() else "it is no file"
