"""A push of a whole tree that is killed at any moment is gone on with: nothing goes twice, and no twin is made."""

from __future__ import annotations

import math
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drivesync.testing import Costs
from drivesync.testing.entries import UPLOAD_STEP_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from drivesync.testing import DriveEmulator

RANDOM = random.Random(21)
KILLS = 10
LARGE_BYTES = 6_000_000
LARGE_FILES = 3
SMALL_BYTES = 20_000
SMALL_FILES = 40
SMALL_AT_ONCE, LARGE_AT_ONCE = 8, 3
LOST_BYTES = 2 * UPLOAD_STEP_BYTES
"""Of a large file that is under way when the process dies: what Drive does not keep, and what is in a pipe."""
CREATE, UPDATE = "files.create.resumable", "files.update.resumable"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes]:
    """What is in the tree, by path."""
    made = {f"large/{number}": RANDOM.randbytes(LARGE_BYTES) for number in range(LARGE_FILES)}
    made |= {
        f"data/{number % 3}/{number}": RANDOM.randbytes(SMALL_BYTES * (number % 4 > 0))
        for number in range(SMALL_FILES)
    }
    for path, content in made.items():
        (tmp_path / "tree" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / path).write_bytes(content)
    return made


@pytest.fixture
def push(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., int]]:
    """``push(0.5)`` pushes in a process that is killed after so many seconds, and returns its exit status."""
    program = Path(__file__).with_name("pushes.py")
    with subprocess.Popen(
        [sys.executable, program, "darknet", tmp_path / "tree"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as pushing:
        to, back = pushing.stdin, pushing.stdout
        assert to is not None
        assert back is not None

        def run(life_s: float = math.inf) -> int:
            to.write(f"{life_s}\n")
            to.flush()
            return int(back.readline())

        yield run
        to.close()


def names(drive: DriveEmulator) -> list[str]:
    """The paths of all that the Drive holds, twins included."""

    def walk(folder_id: str, prefix: str) -> Iterator[str]:
        for child in store.children(folder_id):
            yield prefix + child.name
            yield from walk(child.id, f"{prefix}{child.name}/")

    with drive.locked() as store:
        return list(walk(store.get("root").id, ""))


def clear(drive: DriveEmulator) -> None:
    with drive.locked() as store:
        for child in list(store.children(store.get("root").id)):
            store.delete(child.id)


def test_killed_at_random_moments_it_goes_on_where_it_was(
    drive_emulator: DriveEmulator, push: Callable[..., int], files: dict[str, bytes]
) -> None:
    drive_emulator.set_costs(Costs(latency_s=0.01, bandwidth_bytes_per_s=20e6))
    counted = drive_emulator.counters()
    push(0.0)
    began_s = time.monotonic()
    assert push() == 0
    takes_s = time.monotonic() - began_s
    clear(drive_emulator)
    counted.reset()
    kills = killed_in_round = midway = 0
    # A machine that has become busier meanwhile kills most before they send anything.
    while kills < KILLS or midway < KILLS / 4:
        assert kills < 10 * KILLS, "some of them are to have begun to send"
        there = names(drive_emulator)
        missing = len(files) - sum(f"darknet/{path}" in there for path in set(files))
        begun_before = counted[CREATE].requests + counted[UPDATE].requests
        status = push(RANDOM.uniform(0, takes_s))
        begun = counted[CREATE].requests + counted[UPDATE].requests - begun_before
        assert status in {-signal.SIGKILL, 0}
        assert begun <= missing, "what is there, or was begun, is not begun again"
        kills += status != 0
        killed_in_round += status != 0
        midway += 0 < missing < len(files)
        if status == 0:
            assert_complete(drive_emulator, files)
            assert_little_went_twice(drive_emulator, files, killed_in_round)
            clear(drive_emulator)
            counted.reset()
            killed_in_round = 0
    assert push() == 0
    assert_complete(drive_emulator, files)
    assert_little_went_twice(drive_emulator, files, killed_in_round)


def assert_complete(drive: DriveEmulator, files: dict[str, bytes]) -> None:
    assert drive.read_tree("darknet") == files
    there = names(drive)
    assert len(there) == len(set(there))


def assert_little_went_twice(drive: DriveEmulator, files: dict[str, bytes], kills: int) -> None:
    went = sum(drive.counters()[kind].bytes_up for kind in ("upload.final", "upload.chunk"))
    spare = SMALL_AT_ONCE * SMALL_BYTES + LARGE_AT_ONCE * LOST_BYTES
    assert went <= sum(map(len, files.values())) + kills * spare
