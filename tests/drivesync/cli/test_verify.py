"""``verify`` as people and scripts meet it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.testing import DriveEmulator
    from tests.drivesync.conftest import Ended

    Run = Callable[..., Ended]


def test_equal(drivesync: Run, full: DriveEmulator, tmp_path: Path) -> None:
    drivesync("pull")
    (tmp_path / "darknet" / os.fsdecode(b"\xffmine")).write_bytes(b"x")
    full.reset()
    ended = drivesync("verify")
    assert ended.status == 0
    assert ended.out.startswith("verify: 2 files (")
    assert "equal, 0 different, 0 missing here, 1 only here, in " in ended.out
    assert ended.out.endswith("only here:\n  \\xffmine\n")
    assert full.counters()["files.get.media"].requests == 0


def test_65_what_differs_or_is_missing_is_named(drivesync: Run, full: DriveEmulator, tmp_path: Path) -> None:
    full.put("darknet/gone.txt", b"g")
    drivesync("pull")
    (tmp_path / "darknet" / "gone.txt").unlink()
    (tmp_path / "darknet" / "cfg" / "run.cfg").write_bytes(b"longer or shorter")
    ended = drivesync("verify")
    assert ended.status == 65
    assert "1 different, 1 missing here" in ended.out
    assert "\n  cfg/run.cfg: 17 bytes here, " in ended.out
    assert "missing here:\n  gone.txt\n" in ended.out
    assert ended.complaint.startswith("1 file(s) differ and 1 are missing; the first is cfg/run.cfg. ")
    answer = json.loads(drivesync("verify", "--json").out)
    assert answer["missing"] == ["gone.txt"]
    assert [entry["path"] for entry in answer["different"]] == ["cfg/run.cfg"]
    assert answer["equal"] == {"files": 1, "bytes": 7}
    assert answer["requests"]["total"] > 0


def test_66_no_such_tree(drivesync: Run, drive_emulator: DriveEmulator) -> None:
    ended = drivesync("verify", "darknet", "absent")
    assert ended.status == 66
    assert ended.complaint.startswith("there is no tree at absent. ")
    assert drive_emulator.counters().total().requests == 0
