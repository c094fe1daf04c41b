"""What signals ask of a command that goes on until it is told to stop."""

from __future__ import annotations

import queue
import signal
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType, TracebackType


class SignalThread:
    """Takes some of the process's signals from ``__enter__`` to ``__exit__``; in the main thread.

    Threads: one, in which each of them is heard. A signal handler may set no event itself: it may interrupt the main
    thread while that holds the event's own lock, and would wait for it for ever. What it may do is to put into a
    SimpleQueue.

    Args:
        numbers: the signals.
        hear: called with a signal's number, and with when it came by ``clock``; one after the other, in order.
        clock: seconds that never decrease.
    """

    def __init__(
        self,
        numbers: Sequence[signal.Signals],
        hear: Callable[[int, float], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._numbers = numbers
        self._hear = hear
        self._clock = clock
        self._came: queue.SimpleQueue[tuple[int, float] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._listen, name="signals", daemon=True)
        self._before: dict[signal.Signals, signal.Handlers | Callable[..., object] | int | None] = {}

    def __enter__(self) -> SignalThread:
        self._thread.start()
        self._before = {number: signal.signal(number, self._note) for number in self._numbers}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._came.put(None)
        self._thread.join()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._came.put((number, self._clock()))

    def _listen(self) -> None:
        while (came := self._came.get()) is not None:
            self._hear(*came)
