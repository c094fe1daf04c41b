"""Globs below a tree, as ``Path.glob`` has them: what they match, and where that can be. Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAGIC = frozenset("*?[")
_ANY_FOLDERS = "**"


def refuse_pattern(pattern: str) -> str:
    """Say why ``pattern`` names nothing that may be pushed of a tree; empty if it may name something."""
    path = PurePosixPath(pattern)
    if path.is_absolute():
        return "it is not relative to TREE"
    if not path.parts:
        return "it is empty"
    if ".." in path.parts:
        return "it leads out of TREE"
    if any(_ANY_FOLDERS in part and part != _ANY_FOLDERS for part in path.parts):
        # As ``Path.glob`` has it before Python 3.13.
        return "** stands for folders, and for nothing beside them in a name: **/*.pt"
    return ""


def fixed_folder(pattern: str) -> PurePosixPath:
    """The folder below which all is that ``pattern`` can match: ``runs`` of ``runs/*/weights/*.pt``."""
    folders = PurePosixPath(pattern).parts[:-1]
    fixed = next((at for at, name in enumerate(folders) if _MAGIC & set(name)), len(folders))
    return PurePosixPath(*folders[:fixed])


def is_deep(pattern: str) -> bool:
    """Whether ``pattern`` can match what does not lie in its ``fixed_folder`` itself."""
    path = PurePosixPath(pattern)
    return path.name == _ANY_FOLDERS or fixed_folder(pattern) != path.parent


def matches(path: str, pattern: str) -> bool:
    """Whether ``pattern`` matches the file at ``path``; ``**`` stands for any number of folders."""
    return _match(path.split("/"), PurePosixPath(pattern).parts)


def _match(names: Sequence[str], parts: Sequence[str]) -> bool:
    if not names or not parts:
        return not names and not parts
    if parts[0] == _ANY_FOLDERS:
        # At the end it stands for what is in them, too.
        return len(parts) == 1 or any(_match(names[at:], parts[1:]) for at in range(len(names)))
    return fnmatchcase(names[0], parts[0]) and _match(names[1:], parts[1:])
