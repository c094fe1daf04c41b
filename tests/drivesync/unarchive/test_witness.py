"""What was read from the middle is compared with what comes in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drivesync.unarchive.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTENT = b"0123456789"


class Fickle:
    """Says one thing of the middle, and comes as ``CONTENT`` in order."""

    def __init__(self, middle: bytes) -> None:
        self.middle = middle

    def read_at(self, first: int, size_bytes: int) -> bytes:
        return self.middle[first : first + size_bytes]

    def blocks(self) -> Iterator[bytes]:
        yield from (CONTENT[:3], CONTENT[3:6], CONTENT[6:])


@pytest.mark.parametrize(
    ("middle", "first", "size_bytes", "agrees"),
    [
        pytest.param(CONTENT, 0, 10, True, id="all the same"),
        pytest.param(CONTENT, 2, 0, True, id="nothing was read"),
        pytest.param(b"X123456789", 1, 9, True, id="nobody has read what differs"),
        pytest.param(b"X123456789", 0, 1, False, id="the first byte"),
        pytest.param(b"012345678X", 4, 6, False, id="the last byte"),
        pytest.param(b"01234X6789", 2, 6, False, id="at the end of a block"),
    ],
)
def test_agrees(middle: bytes, first: int, size_bytes: int, *, agrees: bool) -> None:
    witness = Witness(Fickle(middle))
    assert witness.read_at(first, size_bytes) == middle[first : first + size_bytes]
    assert b"".join(witness.blocks()) == CONTENT
    assert witness.agrees is agrees


def test_asks_again() -> None:
    source = Fickle(CONTENT)
    witness = Witness(source)
    witness.read_at(2, 3)
    assert witness.confirm()
    source.middle = b"0123X56789"
    assert not witness.confirm()
