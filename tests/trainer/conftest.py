"""What these tests share: a machine whose folders count as mounts, and trees that lie there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from trainer.mounted import Machine
from trainer.status import Status, StatusWriter, status_path

if TYPE_CHECKING:
    from pathlib import Path

DRIVE = "a mounted Google Drive (fuse.drive)"


@dataclass
class World:
    """A disk, and folders of it that count as mounts."""

    home: Path
    machine: Machine

    def mount(self, place: Path, kind: str = "fuse.drive") -> Path:
        """Have ``place`` count as a mount."""
        place.mkdir(parents=True, exist_ok=True)
        before = self.machine.mountinfo.read_text()
        shown = str(place).replace(" ", "\\040")
        line = f"{before.count(chr(10)) + 1} 1 0:9 / {shown} rw,nosuid - {kind} drive rw\n"
        self.machine.mountinfo.write_text(before + line)
        return place

    def unmount_all(self) -> None:
        self.machine.mountinfo.write_text("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n")

    def be_colab(self) -> None:
        self.machine.content.mkdir()

    @property
    def tree(self) -> Path:
        """A tree on a mounted Drive."""
        tree = self.mount(self.home / "my drive") / "MyDrive" / "darknet"
        fill(tree)
        return tree


def fill(tree: Path) -> None:
    (tree / "cfg").mkdir(parents=True, exist_ok=True)


def train(tree: Path, at_s: float) -> None:
    """Leave what a training leaves."""
    status_path(tree).parent.mkdir(parents=True, exist_ok=True)
    StatusWriter(tree, Status("training", 1, 0.0), clock=lambda: at_s).flush()
    os.utime(status_path(tree), (at_s, at_s))


@pytest.fixture
def world(tmp_path: Path) -> World:
    home = tmp_path.resolve()
    made = World(
        home,
        Machine(home / "mountinfo", home / "content", home / "content" / "drive", home / "data" / "trees"),
    )
    made.unmount_all()
    return made
