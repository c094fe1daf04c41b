"""What is read ahead comes in order, its errors where they were, and its thread ends with the context."""

from __future__ import annotations

import threading
from itertools import count, islice
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import NotFoundError
from drivesync.pulling.ahead import ReadAhead

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


def never() -> None:
    raise AssertionError("nothing is to be cancelled")


@pytest.mark.parametrize("length", [0, 1, 8, 9, 100])
def test_everything_comes_in_order(length: int) -> None:
    with ReadAhead((number for number in range(length)), never) as ahead:
        assert list(ahead) == list(range(length))
        assert list(ahead) == [], "the end stays the end"


def test_it_reads_some_items_ahead_and_no_more(wait_for: Callable[[Callable[[], object]], None]) -> None:
    asked = count()
    seen: list[int] = []

    def items() -> Generator[int, None, None]:
        while True:
            seen.append(next(asked))
            yield seen[-1]

    with ReadAhead(items(), lambda: None) as ahead:
        wait_for(lambda: len(seen) == 9)
        assert list(islice(ahead, 3)) == [0, 1, 2]
        wait_for(lambda: len(seen) == 12)


def test_an_error_comes_where_it_was_and_stays_the_answer() -> None:
    def items() -> Generator[int, None, None]:
        yield 1
        raise NotFoundError("gone")

    with ReadAhead(items(), never) as ahead:
        assert next(ahead) == 1
        for _ in range(2):
            with pytest.raises(NotFoundError, match="gone"):
                next(ahead)


def test_items_that_wait_are_cancelled_and_closed_where_they_ran() -> None:
    stop = threading.Event()
    closed_in: list[str] = []

    def items() -> Generator[int, None, None]:
        try:
            yield 1
            assert stop.wait(20), "it was not cancelled"
            yield 2
        finally:
            closed_in.append(threading.current_thread().name)

    with ReadAhead(items(), stop.set) as ahead:
        assert next(ahead) == 1
    assert closed_in == ["ahead"]


def test_who_waits_for_room_gives_up_soon(wait_for: Callable[[Callable[[], object]], None]) -> None:
    seen: list[int] = []

    def items() -> Generator[int, None, None]:
        for number in count():
            seen.append(number)
            yield number

    with ReadAhead(items(), lambda: None):
        wait_for(lambda: len(seen) == 9)
    assert len(seen) == 9


def test_a_signal_that_comes_just_before_the_wait_is_heard(interrupt_soon: Callable[[], None]) -> None:
    stop = threading.Event()

    def items() -> Generator[int, None, None]:
        yield int(stop.wait(20))

    interrupt_soon()
    with pytest.raises(KeyboardInterrupt), ReadAhead(items(), stop.set) as ahead:
        next(ahead)
    assert stop.is_set()
