"""What keeps a write from its end if something has changed meanwhile, asked late and yet costing no time.

A question that takes a request, "is the run still ours?", is put while the last bytes go out, and its answer is
awaited before the very last one does.
"""

from __future__ import annotations

import hashlib
import io
import time
from typing import TYPE_CHECKING, BinaryIO

from drivesync.disk import BLOCK_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor, Future

    from _typeshed import WriteableBuffer

_AHEAD_S = 1.0
"""Of sending is left when the question is put: most requests are answered sooner."""
_FRESH_S = 5.0
"""So old may an answer be that lets the last byte go."""
_LEAST_AHEAD_BYTES = 4 << 20


class LateCheck:
    """Asks aside, and hands on what was answered; used by one thread.

    Args:
        ask: raises what is to keep the write from its end.
        aside: runs it.
        clock: seconds that never decrease.
    """

    def __init__(
        self, ask: Callable[[], None], aside: Executor, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = ask
        self._aside = aside
        self._clock = clock
        self._asked: Future[None] | None = None
        self._asked_s = 0.0

    def begin(self) -> None:
        """Ask, if nobody has yet."""
        if self._asked is None:
            self._asked_s = self._clock()
            self._asked = self._aside.submit(self._ask)

    def finish(self) -> None:
        """Wait for the answer; asked again, later, it asks again.

        Raises:
            Exception: what was asked raises it.
        """
        if self._clock() - self._asked_s > _FRESH_S:
            self._asked = None
        self.begin()
        asked, self._asked = self._asked, None
        if asked is not None:
            asked.result()


class Sent(io.RawIOBase):
    """A file on its way: tells when its end comes near, and what its bytes hash to; used by one thread.

    Args:
        reopen: opens the file; more than once if it has to be read again.
        size: of the file, in bytes.
        on_near_end: called when about a second's worth of it is left to be read, maybe more than once.
        hashes: whether ``md5`` will be asked for.
        clock: seconds that never decrease.
    """

    def __init__(
        self,
        reopen: Callable[[], BinaryIO],
        size: int,
        on_near_end: Callable[[], None],
        *,
        hashes: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._reopen = reopen
        self._file = reopen()
        self._size = size
        self._on_near_end = on_near_end
        self._clock = clock
        self._began_s = clock()
        self._at = self._read = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._hashed = 0
        self._in_order = hashes

    def buffered(self) -> BinaryIO:
        """Itself, for many small reads."""
        return io.BufferedReader(self, BLOCK_BYTES)

    def readable(self) -> bool:
        """See ``io``."""
        return True

    def seekable(self) -> bool:
        """See ``io``."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """See ``io``."""
        self._at = self._file.seek(offset, whence)
        return self._at

    def tell(self) -> int:
        """See ``io``."""
        return self._at

    def close(self) -> None:
        """See ``io``."""
        self._file.close()
        super().close()

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """See ``io``."""
        into = memoryview(buffer).cast("B")
        block = self._file.read(len(into))
        into[: len(block)] = block
        self._follow(block)
        self._at += len(block)
        self._read += len(block)
        left = self._size - self._at
        if left <= max(_LEAST_AHEAD_BYTES, self._bytes_per_s() * _AHEAD_S):
            self._on_near_end()
        return len(block)

    def md5(self) -> str:
        """Of what was read, and of the rest as it is now; of the whole as it is now where it was not read in order."""
        md5 = self._md5.copy() if self._in_order else hashlib.md5(usedforsecurity=False)
        with self._reopen() as file:
            file.seek(self._hashed if self._in_order else 0)
            while block := file.read(BLOCK_BYTES):
                md5.update(block)
        return md5.hexdigest()

    def _follow(self, block: bytes) -> None:
        if not self._in_order or not block:
            return
        self._in_order = self._at == self._hashed
        if self._in_order:
            self._md5.update(block)
            self._hashed += len(block)

    def _bytes_per_s(self) -> float:
        return self._read / max(self._clock() - self._began_s, 1e-3)
