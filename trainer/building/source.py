"""Which files of a tree darknet is compiled from, and one checksum over all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def hash_source(tree: Path) -> str:
    """SHA-256, lower-case hex, over the path and content of every file that the compiler may read."""
    raise NotImplementedError
