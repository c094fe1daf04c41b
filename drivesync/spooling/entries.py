"""What waits to be pushed, and in which order; no effects here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivesync.files import LocalFile, Role

if TYPE_CHECKING:
    from collections.abc import Iterable

_RANKS = {Role.FINAL: 0, Role.LAST: 1}
_NEVER_REPLACED = frozenset({Role.NUMBERED, Role.FINAL})


@dataclass(frozen=True, slots=True)
class Entry:
    """One file as it was at one moment, to be pushed or pushed already.

    Attributes:
        sequence: grows with each one that is taken.
        path: of the file it was taken from, relative to the tree.
        size: in bytes.
        mtime_ns: of the file it was taken from, at that moment.
        iteration, run, role, score, progress: as in ``Verdict``; an earlier version did not record the last.
        pushed: the remote holds this content, verified.
        dropped: it is not to be pushed after all; the newest checkpoint of its run stays nevertheless.
        direct: there is no snapshot, for want of room: it is read from the tree's own file, and forgotten when
            this process ends.
    """

    sequence: int
    path: str
    size: int
    mtime_ns: int
    iteration: int | None = None
    run: str = ""
    role: Role = Role.OTHER
    score: float | None = None
    pushed: bool = False
    dropped: bool = False
    direct: bool = False
    progress: int | None = None

    @property
    def pending(self) -> bool:
        """Whether it waits to be pushed."""
        return not (self.pushed or self.dropped)

    @property
    def source(self) -> LocalFile:
        """The file it was taken from, as it was; unhashed."""
        return LocalFile(self.path, self.size, self.mtime_ns)


def order_pending(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Those that wait, the most valuable first: results, then last states, then the rest, the furthest first.

    Where several of one name are all to be pushed, the oldest goes first, so that the newest is what stays.
    """
    waiting = [entry for entry in entries if entry.pending]
    most: dict[str, tuple[int, ...]] = {}
    for entry in waiting:
        most[entry.path] = min(_worth(entry), most.get(entry.path, _worth(entry)))

    def turn(entry: Entry) -> tuple[tuple[int, ...], ...]:
        within = (entry.sequence,) if entry.role in _NEVER_REPLACED else _worth(entry)
        return most[entry.path], within

    return tuple(sorted(waiting, key=turn))


def find_superfluous(entries: Iterable[Entry], claimed: int = 0) -> tuple[Entry, ...]:
    """Those that have done their duty, or that a newer one of their name replaces.

    The newest snapshot of each run's checkpoints that training can go on from is never among them, whatever has become
    of it: the file that it was taken from may be torn any moment. A direct entry, which ends with its process, replaces
    no snapshot.

    Args:
        entries: all there are.
        claimed: the sequence number of the one that is being pushed, which stays; 0 for none.
    """
    known = tuple(entries)
    newest: dict[tuple[str, bool], int] = {}
    kept: dict[str, Entry] = {}
    for entry in known:
        # A snapshot replaces both kinds.
        for kind in {entry.direct, True}:
            name = entry.path, kind
            newest[name] = max(entry.sequence, newest.get(name, 0))
        if entry.iteration is not None and entry.role is not Role.OTHER and not entry.direct:
            kept[entry.run] = max(entry, kept.get(entry.run, entry), key=_age)
    return tuple(
        entry
        for entry in known
        if (not entry.pending or _is_replaced(entry, newest[entry.path, entry.direct]))
        and entry is not kept.get(entry.run)
        and entry.sequence != claimed
    )


def find_older(entries: Iterable[Entry], pushed: Entry) -> tuple[Entry, ...]:
    """Those of the same name that wait, and that the remote should not get after ``pushed``."""
    return tuple(
        entry
        for entry in entries
        if entry.pending and entry.path == pushed.path and _is_replaced(entry, pushed.sequence)
    )


def _is_replaced(entry: Entry, newest: int) -> bool:
    return entry.sequence < newest and entry.role not in _NEVER_REPLACED


def _worth(entry: Entry) -> tuple[int, ...]:
    """Sorts what is to be pushed first to the front; no two are equal."""
    return _RANKS.get(entry.role, len(_RANKS)), *(-number for number in _age(entry))


def _age(entry: Entry) -> tuple[int, int, int]:
    """Sorts by how far it is; what an earlier version took, and nobody can measure any more, is behind the others."""
    progress, iteration = (-1 if number is None else number for number in (entry.progress, entry.iteration))
    return progress, iteration, entry.sequence
