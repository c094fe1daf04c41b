"""The bytes of files: streamed, and resumed at the very byte where a connection broke."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivesync.errors import MovedError, TransientError
from drivesync.remotes.drive.translate import translate_answer, translate_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from drivesync.remotes.base import Sink
    from drivesync.remotes.drive.streams import Answer
    from drivesync.remotes.retrying import Budget

_BLOCK_BYTES = 256 << 10
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", re.ASCII)


@dataclass(slots=True)
class MediaRead:
    """One stretch of a file's content on its way to a sink; ``attempt`` goes on where the one before broke.

    Attributes:
        action: for messages.
        send: sends the request with these headers, and leaves the body to be read.
        headers: that every request carries.
        sink: is written to.
        at: the byte that is wanted next.
        last: the last byte that is wanted, included.
        size_bytes: of the whole file; None until it is known.
        budget: is refilled by every attempt that brings something.
    """

    action: str
    send: Callable[[Mapping[str, str]], Answer]
    headers: Mapping[str, str]
    sink: Sink
    at: int
    last: int
    size_bytes: int | None
    budget: Budget

    def attempt(self) -> None:
        """Bring what is missing.

        Raises:
            MovedError: the file is not as long as it was, or as thought.
            TransientError: something is still missing.
            RemoteError: another attempt would not help.
        """
        while self.at <= self.last:
            begun_at = self.at
            with translate_errors(self.action):
                response = self.send({**self.headers, "range": f"bytes={self.at}-{self.last}"})
            try:
                ends_at, skipped = self._check(response)
                self._copy(response, ends_at, skipped)
            finally:
                if self.at > begun_at:
                    self.budget.refill()
                response.close()

    def _check(self, response: Answer) -> tuple[int, int]:
        """The byte after the last that is to be taken from the answer, and how many to skip before the first."""
        if response.status == 206:
            match = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
            if match is None or match[1] is None or int(match[1]) != self.at:
                raise TransientError(f"{self.action}: Drive sent another range than was asked for")
            self._check_size(None if match[3] == "*" else int(match[3]))
            return min(int(match[2]), self.last) + 1, 0
        if response.status == 200:
            # The range was passed over, and the whole file is sent.
            length = response.headers.get("content-length", "")
            self._check_size(int(length) if length.isdigit() else None)
            return self.last + 1, self.at
        if response.status == 416:
            raise MovedError(f"{self.action}: it has become shorter")
        with translate_errors(self.action):
            content = response.data
        raise translate_answer(self.action, response.status, response.headers, content)

    def _check_size(self, size_bytes: int | None) -> None:
        if size_bytes is None:
            return
        if size_bytes <= self.last or self.size_bytes not in {None, size_bytes}:
            raise MovedError(f"{self.action}: it is {size_bytes} bytes long now")
        self.size_bytes = size_bytes

    def _copy(self, response: Answer, ends_at: int, skipped: int) -> None:
        while self.at < ends_at:
            wanted = min(skipped or ends_at - self.at, _BLOCK_BYTES)
            # The sink's errors are its own, so only the reading is translated.
            with translate_errors(self.action):
                block = response.read(wanted)
            if not block:
                raise TransientError(f"{self.action}: the connection ended {ends_at - self.at} bytes early")
            if skipped:
                skipped -= len(block)
            else:
                self.sink.write(block)
                self.at += len(block)
