"""What these tests share: archives, and a pull that unpacks them."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from drivesync.pull import PullResult, pull
from drivesync.pulling.plan import PullOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from drivesync.remotes.drive.remote import DriveRemote
    from tests.drivesync.conftest import Notes

MODIFIED_S = 1_600_000_000
ZIPPED = (2020, 9, 13, 12, 26, 40)
CONTENT = {
    "obj/1.jpg": b"\xff\xd8 one" * 100,
    "obj/1.txt": b"0 0.5 0.5 1 1\n",
    "obj/empty.txt": b"",
    "top.txt": b"beside the archive",
    "obj/日本語 🦊.png": b"\x89PNG",
    "tools/run.sh": b"#!/bin/sh\n",
}


def make_zip(content: Mapping[str, bytes] = CONTENT, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip as Info-ZIP on Linux makes them, folders included."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        archive.writestr(zipfile.ZipInfo("obj/"), b"")
        for name, data in content.items():
            info = zipfile.ZipInfo(name, ZIPPED)
            info.compress_type = method
            info.external_attr = (stat.S_IFREG | (0o755 if name.endswith(".sh") else 0o644)) << 16
            archive.writestr(info, data)
    return made.getvalue()


def make_tar(content: Mapping[str, bytes] = CONTENT, mode: str = "w") -> bytes:
    """A tar as ``tar cf a.tar .`` makes them."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:  # type: ignore[call-overload]
        folder = tarfile.TarInfo("./obj")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, data in content.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size, info.mtime = len(data), MODIFIED_S
            info.mode = 0o755 if name.endswith(".sh") else 0o644
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()


MAKERS: dict[str, Callable[..., bytes]] = {
    "obj.zip": make_zip,
    "obj.tar": make_tar,
    "obj.tar.gz": lambda content=CONTENT: make_tar(content, "w:gz"),
    "obj.tgz": lambda content=CONTENT: make_tar(content, "w:gz"),
}


def contents(tree: Path) -> dict[str, bytes]:
    """All files but drivesync's own."""
    return {
        file.relative_to(tree).as_posix(): file.read_bytes()
        for file in tree.rglob("*")
        if file.is_file() and ".drivesync" not in file.relative_to(tree).parts
    }


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return tmp_path / "here"


@pytest.fixture
def bring(remote: DriveRemote, here: Path, notes: Notes) -> Callable[..., PullResult]:
    """``bring("data/obj.zip", theirs=True)`` pulls, and unpacks that."""

    def run(*unpack: str, theirs: bool = False, dry_run: bool = False) -> PullResult:
        options = PullOptions(unpack=unpack, theirs=theirs, dry_run=dry_run)
        return pull(remote, here, reporter=notes, options=options)

    return run
