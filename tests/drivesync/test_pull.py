"""What Drive holds comes here, byte for byte, and nothing that was here is lost."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

from drivesync.disk import is_same, look
from drivesync.errors import (
    DamagedError,
    LocalWriteError,
    NotAllowedError,
    NotFoundError,
    RemoteError,
    TransientError,
    UnfinishedError,
)
from drivesync.index import Index
from drivesync.pull import PullResult, pull
from drivesync.pulling.plan import PullOptions, PullPlan
from drivesync.remotes.drive.remote import DriveRemote
from drivesync.testing import CorruptDownload, Delay, ErrorAnswer, ExpiredToken, Fault
from drivesync.testing.trees import find
from drivesync.tree import TreeState, read_tree_state

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.config import Settings
    from drivesync.testing import DriveEmulator
    from tests.drivesync.conftest import Notes

FILES = {
    'cfg/it\'s "remote".cfg': b"[net]",
    "data/obj/empty.txt": b"",
    "data/obj/日本語 🦊.png": b"\x89PNG" * 1000,
    "darknet": b"\x7fELF program",
}


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return tmp_path / "here"


@pytest.fixture
def full(drive_emulator: DriveEmulator) -> DriveEmulator:
    """A Drive that holds FILES."""
    for path, content in FILES.items():
        drive_emulator.put(f"darknet/{path}", content)
    return drive_emulator


@pytest.fixture
def bring(remote: DriveRemote, here: Path, notes: Notes) -> Callable[..., PullResult]:
    """``bring(theirs=True)`` pulls with that option."""
    return lambda **options: pull(remote, here, reporter=notes, options=PullOptions(**options))


def contents(tree: Path) -> dict[str, bytes]:
    return {
        file.relative_to(tree).as_posix(): file.read_bytes()
        for file in tree.rglob("*")
        if file.is_file() and ".drivesync" not in file.parts
    }


def test_everything_comes(
    bring: Callable[..., PullResult], here: Path, full: DriveEmulator, notes: Notes
) -> None:
    result = bring()
    assert contents(here) == FILES
    assert result.downloaded_files == result.planned_files == len(FILES)
    assert (
        result.downloaded_bytes == result.planned_bytes == sum(map(len, FILES.values())) == notes.size_bytes
    )
    assert notes.files == len(FILES)
    assert os.access(here / "darknet", os.X_OK)
    assert not os.access(here / "cfg" / 'it\'s "remote".cfg', os.X_OK)
    with full.locked() as store:
        entry = find(store, "darknet/darknet")
    assert entry is not None
    assert (here / "darknet").stat().st_mtime_ns == entry.modified_ms * 1_000_000
    assert read_tree_state(here) == TreeState("darknet", complete=True)
    result.raise_failure()


def test_a_second_pull_brings_and_reads_nothing(
    bring: Callable[..., PullResult], here: Path, full: DriveEmulator
) -> None:
    bring()
    full.counters().reset()
    before = {path: (here / path).stat() for path in FILES}
    result = bring()
    assert (result.downloaded_files, result.kept_files) == (0, len(FILES))
    assert full.counters()["files.get.media"].requests == 0
    assert {path: (here / path).stat().st_ctime_ns for path in FILES} == {
        path: status.st_ctime_ns for path, status in before.items()
    }


def test_a_second_pull_asks_what_has_changed_and_whose_it_is(
    bring: Callable[..., PullResult], full: DriveEmulator
) -> None:
    bring()
    full.counters().reset()
    bring()
    counted = full.counters()
    assert counted["changes.list"].requests == counted["about.get"].requests == 1, "at the same time"
    assert counted.total().requests == 2


def test_what_it_costs_is_told(bring: Callable[..., PullResult], full: DriveEmulator) -> None:
    full.inject(Fault(ErrorAnswer(503), "files.get.media", times=2))
    result = bring()
    counted = full.counters()
    assert sum(spent.requests for spent in result.usage.values()) == counted.total().requests
    assert sum(spent.units for spent in result.usage.values()) == counted.total().units + 2 * 200
    assert (result.usage["download"].requests, result.retries) == (5, 2)
    assert result.seconds > 0


def test_only_what_changed_on_drive_comes(
    bring: Callable[..., PullResult], here: Path, full: DriveEmulator
) -> None:
    bring()
    full.put("darknet/darknet", b"#!/bin/sh of the same size"[: len(FILES["darknet"])])
    full.put("darknet/new", b"new")
    assert bring().downloaded_files == 2
    assert contents(here) == full.read_tree("darknet")


def test_what_is_gone_on_drive_stays_here(
    bring: Callable[..., PullResult], here: Path, full: DriveEmulator
) -> None:
    bring()
    with full.locked() as store:
        entry = find(store, "darknet/cfg")
        assert entry is not None
        store.delete(entry.id)
    bring()
    assert contents(here) == FILES


@pytest.mark.usefixtures("full")
class TestLocalChanges:
    @pytest.mark.parametrize("content", [b"mine", b"\x7fELF proGram", b""])
    def test_they_are_kept(
        self, bring: Callable[..., PullResult], here: Path, drive_emulator: DriveEmulator, content: bytes
    ) -> None:
        bring()
        (here / "darknet").write_bytes(content)
        drive_emulator.put("darknet/darknet", b"newer on Drive")
        for _ in range(2):
            result = bring()
            assert result.conflicts == ["darknet"]
            assert contents(here)["darknet"] == content
        result.raise_failure()

    def test_a_checkpoint_that_is_further_here_is_kept(
        self, bring: Callable[..., PullResult], here: Path, drive_emulator: DriveEmulator
    ) -> None:
        drive_emulator.put("darknet/backup/run_last.weights", b"iteration 100")
        bring()
        (here / "backup" / "run_last.weights").write_bytes(b"iteration 200")
        bring()
        assert contents(here)["backup/run_last.weights"] == b"iteration 200"

    def test_a_file_that_no_pull_brought_is_kept(self, bring: Callable[..., PullResult], here: Path) -> None:
        here.mkdir()
        (here / "darknet").write_bytes(b"mine")
        assert bring().conflicts == ["darknet"]
        assert contents(here) == FILES | {"darknet": b"mine"}

    def test_a_file_that_happens_to_be_drives_is_adopted(
        self, bring: Callable[..., PullResult], here: Path, drive_emulator: DriveEmulator
    ) -> None:
        here.mkdir()
        (here / "darknet").write_bytes(FILES["darknet"])
        result = bring()
        assert (result.kept_files, result.conflicts) == (1, [])
        drive_emulator.put("darknet/darknet", b"newer on Drive")
        bring()
        assert contents(here)["darknet"] == b"newer on Drive"

    def test_a_file_that_was_only_touched_is_not_changed(
        self, bring: Callable[..., PullResult], here: Path, drive_emulator: DriveEmulator
    ) -> None:
        bring()
        os.utime(here / "darknet", ns=(1, 1))
        assert bring().conflicts == []
        drive_emulator.put("darknet/darknet", b"newer on Drive")
        bring()
        assert contents(here)["darknet"] == b"newer on Drive"

    def test_a_file_below_a_linked_folder_is_kept(self, bring: Callable[..., PullResult], here: Path) -> None:
        (here / "real").mkdir(parents=True)
        (here / "cfg").symlink_to("real")
        name = 'it\'s "remote".cfg'
        (here / "real" / name).write_bytes(b"mine")
        assert bring().conflicts == [f"cfg/{name}"]
        assert (here / "real" / name).read_bytes() == b"mine"

    def test_a_file_that_is_changed_while_it_comes_is_kept(
        self, bring: Callable[..., PullResult], here: Path, drive_emulator: DriveEmulator
    ) -> None:
        bring()
        drive_emulator.put("darknet/darknet", b"newer on Drive")
        drive_emulator.inject(Fault(Delay(0.3), "files.get.media"))
        drive_emulator.counters().reset()

        def edit() -> None:
            while not drive_emulator.counters()["files.get.media"].requests:
                time.sleep(0.005)
            (here / "darknet").write_bytes(b"mine, just now")

        editor = threading.Thread(target=edit)
        editor.start()
        result = bring()
        editor.join()
        assert contents(here)["darknet"] == b"mine, just now"
        with pytest.raises(UnfinishedError, match="was changed here while it was being pulled"):
            result.raise_failure()
        assert bring().conflicts == ["darknet"]


class TestDamage:
    def test_a_damaged_file_is_fetched_again(
        self, bring: Callable[..., PullResult], here: Path, full: DriveEmulator, notes: Notes
    ) -> None:
        # Not three times, which may strike one file only, and then are an error.
        full.inject(Fault(CorruptDownload(), "files.get.media", times=2))
        bring().raise_failure()
        assert contents(here) == FILES
        assert notes.size_bytes == sum(map(len, FILES.values()))

    def test_one_that_stays_damaged_is_an_error_and_the_others_come(
        self, bring: Callable[..., PullResult], here: Path, full: DriveEmulator
    ) -> None:
        bring()
        full.put("darknet/darknet", b"newer on Drive")
        full.inject(Fault(CorruptDownload(), "files.get.media", times=None))
        result = bring()
        assert contents(here) == FILES
        assert read_tree_state(here) == TreeState("darknet", complete=True)
        with pytest.raises(DamagedError, match=r"1 file.*darknet came damaged: expected 14 bytes with md5"):
            result.raise_failure()
        full.reset()
        bring().raise_failure()
        assert contents(here)["darknet"] == b"newer on Drive"

    def test_a_first_pull_that_misses_a_file_is_not_complete(
        self, bring: Callable[..., PullResult], here: Path, full: DriveEmulator
    ) -> None:
        full.inject(Fault(CorruptDownload(), "files.get.media", times=None))
        result = bring()
        assert contents(here) == {"data/obj/empty.txt": b""}
        assert len(result.failed) == 3
        assert read_tree_state(here) == TreeState("darknet", complete=False)

    def test_one_file_cannot_be_had_and_the_others_come(
        self, bring: Callable[..., PullResult], here: Path, full: DriveEmulator
    ) -> None:
        full.inject(Fault(ErrorAnswer(403, "cannotDownloadAbusiveFile"), "files.get.media"))
        result = bring()
        assert len(contents(here)) == len(FILES) - 1
        with pytest.raises(
            RemoteError, match=r"1 file\(s\) did not arrive; the first is .*: reading"
        ) as caught:
            result.raise_failure()
        assert "harmful" in caught.value.hint

    def test_files_that_cannot_be_put_in_their_place_and_the_others_come(
        self, bring: Callable[..., PullResult], here: Path, full: DriveEmulator
    ) -> None:
        here.mkdir()
        (here / "data").write_bytes(b"a file where a folder should be")
        (here / "darknet").mkdir()
        result = bring()
        assert [path for path, _error in result.failed] == sorted(
            path for path in full.read_tree("darknet") if path.startswith("da")
        )
        assert contents(here).keys() == {"data", 'cfg/it\'s "remote".cfg'}
        with pytest.raises(LocalWriteError, match=r"3 file\(s\) did not arrive"):
            result.raise_failure()


class TestStopped:
    def test_a_drive_that_gives_no_file_is_not_asked_for_each(
        self, bring: Callable[..., PullResult], drive_emulator: DriveEmulator
    ) -> None:
        for number in range(300):
            drive_emulator.put(f"darknet/{number}", b"x")
        drive_emulator.inject(Fault(ErrorAnswer(503), "files.get.media", times=None))
        with pytest.raises(TransientError):
            bring()

    @pytest.mark.parametrize(
        ("fault", "kind"),
        [
            pytest.param(ErrorAnswer(503), TransientError, id="Drive is down"),
            pytest.param(ExpiredToken(), NotAllowedError, id="the token dies"),
        ],
    )
    def test_what_has_come_stays_and_a_rerun_goes_on(
        self,
        bring: Callable[..., PullResult],
        remote: DriveRemote,
        here: Path,
        full: DriveEmulator,
        fault: ErrorAnswer | ExpiredToken,
        kind: type[Exception],
    ) -> None:
        full.inject(Fault(fault, "files.get.media", times=None, skip=1))
        with pytest.raises(kind):
            bring().raise_failure()
        partly = contents(here)
        assert partly.items() <= FILES.items()
        assert read_tree_state(here) == TreeState("darknet", complete=False)
        assert list((here / ".drivesync" / "partial").iterdir()) == []
        full.reset()
        remote.__exit__(None, None, None)
        with remote:
            bring().raise_failure()
        assert contents(here) == FILES

    def test_nobody_waits_for_the_other_files(
        self, bring: Callable[..., PullResult], full: DriveEmulator
    ) -> None:
        full.inject(Fault(ErrorAnswer(401, "authError"), "files.get.media"))
        full.inject(Fault(Delay(60.0), "files.get.media", skip=1, times=None))
        began_s = time.monotonic()
        with pytest.raises(NotAllowedError):
            bring()
        assert time.monotonic() - began_s < 20

    def test_a_remote_that_is_not_there_leaves_no_trace(
        self, bring: Callable[..., PullResult], here: Path
    ) -> None:
        with pytest.raises(NotFoundError):
            bring()
        assert not here.exists()

    def test_what_a_killed_pull_left_is_cleared(
        self, bring: Callable[..., PullResult], here: Path, full: DriveEmulator
    ) -> None:
        partial = here / ".drivesync" / "partial"
        partial.mkdir(parents=True)
        (partial / "0123.part").write_bytes(b"half a file")
        bring()
        assert list(partial.iterdir()) == []
        assert contents(here) == full.read_tree("darknet")

    def test_one_at_a_time(self, bring: Callable[..., PullResult], here: Path, full: DriveEmulator) -> None:
        full.inject(Fault(Delay(1.0), "files.get.media"))
        first = threading.Thread(target=bring)
        first.start()
        while not full.counters()["files.get.media"].requests:
            time.sleep(0.005)
        with pytest.raises(UnfinishedError, match="another pull is at work"):
            bring()
        first.join()
        assert contents(here) == FILES

    def test_a_file_where_the_tree_should_be(
        self, bring: Callable[..., PullResult], here: Path, full: DriveEmulator
    ) -> None:
        here.write_bytes(b"mine")
        with pytest.raises(LocalWriteError, match="is a file, not a folder"):
            bring()
        assert full.counters().total().requests == 0


class TestDryRun:
    def test_a_tree_that_is_not_there_stays_so(
        self, bring: Callable[..., PullResult], here: Path, full: DriveEmulator
    ) -> None:
        result = bring(dry_run=True)
        assert not here.exists()
        assert (result.planned_files, result.downloaded_files) == (len(FILES), 0)
        assert result.planned_bytes == sum(map(len, FILES.values()))
        assert full.counters()["files.get.media"].requests == 0

    def test_a_tree_that_is_there_stays_as_it_is(
        self, bring: Callable[..., PullResult], here: Path, full: DriveEmulator
    ) -> None:
        bring()
        full.put("darknet/darknet", b"newer on Drive")
        full.put("darknet/new", b"new")
        (here / "cfg" / 'it\'s "remote".cfg').write_bytes(b"mine")
        before = contents(here)
        for _ in range(2):
            result = bring(dry_run=True)
            assert (result.planned_files, result.kept_files) == (2, 2)
            assert result.conflicts == ['cfg/it\'s "remote".cfg']
            assert contents(here) == before
        assert bring().downloaded_files == 2

    @pytest.mark.usefixtures("full")
    def test_each_part_of_the_plan_is_told(self, remote: DriveRemote, here: Path, notes: Notes) -> None:
        plans: list[PullPlan] = []
        pull(remote, here, reporter=notes, options=PullOptions(dry_run=True), on_plan=plans.append)
        assert sorted(file.path for plan in plans for file in plan.download) == sorted(FILES)


class TestOnly:
    def test_what_begins_so_comes_and_the_tree_is_not_complete(
        self, bring: Callable[..., PullResult], here: Path, full: DriveEmulator
    ) -> None:
        assert bring(only=("data/",)).downloaded_files == 2
        assert contents(here).keys() == {path for path in FILES if path.startswith("data/")}
        assert read_tree_state(here) is None
        assert bring().downloaded_files == 2
        assert read_tree_state(here) == TreeState("darknet", complete=True)
        assert full.counters()["files.get.media"].requests == 3, "an empty file needs none"

    @pytest.mark.usefixtures("full")
    def test_parts_of_other_files_stay(self, bring: Callable[..., PullResult], here: Path) -> None:
        partial = here / ".drivesync" / "partial"
        partial.mkdir(parents=True)
        (partial / "0123.part").write_bytes(b"half a large file")
        bring(only=("data/",))
        assert [part.name for part in partial.iterdir()] == ["0123.part"]


class TestOldCheckpoints:
    @pytest.fixture(autouse=True)
    def _checkpoints(self, drive_emulator: DriveEmulator) -> None:
        for number in (1000, 200, 900, 100):
            drive_emulator.put(f"darknet/backup/run_{number}.weights", b"%d" % number)
        drive_emulator.put("darknet/backup/run_last.weights", b"last")

    def test_those_that_a_resume_does_not_need_are_left(
        self, bring: Callable[..., PullResult], here: Path
    ) -> None:
        for _ in range(2):
            result = bring()
            assert result.left == ["backup/run_100.weights", "backup/run_200.weights"]
            assert contents(here).keys() == {
                "backup/run_1000.weights",
                "backup/run_900.weights",
                "backup/run_last.weights",
            }
        assert read_tree_state(here) == TreeState("darknet", complete=True)

    def test_all_come_if_asked_for(self, bring: Callable[..., PullResult], here: Path) -> None:
        result = bring(all_checkpoints=True)
        assert (result.left, result.downloaded_files) == ([], 5)
        assert bring().kept_files == len(contents(here)) == 5, "what is here is not left"


class TestTwoRemotes:
    def test_a_mistyped_remote_is_not_remembered(
        self,
        bring: Callable[..., PullResult],
        settings: Settings,
        here: Path,
        notes: Notes,
        full: DriveEmulator,
    ) -> None:
        bring()
        with DriveRemote("dakrnet", settings) as mistyped, pytest.raises(NotFoundError):
            pull(mistyped, here, reporter=notes)
        assert read_tree_state(here) == TreeState("darknet", complete=True)
        full.counters().reset()
        bring()
        assert full.counters()["changes.list"].requests == 1
        assert full.counters()["files.list"].requests == 0

    def test_each_is_listed_for_itself(
        self,
        bring: Callable[..., PullResult],
        settings: Settings,
        here: Path,
        notes: Notes,
        full: DriveEmulator,
    ) -> None:
        bring()
        full.put("other/darknet", FILES["darknet"])
        full.put("other/more", b"more")
        with DriveRemote("other", settings) as other:
            result = pull(other, here, reporter=notes)
        assert (result.downloaded_files, result.kept_files) == (1, 1)
        assert contents(here) == FILES | {"more": b"more"}
        assert read_tree_state(here) == TreeState("other", complete=True)


def test_a_file_whose_checksum_cannot_be_taken_is_kept(
    bring: Callable[..., PullResult], here: Path, full: DriveEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise LocalWriteError("cannot read it: Input/output error")

    bring()
    os.utime(here / "darknet", ns=(1, 1))
    monkeypatch.setattr("drivesync.pull.hash_file", fail)
    assert bring().conflicts == ["darknet"]
    assert contents(here) == full.read_tree("darknet")


def test_the_index_remembers_what_came(
    bring: Callable[..., PullResult], here: Path, full: DriveEmulator
) -> None:
    bring()
    with Index(here) as index:
        known = index.read()
    assert known.keys() == full.read_tree("darknet").keys()
    for path, file in known.items():
        assert is_same(look(here, path), file)
        assert file.md5 == hashlib.md5(FILES[path], usedforsecurity=False).hexdigest()
        assert file.revision_id


def test_killed_between_any_two_effects_a_rerun_converges(
    full: DriveEmulator, tmp_path: Path, kill_everywhere: Callable[..., list[Path]]
) -> None:
    template = tmp_path / "template"
    template.mkdir()
    trees = kill_everywhere("pull", template, REMOTE="darknet")
    assert len(trees) > 15
    for tree in trees:
        assert contents(tree) == full.read_tree("darknet")
        assert list((tree / ".drivesync" / "partial").iterdir()) == []
        assert read_tree_state(tree) == TreeState("darknet", complete=True)
