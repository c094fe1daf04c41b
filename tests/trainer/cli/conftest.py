"""A supervisor that does as told, in a process of its own: with the tree's lock, and with a child that stays."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_SCRIPT = """
import os, signal, subprocess, sys, time
from pathlib import Path
from trainer.background import RunLock
from trainer.status import Status, StatusWriter

tree, state, deaf = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "deaf"
with RunLock(tree):
    writer = StatusWriter(tree, Status(state, os.getpid(), time.time(), iteration=7))
    writer.flush()
    # In a session of its own, as darknet is, and not tied to its parent; what it starts outlives it.
    child = subprocess.Popen(["sh", "-c", "sleep 600 & echo $!; wait"], start_new_session=True, stdout=subprocess.PIPE)
    grandchild = int(child.stdout.readline())
    ended = []
    for number in (signal.SIGTERM, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN if deaf else lambda number, _: ended.append(number))
    print(child.pid, grandchild, flush=True)
    while not ended:
        time.sleep(0.01)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    writer.update(state="stopped", message=f"stopped by {signal.Signals(ended[0]).name}", exit_code=75)
"""


@dataclass(frozen=True)
class StandIn:
    """Plays a supervisor; ``family`` is what it has started."""

    process: subprocess.Popen[str]
    family: tuple[int, ...]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return tmp_path / "my tree"


@pytest.fixture
def play_supervisor(tree: Path) -> Iterator[Callable[..., StandIn]]:
    """Starts one for ``tree``; whatever it does, it and its children end with the test."""
    started: list[StandIn] = []

    def play(state: str = "training", *, deaf: bool = False) -> StandIn:
        argv = [sys.executable, "-c", _SCRIPT, str(tree), state, "deaf" if deaf else ""]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        started.append(StandIn(process, tuple(map(int, process.stdout.readline().split()))))
        return started[-1]

    yield play
    for one in started:
        one.process.kill()
        one.process.communicate()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(one.family[0], signal.SIGKILL)
