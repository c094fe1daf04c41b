"""The trees that are pulled, and whether what was pulled is the same."""

from __future__ import annotations

import os
from pathlib import Path

from drivesync.files import STATE_FOLDER

_BLOCK_BYTES = 1 << 20


def make_files(folder: Path, count: int, size_bytes: int) -> None:
    """Put ``count`` files of random bytes into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{number:06}.jpg").write_bytes(os.urandom(size_bytes))


def make_large_file(path: Path, size_bytes: int) -> None:
    """Write one file of random bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for at in range(0, size_bytes, _BLOCK_BYTES):
            file.write(os.urandom(min(_BLOCK_BYTES, size_bytes - at)))


def find_difference(source: Path, tree: Path) -> str:
    """The first path at which ``tree`` is not what ``source`` is; empty if there is none."""
    expected, got = _files_of(source), _files_of(tree)
    for path in sorted(expected | got):
        if path not in got:
            return f"{path} is missing ({len(expected - got)} are)"
        if path not in expected:
            return f"{path} is in the tree but not on Drive"
        if not _is_same(source / path, tree / path):
            return f"{path} has another content"
    return ""


def _files_of(root: Path) -> set[str]:
    """Files below ``root``, but for what the product keeps there for itself."""
    found: set[str] = set()
    for folder, folders, names in os.walk(root):
        if Path(folder) == root and STATE_FOLDER in folders:
            folders.remove(STATE_FOLDER)
        found.update(os.path.relpath(os.path.join(folder, name), root) for name in names)  # noqa: PTH118 - hot
    return found


def _is_same(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    # Read in blocks, since the kernel counts this process's memory as the children's (getrusage, ru_maxrss).
    with one.open("rb") as left, other.open("rb") as right:
        while block := left.read(_BLOCK_BYTES):
            if block != right.read(_BLOCK_BYTES):
                return False
    return True
