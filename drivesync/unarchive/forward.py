"""What comes in blocks, as a file that is read from the front to its end."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from drivesync.disk import BLOCK_BYTES
from drivesync.errors import DamagedError

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_AT_ONCE_BYTES = 2 * BLOCK_BYTES
"""More than any header takes that is not made to fill the memory."""


class MalformedError(DamagedError):
    """The bytes are those of the remote, or may be, and are no archive that can be read."""


class Forward(io.RawIOBase):
    """A file whose position only ever grows.

    Args:
        blocks: its bytes, in order.
    """

    def __init__(self, blocks: Iterator[bytes]) -> None:
        super().__init__()
        self._blocks = blocks
        self._block = memoryview(b"")
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is, forwards."""
        return True

    def tell(self) -> int:
        """The next byte's offset."""
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        """``size`` bytes; fewer only at the end.

        Raises:
            MalformedError: so many are asked for only where a header lies.
        """
        if not 0 <= size <= MOST_AT_ONCE_BYTES:
            raise MalformedError(f"a header of it is {size:,} bytes long")
        found = bytearray()
        while len(found) < size and self._has_more():
            found += self._take(size - len(found))
        return bytes(found)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Pass over all before ``offset``.

        Raises:
            MalformedError: it lies behind.
        """
        if whence != io.SEEK_SET or offset < self._at:
            raise MalformedError("two members of it lie in one place")
        while self._at < offset and self._has_more():
            self._take(offset - self._at)
        return self._at

    def _has_more(self) -> bool:
        while not self._block:
            block = next(self._blocks, None)
            if block is None:
                return False
            self._block = memoryview(block)
        return True

    def _take(self, most: int) -> memoryview:
        taken, self._block = self._block[:most], self._block[most:]
        self._at += len(taken)
        return taken
