"""A session leaves word of how it ended, whatever that was; on the real darknet, with and without an emulated Drive."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING

import pytest

from drivesync.config import Settings
from drivesync.errors import DrivesyncError, LeaseError, NotFoundError
from drivesync.leasing.lease import Leases
from drivesync.progress import Silence
from drivesync.remotes import open_remote
from drivesync.testing import TOKEN, DriveEmulator
from drivesync.tree import read_tree_state
from trainer import session
from trainer.background import RunLock
from trainer.begin import Terms
from trainer.config import Wishes
from trainer.errors import AlreadyRunningError, StoppedError, TreeError
from trainer.session import supervise
from trainer.status import Status, read_status
from trainer.testing import make_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def begin(
    wishes: Wishes,
    drive: DriveEmulator | None = None,
    *,
    remote: str | None = None,
    fresh: str = "",
    take_over: bool = False,
    stopped: bool = False,
    while_pulling: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
) -> None:
    stop = threading.Event()
    if stopped:
        stop.set()
    supervise(
        wishes,
        Settings(emulator_url=drive.url if drive else "", access_token=TOKEN, retries=0, settle_s=0.0),
        Terms(remote, fresh, take_over),
        pushing=drive is not None,
        grace_s=20.0,
        reporter=Silence(),
        stop=stop,
        while_pulling=while_pulling,
    )


class Interrupted(contextlib.nullcontext[None]):
    """Ctrl-C as soon as the pull begins."""

    def __enter__(self) -> None:
        raise KeyboardInterrupt


def status_of(tree: Path) -> Status:
    status = read_status(tree)
    assert status is not None
    return status


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "tree", images=4, negatives=1, max_batches=30).root


def test_finished_without_a_drive(tree: Path) -> None:
    begin(Wishes(tree))
    status = status_of(tree)
    assert (status.state, status.exit_code, status.pid, status.max_batches) == (
        "finished",
        0,
        os.getpid(),
        30,
    )
    assert not (tree / ".drivesync").exists()


def test_safe_before_anything_is_trained_is_what_drive_holds_already(
    tree: Path, tmp_path: Path, drive_emulator: DriveEmulator
) -> None:
    drive_emulator.seed(tree, "work/shapes")
    first, second = tmp_path / "first", tmp_path / "second"
    begin(Wishes(first), drive_emulator, remote="work/shapes")
    assert (status_of(first).safe_iteration, status_of(first).pushed > 0) == (30, True)
    begin(Wishes(second), drive_emulator, remote="work/shapes")
    status = status_of(second)
    assert (status.safe_iteration, status.safe_at_s, status.attempts) == (30, None, 0)


def test_a_run_that_another_session_has_is_not_touched(tree: Path, drive_emulator: DriveEmulator) -> None:
    drive_emulator.seed(tree, "darknet")
    settings = Settings(emulator_url=drive_emulator.url, access_token=TOKEN, settle_s=0.0)
    with open_remote("darknet", settings, print) as remote, Leases(remote, who="somebody") as leases:
        theirs = leases.hold("backup/remote")
        with pytest.raises(LeaseError, match="somebody"):
            begin(Wishes(tree), drive_emulator)
        assert (status_of(tree).state, status_of(tree).exit_code) == ("stopped", 76)
        assert "--take-over takes the run from it" in status_of(tree).message
        begin(Wishes(tree), drive_emulator, take_over=True)
        with pytest.raises(LeaseError):
            theirs.check()
    assert (status_of(tree).state, status_of(tree).run) == ("finished", "backup/remote")


def test_started_over_without_a_drive(tree: Path) -> None:
    for name in ("", "fresh", "fresh"):
        begin(Wishes(tree), fresh=name)
    (archive,) = (tree / "backup").glob("archive-*")
    assert (archive / "remote_final.weights").is_file()
    assert (tree / "backup/remote_final.weights").is_file()


def test_a_tree_that_was_made_here_goes_to_drive_and_nothing_comes(
    tree: Path, drive_emulator: DriveEmulator
) -> None:
    drive_emulator.put("darknet/cfg/other.cfg", b"of another tree")
    begin(Wishes(tree), drive_emulator)
    assert not (tree / "cfg/other.cfg").exists()
    assert "backup/remote_final.weights" in drive_emulator.read_tree("darknet")


def test_a_relative_folder_is_remembered_so_that_it_is_found_from_anywhere(
    tree: Path, tmp_path: Path, drive_emulator: DriveEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    begin(Wishes(tree), drive_emulator, remote="./kept")
    state = read_tree_state(tree)
    assert state is not None
    assert state.target == str(tmp_path / "kept")
    assert (tmp_path / "kept/backup/remote_final.weights").is_file()


def test_what_was_pulled_in_part_is_pulled_to_its_end(
    tree: Path, tmp_path: Path, drive_emulator: DriveEmulator
) -> None:
    drive_emulator.seed(tree, "darknet")
    half = make_tree(tmp_path / "half", images=4, negatives=1, max_batches=30).root
    (half / "data/train/3.png").unlink()
    (half / ".drivesync").mkdir()
    (half / ".drivesync/remote.json").write_text('{"remote": "darknet", "complete": false}')
    begin(Wishes(half), drive_emulator)
    assert (half / "data/train/3.png").read_bytes() == (tree / "data/train/3.png").read_bytes()
    assert status_of(half).state == "finished"


@pytest.mark.parametrize(
    ("wishes", "error", "state", "code"),
    [
        pytest.param({"cfg": "cfg/no.cfg"}, TreeError, "failed", 78, id="the tree is wrong"),
        pytest.param({"darknet": "/no/darknet"}, NotFoundError, "failed", 66, id="no darknet"),
    ],
)
def test_failed(
    tree: Path, wishes: dict[str, str], error: type[DrivesyncError], state: str, code: int
) -> None:
    with pytest.raises(error) as caught:
        begin(Wishes(tree, **wishes))  # type: ignore[arg-type]  # extra is not among them
    status = status_of(tree)
    assert (status.state, status.exit_code) == (state, code)
    assert status.message == f"{caught.value}. {caught.value.hint}".removesuffix(". ")


def test_no_folder_on_drive(tmp_path: Path, drive_emulator: DriveEmulator) -> None:
    with pytest.raises(NotFoundError):
        begin(Wishes(tmp_path / "new"), drive_emulator)
    assert (status_of(tmp_path / "new").state, status_of(tmp_path / "new").exit_code) == ("failed", 66)


def test_stopped(tree: Path) -> None:
    with pytest.raises(StoppedError):
        begin(Wishes(tree), stopped=True)
    assert (status_of(tree).state, status_of(tree).exit_code) == ("stopped", 75)


def test_interrupted_while_pulling(tmp_path: Path, drive_emulator: DriveEmulator) -> None:
    with pytest.raises(KeyboardInterrupt):
        begin(Wishes(tmp_path / "new"), drive_emulator, while_pulling=Interrupted)
    assert (status_of(tmp_path / "new").state, status_of(tmp_path / "new").exit_code) == ("stopped", 75)


def test_an_error_in_the_program_is_not_hidden(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_run: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(session, "record_run", fail)
    with pytest.raises(ZeroDivisionError):
        begin(Wishes(tree))
    assert (status_of(tree).state, status_of(tree).exit_code) == ("failed", 70)
    assert "a bug" in status_of(tree).message


def test_a_second_one_leaves_the_status_of_the_first_alone(tree: Path) -> None:
    with pytest.raises(TreeError):
        begin(Wishes(tree, cfg="cfg/no.cfg"))
    before = status_of(tree)
    with RunLock(tree), pytest.raises(AlreadyRunningError):
        begin(Wishes(tree))
    assert status_of(tree) == before
