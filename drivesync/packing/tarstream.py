"""A pack's bytes, made as they are read: a tar file (POSIX.1-2001) that never lies on the disk.

Each member is read whole and compared with the md5 that the remote has of it, before its first byte is given away: of
a file that was changed meanwhile nothing gets into a pack.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from bisect import bisect_right
from typing import TYPE_CHECKING

from drivesync.errors import UnfinishedError
from drivesync.pulling.manifest import Member

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from drivesync.files import RemoteFile
    from drivesync.packing.pace import Pace

_END = bytes(2 * tarfile.BLOCKSIZE)
"""Two empty blocks end a tar."""
_BUFFER_BYTES = 256 << 10
_MODE = 0o644


class MemberChangedError(UnfinishedError):
    """A file is no longer what it was when it was chosen for a pack.

    Attributes:
        file: which one.
    """

    def __init__(self, file: RemoteFile) -> None:
        super().__init__(
            f"{file.path} was changed here while it was packed", hint="Run the same command again."
        )
        self.file = file


class TarStream(io.BufferedReader):
    """The pack of some files, to be read from its start; seekable, and never more than a member of it is in memory.

    Reading raises MemberChangedError where a file is no longer as ``files`` has it, and what ``pace`` raises.

    Attributes:
        size: in bytes.
        members: where each file lies, in order.

    Args:
        tree: where the files are.
        files: as the remote has them, with their md5; small ones.
        pace: of reading.
        advance: told how many more bytes were read than ever before.
    """

    def __init__(
        self,
        tree: Path,
        files: Sequence[RemoteFile],
        pace: Pace,
        advance: Callable[[int], None] = lambda _bytes: None,
    ) -> None:
        tar = _Tar(tree, files, pace, advance)
        super().__init__(tar, _BUFFER_BYTES)
        self._tar = tar
        self.size = tar.size
        self.members = tar.members

    def md5(self) -> str:
        """Of the whole, lower-case hex; what was read already is not read again."""
        return self._tar.md5()


class _Tar(io.RawIOBase):
    """See ``TarStream``."""

    def __init__(
        self, tree: Path, files: Sequence[RemoteFile], pace: Pace, advance: Callable[[int], None]
    ) -> None:
        self._tree = tree
        self._files = files
        self._pace = pace
        self._advance = advance
        self._starts: list[int] = []
        self._at = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._hashed = 0
        self._held = (-1, b"")
        members: list[Member] = []
        end = 0
        for file in files:
            self._starts.append(end)
            content_at = end + len(_header(file))
            members.append(Member(file.path, file.size, file.md5, file.id, content_at))
            end = content_at + file.size + _padding_bytes(file.size)
            pace.breathe()
        self._starts.append(end)
        self.members = tuple(members)
        self.size = end + len(_END)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        self._at = max(start + offset, 0)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # BufferedReader gives nothing else
        """Fill as much of ``buffer`` as lies in one member."""
        block = self._read_some(self._at, len(buffer))
        buffer[: len(block)] = block
        self._note(self._at, block)
        self._at += len(block)
        return len(block)

    def md5(self) -> str:
        while self._hashed < self.size:
            self._note(self._hashed, self._read_some(self._hashed, _BUFFER_BYTES))
        return self._md5.hexdigest()

    def _read_some(self, at: int, most_bytes: int) -> memoryview:
        number = bisect_right(self._starts, at) - 1
        block = _END if number == len(self._files) else self._member(number)
        begin = at - self._starts[number]
        return memoryview(block)[begin : begin + most_bytes]

    def _note(self, at: int, block: memoryview) -> None:
        """``block`` was read at ``at``: after a broken connection perhaps not for the first time."""
        new = block[max(self._hashed - at, 0) :] if at <= self._hashed else block[:0]
        self._md5.update(new)
        self._hashed += len(new)
        self._advance(len(new))

    def _member(self, number: int) -> bytes:
        """Header, content and padding of one file, which is what it should be."""
        held, block = self._held
        if held != number:
            self._pace.breathe()
            file = self._files[number]
            block = _header(file) + self._content(file) + bytes(_padding_bytes(file.size))
            self._held = number, block
        return block

    def _content(self, file: RemoteFile) -> bytes:
        try:
            with (self._tree / file.path).open("rb") as source:
                content = source.read(file.size + 1)
        except OSError:
            raise MemberChangedError(file) from None
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != file.md5:
            raise MemberChangedError(file)
        return content


def _header(file: RemoteFile) -> bytes:
    info = tarfile.TarInfo(file.path)
    info.size, info.mtime, info.mode = file.size, int(max(file.modified_s, 0.0)), _MODE
    return info.tobuf(tarfile.PAX_FORMAT)


def _padding_bytes(size_bytes: int) -> int:
    return -size_bytes % tarfile.BLOCKSIZE
