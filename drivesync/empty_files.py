"""Files that a tree lacks because they are empty: GitHub's web page takes none, and says nothing.

drivesync knows nothing of what the files mean. A package that does (trainer, of darknet's labels) registers a function
through the entry point ``drivesync.empty_files``; it is given the tree and answers which files it lacks that may be
empty, as POSIX paths relative to the tree.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from drivesync.disk import local_errors
from drivesync.errors import LocalWriteError, SettingsError
from drivesync.files import refuse_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from importlib.metadata import EntryPoint
    from pathlib import Path

    Find = Callable[[Path], Iterable[str]]

GROUP = "drivesync.empty_files"


def find_missing(tree: Path) -> tuple[str, ...]:
    """POSIX paths relative to ``tree`` of files that it lacks and that may be empty; sorted.

    Raises:
        SettingsError: a package that would know cannot be loaded.
    """
    from importlib.metadata import entry_points  # noqa: PLC0415 - slow to import, and seldom needed

    return tuple(sorted({path for point in entry_points(group=GROUP) for path in _load(point)(tree)}))


def create_empty(tree: Path, paths: Iterable[str]) -> int:
    """Make those of ``paths`` that are not there, and the folders that they need; nothing is overwritten.

    Args:
        tree: nothing is written outside of it.
        paths: POSIX paths relative to it.

    Returns:
        How many were made.

    Raises:
        LocalWriteError: one of them cannot be made, or would lie outside of the tree; those before it are made.
    """
    root = tree.resolve()
    return sum(_create(root, tree / path, path) for path in paths)


def _create(root: Path, target: Path, path: str) -> bool:
    if any(refuse_name(part) for part in path.split("/")):
        raise LocalWriteError(f"cannot write {path!r}: that is no path in a tree")
    with local_errors(target):
        existing = target.parent
        while not existing.exists():
            existing = existing.parent
        if not existing.resolve().is_relative_to(root):
            raise LocalWriteError(
                f"cannot write {target}: {existing} leads out of {root}",
                hint="Replace that symbolic link by a folder, or by a link to a place inside the tree.",
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            # With O_EXCL a link in its place, wherever it leads, is something that is there.
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        except FileExistsError:
            return False
    return True


def _load(point: EntryPoint) -> Find:
    try:
        find: Find = point.load()
    except (ImportError, AttributeError) as error:
        raise SettingsError(
            f"{point.value}, which knows the files that a tree needs, cannot be loaded: {error}",
            hint="Install the package that it belongs to again.",
        ) from error
    return find
