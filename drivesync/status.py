"""Status: how a tree stands to its remotes, as far as the tree itself can tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivesync.disk import is_same, look
from drivesync.index import Index
from drivesync.push import find_files
from drivesync.spooling.receipts import read_receipts
from drivesync.spooling.spool import read_pending
from drivesync.tree import read_tree_state
from drivesync.watching import read_watching

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from drivesync.acceptance import Accept
    from drivesync.files import LocalFile, Receipt, Verdict
    from drivesync.spooling.entries import Entry
    from drivesync.watching import Watching


@dataclass(frozen=True, slots=True)
class Unpushed:
    """A file that the remote is not known to hold as it is here; one that is not accepted will not be sent."""

    file: LocalFile
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class TreeStatus:
    """What a tree knows.

    Attributes:
        source: the remote that it comes from.
        target: the remote that it goes to.
        complete: all of the remote has arrived once, or the tree was made here.
        unpushed: what a push would look at; sorted by path.
        pending: what was taken for an earlier push and has not arrived; the most valuable first.
        safe: the newest receipt from ``target`` of each checkpoint, or of whatever else was pushed; the newest first.
        watching: the watch that is at work here; None if there is none.
    """

    source: str
    target: str
    complete: bool
    unpushed: tuple[Unpushed, ...]
    pending: tuple[Entry, ...]
    safe: tuple[Receipt, ...]
    watching: Watching | None

    @property
    def last(self) -> Receipt | None:
        """The newest receipt of a checkpoint; of anything where no checkpoint was pushed; None if there is none."""
        checkpoints = (receipt for receipt in self.safe if receipt.iteration is not None)
        return next(checkpoints, None) or next(iter(self.safe), None)


def read_status(
    tree: Path, patterns: Sequence[str], accept: Accept, default_remote: str, gone: Collection[str] = ()
) -> TreeStatus:
    """Look at ``tree``; nothing is written, and no remote is asked.

    Args:
        tree: a folder.
        patterns: of what a push sends.
        accept: judges each file as it is now; one that is being written is not whole.
        default_remote: where a tree comes from and goes to that remembers nothing.
        gone: paths of what the remote that it goes to is known not to hold any more.
    """
    state = read_tree_state(tree)
    source = state.remote if state else default_remote
    target = (state.target if state else "") or source
    newest = {receipt.path: receipt for receipt in read_receipts(tree) if receipt.remote == target}
    kept = (receipt for receipt in newest.values() if not receipt.deleted and receipt.path not in gone)
    trimmed = {(receipt.path, receipt.md5) for receipt in newest.values() if receipt.deleted}

    def is_settled(known: LocalFile) -> bool:
        is_there = known.remote == target and known.path not in gone
        return is_there or (known.path, known.md5) in trimmed

    return TreeStatus(
        source=source,
        target=target,
        complete=state is None or state.complete,
        unpushed=tuple(_find_unpushed(tree, patterns, accept, is_settled)),
        pending=read_pending(tree),
        safe=tuple(sorted(kept, key=lambda receipt: -receipt.at_s)),
        watching=read_watching(tree),
    )


def _find_unpushed(
    tree: Path, patterns: Sequence[str], accept: Accept, is_settled: Callable[[LocalFile], bool]
) -> Iterator[Unpushed]:
    with Index(tree, leaves_traces=False) as index:
        for path in find_files(tree, patterns):
            here = look(tree, path)
            if here is None:
                continue
            known = index.find(path)
            if known is None or not is_same(here, known) or not is_settled(known):
                yield Unpushed(here, accept(tree, path, tree / path))
