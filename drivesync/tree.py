"""What a tree remembers of its remote, in ``TREE/.drivesync/remote.json``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from drivesync.disk import make_state_folder, write_atomically
from drivesync.files import STATE_FOLDER

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class TreeState:
    """Where a tree came from and goes to.

    Attributes:
        remote: where it came from, as the user named it; for one that was made here, where it goes.
        complete: every file of the remote has arrived at least once; False while a first pull is unfinished.
        target: where it goes: what it was pushed to last; empty, before it ever was, for where it came from.
    """

    remote: str
    complete: bool = False
    target: str = ""


def read_tree_state(tree: Path) -> TreeState | None:
    """What the tree remembers; None if it was never pulled or pushed, or if that was lost or torn."""
    state = _read(tree)
    return replace(state, remote=state.remote or state.target) if state else None


def _read(tree: Path) -> TreeState | None:
    """As it is written: without a ``remote`` if it was never pulled."""
    try:
        record = json.loads((tree / STATE_FOLDER / "remote.json").read_bytes())
        return TreeState(
            str(record["remote"]), complete=record["complete"] is True, target=str(record.get("target", ""))
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def target_of(tree: Path, default: str) -> str:
    """Where the tree goes: what it remembers, else where it comes from, else ``default``."""
    state = read_tree_state(tree)
    return (state.target or state.remote) if state else default


def write_tree_state(tree: Path, state: TreeState) -> None:
    """Remember ``state``.

    Raises:
        LocalWriteError: the disk cannot take it.
    """
    path = make_state_folder(tree) / "remote.json"
    write_atomically(path, json.dumps(asdict(state)).encode() + b"\n")


def remember_source(tree: Path, remote: str, target: str, *, complete: bool = False) -> None:
    """The tree comes from ``remote`` from now on; where it goes stays as it is.

    Args:
        tree: the local tree.
        remote: as the user named it.
        target: where it is to go if nobody has said so yet; empty for where it comes from.
        complete: all of it is here.

    Raises:
        LocalWriteError: the disk cannot take it.
    """
    before = _read(tree)
    known = before or TreeState(remote)
    was_complete = known.remote == remote and known.complete
    state = TreeState(remote, complete or was_complete, known.target or target)
    if state != before:
        write_tree_state(tree, state)


def remember_target(tree: Path, given: str | None, default: str) -> str:
    """The remote to push ``tree`` to: ``given``, else what it remembers, else ``default``; remembered from now on.

    Where the tree came from stays as it is: nothing is pulled from a place only because something was pushed there.

    Raises:
        LocalWriteError: the disk cannot take it.
    """
    before = _read(tree)
    known = before or TreeState("", complete=True)
    state = replace(known, target=given or known.target or known.remote or default)
    if state != before:
        write_tree_state(tree, state)
    return state.target
