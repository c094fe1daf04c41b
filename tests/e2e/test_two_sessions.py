"""Sessions in processes of their own that want one run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drivesync.testing import DriveEmulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STALE_S = 301.0


class Process:
    """A claimant that was started; see claimant.py."""

    def __init__(self, running: subprocess.Popen[str]) -> None:
        self._running = running

    def tell(self, line: str) -> None:
        assert self._running.stdin is not None
        self._running.stdin.write(f"{line}\n")
        self._running.stdin.flush()

    def hear(self) -> str:
        assert self._running.stdout is not None
        return self._running.stdout.readline().rstrip("\n")

    def ask(self, line: str) -> str:
        self.tell(line)
        return self.hear()

    def send(self, number: signal.Signals) -> None:
        self._running.send_signal(number)


class World:
    """A Drive with a clock that can be moved, and a disk."""

    def __init__(self, folder: Path) -> None:
        self.ahead_s = 0.0
        self.folder = folder
        self.drive = DriveEmulator(now_ms=lambda: round((time.time() + self.ahead_s) * 1000))

    @contextmanager
    def start(self, who: str) -> Iterator[Process]:
        """A session, which has begun."""
        program = Path(__file__).with_name("claimant.py")
        waits = {"DRIVESYNC_RETRY_WAIT_S": "0.001", "DRIVESYNC_SETTLE_S": "0"}
        environment = {**os.environ, **self.drive.environment(), **waits}
        running = subprocess.Popen(
            [sys.executable, str(program), who],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        with running:
            try:
                yield Process(running)
            finally:
                running.send_signal(signal.SIGCONT)
                running.kill()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    with world.drive:
        yield world


@pytest.fixture(params=["drive", "folder"])
def name_of(request: pytest.FixtureRequest, world: World) -> Callable[[object], str]:
    """``name_of(3)`` is the third of many remotes that nobody has pushed to yet."""
    return lambda which: f"{which}/darknet" if request.param == "drive" else f"{world.folder}/{which}/darknet"


def test_of_processes_that_start_at_once_one_has_the_run(
    world: World, name_of: Callable[[object], str]
) -> None:
    with ExitStack() as stack:
        started = [stack.enter_context(world.start(f"session {at}")) for at in range(8)]
        for number in range(10):
            racing = started if number % 5 == 4 else started[:2]
            claim_at_once(racing, name_of(number), epoch=1)
            claim_at_once(racing, name_of("tree"), epoch=number + 1)


def claim_at_once(racing: list[Process], name: str, *, epoch: int) -> None:
    """Have all claim the run at once; one has it, the others say who, and it is given back."""
    for process in racing:
        process.tell(f"claim {name} run")
    answers = [process.hear() for process in racing]
    (winner,) = [at for at, answer in enumerate(answers) if answer.startswith("held")]
    assert answers[winner] == f"held {epoch}"
    others = [answer for at, answer in enumerate(answers) if at != winner]
    assert all(f"has the run 'run': session {winner}, since" in answer for answer in others)
    assert racing[winner].ask("check") == "ok"
    assert racing[winner].ask("release") == "released"


def test_a_session_that_was_stopped_for_longer_than_its_lease_stops_by_itself(world: World) -> None:
    with world.start("the first") as first, world.start("the second") as second:
        assert first.ask("claim darknet run") == "held 1"
        assert second.ask("claim darknet run").startswith("refused")
        first.send(signal.SIGSTOP)
        world.ahead_s += STALE_S
        assert second.ask("claim darknet run") == "held 2"
        first.send(signal.SIGCONT)
        answer = first.ask("check")
        assert answer.startswith("lost another session has taken the run 'run': the second, since ")
        assert second.ask("check") == "ok"
        # What the first gives back is no longer its own.
        assert first.ask("release") == "released"
        assert second.ask("check") == "ok"


def test_a_session_that_is_stopped_loses_the_run_to_a_take_over(
    world: World, name_of: Callable[[object], str]
) -> None:
    name = name_of("tree")
    with world.start("the first") as first, world.start("the second") as second:
        assert first.ask(f"claim {name} run") == "held 1"
        first.send(signal.SIGSTOP)
        assert "the first" in second.ask(f"claim {name} run")
        assert second.ask(f"take-over {name} run") == "held 2"
        first.send(signal.SIGCONT)
        assert first.ask("check").startswith("lost")
        assert second.ask("check") == "ok"
