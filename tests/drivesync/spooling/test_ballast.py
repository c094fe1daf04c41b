"""Ballast is thrown away on a full disk, and taken on again when there is room."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from drivesync.spooling.ballast import drop_ballast, keep_ballast

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20


def free(disk: Path) -> int:
    return shutil.disk_usage(disk).free


def test_it_takes_room_and_gives_it_back(small_disk: Path) -> None:
    keep_ballast(small_disk)
    keep_ballast(small_disk)
    assert free(small_disk) == 7 * MIB
    drop_ballast(small_disk)
    drop_ballast(small_disk)
    assert free(small_disk) == 8 * MIB


def test_half_of_it_is_made_whole(small_disk: Path) -> None:
    """A process was killed over it."""
    keep_ballast(small_disk)
    os.truncate(small_disk / ".drivesync" / "ballast", 10)
    keep_ballast(small_disk)
    assert free(small_disk) == 7 * MIB


def test_without_room_there_is_none(small_disk: Path) -> None:
    with (small_disk / "filling").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 8 * MIB - 4096)
    keep_ballast(small_disk)
    assert not (small_disk / ".drivesync" / "ballast").exists()
    assert free(small_disk) == 4096


def test_whatever_is_in_its_place_stays(tmp_path: Path) -> None:
    place = tmp_path / ".drivesync" / "ballast"
    place.mkdir(parents=True)
    keep_ballast(tmp_path)
    drop_ballast(tmp_path)
    assert place.is_dir()
