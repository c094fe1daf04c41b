"""A pull unpacks the archives that are named: all of what is in them, and nothing that was here is lost."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from drivesync.config import Settings
from drivesync.disk import looks_executable
from drivesync.errors import DamagedError, DiskFullError, SettingsError
from drivesync.pull import pull
from drivesync.pulling.plan import PullOptions
from drivesync.remotes.folder.remote import FolderRemote
from drivesync.testing import CorruptDownload, CutDownload, ErrorAnswer, Fault
from drivesync.testing.entries import Content
from drivesync.testing.metadata import Metadata
from drivesync.testing.trees import find
from drivesync.unarchive import ranges
from tests.drivesync.unarchive.conftest import (
    CONTENT,
    MAKERS,
    MODIFIED_S,
    ZIPPED,
    contents,
    make_tar,
    make_zip,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.pull import PullResult
    from drivesync.remotes.drive.remote import DriveRemote
    from drivesync.testing import DriveEmulator
    from tests.drivesync.conftest import Notes

    Bring = Callable[..., PullResult]

OBJ = "data/obj.zip"
UNPACKED = {f"data/{name}": data for name, data in CONTENT.items()}
CFG = {"cfg/run.cfg": b"[net]"}


@pytest.fixture
def drive(drive_emulator: DriveEmulator) -> DriveEmulator:
    """A Drive that holds an archive and another file."""
    drive_emulator.put(f"darknet/{OBJ}", make_zip())
    drive_emulator.put("darknet/cfg/run.cfg", CFG["cfg/run.cfg"])
    return drive_emulator


@pytest.mark.parametrize("name", MAKERS)
def test_all_of_it_comes(bring: Bring, drive_emulator: DriveEmulator, here: Path, name: str) -> None:
    drive_emulator.put(f"darknet/data/{name}", MAKERS[name]())
    result = bring(f"data/{name}")
    assert contents(here) == UNPACKED
    (told,) = result.unpacked
    assert (told.files, told.size_bytes, told.is_done) == (
        len(CONTENT),
        sum(map(len, CONTENT.values())),
        True,
    )
    assert os.access(here / "data/tools/run.sh", os.X_OK)
    assert not os.access(here / "data/obj/1.jpg", os.X_OK)
    # A zip tells the local time of wherever it was made.
    modified_s = time.mktime((*ZIPPED, 0, 0, -1)) if name == "obj.zip" else MODIFIED_S
    assert (here / "data/top.txt").stat().st_mtime == modified_s
    assert not list((here / ".drivesync" / "partial").iterdir())


def test_others_come_as_they_are(bring: Bring, drive: DriveEmulator, here: Path) -> None:
    drive.put("darknet/data/other.zip", b"PK")
    assert bring(OBJ).downloaded_files == 2
    assert contents(here) == UNPACKED | CFG | {"data/other.zip": b"PK"}


@pytest.mark.usefixtures("drive")
def test_it_is_not_fetched_again(bring: Bring, here: Path, remote: DriveRemote) -> None:
    bring(OBJ)
    before = remote.usage.by_kind["download"].requests
    (told,) = bring(OBJ).unpacked
    assert remote.usage.by_kind["download"].requests == before
    assert (told.files, told.kept_files, told.is_done) == (0, len(CONTENT), True)
    assert contents(here) == UNPACKED | CFG


@pytest.mark.usefixtures("drive")
def test_what_was_deleted_here_comes_again(bring: Bring, here: Path) -> None:
    bring(OBJ)
    (here / "data/obj/1.jpg").unlink()
    before = (here / "data/obj/1.txt").stat().st_ino
    (told,) = bring(OBJ).unpacked
    assert (told.files, told.kept_files) == (1, len(CONTENT) - 1)
    assert contents(here) == UNPACKED | CFG
    assert (here / "data/obj/1.txt").stat().st_ino == before


@pytest.mark.usefixtures("drive")
def test_what_was_changed_here_is_kept(bring: Bring, here: Path) -> None:
    bring(OBJ)
    (here / "data/obj/1.txt").write_bytes(b"mine")
    assert bring(OBJ).conflicts == ["data/obj/1.txt"]
    (here / "data/obj/1.jpg").unlink()
    assert bring(OBJ).conflicts == ["data/obj/1.txt"]
    assert contents(here) == UNPACKED | CFG | {"data/obj/1.txt": b"mine"}
    assert bring(OBJ).conflicts == ["data/obj/1.txt"]
    assert bring(OBJ, theirs=True).conflicts == []
    assert contents(here) == UNPACKED | CFG


@pytest.mark.usefixtures("drive")
def test_what_lay_there_before_is_kept(bring: Bring, here: Path) -> None:
    (here / "data/obj").mkdir(parents=True)
    (here / "data/obj/1.txt").write_bytes(b"mine")
    (here / "data/obj/1.jpg").write_bytes(CONTENT["obj/1.jpg"])
    inode = (here / "data/obj/1.jpg").stat().st_ino
    result = bring(OBJ)
    assert result.conflicts == ["data/obj/1.txt"]
    assert (result.unpacked[0].files, result.unpacked[0].kept_files) == (len(CONTENT) - 2, 1)
    assert (here / "data/obj/1.jpg").stat().st_ino == inode
    (here / "data/obj/1.txt").unlink()
    assert bring(OBJ).conflicts == []
    assert contents(here) == UNPACKED | CFG


@pytest.mark.usefixtures("drive")
def test_what_was_only_touched_is_the_same(bring: Bring, here: Path, remote: DriveRemote) -> None:
    bring(OBJ)
    before = remote.usage.by_kind["download"].requests
    os.utime(here / "data/obj/1.jpg", (5, 5))
    result = bring(OBJ, theirs=True)
    assert (result.conflicts, result.unpacked[0].kept_files) == ([], len(CONTENT))
    assert remote.usage.by_kind["download"].requests == before


def test_a_newer_archive_takes_the_place_of_the_older(bring: Bring, drive: DriveEmulator, here: Path) -> None:
    bring(OBJ)
    (here / "data/top.txt").write_bytes(b"mine")
    inode = (here / "data/obj/1.txt").stat().st_ino
    newer = {
        "obj/1.jpg": b"newer",
        "obj/1.txt": CONTENT["obj/1.txt"],
        "top.txt": b"newer",
        "obj/2.jpg": b"two",
    }
    drive.put(f"darknet/{OBJ}", make_zip(newer))
    result = bring(OBJ)
    assert result.conflicts == ["data/top.txt"]
    assert (result.unpacked[0].files, result.unpacked[0].kept_files) == (2, 1)
    expected = (
        UNPACKED | CFG | {f"data/{name}": data for name, data in newer.items()} | {"data/top.txt": b"mine"}
    )
    assert contents(here) == expected
    assert (here / "data/obj/1.txt").stat().st_ino == inode
    # What only the older one held is nobody's now: deleted, it stays so.
    (here / "data/obj/empty.txt").unlink()
    assert bring(OBJ).unpacked[0].files == 0


@pytest.mark.parametrize("theirs", [pytest.param(False, id="changes kept"), pytest.param(True, id="theirs")])
def test_a_file_of_its_own_goes_before_the_archives(
    bring: Bring, drive: DriveEmulator, here: Path, *, theirs: bool
) -> None:
    bring(OBJ)
    drive.put("darknet/data/top.txt", b"sent by itself")
    expected = UNPACKED | CFG | {"data/top.txt": b"sent by itself"}
    shutil.rmtree(here)
    for again in range(2):
        result = bring(OBJ, theirs=theirs)
        assert contents(here) == expected
        assert result.conflicts == []
        assert result.unpacked[0].kept_files == (len(CONTENT) - 1 if again else 1)


class TestNamed:
    def test_in_the_settings_that_only_just_come(
        self, bring: Bring, drive: DriveEmulator, here: Path
    ) -> None:
        settings = f'unpack = ["{OBJ}"]'.encode()
        drive.put("darknet/drivesync.toml", settings)
        for number in range(3):
            drive.put(f"darknet/{number}.zip", b"PK")
        assert [told.path for told in bring().unpacked] == [OBJ]
        others = {f"{number}.zip": b"PK" for number in range(3)} | {"drivesync.toml": settings}
        assert contents(here) == UNPACKED | CFG | others
        assert [told.kept_files for told in bring().unpacked] == [len(CONTENT)]

    def test_in_settings_that_were_changed_here(self, bring: Bring, drive: DriveEmulator, here: Path) -> None:
        drive.put("darknet/drivesync.toml", b"unpack = []")
        bring()
        (here / OBJ).unlink()
        (here / "drivesync.toml").write_text(f'unpack = ["{OBJ}"]')
        assert bring().unpacked[0].files == len(CONTENT)
        assert bring(theirs=True).unpacked == []

    def test_the_environment_goes_before_them(
        self, remote: DriveRemote, notes: Notes, drive: DriveEmulator, here: Path
    ) -> None:
        drive.put("darknet/drivesync.toml", f'unpack = ["{OBJ}"]'.encode())
        pull(remote, here, reporter=notes, options=PullOptions(unpack_as_set=False))
        assert (here / OBJ).read_bytes() == make_zip()

    def test_settings_that_make_no_sense(self, bring: Bring, drive: DriveEmulator) -> None:
        drive.put("darknet/drivesync.toml", b'unpack = "data/obj.zip"')
        with pytest.raises(SettingsError, match=r"drivesync\.toml( of darknet)?: unpack"):
            bring()

    def test_settings_that_are_none(self, bring: Bring, drive: DriveEmulator) -> None:
        drive.put("darknet/drivesync.toml", b"#" * (1 << 20) + b"\n")
        with pytest.raises(SettingsError, match="no settings"):
            bring()

    @pytest.mark.usefixtures("drive")
    def test_not_there(self, bring: Bring) -> None:
        (skipped,) = bring("data/obj.tar").skipped
        assert (skipped.path, skipped.reason) == ("data/obj.tar", "it is to be unpacked, and is not there")

    def test_twice_in_one_folder(self, bring: Bring, drive: DriveEmulator, here: Path) -> None:
        with drive.locked() as store:
            folder = find(store, "darknet/data")
            assert folder is not None
            older = Metadata(name="obj.zip", parents=(folder.id,), modified_ms=1)
            store.create(older, Content.of(make_zip({"older.txt": b""})))
        result = bring(OBJ)
        assert contents(here) == UNPACKED | CFG
        assert [entry.reason for entry in result.skipped] == ["a newer file of the same name is beside it"]

    @pytest.mark.usefixtures("drive")
    def test_others_than_are_wanted(self, remote: DriveRemote, notes: Notes, here: Path) -> None:
        pull(remote, here, reporter=notes, options=PullOptions(unpack=(OBJ,), only=("cfg/",)))
        assert contents(here) == CFG


class TestTrouble:
    @pytest.mark.parametrize(
        ("name", "requests", "skip"),
        [
            pytest.param("obj.tar", 2, 0, id="tar"),
            pytest.param("obj.zip", 4, 0, id="zip, its directory"),
            pytest.param("obj.zip", 4, 1, id="zip, its members"),
        ],
    )
    def test_damaged_on_its_way(
        self,
        bring: Bring,
        drive_emulator: DriveEmulator,
        here: Path,
        remote: DriveRemote,
        name: str,
        requests: int,
        skip: int,
    ) -> None:
        drive_emulator.put(f"darknet/data/{name}", MAKERS[name]())
        drive_emulator.inject(Fault(CorruptDownload(flips=200), "files.get.media", skip=skip))
        assert bring(f"data/{name}").failed == []
        assert remote.usage.by_kind["download"].requests == requests
        assert contents(here) == UNPACKED

    def test_cut_and_refused_on_its_way(
        self, bring: Bring, drive_emulator: DriveEmulator, here: Path
    ) -> None:
        drive_emulator.put("darknet/data/obj.tar", make_tar())
        drive_emulator.inject(
            Fault(CutDownload(after_bytes=100), "files.get.media", times=2),
            Fault(ErrorAnswer(503), "files.get.media", times=2),
        )
        assert bring("data/obj.tar").failed == []
        assert contents(here) == UNPACKED

    def test_damaged_every_time(self, bring: Bring, drive: DriveEmulator, here: Path) -> None:
        drive.put("darknet/data/obj.tar", make_tar({"a": bytes(100_000)}))
        drive.inject(Fault(CorruptDownload(), "files.get.media", times=None))
        result = bring("data/obj.tar")
        ((_path, error),) = [entry for entry in result.failed if entry[0] == "data/obj.tar"]
        assert isinstance(error, DamagedError)
        assert "came damaged" in str(error)
        assert not result.unpacked[0].is_done
        drive.reset()
        assert bring("data/obj.tar").failed == []
        assert (here / "data/a").read_bytes() == bytes(100_000)

    @pytest.mark.parametrize("cut", [10, 300, 900])
    def test_damaged_there(self, bring: Bring, drive: DriveEmulator, here: Path, cut: int) -> None:
        drive.put(f"darknet/{OBJ}", make_zip()[:-cut])
        ((path, error),) = bring(OBJ).failed
        assert (path, type(error).__mro__[1]) == (OBJ, DamagedError)
        assert "cannot be unpacked" in str(error)
        assert contents(here) == CFG

    def test_the_rest_comes(self, bring: Bring, drive: DriveEmulator, here: Path) -> None:
        drive.put("darknet/data/a.zip", b"no archive at all")
        result = bring("data/a.zip", OBJ)
        assert [path for path, _error in result.failed] == ["data/a.zip"]
        assert contents(here) == UNPACKED | CFG

    @pytest.mark.usefixtures("drive")
    def test_a_folder_is_in_the_way(self, bring: Bring, here: Path) -> None:
        (here / "data/top.txt").mkdir(parents=True)
        result = bring(OBJ)
        ((path, error),) = result.failed
        assert (path, "a folder is in its place" in str(error)) == ("data/top.txt", True)
        assert contents(here).keys() == (UNPACKED | CFG).keys() - {"data/top.txt"}
        (here / "data/top.txt").rmdir()
        assert bring(OBJ).failed == []
        assert contents(here) == UNPACKED | CFG

    @pytest.mark.usefixtures("drive")
    def test_a_link_leads_out(self, bring: Bring, here: Path, tmp_path: Path) -> None:
        (tmp_path / "outside").mkdir()
        (here / "data").mkdir(parents=True)
        (here / "data/obj").symlink_to(tmp_path / "outside")
        result = bring(OBJ)
        assert {path.rpartition("/")[0] for path, _error in result.failed} == {"data/obj"}
        assert list((tmp_path / "outside").iterdir()) == []

    @pytest.mark.parametrize("name", ["obj.zip", "obj.tar"])
    def test_the_disk_is_asked_first(
        self, bring: Bring, drive: DriveEmulator, here: Path, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        drive.put(f"darknet/data/{name}", MAKERS[name]({str(number): bytes(2 << 20) for number in range(4)}))
        monkeypatch.setattr(ranges, "free_bytes", lambda _tree: ranges.SPARE_BYTES + (7 << 20))
        with pytest.raises(DiskFullError, match=rf"data/{name} brings 8\.[34] MB"):
            bring(f"data/{name}")
        assert not [path for path in contents(here) if path.startswith("data/") and "obj" not in path]

    def test_each_member_is_asked_for_where_nobody_knows_the_whole(
        self, bring: Bring, drive: DriveEmulator, here: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        drive.put("darknet/data/bomb.tgz", make_tar({"small": b"1", "huge": bytes(8 << 20)}, "w:gz"))
        monkeypatch.setattr(ranges, "free_bytes", lambda _tree: ranges.SPARE_BYTES + (7 << 20))
        with pytest.raises(DiskFullError, match="data/huge brings"):
            bring("data/bomb.tgz")
        assert (here / "data/small").read_bytes() == b"1"
        assert not (here / "data/huge").exists()

    @pytest.mark.usefixtures("drive")
    def test_changed_here_meanwhile(self, bring: Bring, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def change(head: bytes) -> bool:
            if head and UNPACKED["data/top.txt"].startswith(head):
                (here / "data").mkdir(exist_ok=True)
                (here / "data/top.txt").write_bytes(b"mine")
            return looks_executable(head)

        monkeypatch.setattr("drivesync.unarchive.placing.looks_executable", change)
        ((path, error),) = bring(OBJ).failed
        assert (path, "changed here while" in str(error)) == ("data/top.txt", True)
        assert contents(here)["data/top.txt"] == b"mine"


@pytest.mark.usefixtures("drive")
def test_a_dry_run_says_what_would_be_unpacked(bring: Bring, here: Path) -> None:
    (told,) = bring(OBJ, dry_run=True).unpacked
    assert (told.path, told.size, told.is_done, told.files) == (OBJ, len(make_zip()), False, 0)
    assert not here.exists()
    bring(OBJ)
    assert bring(OBJ, dry_run=True).unpacked[0].is_done
    (here / "data/top.txt").unlink()
    assert not bring(OBJ, dry_run=True).unpacked[0].is_done
    assert not (here / "data/top.txt").exists()


def test_from_a_mounted_folder(here: Path, tmp_path: Path, notes: Notes) -> None:
    there = tmp_path / "there"
    (there / "data").mkdir(parents=True)
    (there / OBJ).write_bytes(make_zip())
    for files, kept in [(len(CONTENT), 0), (0, len(CONTENT))]:
        with FolderRemote(str(there), Settings()) as remote:
            (told,) = pull(remote, here, reporter=notes, options=PullOptions(unpack=(OBJ,))).unpacked
        assert (told.files, told.kept_files) == (files, kept)
    assert contents(here) == UNPACKED
