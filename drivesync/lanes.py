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
    """Lanes that are being worked off; ``is_over`` once something has ended them before their time."""

    def __init__(self, work: Callable[[Item], None]) -> None:
        self._work = work
        self.is_over = threading.Event()
        self.errors: list[BaseException] = []

    def threads_of(self, lane: Lane[Item]) -> list[threading.Thread]:
        """Not started yet."""
        asking = threading.Lock()
        return [
            threading.Thread(target=self._work_off, args=(lane, asking), name="lane", daemon=True)
            for _ in range(lane.threads)
        ]

    def _work_off(self, lane: Lane[Item], asking: threading.Lock) -> None:
        try:
            while not self.is_over.is_set():
                with asking:
                    item = next(lane.items, None)
                if item is None:
                    return
                self._work(item)
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits for it
            self.errors.append(error)
            self.is_over.set()


def run_lanes(lanes: Sequence[Lane[Item]], work: Callable[[Item], None], cancel: Callable[[], None]) -> None:
    """Call ``work`` with every item of every lane, and return when all has been done.

    Threads: as many as the lanes say; they have ended when this returns or raises.

    Args:
        lanes: worked off side by side.
        work: called from all these threads; what it raises ends everything, and is raised here.
        cancel: makes calls of ``work`` fail soon; called again and again where something ends them before their time.
    """
    run = _Run(work)
    threads = [thread for lane in lanes for thread in run.threads_of(lane)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            # A signal that came just before the wait began is heard only when it ends.
            while thread.is_alive() and not run.is_over.is_set():
                thread.join(_LOOK_EVERY_S)
    finally:
        run.is_over.set()
        for thread in threads:
            while thread.is_alive():
                cancel()
                thread.join(_LOOK_EVERY_S)
    if run.errors:
        raise run.errors[0]
