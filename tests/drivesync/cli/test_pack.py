"""``drivesync pack``, as it is called."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from drivesync.testing import ErrorAnswer, Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.testing import DriveEmulator
    from tests.drivesync.conftest import Ended


@pytest.fixture
def pulled(drive_emulator: DriveEmulator, drivesync: Callable[..., Ended], tmp_path: Path) -> Path:
    """A tree of three small files, as it was pulled."""
    for number in range(3):
        drive_emulator.put(f"darknet/data/{number}.txt", b"0 0.5 0.5 1 %d" % number)
    assert drivesync("pull", "darknet", tmp_path / "tree").status == 0
    return tmp_path / "tree"


def test_it_says_what_it_would_do_and_does_it(drivesync: Callable[..., Ended], pulled: Path) -> None:
    planned = drivesync("pack", "--dry-run", pulled)
    assert planned.out == (
        "pack would put 3 files into 1 new pack (3.1 kB) on darknet, and delete 0 old packs; 0 stay\n"
    )
    packed = drivesync("pack", pulled)
    assert packed.status == 0
    assert packed.out.startswith("pack: 3 files put into 1 new pack (4.1 kB) on darknet in ")
    assert packed.out.endswith(" s, 0 old packs deleted\n")
    assert drivesync("pack", pulled).out == "pack: nothing to do on darknet, 1 pack there\n"


def test_it_tells_what_is_not_here(drivesync: Callable[..., Ended], pulled: Path) -> None:
    (pulled / "data/1.txt").unlink()
    ended = drivesync("pack", pulled, "darknet")
    assert "1 small file there and not here, or another here, come one by one\n" in ended.out


def test_machines_get_one_object(
    drivesync: Callable[..., Ended], pulled: Path, drive_emulator: DriveEmulator
) -> None:
    said = json.loads(drivesync("pack", "--json", pulled).out)
    assert said["packed"] == {"files": 3, "bytes": 4096, "packs": 1}
    assert said["planned"] == {"files": 3, "bytes": 3072, "packs": 1}
    assert (said["status"], said["error"], said["dry_run"], said["remote"]) == (0, "", False, "darknet")
    assert said["requests"]["total"] > 3
    drive_emulator.inject(Fault(ErrorAnswer(), times=None))
    ended = drivesync("pack", "--json", pulled)
    assert ended.status == json.loads(ended.out)["status"] == 69
    assert json.loads(ended.out)["error"]


@pytest.mark.parametrize(
    ("arguments", "more", "status", "complaint"),
    [
        pytest.param(("nowhere",), {}, 66, "there is no tree at nowhere", id="no tree"),
        pytest.param(("TREE", "elsewhere"), {}, 66, "there is no folder 'elsewhere'", id="no folder"),
        pytest.param(("TREE", "./folder"), {}, 64, "keeps no packs", id="no Drive"),
        pytest.param(("TREE", "github:a/b"), {}, 64, "nothing can be pushed", id="a repository"),
        pytest.param(("TREE",), {"DRIVESYNC_PACKS": "off"}, 78, 'packs are "off"', id="off"),
        pytest.param(
            ("TREE",), {"DRIVESYNC_PACKS": "on"}, 78, "must be one of off, manual, auto", id="no setting"
        ),
    ],
)
def test_what_cannot_be(
    drivesync: Callable[..., Ended],
    pulled: Path,
    arguments: tuple[str, ...],
    more: dict[str, str],
    status: int,
    complaint: str,
) -> None:
    given = [pulled if argument == "TREE" else argument for argument in arguments]
    ended = drivesync("pack", *given, **more)
    assert ended.status == status
    assert complaint in ended.complaint
