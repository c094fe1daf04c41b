"""Which processes are of another one's making, by Linux's /proc.

Seen from outside, of one that does not answer; what a supervisor itself knows of darknet's family is more
(``trainer.running.family``).
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from drivesync.daemon import is_alive
from drivesync.holder import read_life

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Descendant:
    """A process, told from a later one of the same number by ``start_ticks``, clock ticks since boot."""

    pid: int
    start_ticks: int

    @property
    def lives(self) -> bool:
        """Whether it still runs."""
        life = read_life(self.pid)
        return is_alive(self.pid) and life is not None and life[1] == self.start_ticks

    def kill(self) -> None:
        """End it, if it still runs."""
        if self.lives:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, signal.SIGKILL)


def find_offspring(pid: int) -> tuple[Descendant, ...]:
    """The processes that ``pid`` has started, those that these have, and all that share a session with one of them.

    One whose parent has ended is the system's child, but stays in the session that it was started in.
    """
    parents: dict[int, int] = {}
    sessions: dict[int, int] = {}
    for place in _PROC.iterdir():
        if place.name.isdecimal():
            # Fields 4 and 6 of /proc/PID/stat (proc(5)); the name before them may hold spaces and brackets.
            with suppress(OSError, ValueError, IndexError):
                fields = (place / "stat").read_text(errors="replace").rpartition(") ")[2].split()
                parents[int(place.name)], sessions[int(place.name)] = int(fields[1]), int(fields[3])
    offspring: set[int] = set()
    found = {other for other, parent in parents.items() if parent == pid}
    own = sessions.get(pid)
    while found - offspring:
        offspring |= found
        theirs = {sessions[one] for one in offspring} - {own}
        found = {
            other for other, parent in parents.items() if parent in offspring or sessions[other] in theirs
        } - {pid}
    lives = ((one, read_life(one)) for one in sorted(offspring))
    return tuple(Descendant(one, life[1]) for one, life in lives if life is not None)
