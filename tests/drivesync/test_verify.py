"""Everything is read, nothing is believed, nothing moves."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from drivesync.config import Settings
from drivesync.errors import DamagedError, NotFoundError
from drivesync.index import Index
from drivesync.pull import pull
from drivesync.remotes.folder.remote import FolderRemote
from drivesync.verify import VerifyResult, verify

if TYPE_CHECKING:
    from pathlib import Path

    from drivesync.remotes.drive.remote import DriveRemote
    from drivesync.testing import DriveEmulator
    from tests.drivesync.conftest import Notes


@pytest.fixture
def pulled(drive_emulator: DriveEmulator, remote: DriveRemote, tmp_path: Path, notes: Notes) -> Path:
    """A tree as a pull leaves it."""
    for path in ("a.txt", "cfg/run.cfg", "data/1.jpg"):
        drive_emulator.put(f"darknet/{path}", f"content of {path}".encode())
    here = tmp_path / "here"
    pull(remote, here, reporter=notes)
    return here


def test_what_a_pull_brought_is_equal(remote: DriveRemote, pulled: Path, notes: Notes) -> None:
    notes.files = notes.size_bytes = 0
    result = verify(remote, pulled, reporter=notes)
    assert (result.equal, result.different, result.missing, result.only_here) == (3, [], [], [])
    assert (notes.files, notes.size_bytes) == (3, result.equal_bytes)
    result.raise_failure()


def test_the_index_is_not_trusted(remote: DriveRemote, pulled: Path, notes: Notes) -> None:
    place = pulled / "a.txt"
    before = place.stat()
    place.write_bytes(place.read_bytes().upper())
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
    with Index(pulled) as index:
        assert "a.txt" in index.read()
    result = verify(remote, pulled, reporter=notes)
    ((path, reason),) = result.different
    assert path == "a.txt"
    assert reason.startswith("md5 ")
    with pytest.raises(DamagedError, match=r"1 file\(s\) differ and 0 are missing; the first is a.txt"):
        result.raise_failure()


def test_another_size_needs_no_reading(remote: DriveRemote, pulled: Path, notes: Notes) -> None:
    (pulled / "a.txt").write_bytes(b"short")
    assert verify(remote, pulled, reporter=notes).different == [("a.txt", "5 bytes here, 16 there")]


def test_what_is_missing_and_what_is_only_here(remote: DriveRemote, pulled: Path, notes: Notes) -> None:
    (pulled / "data" / "1.jpg").unlink()
    (pulled / "cfg" / "mine.cfg").write_bytes(b"mine")
    (pulled / "dangling").symlink_to("nowhere")
    result = verify(remote, pulled, reporter=notes)
    assert result.missing == ["data/1.jpg"]
    # Not what we keep for ourselves.
    assert result.only_here == ["cfg/mine.cfg", "dangling"]
    with pytest.raises(DamagedError, match=r"0 file.* 1 are missing; the first is data/1.jpg"):
        result.raise_failure()


def test_old_checkpoints_that_a_pull_leaves_are_not_missing(
    drive_emulator: DriveEmulator, remote: DriveRemote, tmp_path: Path, notes: Notes
) -> None:
    for number in (100, 200, 300):
        drive_emulator.put(f"darknet/backup/run_{number}.weights", b"w")
    here = tmp_path / "here"
    pull(remote, here, reporter=notes)
    result = verify(remote, here, reporter=notes)
    assert (result.equal, result.missing, result.left) == (2, [], ["backup/run_100.weights"])


def test_what_is_no_file_is_skipped(
    drive_emulator: DriveEmulator, remote: DriveRemote, pulled: Path, notes: Notes
) -> None:
    drive_emulator.put("darknet/cfg", b"a file beside a folder")
    result = verify(remote, pulled, reporter=notes)
    assert [entry.path for entry in result.skipped] == ["cfg"]
    result.raise_failure()


@pytest.mark.parametrize("change", [False, True])
def test_a_remote_that_names_no_checksums_reads_them(tmp_path: Path, notes: Notes, *, change: bool) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    (there / "a.txt").write_bytes(b"content")
    with FolderRemote(str(there), Settings()) as remote:
        pull(remote, here, reporter=notes)
        if change:
            (there / "a.txt").write_bytes(b"CONTENT")
        result = verify(remote, here, reporter=notes)
    assert [path for path, _reason in result.different] == (["a.txt"] if change else [])


def test_a_file_that_cannot_be_read_is_different(
    drive_emulator: DriveEmulator, remote: DriveRemote, pulled: Path, notes: Notes
) -> None:
    drive_emulator.put("darknet/empty", b"")
    # To everybody, root included, a regular file of no bytes that fails to be read.
    (pulled / "empty").symlink_to("/proc/self/mem")
    ((path, reason),) = verify(remote, pulled, reporter=notes).different
    assert path == "empty"
    assert reason.startswith("cannot read ")


def test_nothing_moves_and_nothing_is_written(
    drive_emulator: DriveEmulator, remote: DriveRemote, tmp_path: Path, notes: Notes
) -> None:
    drive_emulator.put("darknet/a.txt", b"1")
    bare = tmp_path / "bare"
    bare.mkdir()
    assert verify(remote, bare, reporter=notes).missing == ["a.txt"]
    assert list(bare.iterdir()) == []
    assert drive_emulator.counters()["files.get.media"].requests == 0


def test_no_such_folder(remote: DriveRemote, tmp_path: Path, notes: Notes) -> None:
    with pytest.raises(NotFoundError):
        verify(remote, tmp_path, reporter=notes)


def test_nothing_wrong_is_no_failure() -> None:
    VerifyResult(equal=3, left=["backup/run_100.weights"], only_here=["mine"]).raise_failure()
