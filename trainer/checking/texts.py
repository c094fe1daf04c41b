"""Reads the text files of a tree, and keeps what is wrong with them as files: not there, unreadable, ill written."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from trainer.checking.files import TextKind, check_text, is_utf_16
from trainer.checking.findings import Finding, Severity
from trainer.checking.images import find_in_tree

if TYPE_CHECKING:
    from pathlib import Path

    from trainer.darknet.program import Flavour

ENDS = "darknet ends at once; the original with exit status 0."

_MOST_BYTES = {
    TextKind.CFG: 1 << 20,
    TextKind.DATA: 1 << 20,
    TextKind.NAMES: 1 << 20,
    TextKind.LIST: 256 << 20,
}
"""A longer file is not what it is called, and is not read to find that out."""


class Texts:
    """The text files of a tree; ``findings`` grows with each that is read.

    Args:
        tree: absolute.
        flavour: the darknet that will read them.
    """

    def __init__(self, tree: Path, flavour: Flavour) -> None:
        self._tree = tree
        self._flavour = flavour
        self.findings: list[Finding] = []

    def place(self, path: str) -> str:
        """``path``, as darknet takes it, relative to the tree; as it is if it leads out of it."""
        return find_in_tree(str(self._tree), path) or path

    def exists(self, path: str) -> bool:
        """Whether it is a file."""
        return os.path.isfile(self._tree / path)  # noqa: PTH113 - as Path.is_file, but it never raises

    def read_main(self, name: str, kind: TextKind) -> str | None:
        """The text of the .data or the .cfg file, which has to be there; None if it is not, or cannot be read."""
        path = self.place(name)
        if self.exists(path):
            return self.read(path, kind)
        others = sorted(
            other.relative_to(self._tree).as_posix() for other in self._tree.glob(f"cfg/*.{kind.value}")
        )
        there = f"; there are {', '.join(others[:5])}" if others else ""
        fix = f"Put it there, or name another one with --{kind.value}."
        self._add("no-file", path, f"There is no {path}{there}.", ENDS, fix)
        return None

    def read(self, name: str, kind: TextKind) -> str | None:
        """The text of a file, without byte order marks; None if it cannot be read, or is UTF-16."""
        path = self.place(name)
        try:
            with (self._tree / path).open("rb") as file:
                raw = file.read(_MOST_BYTES[kind] + 1)
        except OSError as error:
            what = f"It cannot be read: {error.strerror or error}."
            self._add("unreadable", path, what, ENDS, "Make it a file that can be read.")
            return None
        if len(raw) > _MOST_BYTES[kind]:
            what = f"It is longer than {_MOST_BYTES[kind]:,} bytes, and not what it is taken for."
            self._add("unreadable", path, what, "No darknet can use it.", "Put the right file there.")
            return None
        outside = find_in_tree(str(self._tree), path) is None
        for finding in check_text(path, raw, kind, flavour=self._flavour):
            self.findings.append(replace(finding, mendable=False) if outside else finding)
        if is_utf_16(raw):
            return None  # what it says in UTF-8 is nothing that anybody has written
        return raw.decode("utf-8", "replace").lstrip("\ufeff")

    def _add(self, code: str, path: str, what: str, effect: str, fix: str) -> None:
        self.findings.append(Finding(Severity.ERROR, code, path, None, what, effect, fix))
