"""The clock of the file system that a folder is on, which all who write to it share.

It is what a file written there just now has for a time. On a network disk that is the server's clock. A mounted Drive
takes this machine's: nothing there tells Google's.
"""

from __future__ import annotations

import os
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from drivesync.files import STATE_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivesync.remotes.folder.placing import Placing
    from drivesync.remotes.folder.root import Root

_GOOD_FOR_S = 60.0
_PLACE = f"{STATE_FOLDER}/clock"


class Clock:
    """Tells the time by a file that is written once a minute; safe to use from several threads.

    Args:
        root: of the tree.
        placing: into it.
        elapsed_s: seconds from any moment on; unlike this machine's time of day nobody sets it.
    """

    def __init__(self, root: Root, placing: Placing, elapsed_s: Callable[[], float] = time.monotonic) -> None:
        self._root = root
        self._placing = placing
        self._elapsed_s = elapsed_s
        self._lock = threading.Lock()
        self._read_s: float | None = None
        self._ahead_s = 0.0

    def now_s(self) -> float:
        """Unix time."""
        with self._lock:
            if self._read_s is None or self._elapsed_s() - self._read_s > _GOOD_FOR_S:
                self._root.refuse_unmounted()
                self._read_s, self._ahead_s = self._root.call("asking for the time", partial(self._read))
            return self._elapsed_s() + self._ahead_s

    def _read(self) -> tuple[float, float]:
        """When it was read, and what to add to ``elapsed_s`` for the time."""
        system = self._root.system
        place, _ = self._placing.make_folders(_PLACE)
        before_s = self._elapsed_s()
        descriptor = system.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            system.write(descriptor, b"The time of this file is the time here.\n")
            system.fsync(descriptor)
        finally:
            system.close(descriptor)
        written_s = system.stat(place).st_mtime_ns / 1e9
        read_s = self._elapsed_s()
        return read_s, written_s - (before_s + read_s) / 2
