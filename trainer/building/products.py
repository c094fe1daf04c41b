"""What came of a build: a program, and the shared libraries that it brings along, until they lie in the tree.

::

    TREE/.trainer/new/darknet           becomes TREE/darknet
    TREE/.trainer/new/build/lib*.so     becomes TREE/build/lib*.so, where the program looks for it (hank-ai's)
"""

from __future__ import annotations

import os
import shutil
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from drivesync.disk import fsync_folder, hash_stream, local_errors
from trainer.building.elf import NoElfError, read_elf
from trainer.building.project import LIBRARIES, NEW, Tool

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from trainer.building.project import Project

PROGRAM = "darknet"


def make_room(tree: Path) -> None:
    """Make an empty ``TREE/.trainer/new``.

    Raises:
        LocalWriteError: the disk cannot take it.
    """
    folder = tree / NEW
    with local_errors(folder):
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)


def gather(project: Project, tree: Path) -> tuple[str, ...]:
    """Have all that was built in ``TREE/.trainer/new``; returns its paths there, the program first, or nothing.

    Raises:
        LocalWriteError: the disk cannot take it.
    """
    new = tree / NEW
    if project.tool is Tool.MAKE:
        return (PROGRAM,) if (new / PROGRAM).is_file() else ()
    built = tree / project.objects
    found = sorted(path for path in built.rglob(PROGRAM) if path.is_file() and os.access(path, os.X_OK))
    if not found:
        return ()
    paths = {PROGRAM: found[0]}
    waiting = deque(_needed(found[0]))
    while waiting:
        name = waiting.popleft()
        library = next(iter(sorted(built.rglob(name))), None)
        if library is not None and f"{LIBRARIES}/{name}" not in paths:
            paths[f"{LIBRARIES}/{name}"] = library
            waiting += _needed(library)
    for path, source in paths.items():
        target = new / path
        with local_errors(target):
            target.parent.mkdir(exist_ok=True)
            shutil.copy(source, target)
    return tuple(paths)


def put_in_place(tree: Path, paths: Iterable[str]) -> None:
    """Move what was proven into the tree, each file at once, libraries before the program that wants them.

    What runs of the older ones goes on with them: they only lose their names.

    Raises:
        LocalWriteError: the disk cannot take it.
    """
    for path in sorted(paths, key=lambda path: path == PROGRAM):
        target = tree / path
        with local_errors(target):
            target.parent.mkdir(exist_ok=True)
            with (tree / NEW / path).open("rb") as file:
                os.fsync(file.fileno())
            (tree / NEW / path).replace(target)
        fsync_folder(target.parent)
    with suppress(OSError):
        shutil.rmtree(tree / NEW)


def sum_up(tree: Path, paths: Iterable[str]) -> dict[str, str]:
    """The SHA-256 of files of the tree, by their paths.

    Raises:
        LocalWriteError: one cannot be read.
    """
    sums = {}
    for path in paths:
        with local_errors(tree / path, "read"), (tree / path).open("rb") as file:
            sums[path] = hash_stream(file).sha256
    return sums


def are_unchanged(tree: Path, products: Mapping[str, str]) -> bool:
    """Whether a program, one that may be run, is there with all that came with it, and as it was built."""
    program = tree / PROGRAM
    if PROGRAM not in products or not (program.is_file() and os.access(program, os.X_OK)):
        return False
    return all((tree / path).is_file() for path in products) and sum_up(tree, products) == dict(products)


def _needed(path: Path) -> tuple[str, ...]:
    with local_errors(path, "read"):
        content = path.read_bytes()
    try:
        return read_elf(content).needed
    except NoElfError:
        return ()
