"""Zip archives: the directory at the end is read first, then all from the front.

Format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT (6.3.10)
"""

from __future__ import annotations

import errno
import io
import os
import stat
import struct
import time
import zipfile
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from drivesync.errors import SettingsError
from drivesync.unarchive.forward import Forward, MalformedError
from drivesync.unarchive.member import Member, to_modified_s

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivesync.unarchive.ranges import Source

_TAIL_BYTES = 256 << 10
"""Of the end, read at once: the directory of thousands of members fits, and the longest comment does."""
_MOST_DIRECTORY_BYTES = 64 << 20
"""Of 500,000 members and more; it is held in memory."""

_IS_ENCRYPTED = 0x1
_IS_UTF8 = 0x800
_UNIX = 3
_WINDOWS = frozenset({0, 10, 11})
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""Python unpacks bzip2 and LZMA as well, but a block of these can become gigabytes in memory at once."""
_OTHER_METHODS = {
    9: "Deflate64",
    zipfile.ZIP_BZIP2: "bzip2",
    zipfile.ZIP_LZMA: "LZMA",
    93: "Zstandard",
    95: "XZ",
}
_TIMES_FIELD = 0x5455
_TIMES = struct.Struct("<HHBi")
"""Field, size of what follows, what is said, when it was modified; Info-ZIP's proginfo/extrafld.txt."""
_FIELD_HEADER_BYTES = 4
_HAS_MODIFIED = 0x1


class ZipArchive:
    """See ``Archive``.

    Args:
        path: for messages.
        source: its bytes, for the directory.
        size: in bytes.
        forward: its bytes from the front.

    Raises:
        SettingsError: it is encrypted, or packed by a method that is not supported.
        MalformedError: its directory cannot be held in memory.
        zipfile.BadZipFile: it is none.
    """

    def __init__(self, path: str, source: Source, size: int, forward: Forward) -> None:
        self._view = _View(source, size, forward)
        try:
            self._archive = zipfile.ZipFile(self._view)
        except OSError as error:
            raise MalformedError("its directory lies before its beginning") from error
        # Of several of one name the last is meant, as where an archive was added to.
        last = {_name_of(info): info for info in self._archive.infolist()}
        self._infos = sorted(last.items(), key=lambda named: named[1].header_offset)
        for name, info in self._infos:
            _refuse_method(path, name, info)

    def declared(self) -> dict[str, int]:
        """See ``Archive``."""
        return {name: info.file_size for name, info in self._infos if not name.endswith("/")}

    def members(self) -> Iterator[Member]:
        """See ``Archive``."""
        self._view.is_forward = True
        for name, info in self._infos:
            if not name.endswith("/"):
                mode = info.external_attr >> 16 if info.create_system == _UNIX else 0
                yield Member(
                    name,
                    info.file_size,
                    _modified_s_of(info),
                    executable=bool(mode & stat.S_IXUSR),
                    refused=_refuse_mode(mode),
                    open=partial(self._archive.open, info),
                )


class _View(io.RawIOBase):
    """The archive as a file: read anywhere at first, then forwards."""

    def __init__(self, source: Source, size: int, forward: Forward) -> None:
        super().__init__()
        self._source = source
        self._size = size
        self._forward = forward
        self._tail: bytes | None = None
        self._at = 0
        self.is_forward = False

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if at < 0:
            # The parser looks in several places for what need not be there, and knows this as a file's answer.
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._at = at
        return at

    def read(self, size: int = -1, /) -> bytes:
        left = max(self._size - self._at, 0)
        size = left if size < 0 else min(size, left)
        if self.is_forward:
            self._forward.seek(self._at)
            content = self._forward.read(size)
        else:
            content = self._read_anywhere(size)
        self._at += len(content)
        return content

    def _read_anywhere(self, size: int) -> bytes:
        if size > _MOST_DIRECTORY_BYTES:
            raise MalformedError(
                f"its directory is {size:,} bytes long; make several archives of it, or a tar"
            )
        first = max(self._size - _TAIL_BYTES, 0)
        if self._at < first:
            return self._source.read_at(self._at, size)
        if self._tail is None:
            self._tail = self._source.read_at(first, self._size - first)
        return self._tail[self._at - first :][:size]


def _name_of(info: zipfile.ZipInfo) -> str:
    """Its name as whoever made it meant it."""
    name = info.orig_filename
    if not info.flag_bits & _IS_UTF8:
        # macOS's Finder and Info-ZIP write UTF-8 and do not say so; in cp437 that would be no words.
        with suppress(UnicodeError):
            name = name.encode("cp437").decode()
    # As Info-ZIP reads what older programs of Windows wrote.
    return name.replace("\\", "/") if info.create_system in _WINDOWS else name


def _refuse_method(path: str, name: str, info: zipfile.ZipInfo) -> None:
    if info.flag_bits & _IS_ENCRYPTED:
        raise SettingsError(
            f"{path} cannot be unpacked: {name!r} in it is encrypted",
            hint="Make the archive again without a password, or do not name it to be unpacked.",
        )
    if info.compress_type not in _METHODS:
        method = _OTHER_METHODS.get(info.compress_type, f"method {info.compress_type}")
        raise SettingsError(
            f"{path} cannot be unpacked: {name!r} in it is compressed by {method}",
            hint="Make the archive again by `zip -r`, which stores and deflates, or as a tar.",
        )


def _refuse_mode(mode: int) -> str:
    """Why a member of this Unix ``mode`` is not unpacked; without a kind it is a file."""
    kind = stat.S_IFMT(mode)
    if kind == stat.S_IFLNK:
        return "it is a link"
    return "" if kind in {0, stat.S_IFREG} else "it is no file"


def _modified_s_of(info: zipfile.ZipInfo) -> float:
    """From the field of Info-ZIP, which is Unix time, or else from the local time that a zip says otherwise."""
    extra = info.extra
    while len(extra) >= _TIMES.size:
        field, size, flags, modified_s = _TIMES.unpack_from(extra)
        if field == _TIMES_FIELD and flags & _HAS_MODIFIED and size >= _TIMES.size - _FIELD_HEADER_BYTES:
            return to_modified_s(modified_s)
        extra = extra[_FIELD_HEADER_BYTES + size :]
    try:
        return to_modified_s(time.mktime((*info.date_time, 0, 0, -1)))
    except (OverflowError, ValueError):
        return 0.0
