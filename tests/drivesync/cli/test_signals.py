"""Signals that ask a command to end; they are real ones, sent to this very process."""

from __future__ import annotations

import signal
import threading

from drivesync.cli.signals import SignalThread

SOON_S = 5.0
NUMBERS = (signal.SIGTERM, signal.SIGINT)


def test_each_is_heard_in_order_and_with_its_time_by_a_thread_of_its_own() -> None:
    heard: list[tuple[int, float]] = []
    threads: set[threading.Thread] = set()

    def hear(number: int, at_s: float) -> None:
        heard.append((number, at_s))
        threads.add(threading.current_thread())

    times = iter((1.0, 2.5))
    with SignalThread(NUMBERS, hear, lambda: next(times)):
        for number in NUMBERS:
            signal.raise_signal(number)
    # All that came before the end has been heard by then.
    assert heard == [(signal.SIGTERM, 1.0), (signal.SIGINT, 2.5)]
    assert threading.main_thread() not in threads


def test_they_are_given_back() -> None:
    before = [signal.getsignal(number) for number in NUMBERS]
    with SignalThread(NUMBERS, lambda _number, _at_s: None):
        assert all(signal.getsignal(number) not in before for number in NUMBERS)
    assert [signal.getsignal(number) for number in NUMBERS] == before


def test_one_that_comes_while_an_event_is_held() -> None:
    """A handler that sets an event waits for ever if it interrupts whoever is about to wait for that event."""
    stop = threading.Event()
    with SignalThread(NUMBERS, lambda _number, _at_s: stop.set()):
        with stop._cond:  # type: ignore[attr-defined]
            signal.raise_signal(signal.SIGTERM)
        assert stop.wait(SOON_S)
