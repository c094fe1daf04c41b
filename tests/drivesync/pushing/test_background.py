"""What is offered becomes safe in time: through outages, dead tokens, full Drives and hasty ends."""

from __future__ import annotations

import struct
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from drivesync.config import Settings
from drivesync.errors import (
    DiskFullError,
    NotAllowedError,
    RemoteError,
)
from drivesync.files import Receipt, Verdict
from drivesync.push import Pusher
from drivesync.pushing.background import BackgroundPusher
from drivesync.remotes.drive.remote import DriveRemote
from drivesync.spooling.entries import Entry
from drivesync.spooling.outcome import Refused
from drivesync.testing import Delay, ErrorAnswer, ExpiredToken, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from drivesync.acceptance import Accept
    from drivesync.index import Index
    from drivesync.testing import DriveEmulator
    from tests.drivesync.conftest import Notes, Tree

LAST = "backup/run_last.weights"


def on_drive(drive: DriveEmulator) -> dict[str, bytes]:
    return drive.read_tree("darknet")


@contextmanager
def at_work(pusher: Pusher, notes: Notes) -> Iterator[tuple[BackgroundPusher, list[Receipt]]]:
    safe: list[Receipt] = []
    with BackgroundPusher(pusher, notes, safe.append, first_pause_s=0.01) as background:
        yield background, safe


def test_what_is_offered_becomes_safe(
    pusher: Pusher, tree: Tree, notes: Notes, drive_emulator: DriveEmulator
) -> None:
    with at_work(pusher, notes) as (background, safe):
        content = tree.save("run_last.weights", 100)
        assert isinstance(background.offer(LAST), Entry)
        assert background.wait_until_safe(20)
        assert (background.pending, background.trouble) == ((), None)
    assert [receipt.iteration for receipt in safe] == [100]
    assert on_drive(drive_emulator) == {LAST: content}


def test_what_an_earlier_process_left_is_pushed_at_once(
    pusher: Pusher, tree: Tree, notes: Notes, drive_emulator: DriveEmulator
) -> None:
    content = tree.save("run_last.weights", 100)
    with pusher:
        pusher.offer(LAST)
    with at_work(pusher, notes) as (background, _safe):
        assert background.wait_until_safe(20)
    assert on_drive(drive_emulator) == {LAST: content}


def test_drive_goes_down_and_comes_back(
    pusher: Pusher,
    tree: Tree,
    notes: Notes,
    drive_emulator: DriveEmulator,
    wait_for: Callable[[Callable[[], object]], None],
) -> None:
    with at_work(pusher, notes) as (background, safe):
        drive_emulator.__exit__(None, None, None)
        tree.save("run_last.weights", 100)
        background.offer(LAST)
        wait_for(lambda: background.trouble)
        content = tree.save("run_last.weights", 200)
        background.offer(LAST)
        assert not background.wait_until_safe(0.05)
        drive_emulator.__enter__()
        assert background.wait_until_safe(20)
        wait_for(lambda: background.trouble is None)
    assert on_drive(drive_emulator) == {LAST: content}
    assert [receipt.iteration for receipt in safe][-1] == 200
    assert sum(line.startswith("waiting to push") for line in notes.lines) == 1


def test_an_outage_of_a_thousand_tries(
    tree: Tree, index: Index, accept: Accept, notes: Notes, wait_for: Callable[..., None]
) -> None:
    tree.save("run_last.weights", 100)
    nobody = Settings("http://127.0.0.1:1", "token", retries=0)
    with DriveRemote("darknet", nobody) as remote:
        pusher = Pusher(tree.root, remote, index, accept, notes)
        with BackgroundPusher(pusher, notes, print, first_pause_s=1e-9) as background:
            background.offer(LAST)
            # It is told at first, and then every tenth time.
            wait_for(lambda: len(notes.lines) > 104)
    assert set(notes.lines) == {
        "waiting to push: looking for darknet: the connection broke (Connection refused)."
    }


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        pytest.param(ExpiredToken(), NotAllowedError, id="the token dies and is made good"),
        pytest.param(ErrorAnswer(403, "dailyLimitExceeded"), RemoteError, id="the daily limit is used up"),
    ],
)
def test_what_is_mended_goes_on(
    pusher: Pusher,
    tree: Tree,
    notes: Notes,
    drive_emulator: DriveEmulator,
    wait_for: Callable[[Callable[[], object]], None],
    fault: ExpiredToken | ErrorAnswer,
    kind: type[Exception],
) -> None:
    with at_work(pusher, notes) as (background, _safe):
        drive_emulator.inject(Fault(fault, times=None))
        content = tree.save("run_last.weights", 100)
        background.offer(LAST)
        wait_for(lambda: isinstance(background.trouble, kind))
        drive_emulator.reset()
        assert background.wait_until_safe(20)
    assert on_drive(drive_emulator) == {LAST: content}


