"""Which packs were begun from a tree, so that those that a kill left on the remote are known as this tree's.

TREE/.drivesync/packing     their names, a line each, until no pack is left that no manifest names
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivesync.disk import append_line, local_errors, make_state_folder

if TYPE_CHECKING:
    from pathlib import Path

_NAME = "packing"


class Begun:
    """The packs that were begun from ``tree``; used by one process at a time.

    Raises:
        LocalWriteError: the state folder cannot be made.
    """

    def __init__(self, tree: Path) -> None:
        self._path = make_state_folder(tree) / _NAME

    def names(self) -> frozenset[str]:
        """All of them."""
        with local_errors(self._path, "read"):
            # A last line that a crash has torn is the name of no pack.
            return (
                frozenset(self._path.read_text("utf-8").splitlines()) if self._path.exists() else frozenset()
            )

    def add(self, name: str) -> None:
        """The pack of this name is begun now.

        Raises:
            LocalWriteError: the disk cannot take it.
        """
        append_line(self._path, name.encode())

    def clear(self) -> None:
        """None is left that nobody names."""
        with local_errors(self._path):
            self._path.unlink(missing_ok=True)
