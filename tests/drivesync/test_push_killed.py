"""A push that is killed between any two of its effects is gone on with: one file of each name, and nothing twice."""

from __future__ import annotations

import json
import os
import random
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drivesync.spooling.receipts import read_receipts
from drivesync.testing import DriveEmulator
from drivesync.testing.trees import find
from tests.drivesync.killed_points import POINTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RANDOM = random.Random(7)
SIZE = 3 << 19
NAMES = ("run_200.weights", "run_last.weights")
"""In the order in which they are pushed: the first is new on Drive, the second takes the place of an older one."""


def weights(iteration: int) -> bytes:
    return struct.pack("<iiiQ", 0, 2, 5, iteration) + RANDOM.randbytes(SIZE - 20)


CONTENTS = {name: weights(200) for name in NAMES}
BEFORE = weights(100)


@pytest.fixture(scope="module")
def drive() -> Iterator[DriveEmulator]:
    with DriveEmulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def push(drive: DriveEmulator) -> Iterator[Callable[..., int]]:
    """``push(tree, "remote", point="", nth=1)`` -> the exit status of a process that pushed; see killed_points.py."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GOOGLE_", "DRIVE"))}
    with subprocess.Popen(
        [sys.executable, Path(__file__).with_name("killed_points.py")],
        env=kept | drive.environment() | {"DRIVESYNC_RETRIES": "3"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as pushing:
        to, back = pushing.stdin, pushing.stdout
        assert to is not None
        assert back is not None

        def run(tree: Path, remote: str, point: str = "", nth: int = 1) -> int:
            to.write(json.dumps({"tree": str(tree), "remote": remote, "point": point, "nth": nth}) + "\n")
            to.flush()
            return int(back.readline())

        yield run
        to.close()


def uploaded(drive: DriveEmulator) -> int:
    return sum(drive.counters()[f"upload.{kind}"].bytes_up for kind in ("chunk", "final"))


def acknowledged(drive: DriveEmulator, remote: str) -> int:
    """So many bytes of what is to be there is on Drive, or in an upload session that is under way."""
    there = drive.read_tree(remote)
    landed = sum(SIZE for name in NAMES if there.get(f"backup/{name}") == CONTENTS[name])
    with drive.locked() as store:
        under_way = [len(session.data) for session in store.uploads.all() if not session.finished_id]
    return landed + max(under_way, default=0)


def settle(drive: DriveEmulator) -> None:
    """Wait until Drive has taken what a killed process had handed to the system."""
    counts: list[int] = []
    while len(set(counts[-4:])) != 1 or len(counts) < 4:
        time.sleep(0.005)
        counts.append(uploaded(drive))


@pytest.mark.parametrize("nth", [pytest.param(1, id="a new file"), pytest.param(2, id="a newer one")])
@pytest.mark.parametrize("point", POINTS)
def test_killed(drive: DriveEmulator, push: Callable[..., int], tmp_path: Path, point: str, nth: int) -> None:
    (tmp_path / "backup").mkdir()
    for name, content in CONTENTS.items():
        (tmp_path / "backup" / name).write_bytes(content)
    remote = f"killed at {point}, {nth}"
    drive.put(f"{remote}/backup/run_last.weights", BEFORE)
    with drive.locked() as store:
        for session in store.uploads.all():
            store.uploads.forget(session.id)

    assert push(tmp_path, remote, point, nth) == -9
    settle(drive)
    between = drive.read_tree(remote)
    assert between["backup/run_last.weights"] in {BEFORE, CONTENTS["run_last.weights"]}
    held = acknowledged(drive, remote)
    assert [receipt.path for receipt in read_receipts(tmp_path)] == sorted(between)[
        : len(read_receipts(tmp_path))
    ]
    sent = uploaded(drive)

    assert push(tmp_path, remote) == 0
    assert uploaded(drive) - sent <= len(NAMES) * SIZE - held, (
        "nothing is sent again that Drive has told it has"
    )
    with drive.locked() as store:
        backup = find(store, f"{remote}/backup")
        assert backup is not None
        entries = {entry.name: entry for entry in store.children(backup.id)}
        assert sorted(entry.name for entry in store.children(backup.id)) == sorted(NAMES)
    receipts = {receipt.path: receipt for receipt in read_receipts(tmp_path)}
    for name, content in CONTENTS.items():
        head, receipt = entries[name].head, receipts[f"backup/{name}"]
        assert head is not None
        assert bytes(head.content.data) == content
        assert (receipt.file_id, receipt.revision_id) == (entries[name].id, head.id)
        assert (receipt.md5, receipt.sha256, receipt.iteration) == (
            head.content.md5,
            head.content.sha256,
            200,
        )
