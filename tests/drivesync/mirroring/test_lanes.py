"""Lanes are worked off side by side, each by its own threads."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from drivesync.mirroring.lanes import Lane, run_lanes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def test_every_item_is_worked_off_once() -> None:
    done: list[int] = []
    run_lanes([Lane(iter(range(100)), 4), Lane(iter(range(100, 103)), 2)], done.append, lambda: None)
    assert sorted(done) == list(range(103))


def test_lanes_go_side_by_side_each_with_its_threads() -> None:
    together = threading.Barrier(5, timeout=10)
    run_lanes([Lane(iter(range(3)), 3), Lane(iter(range(2)), 2)], lambda _item: together.wait(), lambda: None)


def test_no_more_is_asked_for_than_is_worked_on() -> None:
    told: list[int] = []
    done: list[int] = []

    def items() -> Iterator[int]:
        for number in range(20):
            assert len(told) - len(done) < 2
            told.append(number)
            yield number

    run_lanes([Lane(items(), 2)], done.append, lambda: None)
    assert len(done) == 20


def test_an_error_ends_all_and_what_is_under_way_is_cancelled() -> None:
    cancelled = threading.Event()
    begun = threading.Event()
    done: list[str] = []

    def work(item: str) -> None:
        if item == "fails":
            assert begun.wait(10)
            raise ValueError(item)
        begun.set()
        assert cancelled.wait(10)
        done.append(item)

    with pytest.raises(ValueError, match="fails"):
        run_lanes([Lane(iter(["hangs", "never"]), 1), Lane(iter(["fails"]), 1)], work, cancelled.set)
    assert done == ["hangs"]


def test_an_error_of_the_items_is_raised() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        run_lanes([Lane(items(), 2)], lambda _item: None, lambda: None)


def test_interrupted_it_ends_soon(interrupt_soon: Callable[[], None]) -> None:
    cancelled = threading.Event()

    def work(_item: int) -> None:
        interrupt_soon()
        assert cancelled.wait(10)

    with pytest.raises(KeyboardInterrupt):
        run_lanes([Lane(iter([1]), 1)], work, cancelled.set)
