"""Which packs no session but this tree's can be about to name, so that what a kill leaves of them can be deleted soon.

TREE/.drivesync/packing     their names, a line each: packs that were begun from this tree, or dropped by it
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivesync.disk import append_line, local_errors, make_state_folder

if TYPE_CHECKING:
    from pathlib import Path

_NAME = "packing"


class Marked:
    """The packs that ``tree`` answers for; used by one process at a time.

    Raises:
        LocalWriteError: the state folder cannot be made.
    """

    def __init__(self, tree: Path) -> None:
        self._path = make_state_folder(tree) / _NAME

    def names(self) -> frozenset[str]:
        """All of them."""
        with local_errors(self._path, "read"):
            # A line that a crash has torn is the name of no pack.
            return (
                frozenset(self._path.read_text("utf-8").splitlines()) if self._path.exists() else frozenset()
            )

    def add(self, *names: str) -> None:
        """These, too, from now on, whatever happens.

        Raises:
            LocalWriteError: the disk cannot take it.
        """
        if names:
            append_line(self._path, "\n".join(names).encode())

    def clear(self) -> None:
        """None any more: what there was of them that no manifest names is deleted."""
        with local_errors(self._path):
            self._path.unlink(missing_ok=True)
