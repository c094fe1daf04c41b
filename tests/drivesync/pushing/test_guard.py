"""The last question before the last byte: asked late enough to be true, and early enough to cost nothing."""

from __future__ import annotations

import hashlib
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import LeaseError
from drivesync.pushing.guard import LateCheck, Sent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = random.Random(3).randbytes(20 << 20)
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
BLOCK = 256 << 10


def ignore() -> None:
    """The end comes near, and nobody minds."""


class Clock:
    """Stands still until it is told to go."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def aside() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "x").write_bytes(CONTENT)
    return tmp_path / "x"


class TestLateCheck:
    def test_what_was_asked_before_is_not_asked_again(self, aside: ThreadPoolExecutor) -> None:
        asked: list[int] = []
        check = LateCheck(lambda: asked.append(1), aside, Clock())
        check.begin()
        check.begin()
        check.finish()
        assert asked == [1]

    def test_nobody_waits_before_the_end(self, aside: ThreadPoolExecutor) -> None:
        go = threading.Event()

        def ask() -> None:
            assert go.wait(20)

        check = LateCheck(ask, aside, Clock())
        check.begin()
        go.set()
        check.finish()

    def test_asked_only_at_the_end(self, aside: ThreadPoolExecutor) -> None:
        asked: list[int] = []
        LateCheck(lambda: asked.append(1), aside, Clock()).finish()
        assert asked == [1]

    @pytest.mark.parametrize(("later_s", "times"), [(5.0, 1), (5.1, 2)])
    def test_an_old_answer_does_not_count(
        self, aside: ThreadPoolExecutor, later_s: float, times: int
    ) -> None:
        asked: list[int] = []
        clock = Clock()
        check = LateCheck(lambda: asked.append(1), aside, clock)
        check.begin()
        clock.now_s += later_s
        check.finish()
        assert len(asked) == times

    def test_the_last_bytes_that_are_sent_again_need_another_answer(self, aside: ThreadPoolExecutor) -> None:
        answers = [None, LeaseError("it is another's")]

        def ask() -> None:
            if error := answers.pop(0):
                raise error

        check = LateCheck(ask, aside, Clock())
        check.finish()
        with pytest.raises(LeaseError, match="another's"):
            check.finish()


class TestSent:
    @pytest.mark.parametrize(
        ("bytes_per_s", "left"),
        [
            pytest.param(1 << 20, 4 << 20, id="slow: the last few MiB"),
            pytest.param(8 << 20, 8 << 20, id="a second's worth"),
            pytest.param(1 << 30, 20 << 20, id="fast: at once"),
        ],
    )
    def test_it_tells_when_the_end_comes_near(self, place: Path, bytes_per_s: int, left: int) -> None:
        clock, at = Clock(), 0
        told: list[int] = []
        with Sent(lambda: place.open("rb"), len(CONTENT), lambda: told.append(at), clock=clock) as sent:
            for at in range(BLOCK, len(CONTENT) + BLOCK, BLOCK):  # noqa: B007 - it is told of
                clock.now_s += BLOCK / bytes_per_s
                sent.readinto(bytearray(BLOCK))
        assert told[0] == pytest.approx(max(len(CONTENT) - left, BLOCK), abs=BLOCK)
        assert told[-1] == len(CONTENT)

    def test_what_is_read_is_the_file(self, place: Path) -> None:
        with Sent(lambda: place.open("rb"), len(CONTENT), ignore).buffered() as source:
            assert source.read() == CONTENT
            source.seek(1000)
            assert (source.read(10), source.tell()) == (CONTENT[1000:1010], 1010)

    @pytest.mark.parametrize("read_to", [0, 3 << 20, len(CONTENT) - 1, len(CONTENT)])
    def test_what_was_sent_and_the_rest_hash_to_the_whole(self, place: Path, read_to: int) -> None:
        with Sent(lambda: place.open("rb"), len(CONTENT), ignore, hashes=True) as sent:
            source = sent.buffered()
            source.seek(0)
            source.read(read_to)
            assert sent.md5() == MD5
            source.close()

    @pytest.mark.parametrize("changed_at", [0, 5 << 20, len(CONTENT) - 1])
    def test_what_has_changed_since_shows(self, place: Path, changed_at: int) -> None:
        with Sent(lambda: place.open("rb"), len(CONTENT), ignore, hashes=True) as sent:
            source = sent.buffered()
            with place.open("r+b") as file:
                file.seek(changed_at)
                file.write(bytes([CONTENT[changed_at] ^ 1]))
            source.read(10 << 20)
            assert sent.md5() != MD5
            source.close()

    def test_what_was_sent_before_it_changed_back_shows(self, place: Path) -> None:
        place.write_bytes(b"x" + CONTENT[1:])
        with Sent(lambda: place.open("rb"), len(CONTENT), ignore, hashes=True) as sent:
            source = sent.buffered()
            source.read(10 << 20)
            with place.open("r+b") as file:
                file.write(CONTENT[:1])
            assert sent.md5() != MD5
            source.close()

    def test_what_was_read_in_another_order_is_read_again(self, place: Path) -> None:
        with Sent(lambda: place.open("rb"), len(CONTENT), ignore, hashes=True) as sent:
            for at in (8 << 20, 0, 4 << 20):
                sent.seek(at)
                sent.readinto(bytearray(BLOCK))
            assert sent.md5() == MD5
