"""Which process watches a tree, what for, and what keeps it from pushing: in ``TREE/.drivesync/watch.*``.

::

    watch.lock, watch.pid   see ``daemon``
    watch.json              what it watches; written again when its trouble changes
    watch.log               what it says, where it runs in the background
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from drivesync.daemon import JobLock, holder_of
from drivesync.disk import make_state_folder, write_atomically
from drivesync.errors import UnfinishedError
from drivesync.files import STATE_FOLDER

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Watching:
    """A watch that is at work.

    Attributes:
        pid: of its process.
        target: the remote that it pushes to.
        patterns: globs of the files that it pushes.
        trouble: why nothing can be pushed at the moment; empty if it can.
    """

    pid: int
    target: str
    patterns: tuple[str, ...]
    trouble: str = ""


def watch_job(tree: Path) -> Path:
    """What ``daemon`` calls the job of watching ``tree``."""
    return tree / STATE_FOLDER / "watch"


def watch_log(tree: Path) -> Path:
    """Where a watch in the background says what it does."""
    return tree / STATE_FOLDER / "watch.log"


def hold_watch(tree: Path) -> JobLock:
    """Be the one process that watches ``tree``, as long as the context lasts."""

    def busy(pid: int | None) -> UnfinishedError:
        which = f" (process {pid})" if pid else ""
        return UnfinishedError(
            f"another watch{which} is at work in {tree}",
            hint="See `python -m drivesync status`; `python -m drivesync watch --stop` ends it.",
        )

    return JobLock(watch_job(tree), busy)


def refuse_beside_watch(tree: Path) -> None:
    """See that no watch is at work in ``tree``: what it pushes, nobody else can push.

    Raises:
        UnfinishedError: one is.
    """
    pid = holder_of(watch_job(tree))
    if pid is not None:
        raise UnfinishedError(
            f"a watch of this tree (process {pid}) pushes its checkpoints, and training would do the same",
            hint=f"End it, then run this again: python -m drivesync watch --stop {tree}",
        )


def note_watching(tree: Path, watching: Watching) -> None:
    """Say what this process does.

    Raises:
        LocalWriteError: the disk cannot take it.
    """
    write_atomically(make_state_folder(tree) / "watch.json", json.dumps(asdict(watching)).encode() + b"\n")


def read_watching(tree: Path) -> Watching | None:
    """The watch that is at work in ``tree``; None if there is none, or if it has only just begun."""
    pid = holder_of(watch_job(tree))
    if pid is None:
        return None
    try:
        said = json.loads((tree / STATE_FOLDER / "watch.json").read_bytes())
        watching = Watching(
            int(said["pid"]), str(said["target"]), tuple(map(str, said["patterns"])), str(said["trouble"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return watching if watching.pid == pid else None
