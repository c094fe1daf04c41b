"""Exit statuses, one clear line each, no secret, nothing harmed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from drivesync.testing import CorruptDownload, CorruptUpload, Delay, ErrorAnswer, ExpiredToken, Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.testing import DriveEmulator
    from tests.drivesync.conftest import Ended, Tree

    Run = Callable[..., Ended]
    Held = Callable[[str], dict[str, bytes]]

LAST = "backup/run_last.weights"


@pytest.mark.parametrize(
    "arguments",
    [
        ["fetch"],
        ["pull", "--fast"],
        ["pull", "a", "b", "c"],
        ["push", "--jso"],
        ["watch", "--grace", "soon"],
        ["ls", "a", "b", "c"],
        ["status", "--theirs"],
        ["whoami", "me"],
    ],
)
def test_64_usage(drivesync: Run, arguments: list[str]) -> None:
    ended = drivesync(*arguments)
    assert ended.status == 64
    assert "--help" in ended.complaint


def test_64_a_remote_that_names_no_place(drivesync: Run, tmp_path: Path) -> None:
    ended = drivesync("pull", "work//secrets", "t")
    assert ended.status == 64
    assert "'work//secrets' names no folder" in ended.complaint
    assert list(tmp_path.glob("t")) == []


@pytest.mark.parametrize(
    "arguments",
    [["pull", ""], ["pull", "darknet", ""], ["push", ""], ["verify", ""], ["status", ""], ["ls", ""]],
)
def test_64_a_variable_that_is_not_set(
    drivesync: Run, full: DriveEmulator, tmp_path: Path, arguments: list[str]
) -> None:
    before = set(tmp_path.iterdir())
    ended = drivesync(*arguments)
    assert ended.status == 64
    assert "it is empty. See `" in ended.complaint
    assert set(tmp_path.iterdir()) == before
    assert full.counters().total().requests == 0


def test_64_a_home_that_nobody_has(drivesync: Run, tmp_path: Path) -> None:
    ended = drivesync("pull", "~no-such-user/darknet", "t")
    assert ended.status == 64
    assert "'~no-such-user/darknet' names no folder: this machine has no such user" in ended.complaint
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize("place", ["remote", "remote/in/it", "link"])
def test_64_a_tree_that_would_come_into_itself(drivesync: Run, tmp_path: Path, place: str) -> None:
    (tmp_path / "remote").mkdir()
    (tmp_path / "remote" / "a").write_text("a")
    (tmp_path / "link").symlink_to("remote")
    ended = drivesync("pull", "./remote", place)
    assert ended.status == 64
    assert f"{place} lies in {tmp_path}/remote, and would come into itself" in ended.complaint
    assert [entry.name for entry in (tmp_path / "remote").iterdir()] == ["a"]


@pytest.mark.parametrize("command", ["push", "watch"])
def test_64_nothing_can_be_pushed_to_a_repository(drivesync: Run, tree: Tree, command: str) -> None:
    ended = drivesync(command, tree.root, "github:someone/darknet")
    assert ended.status == 64
    assert ended.complaint.startswith("nothing can be pushed to github:someone/darknet. ")
    # Nor is it remembered.
    assert drivesync("push", tree.root).status == 0


def test_65_damaged_on_the_way_down(drivesync: Run, full: DriveEmulator, tmp_path: Path) -> None:
    drivesync("pull", "darknet", "t")
    full.put("darknet/cfg/run.cfg", b"newer on Drive")
    before = (tmp_path / "t" / "cfg" / "run.cfg").read_bytes()
    full.inject(Fault(CorruptDownload(), times=None))
    ended = drivesync("pull", "darknet", "t")
    assert ended.status == 65
    assert "cfg/run.cfg came damaged" in ended.complaint
    assert (tmp_path / "t" / "cfg" / "run.cfg").read_bytes() == before


def test_65_damaged_on_the_way_up(
    drivesync: Run, tree: Tree, drive_emulator: DriveEmulator, on_drive: Held
) -> None:
    content = tree.save("run_last.weights", 100)
    drive_emulator.inject(Fault(CorruptUpload(), "upload.final", times=2))
    ended = drivesync("push", tree.root)
    assert ended.status == 65
    assert "is not on Drive as it was sent" in ended.complaint
    assert drivesync("push", tree.root).status == 0
    assert on_drive("darknet") == {LAST: content}


def test_65_a_checkpoint_that_is_torn(drivesync: Run, tree: Tree, on_drive: Held) -> None:
    content = tree.save("run_last.weights", 100)
    drivesync("push", tree.root)
    os.truncate(tree.root / LAST, len(content) - 4)
    ended = drivesync("push", tree.root)
    assert ended.status == 65
    assert LAST in ended.complaint
    assert on_drive("darknet") == {LAST: content}


def test_66_no_such_folder_on_drive(drivesync: Run, tmp_path: Path) -> None:
    ended = drivesync("pull", "darkent", "t")
    assert ended.status == 66
    assert ended.complaint.startswith("there is no folder 'darkent' in My Drive. ")
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize("command", ["push", "watch", "status"])
def test_66_no_such_tree(drivesync: Run, command: str, drive_emulator: DriveEmulator) -> None:
    ended = drivesync(command, "absent")
    assert ended.status == 66
    assert ended.complaint.startswith("there is no tree at absent. ")
    assert drive_emulator.counters().total().requests == 0


def test_69_drive_cannot_be_reached(drivesync: Run, tmp_path: Path) -> None:
    ended = drivesync("pull", "darknet", "t", DRIVE_EMULATOR_HOST="http://127.0.0.1:1")
    assert ended.status == 69
    assert "Run the same command again" in ended.complaint
    assert not (tmp_path / "t").exists()


def test_69_drive_is_ill(drivesync: Run, full: DriveEmulator) -> None:
    full.inject(Fault(ErrorAnswer(500), "files.get.media", times=None))
    ended = drivesync("pull")
    assert ended.status == 69
    assert "Drive answered 500" in ended.complaint
    full.reset()
    assert drivesync("pull").status == 0


def test_69_drive_is_full(drivesync: Run, tree: Tree, drive_emulator: DriveEmulator) -> None:
    tree.save("run_last.weights", 100)
    with drive_emulator.locked() as store:
        store.storage_limit_bytes = 1
    ended = drivesync("push", tree.root)
    assert ended.status == 69
    assert "free some space" in ended.complaint


def test_73_a_file_where_the_tree_should_be(drivesync: Run, tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"mine")
    ended = drivesync("pull", "darknet", "t")
    assert ended.status == 73
    assert "is a file, not a folder" in ended.complaint
    assert (tmp_path / "t").read_bytes() == b"mine"


def test_73_the_disk_cannot_hold_the_tree_until_it_is_freed(
    on_small_disk: Callable[[str], subprocess.CompletedProcess[str]], drive_emulator: DriveEmulator
) -> None:
    drive_emulator.put("darknet/large", bytes(3_000_000))
    done = on_small_disk(
        """
            drivesync pull darknet t; echo $?; ls t
            mount -o remount,size=80m .
            drivesync pull darknet t; echo $?; ls t; wc -c < t/large
            """
    )
    first, second = done.stdout.split("pull: 1 file ")
    assert first.split() == ["73"]
    assert second.splitlines()[1:] == ["0", "large", "3000000"]
    assert "3.0 MB are to come, and the disk of t has 0 bytes to spare (2." in done.stderr
    assert " MB free, of which 67.1 MB stay so)" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_room_for_a_snapshot_keeps_nothing_from_being_pushed(
    on_small_disk: Callable[[str], subprocess.CompletedProcess[str]], on_drive: Held
) -> None:
    done = on_small_disk(
        r"""
        mkdir -p t/cfg t/backup
        printf '%s\n' '[net]' max_batches=9 channels=3 width=8 height=8 > t/cfg/wide.cfg
        printf '%s\n' '[convolutional]' filters=90000 size=1 >> t/cfg/wide.cfg
        (printf '\0\0\0\0\2\0\0\0\5\0\0\0\7'; head -c 1440007 /dev/zero) > t/backup/wide_last.weights
        drivesync push t; echo $?
        """
    )
    assert done.stdout.splitlines()[-1] == "0", done.stderr
    assert "no room" in done.stderr
    assert len(on_drive("darknet")["backup/wide_last.weights"]) == 1_440_020


def test_75_stopped_by_a_signal(environment: dict[str, str], full: DriveEmulator, tmp_path: Path) -> None:
    full.inject(Fault(Delay(60.0), "files.get.media", times=None))
    with subprocess.Popen(
        [sys.executable, "-m", "drivesync", "pull", "darknet", "t"],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        while not full.counters()["files.get.media"].requests:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        began_s = time.monotonic()
        _out, err = process.communicate(timeout=30)
        took_s = time.monotonic() - began_s
    assert process.returncode == 75
    assert err.decode().splitlines()[-1].startswith("drivesync: stopped before the end. Run the same command")
    assert took_s < 20
    assert list((tmp_path / "t" / ".drivesync" / "partial").iterdir()) == []


@pytest.mark.parametrize("command", ["pull", "push"])
def test_77_the_token_is_dead(drivesync: Run, full: DriveEmulator, tree: Tree, command: str) -> None:
    tree.save("run_last.weights", 100)
    full.inject(Fault(ExpiredToken()))
    ended = drivesync(*(["pull", "darknet", "t"] if command == "pull" else ["push", tree.root]))
    assert ended.status == 77
    assert "has expired or is not valid; it came from the environment variable GOOGLE" in ended.complaint
    assert "Set GOOGLE_OAUTH_ACCESS_TOKEN to a new token, or unset it and run `python" in ended.complaint


def test_77_nobody_is_logged_in(drivesync: Run, tmp_path: Path) -> None:
    ended = drivesync(
        "pull",
        DRIVE_EMULATOR_HOST="",
        GOOGLE_OAUTH_ACCESS_TOKEN="",
        HOME=str(tmp_path),
        CLOUDSDK_CONFIG=str(tmp_path),
    )
    assert ended.status == 77
    assert ended.complaint.startswith("no Google credentials were found. In Colab run ")
    assert "elsewhere run `python -m drivesync login`" in ended.complaint


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DRIVESYNC_RETRIES", "many"),
        ("DRIVE_EMULATOR_HOST", "ftp://x"),
        ("GOOGLE_OAUTH_ACCESS_TOKEN", "s3cret s3cret"),
    ],
)
def test_78_a_setting_is_wrong(drivesync: Run, name: str, value: str) -> None:
    ended = drivesync("pull", **{name: value})
    assert ended.status == 78
    assert name in ended.complaint
    assert "s3cret" not in ended.err


def test_a_reader_that_goes_away_is_no_crash(
    environment: dict[str, str], full: DriveEmulator, tmp_path: Path
) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-m", "drivesync", "pull", "darknet", "t"],
        env=environment,
        cwd=tmp_path,
        stdout=write_end,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write_end)
    assert b"Traceback" not in done.stderr
    assert (tmp_path / "t" / "cfg" / "run.cfg").read_bytes() == full.read_tree("darknet")["cfg/run.cfg"]
