"""Blocks as a file that is read from the front to its end."""

from __future__ import annotations

import io

import pytest

from drivesync.unarchive.forward import MOST_AT_ONCE_BYTES, Forward, MalformedError

BLOCKS = [b"abc", b"", b"defg", b"h"]


def test_reads_over_the_ends_of_blocks() -> None:
    forward = Forward(iter(BLOCKS))
    assert [forward.read(2), forward.read(5), forward.read(9), forward.read(1)] == [
        b"ab",
        b"cdefg",
        b"h",
        b"",
    ]
    assert forward.tell() == 8


def test_passes_over_what_nobody_wants() -> None:
    forward = Forward(iter(BLOCKS))
    assert forward.seek(5) == 5
    assert forward.read(1) == b"f"
    assert forward.seek(6) == 6
    assert forward.seek(100) == 8


@pytest.mark.parametrize(("offset", "whence"), [(1, io.SEEK_SET), (0, io.SEEK_END)])
def test_nothing_is_read_twice(offset: int, whence: int) -> None:
    forward = Forward(iter(BLOCKS))
    forward.read(2)
    with pytest.raises(MalformedError, match="in one place"):
        forward.seek(offset, whence)


@pytest.mark.parametrize("size", [-1, MOST_AT_ONCE_BYTES + 1])
def test_no_header_fills_the_memory(size: int) -> None:
    with pytest.raises(MalformedError, match="header"):
        Forward(iter(BLOCKS)).read(size)
