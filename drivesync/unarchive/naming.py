"""Where a member of an archive goes, and which do not come. Pure."""

from __future__ import annotations

import re
import unicodedata

from drivesync.files import STATE_FOLDER, TRAINERS_FOLDER, refuse_name

_DRIVE_LETTER = re.compile(r"[A-Za-z]:")
_OF_OTHERS = frozenset({STATE_FOLDER, TRAINERS_FOLDER})


class RefusedNameError(ValueError):
    """A member's name is none that a file in the tree can have; ``str()`` is the reason, as a clause."""


def find_place(archive: str, name: str) -> str:
    """The path in the tree of a member, as if the archive were unpacked in its own folder.

    Args:
        archive: path of the archive in the tree.
        name: of the member, with slashes between its parts; may hold anything.

    Raises:
        RefusedNameError: it would lie elsewhere, or cannot be the name of a file.
    """
    if name.startswith("/"):
        raise RefusedNameError("its path is absolute")
    if _DRIVE_LETTER.match(name):
        raise RefusedNameError("its path begins with a drive letter")
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if not parts:
        raise RefusedNameError("it has no name")
    for part in parts:
        if reason := refuse_name(part):
            raise RefusedNameError("its path leads upwards" if part == ".." else reason)
    path = "/".join([*archive.split("/")[:-1], *parts])
    # Whatever the disk makes of case, what is kept there is nothing for an archive to bring.
    if fold(path.partition("/")[0]) in _OF_OTHERS:
        raise RefusedNameError("it would lie in what drivesync or the trainer keeps for itself")
    return path


def is_junk(name: str) -> bool:
    """Whether ``name`` is what macOS adds for its own use."""
    parts = name.split("/")
    return "__MACOSX" in parts or parts[-1] == ".DS_Store"


def fold(path: str) -> str:
    """One text for all paths that a disk without case may take for one."""
    return unicodedata.normalize("NFC", path).casefold()
