"""What was unpacked of an archive, as pull, push, verify and status tell of it: they agree."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.testing import DriveEmulator
    from tests.drivesync.conftest import Ended

    Run = Callable[..., Ended]
    Held = Callable[[str], dict[str, bytes]]

OBJ, CFG = "data/obj.zip", "cfg/run.cfg"
NAMES = ("obj/1.jpg", "obj/1.txt", "obj/2.jpg")


def make_zip(content: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in NAMES:
            archive.writestr(name, content)
    return made.getvalue()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return tmp_path / "darknet"


@pytest.fixture
def drive(drive_emulator: DriveEmulator) -> DriveEmulator:
    """A Drive with an archive."""
    drive_emulator.put(f"darknet/{OBJ}", make_zip("content"))
    drive_emulator.put(f"darknet/{CFG}", b"[net]")
    return drive_emulator


@pytest.fixture
def unpacked(drive: DriveEmulator, drivesync: Run) -> DriveEmulator:
    """The same, with settings that have it unpacked, as it was."""
    drive.put("darknet/drivesync.toml", f'unpack = ["{OBJ}"]'.encode())
    assert drivesync("pull").status == 0
    return drive


class TestPush:
    def test_it_is_left_out_in_one_line(
        self, unpacked: DriveEmulator, drivesync: Run, on_drive: Held
    ) -> None:
        before = on_drive("darknet")
        for options in (("--all", "--dry-run"), ("--all",)):
            ended = drivesync("push", *options)
            assert ended.status == 0
            (line,) = [line for line in ended.out.splitlines() if OBJ in line]
            assert line == f"3 files (21 bytes) unpacked of {OBJ} not sent: they are in it there"
        assert on_drive("darknet") == before
        said = json.loads(drivesync("push", "--all", "--json").out)
        assert said["unpacked"] == [{"path": OBJ, "archive": "there", "sent": False, "files": 3, "bytes": 21}]
        assert (said["planned"]["files"], said["kept"]) == (0, 2)
        assert unpacked.counters()["files.create.resumable"].requests == 0

    @pytest.mark.usefixtures("drive")
    def test_what_no_settings_name_is_brought_by_an_option(self, drivesync: Run, on_drive: Held) -> None:
        before = on_drive("darknet")
        drivesync("pull", "--unpack", OBJ)
        line = f"not sent: they are in it there, and a pull brings them with --unpack {OBJ}\n"
        assert line in drivesync("push", "--all").out
        assert line not in drivesync("push", "--all", DRIVESYNC_UNPACK=OBJ).out
        assert on_drive("darknet") == before

    def test_an_archive_that_was_changed_there(self, unpacked: DriveEmulator, drivesync: Run) -> None:
        unpacked.put(f"darknet/{OBJ}", make_zip("another"))
        line = "not sent: what is in it now a pull has yet to bring; --ours sends them\n"
        assert line in drivesync("push", "--all").out
        ended = drivesync("push", "--all", "--ours")
        assert ended.status == 0
        assert f"3 file(s) that were unpacked of {OBJ} go one by one, as --ours says\n" in ended.err
        assert line not in ended.out

    def test_78_settings_that_make_no_sense_are_not_sent(
        self, unpacked: DriveEmulator, drivesync: Run, tree: Path, on_drive: Held
    ) -> None:
        assert unpacked.url
        (tree / "drivesync.toml").write_text("unpack = 1")
        assert drivesync("push", "--all").status == 78
        assert on_drive("darknet")["drivesync.toml"] != b"unpack = 1"


class TestVerify:
    def test_it_is_equal(self, unpacked: DriveEmulator, drivesync: Run) -> None:
        unpacked.reset()
        ended = drivesync("verify")
        assert ended.status == 0
        first, second = ended.out.splitlines()
        assert first.startswith("verify: 5 files (")
        assert "equal, 0 different, 0 missing here, 0 only here, in " in first
        assert second == f"{OBJ}: unpacked here, 3 files of these are of it"
        said = json.loads(drivesync("verify", "--json").out)
        assert (said["unpacked"], said["missing"]) == ([{"path": OBJ, "files": 3}], [])
        assert unpacked.counters()["files.get.media"].requests == 0

    def test_65_what_was_changed_here_is_named(
        self, unpacked: DriveEmulator, drivesync: Run, tree: Path
    ) -> None:
        (tree / "data/obj/1.jpg").write_bytes(b"CONTENT")
        (tree / "data/obj/1.txt").write_bytes(b"longer than it was")
        (tree / "data/obj/2.jpg").unlink()
        ended = drivesync("verify")
        assert ended.status == 65
        assert "\n  data/obj/1.jpg: md5 " in ended.out
        assert "\n  data/obj/1.txt: 18 bytes here, 7 there\n" in ended.out
        assert "missing here:\n  data/obj/2.jpg\n" in ended.out
        assert drivesync("pull", "--theirs").status == drivesync("verify").status == 0
        assert unpacked.url

    def test_what_the_remote_has_as_a_file_is_compared_with_that(
        self, unpacked: DriveEmulator, drivesync: Run, tree: Path
    ) -> None:
        (tree / "data/obj/1.txt").write_bytes(b"mine")
        assert drivesync("push", "--all").status == 0
        ended = drivesync("verify")
        assert (ended.status, f"{OBJ}: unpacked here, 2 files of these are of it\n" in ended.out) == (0, True)
        assert unpacked.read_tree("darknet")["data/obj/1.txt"] == b"mine"

    def test_65_an_archive_that_was_changed_there_is_missing(
        self, unpacked: DriveEmulator, drivesync: Run
    ) -> None:
        unpacked.put(f"darknet/{OBJ}", make_zip("another"))
        ended = drivesync("verify")
        assert (ended.status, f"missing here:\n  {OBJ}\n" in ended.out) == (65, True)
        assert "unpacked here" not in ended.out
        assert drivesync("pull").status == drivesync("verify").status == 0

    def test_nothing_is_written(self, unpacked: DriveEmulator, drivesync: Run, tree: Path) -> None:
        before = {path: path.stat().st_mtime_ns for path in tree.rglob("*") if path.is_file()}
        assert (drivesync("verify").status, unpacked.url != "") == (0, True)
        assert {path: path.stat().st_mtime_ns for path in tree.rglob("*") if path.is_file()} == before


class TestStatus:
    @pytest.mark.parametrize("change", ["none", "there", "here", "gone here"])
    def test_it_says_what_a_pull_says(
        self, unpacked: DriveEmulator, drivesync: Run, tree: Path, change: str
    ) -> None:
        if change == "there":
            unpacked.put(f"darknet/{OBJ}", make_zip("another"))
        elif change == "here":
            (tree / "data/obj/1.txt").write_bytes(b"mine")
        elif change == "gone here":
            (tree / "data/obj/1.txt").unlink()
        planned = drivesync("pull", "--dry-run").out.splitlines()
        assert drivesync("status").out.splitlines()[-len(planned) :] == planned
        said = json.loads(drivesync("status", "--json").out)["pull"]
        done = change in {"none", "here"}
        assert said["unpacked"][0]["done"] is done
        pulled = json.loads(drivesync("pull", "--json").out)
        assert (pulled["unpacked"][0]["unpacked"]["files"] == 0) is done
        assert pulled["conflicts"] == said["conflicts"] == (["data/obj/1.txt"] if change == "here" else [])

    def test_it_hears_the_environment(self, drive: DriveEmulator, drivesync: Run) -> None:
        assert drivesync("pull", DRIVESYNC_UNPACK=OBJ).status == 0
        named = drivesync("status", DRIVESYNC_UNPACK=OBJ).out
        assert "pull would bring 0 files (0 bytes) to darknet, 1 are there already\n" in named
        assert f"{OBJ}: nothing new, 3 were there already\n" in named
        # As a pull without it would.
        assert "pull would bring 1 file (" in drivesync("status").out
        assert drivesync("status", DRIVESYNC_UNPACK="../x.zip").status == 78
        assert drive.counters()["files.create.resumable"].requests == 0
