"""Which images of a tree have no label file, for drivesync: asked through the entry point ``drivesync.empty_files``.

An image without objects has an empty label file, and GitHub's web page drops empty files. The original darknet ends at
the first image without one, hank-ai's too; AlexeyAB's goes on, and writes a line to bad.list each time.
"""

from __future__ import annotations

import os
import posixpath
from contextlib import suppress
from typing import TYPE_CHECKING

from drivesync.files import refuse_name
from trainer.darknet.data import parse_data
from trainer.darknet.labels import is_label, label_of, parse_image_list
from trainer.darknet.program import Flavour
from trainer.errors import TreeError

if TYPE_CHECKING:
    from pathlib import Path

_DATA_FILES = ("*.data", "cfg/*.data", "data/*.data")
_DATA_MAX_BYTES = 1 << 20
"""A longer file is none of darknet's, and is not read to find that out."""

_FLAVOURS = (Flavour.AX, Flavour.HK, Flavour.PJ)
"""Where the tree does not tell which darknet it is meant for, the first of these."""


def find_missing_labels(tree: Path) -> tuple[str, ...]:
    """Label files that are not there, of images that are and that a .data file of the tree lists.

    The darknets look in different places (``data/images/1.jpg`` has its label in ``data/images`` or in
    ``data/labels``): the one that finds the most labels in this tree is the one that it is meant for.

    Returns:
        POSIX paths relative to the tree, sorted; none outside of it.
    """
    roots = {str(tree), str(tree.absolute()), str(tree.resolve())}
    images = [line for line in _listed_lines(tree) if _is_file(tree, _relative(line, roots))]
    found: dict[Flavour, set[str]] = {}
    missing: dict[Flavour, set[str]] = {}
    for flavour in _FLAVOURS:
        labels = {_relative(label_of(image, flavour), roots) for image in images}
        labels = {path for path in labels if is_label(path) and _is_path(path)}
        found[flavour] = {path for path in labels if _is_there(tree, path)}
        missing[flavour] = labels - found[flavour]
    best = max(_FLAVOURS, key=lambda flavour: len(found[flavour]))
    return tuple(sorted(missing[best]))


def _listed_lines(tree: Path) -> set[str]:
    """Of all lists of images in the tree, as they stand there."""
    lists: set[str] = set()
    for pattern in _DATA_FILES:
        for path in tree.glob(pattern):
            # What is wrong with a .data file is told by whoever trains with it.
            with suppress(OSError, TreeError):
                if path.stat().st_size <= _DATA_MAX_BYTES:
                    data = parse_data(path.read_text("utf-8", "replace"))
                    lists |= {data.train, data.valid}
    lines: set[str] = set()
    for name in lists:
        with suppress(OSError, ValueError):
            lines.update(parse_image_list((tree / name).read_text("utf-8", "surrogateescape")))
    return lines


def _relative(path: str, roots: set[str]) -> str:
    """``path``, as darknet takes it with the tree for its working directory, relative to the tree.

    One that leads out of the tree is no path by ``_is_path``.
    """
    if not path.startswith("/"):
        return posixpath.normpath(path)
    return next((path[len(root) + 1 :] for root in roots if path.startswith(f"{root}/")), "..")


def _is_path(path: str) -> bool:
    return not any(refuse_name(part) for part in path.split("/"))


def _is_file(tree: Path, path: str) -> bool:
    return _is_path(path) and os.path.isfile(tree / path)  # noqa: PTH113  # as Path.is_file, but it never raises


def _is_there(tree: Path, path: str) -> bool:
    """Also what cannot be looked at: nothing is to be put in its place."""
    return os.path.lexists(tree / path)
