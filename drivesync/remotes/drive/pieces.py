"""How much of a file goes out in one request, and how an upload session's headers name bytes. PURE."""

from __future__ import annotations

import re

_SIZES_BYTES = (64 << 20, 16 << 20, 4 << 20)
"""Multiples of 256 KiB, as Drive wants all pieces but the last to be."""

_STORED = re.compile(r"bytes=0-(\d+)", re.ASCII)


class Pieces:
    """Chooses how much is sent at once: all that is left, until there is trouble.

    Each request costs a round trip in which nothing is sent, so the fewer the better. What a broken request brought
    is not always kept, so the worse the line the smaller the next piece: 64, 16, 4 MiB, and larger again as they
    arrive.
    """

    def __init__(self) -> None:
        self._step = 0

    def end(self, at: int, size: int) -> int:
        """The byte after the last of the piece that begins at ``at``, of a file of ``size`` bytes."""
        return min(at + _SIZES_BYTES[self._step - 1], size) if self._step else size

    def shrink(self) -> None:
        """A piece did not arrive."""
        self._step = min(self._step + 1, len(_SIZES_BYTES))

    def grow(self) -> None:
        """A piece has arrived."""
        self._step = max(self._step - 1, 0)


def content_range(first: int, end: int, size: int) -> str:
    """The Content-Range of bytes from ``first`` up to, and not including, ``end``."""
    return f"bytes {first}-{end - 1}/{size}"


def status_range(size: int) -> str:
    """The Content-Range of the question how much has arrived."""
    return f"bytes */{size}"


def stored_bytes(text: str) -> int:
    """How much is stored, as the Range header of a 308 tells it; without one nothing is.

    Raises:
        ValueError: it is no such header.
    """
    if not text:
        return 0
    match = _STORED.fullmatch(text.strip())
    if match is None:
        raise ValueError("not a range of stored bytes")
    return int(match[1]) + 1
