"""How much goes out at once, and how bytes are named."""

from __future__ import annotations

import pytest

from drivesync.remotes.drive.pieces import Pieces, content_range, status_range, stored_bytes

MIB = 1 << 20


@pytest.mark.parametrize(
    ("history", "size"),
    [
        pytest.param("", 1000 * MIB, id="no trouble: all that is left"),
        pytest.param("-", 64 * MIB, id="trouble"),
        pytest.param("--", 16 * MIB, id="more trouble"),
        pytest.param("---", 4 * MIB, id="much trouble"),
        pytest.param("---------", 4 * MIB, id="never less"),
        pytest.param("---+", 16 * MIB, id="it goes again"),
        pytest.param("---------++", 64 * MIB, id="trouble that is over is over"),
        pytest.param("-+", 1000 * MIB, id="all that is left, again"),
        pytest.param("+++-", 64 * MIB, id="what went well is no credit"),
    ],
)
def test_the_worse_the_line_the_smaller_the_piece(history: str, size: int) -> None:
    pieces = Pieces()
    for mark in history:
        pieces.grow() if mark == "+" else pieces.shrink()
    assert pieces.end(0, 1000 * MIB) == size
    assert pieces.end(7, 1000 * MIB) == min(7 + size, 1000 * MIB)
    assert pieces.end(7, 8) == 8
    assert size % (256 << 10) == 0


def test_ranges_as_drive_wants_them() -> None:
    assert content_range(0, 1, 1) == "bytes 0-0/1"
    assert content_range(256, 512, 1000) == "bytes 256-511/1000"
    assert status_range(1000) == "bytes */1000"


@pytest.mark.parametrize(("text", "stored"), [("", 0), ("bytes=0-0", 1), (" bytes=0-262143 ", 262144)])
def test_what_is_stored(text: str, stored: int) -> None:
    assert stored_bytes(text) == stored


@pytest.mark.parametrize("text", ["bytes=1-5", "bytes=0-", "0-5", "bytes=0-\u0665", "none"])
def test_what_says_nothing_of_it(text: str) -> None:
    with pytest.raises(ValueError, match="not a range"):
        stored_bytes(text)
