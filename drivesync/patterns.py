"""Globs below a tree, as ``Path.glob`` has them: what they match, and where that can be. Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAGIC = frozenset("*?[")
_ANY_FOLDERS = "**"


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
