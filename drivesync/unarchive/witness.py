"""What was read from the middle of a file, compared with the same bytes when they come in order.

Only what comes in order is hashed, and so proven; the directory of a zip has been read, and believed, before that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivesync.unarchive.ranges import Source


class Witness:
    """See ``Source``.

    Attributes:
        agrees: nothing has come twice, and not the same.

    Args:
        source: where both are read.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._seen: list[tuple[int, bytes]] = []
        self.agrees = True

    def read_at(self, first: int, size_bytes: int) -> bytes:
        """See ``Source``."""
        content = self._source.read_at(first, size_bytes)
        self._seen.append((first, content))
        return content

    def confirm(self) -> bool:
        """Read all that was read from the middle once more, and say whether it is the same."""
        return all(self._source.read_at(first, len(content)) == content for first, content in self._seen)

    def blocks(self) -> Iterator[bytes]:
        """See ``Source``."""
        at = 0
        for block in self._source.blocks():
            for first, content in self._seen:
                begin, end = max(first, at), min(first + len(content), at + len(block))
                if begin < end and content[begin - first : end - first] != block[begin - at : end - at]:
                    self.agrees = False
            at += len(block)
            yield block
