"""Which files of a tree darknet is compiled from, and one checksum over all of them.

A file counts by what its name says it is: C, C++ and CUDA, headers, Makefiles, CMake's files and the templates that
these fill in. Objects, libraries, images, labels, weights and cfgs do not. Neither do:

- what lies in folders that hold no source: data/, backup/, results/, obj/, build/, any that CMake has built in (it has
  a CMakeCache.txt), and any whose name begins with a dot;
- what a build itself writes: ``X`` beside its template ``X.in`` (hank-ai's CMakeLists.txt makes darknet_version.h);
- what is below a link, unless it stands for a folder that one of the three darknets is compiled from (src, include,
  ...): a tree may have links to all of a mounted Drive.

Times, owners and run bits do not count: a tree that was pulled anew is the same source.
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING

from drivesync.disk import hash_stream, local_errors
from trainer.errors import TreeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SOURCE = re.compile(
    r"GNUmakefile|[Mm]akefile|CMakeLists\.txt|CMake(User)?Presets\.json|vcpkg(-configuration)?\.json"
    r"|.+\.(c|cc|cpp|cxx|cu|cuh|h|hh|hpp|hxx|inc|inl|S|s|asm|ld|mk|cmake|in)"
)
_NO_SOURCE = frozenset({"backup", "build", "data", "obj", "results"})
_LINKED_SOURCE = re.compile(r"src(-\w+)?|include|examples|3rdparty|cmake")


def hash_source(tree: Path) -> str:
    """SHA-256, lower-case hex, over the path and content of every file that the compiler may read.

    Raises:
        TreeError: there is no source at all.
        LocalWriteError: a file cannot be read.
    """
    whole = hashlib.sha256()
    paths = sorted(find_source(tree))
    if not paths:
        raise TreeError(
            f"there is no source of darknet in {tree}", hint="Pull the tree that has its Makefile and src/."
        )
    for path in paths:
        with local_errors(tree / path, "read"), (tree / path).open("rb") as file:
            content = hash_stream(file)
        # No path holds a byte 0, so no two sources give one text.
        whole.update(os.fsencode(path) + b"\0" + content.sha256.encode() + b"\n")
    return whole.hexdigest()


def find_source(tree: Path) -> Iterator[str]:
    """The files that count, as POSIX paths relative to the tree, in no order.

    Raises:
        LocalWriteError: a folder cannot be read.
    """
    waiting, seen = [""], set[tuple[int, int]]()
    while waiting:
        folder = waiting.pop()
        with local_errors(tree / folder, "read"):
            status = (tree / folder).stat()
            # Links may lead in a circle.
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(tree / folder) as entries:
                # In the order of names, since of two that lead to one folder the first gives it its path.
                here = {entry.name: entry for entry in sorted(entries, key=lambda entry: entry.name)}
        if folder and "CMakeCache.txt" in here:
            continue
        for name, entry in here.items():
            path = f"{folder}/{name}" if folder else name
            if _is_folder(entry):
                if _may_hold_source(entry, folder):
                    waiting.append(path)
            elif _SOURCE.fullmatch(name) and f"{name}.in" not in here and _is_file(entry):
                yield path


def _may_hold_source(entry: os.DirEntry[str], above: str) -> bool:
    name = entry.name
    if name.startswith(".") or (not above and name in _NO_SOURCE):
        return False
    return not entry.is_symlink() or _LINKED_SOURCE.fullmatch(name) is not None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in a circle
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False
