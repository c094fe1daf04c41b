"""Commits: files that have come get their names in groups.

A disk flushes twenty files in hardly more time than one (see ``flushing``), and the threads that fetch need not wait
for it. Each file is flushed before it is renamed, nevertheless.
"""

from __future__ import annotations

import threading
from queue import Empty, Queue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from drivesync.pulling.fetch import Ready

_GATHER_S = 0.2
_MOST = 128
"""Files that may wait, each with its descriptor open; whoever adds more is held up."""


class Commits:
    """Puts files in their places, in a thread of its own, which starts with the first. Used by several threads.

    Args:
        sync: called in that thread with each group, before ``commit``; raises nothing.
        commit: called in that thread with each file; raises nothing.
    """

    def __init__(self, sync: Callable[[Sequence[Ready]], None], commit: Callable[[Ready], None]) -> None:
        self._sync = sync
        self._commit = commit
        self._waiting: Queue[Ready | None] = Queue(_MOST)
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._work, name="commit", daemon=True)
        self._lock = threading.Lock()

    def add(self, ready: Ready) -> None:
        """Have ``ready`` put in its place soon."""
        if self._thread.ident is None:
            with self._lock:
                if self._thread.ident is None:
                    self._thread.start()
        self._waiting.put(ready)
        if self._waiting.full():
            # No more company can come.
            self._hurry.set()

    def hurry(self) -> None:
        """Nothing more is about to come: what is here need not wait for company."""
        self._hurry.set()

    def close(self) -> None:
        """Return when all that was added has been seen to; nothing is added any more."""
        if self._thread.ident is not None:
            self._hurry.set()
            self._waiting.put(None)
            self._thread.join()

    def _work(self) -> None:
        while (ready := self._waiting.get()) is not None:
            self._hurry.wait(_GATHER_S)
            self._hurry.clear()
            group, is_last = self._gather(ready)
            self._sync(group)
            for ready in group:
                self._commit(ready)
            if is_last:
                return

    def _gather(self, first: Ready) -> tuple[list[Ready], bool]:
        """``first`` and all that wait by now, and whether nothing comes after them."""
        group = [first]
        try:
            while (ready := self._waiting.get_nowait()) is not None:
                group.append(ready)
        except Empty:
            return group, False
        return group, True
