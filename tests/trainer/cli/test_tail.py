"""A log as it grows, is rotated and is cut short."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from trainer.cli.tail import Tail, readable
from trainer.running.pipes import RotatedLog

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "darknet.log"


def numbered(first: int, last: int) -> bytes:
    return b"".join(b"line %d\n" % number for number in range(first, last + 1))


def names(first: int, last: int) -> list[str]:
    return [f"line {number}" for number in range(first, last + 1)]


def take(tail: Tail) -> list[str]:
    return [line for lines in tail.more() for line in lines]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        pytest.param(b"plain", "plain", id="plain"),
        pytest.param(b" 7: loss", " 7: loss", id="what stands in front stays"),
        pytest.param(
            b"\x1b[H\x1b[J 8/30: loss=1.0 hours left=0.1\x07", " 8/30: loss=1.0 hours left=0.1", id="AX"
        ),
        pytest.param(b"\x1b]0;title\x07\x1b[1;32mgreen\x1b[0m", "green", id="HK"),
        pytest.param(b"4\r8\r12", "12", id="a counter: where it stood last"),
        pytest.param(b"over a pty\r", "over a pty", id="a pty's line end"),
        pytest.param(b"ap = 1\t (TP = 2)", "ap = 1\t (TP = 2)", id="tabs stay"),
        pytest.param(b"\xff\x00\x08x", "\ufffdx", id="bytes that are no text"),
        pytest.param(b"\x1b[2K\r", "", id="nothing to see"),
    ],
)
def test_readable(said: bytes, shown: str) -> None:
    assert readable(said) == shown


@pytest.mark.parametrize("count", [0, 1, 3, 10_000, 50_000])
def test_the_last_lines(count: int, path: Path) -> None:
    path.write_bytes(numbered(1, 20_000))
    with Tail(path) as tail:
        assert tail.last(count) == names(max(1, 20_001 - count), 20_000)
        assert take(tail) == []


def test_the_last_lines_over_a_rotation(path: Path) -> None:
    path.with_name("darknet.log.1").write_bytes(numbered(1, 50))
    path.write_bytes(numbered(51, 53))
    with Tail(path) as tail:
        assert tail.last(5) == names(49, 53)
    with Tail(path) as tail:
        assert tail.last(2) == names(52, 53)


def test_blank_lines_are_not_counted(path: Path) -> None:
    path.write_bytes(b"a\n\n\x1b[H\n\nb\n\n")
    with Tail(path) as tail:
        assert tail.last(2) == ["a", "b"]


def test_a_line_is_shown_when_it_is_whole(path: Path) -> None:
    path.write_bytes(b"one\ntw")
    with Tail(path) as tail, path.open("ab") as log:
        assert tail.last(9) == ["one"]
        assert take(tail) == []
        log.write(b"o\nthr")
        log.flush()
        assert take(tail) == ["two"]
        assert tail.rest() == ["thr"]
        assert tail.rest() == []


def test_one_line_of_megabytes(path: Path) -> None:
    path.write_bytes(b"first\n" + b"x" * (5 << 20) + b"\nlast\n")
    with Tail(path) as tail:
        assert [len(line) for line in tail.last(3)] == [5, 5 << 20, 4]


def test_a_log_that_comes_later(path: Path) -> None:
    with Tail(path) as tail:
        assert not tail.exists
        assert tail.last(5) == []
        assert take(tail) == []
        path.write_bytes(numbered(1, 2))
        assert take(tail) == names(1, 2)


def test_nothing_is_lost_or_doubled_by_rotations(path: Path) -> None:
    """A look now and then, at least one between two rotations."""
    chance = random.Random(5)
    seen: list[str] = []
    with RotatedLog(path, limit_bytes=2000) as log, Tail(path) as tail:
        for number in range(1, 2001):
            log.write(numbered(number, number))
            if chance.random() < 0.02 or number % 100 == 0:
                seen += take(tail)
        seen += take(tail)
    assert path.with_name("darknet.log.1").exists()
    assert seen == names(1, 2000)


def test_a_log_that_begins_again_in_place(path: Path) -> None:
    path.write_bytes(numbered(1, 5))
    with Tail(path) as tail:
        assert tail.last(1) == names(5, 5)
        os.truncate(path, 0)
        path.write_bytes(numbered(7, 8))
        assert take(tail) == names(7, 8)