def test_storage_is_full_and_freed(
    pusher: Pusher,
    tree: Tree,
    notes: Notes,
    drive_emulator: DriveEmulator,
    wait_for: Callable[[Callable[[], object]], None],
) -> None:
    with drive_emulator.locked() as store:
        store.storage_limit_bytes = 10
    with at_work(pusher, notes) as (background, _safe):
        content = tree.save("run_last.weights", 100)
        background.offer(LAST)
        wait_for(lambda: background.trouble)
        assert "storageQuotaExceeded" in str(background.trouble)
        assert "free some space" in notes.lines[-1]
        with drive_emulator.locked() as store:
            store.storage_limit_bytes = None
        assert background.wait_until_safe(20)
    assert on_drive(drive_emulator) == {LAST: content}


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(Delay(60.0), "upload.*"), id="an upload hangs"),
        pytest.param(Fault(Delay(60.0), "files.list"), id="a question hangs"),
        pytest.param(
            Fault(ErrorAnswer(429, "rateLimitExceeded", "", 600), times=None), id="Drive asks to wait"
        ),
    ],
)
def test_the_end_is_prompt_and_nothing_is_lost(
    pusher: Pusher,
    tree: Tree,
    notes: Notes,
    drive_emulator: DriveEmulator,
    wait_for: Callable[[Callable[[], object]], None],
    fault: Fault,
) -> None:
    drive_emulator.inject(fault)
    with at_work(pusher, notes) as (background, safe):
        tree.save("run_last.weights", 100)
        background.offer(LAST)
        wait_for(lambda: sum(int(str(armed["struck"])) for armed in drive_emulator.app.faults.report()))
        time.sleep(0.05)
        began_s = time.monotonic()
    assert time.monotonic() - began_s < 10
    assert safe == []
    with pusher:
        assert [entry.iteration for entry in pusher.spool.pending()] == [100]
    assert not any(line.startswith("waiting to push") for line in notes.lines)


def test_a_disk_that_is_full_is_told_and_the_rest_goes_on(
    pusher: Pusher, tree: Tree, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise DiskFullError("cannot write it: No space left on device", hint="Free some space.")

    with at_work(pusher, notes) as (background, _safe):
        tree.save("run_last.weights", 100)
        with monkeypatch.context() as patch:
            patch.setattr(pusher.spool, "take", fail)
            assert isinstance(background.offer(LAST), Refused)
        assert notes.lines == [
            f"not pushed yet: {LAST}: cannot write it: No space left on device. Free some space."
        ]
        assert isinstance(background.offer(LAST), Entry)
        assert background.wait_until_safe(20)


def test_an_error_in_a_judge_ends_nothing(
    tree: Tree, remote: DriveRemote, index: Index, notes: Notes
) -> None:
    def judge(_tree: Path, _path: str, snapshot: Path) -> Verdict:
        return Verdict(accepted=True, iteration=struct.unpack("<i", snapshot.read_bytes())[0])

    with at_work(Pusher(tree.root, remote, index, judge, notes), notes) as (background, _safe):
        (tree.root / LAST).write_bytes(b"three bytes are no int")
        assert isinstance(background.offer(LAST), Refused)
        assert "an error in the program" in notes.lines[-1]
        (tree.root / LAST).write_bytes(b"four")
        assert isinstance(background.offer(LAST), Entry)
        assert background.wait_until_safe(20)


def test_an_error_in_who_is_told_ends_nothing(pusher: Pusher, tree: Tree, notes: Notes) -> None:
    told: list[int | None] = []

    def tell(receipt: Receipt) -> None:
        told.append(receipt.iteration)
        raise ValueError("no")

    with BackgroundPusher(pusher, notes, tell, first_pause_s=0.01) as background:
        for iteration in (100, 200):
            tree.save("run_last.weights", iteration)
            background.offer(LAST)
            assert background.wait_until_safe(20)
    assert told == [100, 200]
