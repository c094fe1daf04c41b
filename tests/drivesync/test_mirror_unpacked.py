"""What a pull has unpacked of an archive goes up as files only where the remote would not have it otherwise."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import pytest

from drivesync.config import Settings
from drivesync.mirror import MirrorResult, push_all
from drivesync.mirroring.upload_plan import MirrorOptions
from drivesync.mirroring.write_rate import WriteRate
from drivesync.pull import PullResult, pull
from drivesync.pulling.plan import PullOptions
from drivesync.remotes.drive.remote import DriveRemote
from drivesync.remotes.folder.remote import FolderRemote
from drivesync.verify import verify
from tests.drivesync.unarchive.conftest import CONTENT, make_zip

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.remotes.base import Remote
    from drivesync.testing import DriveEmulator
    from tests.drivesync.conftest import Notes

    Send = Callable[..., MirrorResult]
    Bring = Callable[..., PullResult]

OBJ, CFG = "data/obj.zip", "cfg/run.cfg"
MEMBERS = {f"data/{name}": data for name, data in CONTENT.items()}
BYTES = sum(map(len, MEMBERS.values()))
ZIPPED = make_zip()
NEWER = make_zip({"obj/1.jpg": b"newer", "obj/2.jpg": b"two"})


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return tmp_path / "here"


@pytest.fixture
def bring(remote: DriveRemote, here: Path, notes: Notes) -> Bring:
    """``bring()`` pulls, and unpacks the archive."""
    return lambda *unpack: pull(remote, here, reporter=notes, options=PullOptions(unpack=unpack or (OBJ,)))


@pytest.fixture
def drive(drive_emulator: DriveEmulator, bring: Bring) -> DriveEmulator:
    """A Drive with an archive that was unpacked here."""
    drive_emulator.put(f"darknet/{OBJ}", ZIPPED)
    drive_emulator.put(f"darknet/{CFG}", b"[net]")
    bring().raise_failure()
    return drive_emulator


@pytest.fixture
def send(remote: DriveRemote, here: Path, notes: Notes) -> Send:
    """``send(ours=True)`` pushes all with that option, as fast as it goes, and to another remote where one is given."""

    def run(to: Remote = remote, **options: Any) -> MirrorResult:
        wishes = MirrorOptions(unpack=(OBJ,), **options)
        result = push_all(to, here, reporter=notes, options=wishes, rate=WriteRate(math.inf, 1))
        result.raise_failure()
        return result

    return run


def told(result: MirrorResult) -> list[tuple[str, str, bool, int]]:
    return [
        (path, archive.standing.value, archive.sent, archive.files)
        for path, archive in sorted(result.unpacked.items())
    ]


def held(drive: DriveEmulator, folder: str = "darknet") -> dict[str, bytes]:
    return {
        path: data for path, data in drive.read_tree(folder).items() if not path.startswith(".drivesync/")
    }


class TestThere:
    def test_what_is_unchanged_does_not_go(self, drive: DriveEmulator, send: Send) -> None:
        for dry_run in (True, False):
            result = send(dry_run=dry_run)
            assert (result.planned_files, result.uploaded_files, result.kept_files) == (0, 0, 1)
            assert told(result) == [(OBJ, "there", False, len(MEMBERS))]
        assert result.describe()["unpacked"] == [
            {"path": OBJ, "archive": "there", "sent": False, "files": len(MEMBERS), "bytes": BYTES}
        ]
        assert held(drive) == {OBJ: ZIPPED, CFG: b"[net]"}

    @pytest.mark.parametrize("ours", [False, True])
    def test_what_was_changed_or_added_goes(
        self, drive: DriveEmulator, send: Send, bring: Bring, here: Path, *, ours: bool
    ) -> None:
        mine = {
            "data/obj/1.txt": b"0 0.1 0.1 1 1\n",
            "data/top.txt": b"another length",
            "data/obj/new.txt": b"",
        }
        for path, content in mine.items():
            (here / path).write_bytes(content)
        (here / "data/obj/empty.txt").unlink()
        result = send(ours=ours)
        assert (result.uploaded_files, told(result)) == (3, [(OBJ, "there", False, len(MEMBERS) - 3)])
        assert held(drive) == {OBJ: ZIPPED, CFG: b"[net]"} | mine
        # And from then on it is a file like any other.
        assert (send().planned_files, bring().downloaded_files) == (0, 0)
        assert (here / "data/obj/1.txt").read_bytes() == mine["data/obj/1.txt"]

    def test_what_was_only_touched_is_read_once(
        self, drive: DriveEmulator, send: Send, here: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for path in MEMBERS:
            os.utime(here / path, ns=(7, 7))
        assert told(send()) == [(OBJ, "there", False, len(MEMBERS))]
        monkeypatch.setattr("drivesync.mirroring.compare.hash_file", None)
        assert told(send()) == [(OBJ, "there", False, len(MEMBERS))]
        assert held(drive).keys() == {OBJ, CFG}

    def test_what_lay_here_before_and_was_kept_goes(
        self, drive: DriveEmulator, send: Send, bring: Bring, here: Path
    ) -> None:
        newer = make_zip(CONTENT | {"mine.txt": b"theirs"})
        drive.put(f"darknet/{OBJ}", newer)
        (here / "data/mine.txt").write_bytes(b"mine is mine")
        assert bring().conflicts == ["data/mine.txt"]
        assert (send().uploaded_files, held(drive)["data/mine.txt"]) == (1, b"mine is mine")

    def test_what_the_remote_has_as_a_file_is_judged_as_one(self, drive: DriveEmulator, send: Send) -> None:
        drive.put("darknet/data/top.txt", MEMBERS["data/top.txt"])
        drive.put("darknet/data/obj/1.txt", b"another")
        result = send()
        assert (result.kept_files, result.conflicts, result.planned_files) == (2, ["data/obj/1.txt"], 0)
        assert told(result) == [(OBJ, "there", False, len(MEMBERS) - 2)]

    def test_what_has_no_place_there_is_not_complained_of(self, drive: DriveEmulator, send: Send) -> None:
        drive.put("darknet/data/top.txt/inside", b"")
        result = send()
        assert (result.skipped, told(result)) == ([], [(OBJ, "there", False, len(MEMBERS))])

    def test_of_two_archives_that_hold_it_one_is_enough(
        self, drive: DriveEmulator, send: Send, bring: Bring, remote: DriveRemote
    ) -> None:
        drive.put("darknet/data/all.zip", ZIPPED)
        bring(OBJ, "data/all.zip").raise_failure()
        first = remote.find("data/all.zip")
        assert first is not None
        remote.delete(first)
        assert told(send()) == [(OBJ, "there", False, len(MEMBERS))]

    @pytest.mark.parametrize("is_same", [True, False])
    def test_an_archive_that_lies_here_too(
        self, drive: DriveEmulator, send: Send, here: Path, *, is_same: bool
    ) -> None:
        (here / OBJ).write_bytes(ZIPPED if is_same else NEWER)
        result = send(ours=True)
        # What takes the place of the archive is not what was unpacked.
        expected = (OBJ, "there", False, len(MEMBERS)) if is_same else (OBJ, "changed", True, len(MEMBERS))
        assert told(result) == [expected]
        assert held(drive)[OBJ] == (ZIPPED if is_same else NEWER)

    def test_a_folder_tells_no_checksums(self, tmp_path: Path, here: Path, notes: Notes, send: Send) -> None:
        there = tmp_path / "there"
        (there / "data").mkdir(parents=True)
        (there / OBJ).write_bytes(ZIPPED)
        with FolderRemote(str(there), Settings()) as folder:
            pull(folder, here, reporter=notes, options=PullOptions(unpack=(OBJ,))).raise_failure()
            result = send(folder)
            assert (result.planned_files, told(result)) == (0, [(OBJ, "there", False, len(MEMBERS))])
            assert verify(folder, here, reporter=notes).unpacked == [(OBJ, len(MEMBERS))]


class TestChanged:
    def test_it_waits_for_a_pull(self, drive: DriveEmulator, send: Send, bring: Bring, here: Path) -> None:
        drive.put(f"darknet/{OBJ}", NEWER)
        result = send()
        assert (result.planned_files, told(result)) == (0, [(OBJ, "changed", False, len(MEMBERS))])
        bring().raise_failure()
        assert (here / "data/obj/1.jpg").read_bytes() == b"newer"
        # What only the older one held is nobody's but ours now.
        dropped = {path: data for path, data in MEMBERS.items() if path != "data/obj/1.jpg"}
        assert told(send()) == [(OBJ, "there", False, 2)]
        assert held(drive) == {OBJ: NEWER, CFG: b"[net]"} | dropped

    def test_it_goes_where_the_user_says_so(self, drive: DriveEmulator, send: Send, notes: Notes) -> None:
        drive.put(f"darknet/{OBJ}", NEWER)
        assert told(send(ours=True)) == [(OBJ, "changed", True, len(MEMBERS))]
        assert held(drive) == {OBJ: NEWER, CFG: b"[net]"} | MEMBERS
        assert (
            f"{len(MEMBERS)} file(s) that were unpacked of {OBJ} go one by one, as --ours says" in notes.lines
        )

    def test_what_did_not_come_to_its_end_counts_as_changed(
        self, drive_emulator: DriveEmulator, bring: Bring, send: Send, here: Path
    ) -> None:
        # The directory of a zip is at its end: a member whose content is not what that says ends it midway.
        torn = make_zip({"obj/1.txt": b"one", "obj/2.txt": b"two"}, method=0).replace(b"two", b"TWO")
        drive_emulator.put(f"darknet/{OBJ}", torn)
        drive_emulator.put(f"darknet/{CFG}", b"[net]")
        assert [path for path, _error in bring().failed] == [OBJ]
        assert (here / "data/obj/1.txt").read_bytes() == b"one"
        result = send()
        assert (result.planned_files, told(result)) == (0, [(OBJ, "changed", False, 1)])


class TestGone:
    def test_what_is_nowhere_else_goes(
        self, drive: DriveEmulator, send: Send, remote: DriveRemote, notes: Notes
    ) -> None:
        archive = remote.find(OBJ)
        assert archive is not None
        remote.delete(archive)
        result = send()
        assert (result.uploaded_files, told(result)) == (len(MEMBERS), [(OBJ, "gone", True, len(MEMBERS))])
        assert held(drive) == {CFG: b"[net]"} | MEMBERS
        line = f"{len(MEMBERS)} file(s) that were unpacked of {OBJ} go one by one: {OBJ} is not on darknet any more"
        assert notes.lines.count(line) == 1
        again = send()
        assert (again.planned_files, again.kept_files, told(again)) == (0, len(MEMBERS) + 1, [])

    def test_another_remote_has_none_of_it(
        self, drive: DriveEmulator, send: Send, settings: Settings
    ) -> None:
        with DriveRemote("mine", settings) as mine:
            assert told(send(mine)) == [(OBJ, "gone", True, len(MEMBERS))]
        assert held(drive, "mine") == {CFG: b"[net]"} | MEMBERS
        assert held(drive) == {OBJ: ZIPPED, CFG: b"[net]"}


class TestForgotten:
    def test_it_is_said_before_it_goes_and_a_pull_finds_it_out(
        self, drive: DriveEmulator, send: Send, bring: Bring, here: Path, notes: Notes
    ) -> None:
        index = here / ".drivesync/index.sqlite"
        index.write_bytes(b"torn" * 1000)
        for log in index.parent.glob("index.sqlite-*"):
            log.unlink()
        result = send(dry_run=True)
        assert (result.planned_files, told(result)) == (len(MEMBERS), [(OBJ, "unknown", True, 0)])
        assert [line for line in notes.lines if "a pull finds it out" in line]
        bring().raise_failure()
        assert told(send()) == [(OBJ, "there", False, len(MEMBERS))]
        assert held(drive) == {OBJ: ZIPPED, CFG: b"[net]"}

    def test_where_nothing_goes_there_is_nothing_to_say(
        self, drive_emulator: DriveEmulator, send: Send, here: Path, notes: Notes
    ) -> None:
        (here / "data").mkdir(parents=True)
        (here / OBJ).write_bytes(ZIPPED)
        assert (send().uploaded_files, told(send())) == (1, [])
        (here / OBJ).unlink()
        assert (told(send()), notes.lines) == ([], [])
        assert held(drive_emulator) == {OBJ: ZIPPED}
