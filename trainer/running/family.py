"""All that comes of a child, wherever it went: it is known by a mark in its environment.

A process group is left by ``setsid``, a parent by forking twice; the environment goes with a process to all that it
starts. Who clears it, or becomes another user, is beyond us.

From before the child is started a guard stands by, for the case that this process is killed: a shell that waits for the
end of a pipe whose other end only this process holds. The kernel's parent-death signal reaches the child itself, and
nothing that it has started.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

_MARK = "TRAINER_FAMILY"

# Who forks faster than it is killed is less of it after each round; who is just being executed shows nothing yet.
_ROUNDS = 10
_ROUND_S = 0.005

_OVER = "over"

# A line names the child's group, or says that all is over; the pipe's end says that this process is gone.
_GUARD = """
group=
while read -r word; do
    [ "$word" = over ] && exit
    group=$word
done
[ -n "$group" ] && kill -s KILL -- "-$group"
for round in 1 2 3; do
    for file in $(grep -lsF "$1" /proc/[0-9]*/environ); do
        file="${file%/environ}"
        kill -s KILL "${file#/proc/}"
    done
    sleep 0.05
done
"""


class Family:
    """What a child and all that it starts have in common."""

    def __init__(self) -> None:
        self._mark = f"{_MARK}={secrets.token_hex(16)}"

    @property
    def environment(self) -> dict[str, str]:
        """Ours, and the mark; to start the child with."""
        name, _, value = self._mark.partition("=")
        return {**os.environ, name: value}

    def find(self) -> list[int]:
        """The pids of all that live; zombies do not."""
        return self._look()[0]

    def kill(self) -> None:
        """SIGKILL to all that live."""
        for _ in range(_ROUNDS):
            found, is_sure = self._look()
            for pid in found:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            if is_sure and not found:
                return
            time.sleep(_ROUND_S)

    def _look(self) -> tuple[list[int], bool]:
        """Who is of the family, and whether that is all: of a program that is just being loaded nothing is shown."""
        mark = self._mark.encode()
        found, is_sure = [], True
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # gone, or another user's
                variables = (place / "environ").read_bytes()
                if mark in variables.split(b"\0"):
                    found.append(int(place.name))
                elif (
                    not variables and (place / "exe").readlink()
                ):  # a zombie has no program, nor has the kernel
                    is_sure = False
        return found, is_sure

    def guard(self) -> Guard:
        """What ends the family should this process be killed; to be entered before the child is started."""
        return Guard(self._mark)


class Guard:
    """Stands by as long as the ``with`` block lasts.

    Where it cannot be started the kernel's parent-death signal has to do.
    """

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Guard:
        with suppress(OSError):
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD, "guard", self._mark],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tell(_OVER)
        if self._process is not None:
            self._process.communicate()

    def watch(self, group: int) -> None:
        """The child has been started, as the process ``group``: all of that goes too, what hides the mark as well."""
        self._tell(str(group))

    def _tell(self, word: str) -> None:
        if self._process is not None and self._process.stdin is not None:
            with suppress(BrokenPipeError):  # somebody has ended it
                self._process.stdin.write(f"{word}\n".encode())
                self._process.stdin.flush()
