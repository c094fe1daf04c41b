"""What a tree remembers of its remote, in ``TREE/.drivesync/remote.json``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from drivesync.disk import make_state_folder, write_atomically
from drivesync.files import STATE_FOLDER

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class TreeState:
    """Where a tree came from and goes to.

    Attributes:
        remote: as the user named it.
        complete: every file of the remote has arrived at least once; False while a first pull is unfinished.
    """

    remote: str
    complete: bool = False


def read_tree_state(tree: Path) -> TreeState | None:
    """What the tree remembers; None if it was never pulled or pushed, or if that was lost or torn."""
    try:
        record = json.loads((tree / STATE_FOLDER / "remote.json").read_bytes())
        return TreeState(str(record["remote"]), complete=record["complete"] is True)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_tree_state(tree: Path, state: TreeState) -> None:
    """Remember ``state``.

    Raises:
        LocalWriteError: the disk cannot take it.
    """
    path = make_state_folder(tree) / "remote.json"
    write_atomically(path, json.dumps(asdict(state)).encode() + b"\n")


def remember_remote(tree: Path, given: str | None, default: str) -> str:
    """The remote to push ``tree`` to: ``given``, else what it remembers, else ``default``.

    A tree that no pull has brought remembers it from now on.

    Raises:
        LocalWriteError: the disk cannot take it.
    """
    state = read_tree_state(tree)
    name = given or (state.remote if state else default)
    if state is None:
        write_tree_state(tree, TreeState(name, complete=True))
    return name
