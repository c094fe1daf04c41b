"""Lanes: rows of items, each worked off by a few threads, side by side."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Item = TypeVar("Item")

_LOOK_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class Lane(Generic[Item]):
    """What is to be done, told to one thread at a time as it asks for more, and the number of threads."""

    items: Iterator[Item]
    threads: int


class _Run(Generic[Item]):
    """Lanes that are being worked off."""

    def __init__(self, lanes: Sequence[Lane[Item]], work: Callable[[Item], object]) -> None:
        self._work = work
        # The thread that waits takes the lock itself: a condition's ``__enter__`` is Python, in the midst of which a
        # signal may raise, and would leave it locked.
        self._lock = threading.Lock()
        self._ended = threading.Condition(self._lock)
        self._stopping = False
        self._errors: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._work_off, args=(lane, asking), name="lane", daemon=True)
            for lane in lanes
            for asking in [threading.Lock()]
            for _ in range(lane.threads)
        ]
        self._working = len(self._threads)

    def finish(self) -> None:
        """Work off everything.

        Raises:
            BaseException: what ended it before its time.
        """
        for thread in self._threads:
            thread.start()
        # Not by joining them: a signal that raises in the midst of that has Python take a thread for ended that is not.
        with self._lock:
            # One that came just before the wait began is heard only when it ends.
            while not self._ended.wait_for(lambda: self._errors or not self._working, _LOOK_EVERY_S):
                pass
            if self._errors:
                raise self._errors[0]

    def end(self, cancel: Callable[[], None]) -> None:
        """End all threads, with what they are at."""
        with self._lock:
            self._stopping = True
        for thread in self._threads:
            while thread.is_alive():
                cancel()
                thread.join(_LOOK_EVERY_S)

    def _work_off(self, lane: Lane[Item], asking: threading.Lock) -> None:
        error: BaseException | None = None
        try:
            while not self._stopping:
                with asking:
                    item = next(lane.items, None)
                if item is None:
                    break
                self._work(item)
        except BaseException as raised:  # noqa: BLE001 - it is raised in the thread that waits for it
            error = raised
        with self._lock:
            self._working -= 1
            if error is not None:
                self._errors.append(error)
                self._stopping = True
            self._ended.notify_all()


def run_lanes(
    lanes: Sequence[Lane[Item]], work: Callable[[Item], object], cancel: Callable[[], None]
) -> None:
    """Call ``work`` with every item of every lane, and return when all has been done.

    Threads: as many as the lanes say; they have ended when this returns or raises.

    Args:
        lanes: worked off side by side.
        work: called from all these threads; what it raises ends everything, and is raised here.
        cancel: makes calls of ``work`` fail soon; called again and again where something ends them before their time.
    """
    run = _Run(lanes, work)
    try:
        run.finish()
    except BaseException:
        run.end(cancel)
        raise
    run.end(lambda: None)
