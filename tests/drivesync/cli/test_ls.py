"""``ls`` as people and scripts meet it."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivesync.testing import DriveEmulator
    from tests.drivesync.conftest import Ended, Tree

    Run = Callable[..., Ended]


def test_files_are_sorted_within_their_folder(drivesync: Run, drive_emulator: DriveEmulator) -> None:
    for path in ("b.txt", "a.txt", "cfg/z.cfg", "cfg/y.cfg"):
        drive_emulator.put(f"darknet/{path}", b"12345")
    ended = drivesync("ls")
    assert ended.status == 0
    *lines, total = ended.out.splitlines()
    assert [line.split()[-1] for line in lines] == ["a.txt", "b.txt", "cfg/y.cfg", "cfg/z.cfg"]
    assert all(line.startswith("  5 bytes  2") for line in lines)
    assert total == "4 files, 20 bytes"


def test_what_a_pull_leaves_out_is_told_with_the_reason(
    drivesync: Run, drive_emulator: DriveEmulator
) -> None:
    drive_emulator.put("darknet/a\x1b.txt", b"1")
    drive_emulator.put("darknet/same", b"1")
    drive_emulator.put("darknet/same/file", b"1")
    out = drivesync("ls").out
    assert "a\\x1b.txt" in out
    assert "same (a folder of the same name is beside it)\n" in out
    assert out.endswith("2 files, 2 bytes; 1 that a pull leaves out\n")


def test_a_path_narrows_it_down(drivesync: Run, full: DriveEmulator) -> None:
    assert full.read_tree("darknet").keys() > {"cfg/run.cfg"}
    for path in ("cfg", "cfg/", "cfg/run.cfg"):
        assert [line.split()[-1] for line in drivesync("ls", "darknet", path).out.splitlines()[:-1]] == [
            "cfg/run.cfg"
        ]
    missed = drivesync("ls", "darknet", "cf")
    assert missed.status == 66
    assert missed.complaint.startswith("there is no file 'cf' in darknet")


def test_folders_with_what_lies_in_them(drivesync: Run, drive_emulator: DriveEmulator) -> None:
    drive_emulator.put("darknet/Makefile", b"123")
    for number in range(3):
        drive_emulator.put(f"darknet/data/train/{number}.jpg", b"12345")
    lines = drivesync("ls", "--folders").out.splitlines()
    assert [line.split() for line in lines[:-1]] == [
        ["3", "bytes", "1", "file", "./"],
        ["15", "bytes", "3", "files", "data/train/"],
    ]
    assert json.loads(drivesync("ls", "--folders", "--json").out.splitlines()[1]) == {
        "path": "data/train",
        "files": 3,
        "bytes": 15,
        "skipped": 0,
    }


def test_json_is_an_object_a_line(drivesync: Run, drive_emulator: DriveEmulator, tree: Tree) -> None:
    file_id = drive_emulator.put("darknet/a.txt", b"12345")
    (line,) = drivesync("ls", "--json").out.splitlines()
    entry = json.loads(line)
    assert abs(datetime.fromisoformat(entry.pop("modified")).timestamp() - time.time()) < 60
    assert entry == {
        "path": "a.txt",
        "bytes": 5,
        "id": file_id,
        "md5": "827ccb0eea8a706c4c34a16891f84e7b",
    }
    (local,) = drivesync("ls", tree.root, "--json").out.splitlines()
    assert json.loads(local)["md5"] is None
