"""What these tests share: a tree of small files in Drive and here, and what the Drive holds beside it."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from drivesync.mirroring.write_rate import WriteRate
from drivesync.packing.pack import PackResult, pack
from drivesync.packing.plan import PackingLimits
from drivesync.pull import PullResult, pull
from drivesync.pulling.manifest import MANIFEST, PACKS_FOLDER, Manifest, read_manifest
from drivesync.pulling.plan import PullOptions
from drivesync.testing import trees
from tests.drivesync.conftest import Notes

if TYPE_CHECKING:
    from pathlib import Path

    from drivesync.remotes.base import Remote
    from drivesync.remotes.drive.remote import DriveRemote
    from drivesync.testing import DriveEmulator

LIMITS = PackingLimits(
    most_file_bytes=10_000, aim_bytes=90_000, small_pack_bytes=30_000, most_small_packs=3, most_files=5000
)


def make_files(files: int = 120) -> dict[str, bytes]:
    """The contents of a data set, by path: some large, some empty."""
    chance = random.Random(files)
    made = {f"data/obj/{number:03}.jpg": chance.randbytes(1500) for number in range(files // 2)}
    made |= {f"data/obj/{number:03}.txt": chance.randbytes(40) for number in range(files // 2)}
    made["data/empty.txt"] = b""
    made["data/obj/日本.txt"] = b"[net]"
    made["yolo.weights"] = chance.randbytes(30_000)
    return made


@dataclass
class Site:
    """A folder ``darknet`` in Drive, and trees that were pulled from it.

    Attributes:
        drive: where it is.
        remote: the same, entered.
        tree: one of them.
        trees: where the others are made.
        notes: what was told.
    """

    drive: DriveEmulator
    remote: DriveRemote
    tree: Path
    trees: Path
    notes: Notes

    def put(self, **contents: bytes) -> None:
        for path, content in contents.items():
            self.drive.put(f"darknet/{path}", content)

    def pack(self, tree: Path | None = None, remote: Remote | None = None, **options: Any) -> PackResult:
        """Pack as fast as it goes, in packs of 90 kB."""
        fast: dict[str, Any] = {"limits": LIMITS, "rate": WriteRate(math.inf, 1), "reporter": self.notes}
        return pack(remote or self.remote, tree or self.tree, **(fast | options))

    def pull(self, tree: Path | None = None) -> PullResult:
        """Pull, and see that what has come is what the Drive holds."""
        tree = tree or self.tree
        result = pull(self.remote, tree, reporter=self.notes, options=PullOptions(theirs=True))
        result.raise_failure()
        there = self.contents()
        here = {path: (tree / path).read_bytes() for path in there}
        assert here == there
        return result

    def pull_anew(self) -> PullResult:
        """Pull to an empty disk."""
        tree = self.trees / f"fresh{len(list(self.trees.iterdir()))}"
        result = self.pull(tree)
        files = {file.relative_to(tree).as_posix() for file in tree.rglob("*") if file.is_file()}
        assert {path for path in files if not path.startswith(".drivesync/")} == set(self.contents())
        return result

    def contents(self) -> dict[str, bytes]:
        """What the folder holds, but for packs."""
        there = self.drive.read_tree("darknet")
        return {path: content for path, content in there.items() if not path.startswith(".drivesync/")}

    def manifest(self) -> Manifest:
        return read_manifest(self.drive.read_tree("darknet")[MANIFEST])

    def names(self) -> list[str]:
        """What lies in the folder of packs, twins included."""
        with self.drive.locked() as store:
            folder = trees.find(store, f"darknet/{PACKS_FOLDER}")
            return [] if folder is None else sorted(child.name for child in store.children(folder.id))

    def assert_tidy(self) -> None:
        """There is one manifest, and it names all packs that there are, and no others."""
        packs = [pack.name for pack in self.manifest().packs]
        assert self.names() == sorted([*packs, MANIFEST.rpartition("/")[2]])


@pytest.fixture
def site(drive_emulator: DriveEmulator, remote: DriveRemote, tmp_path: Path) -> Site:
    """A data set that was pulled once, and not packed yet."""
    (tmp_path / "trees").mkdir()
    made = Site(drive_emulator, remote, tmp_path / "tree", tmp_path / "trees", Notes())
    made.put(**make_files())
    made.pull()
    return made
