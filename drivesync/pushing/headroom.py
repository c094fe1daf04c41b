"""How many more checkpoints fit on the remote: looked at before each upload, and never waited for."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from rich.filesize import decimal as format_size

from drivesync.errors import DrivesyncError

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from drivesync.files import Room
    from drivesync.progress import Reporter
    from drivesync.remotes.base import Remote

_FEW = 5
_LOOK_EVERY_S = 60.0


class Headroom:
    """Warns once when room gets short on the remote, and once more each time that it does so again.

    Attributes:
        seen: the room as it was last seen; None if nobody could tell.

    Args:
        remote: entered.
        reporter: hears the warning.
        clock: seconds that never decrease.
    """

    def __init__(self, remote: Remote, reporter: Reporter, clock: Callable[[], float]) -> None:
        self._remote = remote
        self._reporter = reporter
        self._clock = clock
        self._lock = threading.Lock()
        self._looked_s: float | None = None
        self._is_short = False
        self.seen: Room | None = None

    def begin_to_look(self, size_bytes: int, aside: Executor) -> None:
        """Have the room looked at, if that was not done just now, for checkpoints of such a size."""
        now_s = self._clock()
        with self._lock:
            if self._looked_s is not None and now_s - self._looked_s < _LOOK_EVERY_S:
                return
            self._looked_s = now_s
        aside.submit(self.look, size_bytes)

    def look(self, size_bytes: int) -> Room | None:
        """The room as it is now, warned of where it is short; None if nobody can tell."""
        try:
            room = self._remote.room()
        except DrivesyncError:
            # Whatever keeps it from answering is met by the upload as well, and told there.
            return None
        self.seen = room
        if room is None or room.free is None or not size_bytes:
            return room
        fitting = room.free // size_bytes
        is_short, self._is_short = self._is_short, fitting < _FEW
        if self._is_short and not is_short:
            trashed = f", {format_size(room.trashed)} of the rest are trash" if room.trashed else ""
            self._reporter.note(
                f"room is short on {self._remote.name}: {format_size(room.free)} are free{trashed}; "
                f"{fitting} more checkpoint(s) of {format_size(size_bytes)} fit"
            )
        return room
