from __future__ import annotations

import subprocess
import sys
import time

import pytest

from drivesync.daemon import is_alive
from trainer.running.family import Family


def start(family: Family) -> subprocess.Popen[bytes]:
    """A process that is known to be loaded."""
    process = subprocess.Popen(
        ["sh", "-c", "echo loaded; read -r word"],
        env=family.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"loaded\n"
    return process


def test_a_family_is_found_and_ended_and_nobody_else() -> None:
    ours, others = Family(), Family()
    with start(ours) as one, start(ours) as other, start(others) as stranger:
        assert sorted(ours.find()) == sorted([one.pid, other.pid])
        ours.kill()
        assert [one.wait(), other.wait()] == [-9, -9]
        assert ours.find() == []
        assert others.find() == [stranger.pid]


def test_who_is_just_being_loaded_does_not_get_away() -> None:
    for _ in range(20):
        family = Family()
        process = subprocess.Popen(["sleep", "60"], env=family.environment, start_new_session=True)
        family.kill()
        assert process.wait() == -9


# Starts a guard, then what it guards, and waits to be killed; the sleep has a session of its own, and no parent.
ABANDONED = """
import subprocess, sys
from trainer.running.family import Family

family = Family()
with family.guard() as guard:
    child = subprocess.Popen(
        ["sh", "-c", "setsid sleep 600 & echo $!; wait"],
        env=family.environment,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    if sys.argv[1] == "watched":
        guard.watch(child.pid)
    print(child.pid, child.stdout.readline().decode(), flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("when", ["watched", "before that"])
def test_who_is_abandoned_is_ended_from_the_first_moment_on(when: str) -> None:
    command = [sys.executable, "-c", ABANDONED, when]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        family = [int(pid) for pid in parent.stdout.readline().split()]
        parent.kill()
    give_up_s = time.monotonic() + 30.0
    while any(map(is_alive, family)) and time.monotonic() < give_up_s:
        time.sleep(0.01)
    assert not any(map(is_alive, family))


def test_a_guard_that_is_told_that_all_is_over_ends_nothing() -> None:
    family = Family()
    with start(family) as child:
        with family.guard() as guard:
            guard.watch(child.pid)
        assert child.poll() is None
