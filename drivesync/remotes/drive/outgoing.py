"""A file's bytes on their way out, a block at a time, and the caller's word before the last."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from drivesync.errors import MovedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

_BLOCK_BYTES = 256 << 10


class CallerError(Exception):
    """Carries what the caller's own code raised past those who would take it for an error of Drive's.

    Attributes:
        error: what it raised.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class Outgoing:
    """The content of one upload; never more than a block of it is in memory.

    Attributes:
        is_released: the caller has let the last byte go, at least once.

    Args:
        action: for messages.
        source: seekable; what it raises comes as ``CallerError``.
        size: in bytes.
        before_end: called before the last byte is handed out; what it raises comes as ``CallerError``.
    """

    def __init__(self, action: str, source: BinaryIO, size: int, before_end: Callable[[], None]) -> None:
        self.is_released = False
        self._action = action
        self._source = source
        self._size = size
        self._before_end = before_end

    def blocks(self, first: int, end: int) -> Iterator[bytes]:
        """Bytes from ``first`` up to, and not including, ``end``; the file's last one waits for ``release``.

        Raises:
            CallerError: see above.
        """
        held = max(first, end - 1) if end == self._size else end
        yield from self._read(first, held)
        if held < end:
            self.release()
            yield from self._read(held, end)

    def release(self) -> None:
        """Have the caller's word that the file may be completed now.

        Raises:
            CallerError: it may not.
        """
        try:
            self._before_end()
        except Exception as error:
            raise CallerError(error) from error
        self.is_released = True

    def md5(self) -> str:
        """Of the whole content, lower-case hex.

        Raises:
            CallerError: it cannot be read.
        """
        digest = hashlib.md5(usedforsecurity=False)
        for block in self._read(0, self._size):
            digest.update(block)
        return digest.hexdigest()

    def _read(self, first: int, end: int) -> Iterator[bytes]:
        at = first
        while at < end:
            try:
                if at == first:
                    self._source.seek(first)
                block = self._source.read(min(_BLOCK_BYTES, end - at))
            except Exception as error:
                raise CallerError(error) from error
            if not block:
                raise CallerError(
                    MovedError(f"{self._action}: its content ends {self._size - at} bytes early")
                )
            yield block
            at += len(block)
