"""``pull`` as people and scripts meet it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import LocalWriteError
from drivesync.index import Index
from drivesync.testing import CorruptDownload, Delay, ErrorAnswer, ExpiredToken, Fault
from drivesync.testing.repository import Blob, Repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.files import LocalFile
    from drivesync.testing import DriveEmulator
    from tests.drivesync.conftest import Ended, Tree

    Run = Callable[..., Ended]

ODD = "data/it's a [red]file[/red].txt"
LAST = "backup/run_last.weights"


def test_done(drivesync: Run, full: DriveEmulator, tmp_path: Path) -> None:
    ended = drivesync("pull")
    assert ended.status == 0
    assert ended.out.startswith("pull: 2 files (")
    assert (tmp_path / "darknet" / ODD).read_bytes() == b"content"
    assert drivesync("pull").out.startswith("pull: 0 files (0 bytes) came to darknet in ")
    assert full.read_tree("darknet").keys() == {"cfg/run.cfg", ODD}


def test_the_tree_remembers_where_it_came_from(
    drivesync: Run, drive_emulator: DriveEmulator, tree: Tree
) -> None:
    drive_emulator.put("work/yolo 4/cfg/run.cfg", (tree.root / "cfg" / "run.cfg").read_bytes())
    assert drivesync("pull", "work/yolo 4").status == 0
    assert drivesync("pull").status == 0
    content = tree.save("run_last.weights", 100)
    (tree.root.parent / "darknet" / "backup").mkdir()
    (tree.root.parent / "darknet" / LAST).write_bytes(content)
    assert drivesync("push").status == 0
    assert drive_emulator.read_tree("work/yolo 4")[LAST] == content


class TestJson:
    def test_done(self, drivesync: Run, full: DriveEmulator, tmp_path: Path) -> None:
        (tmp_path / "t" / "cfg").mkdir(parents=True)
        (tmp_path / "t" / "cfg" / "run.cfg").write_text("mine")
        full.put("darknet/cfg", b"a file beside a folder")
        for number in (100, 200, 300):
            full.put(f"darknet/backup/run_{number}.weights", b"w")
        ended = drivesync("pull", "darknet", "t", "--json")
        answer = json.loads(ended.out)
        assert answer.pop("seconds") > 0
        requests, units = answer.pop("requests"), answer.pop("quota_units")
        assert requests["download"] == 3
        assert units["download"] == 600
        for counted in (requests, units):
            assert counted.pop("total") == sum(counted.values())
        assert answer == {
            "tree": "t",
            "remote": "darknet",
            "dry_run": False,
            "planned": {"files": 3, "bytes": 9},
            "downloaded": {"files": 3, "bytes": 9},
            "packed_files": 0,
            "kept": 0,
            "unpacked": [],
            "conflicts": ["cfg/run.cfg"],
            "left": ["backup/run_100.weights"],
            "skipped": [{"path": "cfg", "reason": "a folder of the same name is beside it"}],
            "failed": [],
            "without_label": [],
            "labels_made": 0,
            "retries": 0,
            "status": 0,
            "error": "",
        }

    def test_repeats_are_counted(self, drivesync: Run, full: DriveEmulator) -> None:
        full.inject(Fault(ErrorAnswer(503), "files.list", times=1))
        assert json.loads(drivesync("pull", "--json").out)["retries"] == 1

    def test_a_file_that_did_not_arrive(self, drivesync: Run, full: DriveEmulator) -> None:
        full.put("darknet/bad", b"bad bytes")
        drivesync("pull")
        full.put("darknet/bad", b"worse")
        full.inject(Fault(CorruptDownload(), times=None))
        ended = drivesync("pull", "--json")
        answer = json.loads(ended.out)
        assert ended.status == answer["status"] == 65
        assert [failed["path"] for failed in answer["failed"]] == ["bad"]
        assert "bad came damaged" in answer["error"]

    def test_no_such_folder(self, drivesync: Run) -> None:
        ended = drivesync("pull", "darkent", "--json")
        answer = json.loads(ended.out)
        assert ended.status == answer["status"] == 66
        assert "darkent" in answer["error"]
        assert answer["requests"]["total"] > 0

    def test_stopped(self, environment: dict[str, str], full: DriveEmulator, tmp_path: Path) -> None:
        full.inject(Fault(Delay(60.0), "files.get.media", skip=1, times=None))
        with subprocess.Popen(
            [sys.executable, "-m", "drivesync", "pull", "darknet", "t", "--json"],
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            while full.counters()["files.get.media"].requests < 2 or not list((tmp_path / "t").glob("*/*")):
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            out, _err = process.communicate(timeout=30)
        answer = json.loads(out)
        assert process.returncode == answer["status"] == 75
        assert answer["planned"]["files"] == 2
        assert answer["downloaded"]["files"] == 1


class TestConflicts:
    def test_theirs_overwrites_what_was_changed_here(
        self, drivesync: Run, full: DriveEmulator, tmp_path: Path
    ) -> None:
        drivesync("pull")
        (tmp_path / "darknet" / ODD).write_bytes(b"mine")
        ended = drivesync("pull")
        assert "1 file changed here, kept; --theirs overwrites:" in ended.out
        assert (tmp_path / "darknet" / ODD).read_bytes() == b"mine"
        assert "changed here" not in drivesync("pull", "--theirs").out
        assert (tmp_path / "darknet" / ODD).read_bytes() == full.read_tree("darknet")[ODD]

    def test_many_are_not_told_at_length_nor_obeyed_by_the_terminal(
        self, drivesync: Run, drive_emulator: DriveEmulator, tmp_path: Path
    ) -> None:
        for number in range(12):
            drive_emulator.put(f"darknet/{number:02}\x1b[2J", b"theirs")
        drivesync("pull", "darknet", "t")
        for file in (tmp_path / "t").glob("*J"):
            file.write_bytes(b"mine")
        ended = drivesync("pull", "darknet", "t")
        assert ended.status == 0
        assert "12 files changed here" in ended.out
        assert ended.out.count("\\x1b[2J\n") == 10
        assert "and 2 more (--json lists all)" in ended.out
        assert "\x1b" not in ended.out + ended.err


class TestOldCheckpoints:
    def test_stay_and_that_is_said_in_one_line(
        self, drivesync: Run, full: DriveEmulator, tmp_path: Path
    ) -> None:
        for number in (100, 200, 300, 400):
            full.put(f"darknet/backup/run_{number}.weights", b"w")
        ended = drivesync("pull")
        assert "\n2 old checkpoints stay on Drive (--all-checkpoints brings them)\n" in ended.out
        here = tmp_path / "darknet" / "backup"
        assert sorted(file.name for file in here.iterdir()) == ["run_300.weights", "run_400.weights"]
        assert "checkpoint" not in drivesync("pull", "--all-checkpoints").out
        assert len(list(here.iterdir())) == 4


class TestDryRun:
    def test_says_what_would_come_and_leaves_no_trace(
        self, drivesync: Run, full: DriveEmulator, tmp_path: Path
    ) -> None:
        for number in range(60):
            full.put(f"darknet/data/{number:02}.txt", b"12345")
        before = set(tmp_path.iterdir())
        ended = drivesync("pull", "--dry-run")
        assert ended.status == 0
        assert ended.out.startswith("pull would bring 62 files (")
        # 62 downloads of 200 units each, of which a minute has 325,000.
        assert "by the quota of a new Drive project that takes 0:02 at least\n" in ended.out
        assert "   5 bytes  data/00.txt\n" in ended.out
        assert "and 42 more (--json lists all)" in ended.out
        assert set(tmp_path.iterdir()) == before
        assert full.counters()["files.get.media"].requests == 0

    def test_json_lists_every_file(self, drivesync: Run, full: DriveEmulator) -> None:
        drivesync("pull")
        full.put("darknet/new.txt", b"12345")
        full.put("darknet/also.txt", b"1")
        answer = json.loads(drivesync("pull", "--dry-run", "--json").out)
        assert answer["dry_run"]
        assert answer["files"] == [{"path": "also.txt", "bytes": 1}, {"path": "new.txt", "bytes": 5}]
        assert answer["expected_seconds"] == pytest.approx(2 * 200 * 60 / 325_000)
        assert (answer["kept"], answer["downloaded"]["files"]) == (2, 0)

    def test_a_folder_has_no_quota(self, drivesync: Run, tree: Tree) -> None:
        answer = json.loads(drivesync("pull", tree.root, "t", "--dry-run", "--json").out)
        assert answer["planned"]["files"] == 1
        assert answer["expected_seconds"] is None


class TestLabels:
    @pytest.fixture
    def repository(self, tmp_path: Path) -> Repository:
        """Two images are listed, and one has a label."""
        made = Repository(tmp_path / "repository.git")
        made.commit(
            Blob(b"cfg/remote.data", b"train = data/train.txt"),
            Blob(b"data/train.txt", b"data/1.jpg\ndata/2.jpg\n"),
            Blob(b"data/1.jpg", b"image"),
            Blob(b"data/2.jpg", b"image"),
            Blob(b"data/1.txt", b"0 .5 .5 .1 .1\n"),
        )
        return made

    def test_images_without_one_are_told(
        self, drivesync: Run, repository: Repository, tmp_path: Path
    ) -> None:
        ended = drivesync("pull", repository.url, "t")
        assert ended.status == 0
        assert "\n1 image has no label file; --empty-labels makes empty ones:\n  data/2.txt\n" in ended.out
        assert json.loads(drivesync("pull", repository.url, "t", "--json").out)["without_label"] == [
            "data/2.txt"
        ]
        assert not (tmp_path / "t" / "data" / "2.txt").exists()

    def test_empty_ones_are_made_on_demand(
        self, drivesync: Run, repository: Repository, tmp_path: Path
    ) -> None:
        ended = drivesync("pull", repository.url, "t", "--empty-labels")
        assert "\n1 empty label file made\n" in ended.out
        assert (tmp_path / "t" / "data" / "2.txt").read_bytes() == b""
        answer = json.loads(drivesync("pull", repository.url, "t", "--empty-labels", "--json").out)
        assert (answer["without_label"], answer["labels_made"]) == ([], 0)

    def test_a_later_push_goes_to_drive(
        self,
        drivesync: Run,
        repository: Repository,
        tree: Tree,
        on_drive: Callable[[str], dict[str, bytes]],
        tmp_path: Path,
    ) -> None:
        repository.commit(Blob(b"cfg/run.cfg", (tree.root / "cfg" / "run.cfg").read_bytes()))
        drivesync("pull", repository.url, "t")
        shutil.copytree(tree.root / "backup", tmp_path / "t" / "backup")
        (tmp_path / "t" / LAST).write_bytes(tree.weights(100))
        assert f"remote: {repository.url} to pull from, darknet to push to\n" in drivesync("status", "t").out
        assert drivesync("push", "t").status == 0
        assert on_drive("darknet") == {LAST: tree.weights(100)}
        assert drivesync("pull", repository.url, "t").status == 0


def test_what_keeps_all_files_away_is_not_told_for_each(
    drivesync: Run, drive_emulator: DriveEmulator, tmp_path: Path
) -> None:
    for number in range(40):
        drive_emulator.put(f"darknet/data/{number}.txt", b"x")
    (tmp_path / "darknet").mkdir()
    (tmp_path / "darknet" / "data").write_text("in the way")
    ended = drivesync("pull")
    assert ended.status == 73
    assert ended.err.count("\n") == 11
    assert ended.complaint.startswith("40 file(s) did not arrive; the first is data/0.txt: cannot write ")
    assert ended.out.splitlines()[-1] == "30 files more did not arrive (--json lists all)"
    assert len(json.loads(drivesync("pull", "--json").out)["failed"]) == 40


def test_what_ended_it_is_told_and_not_what_that_kept_from_being_recorded(
    drivesync: Run, full: DriveEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_index: Index, *files: LocalFile) -> None:
        if files:
            raise LocalWriteError("the index's disk is full")

    for number in range(40):
        full.put(f"darknet/data/{number}.txt", b"x")
    full.inject(Fault(ExpiredToken(), "files.get.media", skip=30))
    monkeypatch.setattr(Index, "record", fail)
    ended = drivesync("pull")
    assert ended.status == 77
    assert "the access token has expired" in ended.complaint
