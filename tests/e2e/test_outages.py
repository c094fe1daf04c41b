"""Drive, the token or the disk fail for a while: training goes on, and what was missed is pushed afterwards."""

from __future__ import annotations

import subprocess
from functools import partial
from typing import TYPE_CHECKING

import pytest

from drivesync.testing import ErrorAnswer, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from drivesync.testing import DriveEmulator
    from tests.e2e.conftest import Session

REFUSALS = [
    (ErrorAnswer(503), "503 backendError"),
    (ErrorAnswer(401, "authError"), "the access token has expired or is not valid"),
]

ALL_OF_350 = {
    "remote.backup": 300,
    "remote_100.weights": 100,
    "remote_200.weights": 200,
    "remote_300.weights": 300,
    "remote_final.weights": 350,
}


def refuse(drive: DriveEmulator, answer: ErrorAnswer) -> None:
    """Have Drive answer so from now on, with no moment in between in which it answers as it should."""
    with drive.locked():
        drive.reset()
        drive.inject(Fault(answer, times=None))


def is_in_trouble(session: Session, reason: str) -> bool:
    return reason in session.status.trouble


def test_drive_refuses_for_a_while_for_one_reason_after_the_other(
    new_session: Callable[..., Session], drive_emulator: DriveEmulator
) -> None:
    session = new_session(max_batches=350)
    session.variables["DRIVESYNC_RETRIES"] = "0"
    session.halt_darknet_at(50)
    session.supervise_in_background()
    session.wait_for_halt()
    refuse(drive_emulator, REFUSALS[0][0])
    session.let_darknet_go_on()
    for answer, said in REFUSALS:
        refuse(drive_emulator, answer)
        session.wait_until(partial(is_in_trouble, session, said), said)
    session.wait_for_state("pushing")
    assert session.attempts == [list(range(1, 351))]
    assert not session.safe_iteration()
    told = session.run("trainer", "status", str(session.tree))
    assert "waiting to push: " in told
    assert "Set GOOGLE_OAUTH_ACCESS_TOKEN to a new token" in told, (
        "the last refusal is of the token, and status says what to do about just this one"
    )
    drive_emulator.reset()
    status = session.finish()
    assert (status.trouble, status.pending, status.safe_iteration) == ("", 0, 350)
    assert session.iterations_on_drive() == ALL_OF_350
    assert set(session.names_on_drive().values()) == {1}


def test_no_drive_at_all_when_the_run_ends_and_is_stopped(
    new_session: Callable[..., Session], drive_emulator: DriveEmulator
) -> None:
    session = new_session(max_batches=120)
    session.pull()
    with_drive = session.environment
    drive_emulator.__exit__(None, None, None)
    session.supervise_in_background("--grace", "0.1")
    session.wait_for_state("pushing")
    said = session.run("trainer", "stop", str(session.tree))
    assert "nothing is safe on Drive yet" in said
    assert "are kept in .drivesync to be pushed next time" in said
    assert session.status.exit_code == 75
    drive_emulator.__enter__()
    assert session.environment == with_drive
    said = session.supervise()
    assert "the training was finished already" in said
    assert session.attempts == [list(range(1, 121))]
    assert session.iterations_on_drive() == {
        "remote.backup": 100,
        "remote_100.weights": 100,
        "remote_final.weights": 120,
    }


def test_no_room_for_snapshots(new_session: Callable[..., Session]) -> None:
    """As on a full disk, where darknet's file still found room and the copy of it does not."""
    session = new_session(max_batches=250)
    session.halt_darknet_at(50)
    session.supervise_in_background()
    session.wait_for_halt()
    spool = session.tree / ".drivesync/spool"
    kept = spool.rename(spool.with_name("kept"))
    spool.touch()
    session.let_darknet_go_on()
    session.wait_for_state("pushing")
    session.wait_until(lambda: "waiting to push" in session.status.trouble, "the trouble to be known")
    assert session.attempts == [list(range(1, 251))]
    assert 250 not in session.iterations_on_drive().values()
    spool.unlink()
    kept.rename(spool)  # which is right, too, if one was made meanwhile
    status = session.finish()
    assert status.trouble == ""
    assert session.iterations_on_drive()["remote_final.weights"] == 250


def test_storage_is_full_for_a_while(
    new_session: Callable[..., Session], drive_emulator: DriveEmulator
) -> None:
    session = new_session(max_batches=350)
    session.pull()
    with drive_emulator.locked() as store:
        before, store.storage_limit_bytes = store.storage_limit_bytes, 1
    session.supervise_in_background()
    session.wait_for_state("pushing")
    assert session.attempts == [list(range(1, 351))]
    session.wait_until(lambda: "waiting to push: " in session.status.trouble, "the trouble to be known")
    session.wait_until(lambda: "_final" in "".join(session.status.waiting), "all of it to wait")
    told = session.run("trainer", "status", str(session.tree))
    assert "remote_final.weights (iteration 350, 27.6 kB)" in told
    with drive_emulator.locked() as store:
        store.storage_limit_bytes = before
    status = session.finish()
    assert (status.trouble, status.waiting, status.safe_iteration) == ("", (), 350)
    assert session.iterations_on_drive() == ALL_OF_350


@pytest.fixture
def tmpfs(tmp_path: Path) -> Iterator[Path]:
    """A disk of 20 MB, of which 3 are free."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=20m", "none", place], capture_output=True, check=False, text=True
    )
    if made.returncode:
        pytest.skip(f"a small disk cannot be made here: {made.stderr.strip()}")
    (place / "filler").write_bytes(bytes(17 << 20))
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_disk_without_room_for_snapshots(new_session: Callable[..., Session], tmpfs: Path) -> None:
    session = new_session(max_batches=350)
    session.tree = tmpfs / "darknet"
    session.copy_tree()
    session.supervise_in_background()
    session.finish()
    assert session.attempts == [list(range(1, 351))]
    assert session.iterations_on_drive()["remote_final.weights"] == 350
    assert "no room on this disk for a copy of backup/remote" in session.log("supervisor.log")
    assert not list((session.tree / ".drivesync/spool").iterdir())
