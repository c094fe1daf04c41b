"""Whether the directory that the .data file names for weights is there, and in the tree."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from drivesync.disk import is_within
from trainer.checking.findings import Finding, Severity
from trainer.checking.images import find_in_tree
from trainer.checking.rows import find_line

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME_MAX_BYTES = 255
"""Of one directory's name, on Linux."""

_CANNOT_SAVE = (
    "darknet cannot save, and ends at the first try; the original at iteration 100, with exit status 0."
)


def check_backup(tree: Path, backup: str, data: str, text: str) -> Iterator[Finding]:
    """Look at the directory for weights.

    Args:
        tree: absolute.
        backup: what darknet takes for the directory, with the tree for its working directory.
        data: the .data file, relative to the tree.
        text: of that file.
    """
    line = find_line(text, 0, "backup") or None
    place = Path(os.path.normpath(tree / backup))
    if not _is_inside(place, tree):
        if line:  # otherwise the option is missing, which ``check_data`` says
            yield Finding(
                Severity.ERROR,
                "backup-outside",
                data,
                line,
                f"backup = {backup} is not a directory within the tree.",
                "darknet saves the weights where nothing is kept safe, or nowhere.",
                "Write `backup = backup/`.",
            )
    elif any(os.path.isfile(path) for path in (place, *place.parents)):  # noqa: PTH113 - it never raises
        yield Finding(
            Severity.ERROR,
            "backup-no-folder",
            data,
            line,
            f"backup = {backup} is a file, or lies below one.",
            _CANNOT_SAVE,
            "Name a directory.",
        )
    elif not os.path.isdir(place):  # noqa: PTH112 - likewise
        yield Finding(
            Severity.ERROR,
            "no-backup-folder",
            find_in_tree(str(tree), backup) or backup,
            None,
            f"The directory for weights, backup = {backup}, does not exist.",
            _CANNOT_SAVE,
            "Make the directory; `trainer supervise` makes it by itself.",
            mendable=_can_be_made(place),
        )


def _can_be_made(place: Path) -> bool:
    """Whether the path is one that a disk takes, and no link in it leads nowhere."""
    if "\0" in str(place) or any(len(os.fsencode(part)) > _NAME_MAX_BYTES for part in place.parts):
        return False
    return not any(path.is_symlink() and not os.path.exists(path) for path in (place, *place.parents))  # noqa: PTH110 - never raises


def _is_inside(place: Path, tree: Path) -> bool:
    try:
        return place != tree and (place.is_relative_to(tree) or is_within(place.parent, tree))
    except (OSError, ValueError, RuntimeError):  # a byte 0 in a path, a name too long, a loop of links
        return False
