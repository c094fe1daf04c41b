"""Bytes are handed out in order and in small blocks, and the last waits for a word."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import MovedError
from drivesync.remotes.drive.outgoing import CallerError, Outgoing

if TYPE_CHECKING:
    from collections.abc import Callable

CONTENT = bytes(range(256)) * 4000
SIZE = len(CONTENT)


def outgoing(
    content: bytes = CONTENT, size: int = SIZE, before_end: Callable[[], None] = lambda: None
) -> Outgoing:
    return Outgoing("writing a", io.BytesIO(content), size, before_end)


@pytest.mark.parametrize(
    ("first", "end"),
    [(0, SIZE), (0, 1), (7, SIZE - 1), (300_000, SIZE), (SIZE - 1, SIZE), (5, 5), (SIZE, SIZE)],
)
def test_any_part(first: int, end: int) -> None:
    blocks = list(outgoing().blocks(first, end))
    assert b"".join(blocks) == CONTENT[first:end]
    assert all(len(block) <= 256 << 10 for block in blocks)


def test_the_last_byte_waits_for_a_word() -> None:
    calls: list[None] = []
    one = outgoing(before_end=lambda: calls.append(None))
    sent = 0
    for block in one.blocks(0, SIZE):
        assert (len(calls), one.is_released) == ((1, True) if sent + len(block) == SIZE else (0, False))
        sent += len(block)
    assert (sent, len(calls)) == (SIZE, 1)


def test_a_part_that_is_not_the_last_needs_no_word() -> None:
    def refuse() -> None:
        raise AssertionError

    assert sum(len(block) for block in outgoing(before_end=refuse).blocks(0, SIZE - 1)) == SIZE - 1


@pytest.mark.parametrize("error", [OSError("disk"), ValueError("any"), ConnectionResetError()])
def test_what_the_caller_raises_comes_as_the_callers(error: Exception) -> None:
    def refuse() -> None:
        raise error

    one = outgoing(before_end=refuse)
    got: list[bytes] = []
    with pytest.raises(CallerError) as caught:
        got.extend(one.blocks(0, SIZE))
    assert caught.value.error is error
    assert not one.is_released


def test_a_source_that_cannot_be_read() -> None:
    source = io.BytesIO(CONTENT)
    source.close()
    with pytest.raises(CallerError) as caught:
        list(Outgoing("writing a", source, SIZE, lambda: None).blocks(0, SIZE))
    assert isinstance(caught.value.error, ValueError)


def test_a_source_that_became_shorter() -> None:
    with pytest.raises(CallerError) as caught:
        list(outgoing(CONTENT[:-10]).blocks(0, SIZE))
    assert isinstance(caught.value.error, MovedError)
    assert "ends 10 bytes early" in str(caught.value.error)


def test_the_process_may_end_meanwhile() -> None:
    def end() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(outgoing(before_end=end).blocks(0, SIZE))


@pytest.mark.parametrize("size", [0, 1, SIZE])
def test_md5_is_of_so_much_as_is_sent(size: int) -> None:
    expected = hashlib.md5(CONTENT[:size], usedforsecurity=False).hexdigest()
    assert outgoing(size=size).md5() == expected
