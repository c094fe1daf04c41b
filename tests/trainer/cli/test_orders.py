"""What signals ask of a supervisor; they are real ones, sent to this very process."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from trainer.cli.orders import AT_ONCE, SAME_PRESS_S, STOP, Orders

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

SOON_S = 5.0
ALL = (*STOP, AT_ONCE)


def is_set_soon(event: threading.Event) -> bool:
    return event.wait(SOON_S)


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.mark.parametrize("number", STOP)
def test_a_signal_stops(number: signal.Signals) -> None:
    with Orders() as orders:
        os.kill(os.getpid(), number)
        assert is_set_soon(orders.stop)
    assert not orders.hurry.is_set()


@pytest.mark.parametrize(
    ("numbers", "apart_s", "hurried"),
    [
        pytest.param([signal.SIGQUIT], 0.0, True, id="quit: at once"),
        pytest.param([signal.SIGINT, signal.SIGINT], SAME_PRESS_S, True, id="Ctrl-C again: at once"),
        pytest.param([signal.SIGINT, signal.SIGINT], 0.1, False, id="one press that came twice"),
        pytest.param([signal.SIGINT] * 3, 0.6, True, id="a third press counts from the first"),
        pytest.param([signal.SIGTERM] * 3, 10.0, False, id="a scheduler that repeats itself"),
        pytest.param([signal.SIGINT, signal.SIGTERM], 10.0, False, id="Ctrl-C, then `trainer stop`"),
        pytest.param([signal.SIGHUP, signal.SIGINT], 10.0, False, id="a terminal that goes"),
        pytest.param([signal.SIGTERM, signal.SIGQUIT], 10.0, True, id="stop, then stop --now"),
    ],
)
def test_which_of_them_hurry(numbers: Sequence[signal.Signals], apart_s: float, *, hurried: bool) -> None:
    clock = Clock()
    with Orders(clock) as orders:
        for number in numbers:
            signal.raise_signal(number)
            clock.now_s += apart_s
    # All that was heard before the end has been obeyed by then.
    assert (orders.stop.is_set(), orders.hurry.is_set()) == (True, hurried)


@pytest.mark.parametrize("number", ALL)
def test_a_pull_is_interrupted(number: signal.Signals) -> None:
    with Orders() as orders:
        with pytest.raises(KeyboardInterrupt), orders.interrupting():
            signal.raise_signal(number)
        assert not orders.stop.is_set()
        signal.raise_signal(number)
        assert is_set_soon(orders.stop)


def test_a_pull_does_not_begin_after_a_signal() -> None:
    with Orders() as orders:
        signal.raise_signal(signal.SIGTERM)
        assert is_set_soon(orders.stop)
        with pytest.raises(KeyboardInterrupt), orders.interrupting():
            pytest.fail("it began")


def test_signals_are_given_back() -> None:
    before = [signal.getsignal(number) for number in ALL]
    with Orders() as orders, orders.interrupting():
        assert all(signal.getsignal(number) not in before for number in ALL)
    assert [signal.getsignal(number) for number in ALL] == before
