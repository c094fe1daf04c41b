"""``pull --unpack`` as people and scripts meet it."""

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

OBJ = "data/obj.zip"


@pytest.fixture(autouse=True)
def size_bytes(drive_emulator: DriveEmulator) -> int:
    """Of an archive on Drive."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in ("obj/1.jpg", "obj/1.txt", "__MACOSX/obj/._1.jpg", "obj/.DS_Store", "../x"):
            archive.writestr(name, "content")
    drive_emulator.put(f"darknet/{OBJ}", made.getvalue())
    return len(made.getvalue())


def test_in_words(drivesync: Run, tmp_path: Path, size_bytes: int) -> None:
    assert (
        f"{OBJ} ({size_bytes} bytes) would be unpacked\n"
        in drivesync("pull", "--unpack", OBJ, "--dry-run").out
    )
    lines = drivesync("pull", "--unpack", OBJ).out.splitlines()
    assert lines[1:] == [
        "data/obj.zip: 2 files (14 bytes) unpacked, 0 were there already",
        "2 files of macOS's own (__MACOSX, .DS_Store) left out",
        "1 is left out:",
        "  data/obj.zip: ../x: its path leads upwards",
    ]
    assert (tmp_path / "darknet/data/obj/1.jpg").read_text() == "content"
    again = drivesync("pull", DRIVESYNC_UNPACK=OBJ).out.splitlines()
    assert again[1:] == ["data/obj.zip: nothing new, 2 were there already"]


def test_for_machines(drivesync: Run, size_bytes: int) -> None:
    said = json.loads(drivesync("pull", "--unpack", OBJ, "--json").out)
    assert said["unpacked"] == [
        {
            "path": OBJ,
            "bytes": size_bytes,
            "done": True,
            "unpacked": {"files": 2, "bytes": 14},
            "kept": 0,
            "junk": 2,
        }
    ]
    assert said["skipped"] == [{"path": f"{OBJ}: ../x", "reason": "its path leads upwards"}]


def test_what_fails_is_said(drivesync: Run, drive_emulator: DriveEmulator) -> None:
    drive_emulator.put(f"darknet/{OBJ}", b"torn")
    ended = drivesync("pull", "--unpack", OBJ, "--json")
    said = json.loads(ended.out)
    assert (ended.status, said["status"], said["unpacked"][0]["done"]) == (65, 65, False)
    assert "cannot be unpacked: File is not a zip file" in ended.complaint


@pytest.mark.parametrize("path", ["../obj.zip", "data/obj.rar", "/data/obj.zip", ""])
def test_what_cannot_be_an_archive(drivesync: Run, path: str) -> None:
    ended = drivesync("pull", "--unpack", path)
    assert (ended.status, ended.complaint.startswith("--unpack")) == (64, True)
