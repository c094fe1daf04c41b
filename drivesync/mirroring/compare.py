"""A tree beside its remote: both are looked at, and what is to be sent is planned, part by part."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from drivesync.disk import hash_file, is_same
from drivesync.errors import DrivesyncError, LocalWriteError, NotFoundError, TransientError, UsedUpError
from drivesync.files import RemoteFile, Skipped
from drivesync.listings import Listings
from drivesync.mirroring.scan import scan
from drivesync.mirroring.upload_plan import (
    Member,
    Standing,
    is_apart,
    plan_upload,
    recall,
    wants_local_md5,
    wants_remote_md5,
)
from drivesync.pulling.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import ExitStack
    from pathlib import Path

    from drivesync.files import LocalFile, Page
    from drivesync.index import Index
    from drivesync.mirroring.inventory import Inventory
    from drivesync.mirroring.upload_plan import Pair, Unpacked, UploadPlan
    from drivesync.remotes.base import Remote

_LOOKERS = 4
"""Two cores hash about as fast as most disks read; the others wait for the disk, or for a remote, meanwhile."""
_AT_ONCE = 1000
_BEST_FIRST = tuple(Standing)


class Record(Protocol):
    """What was unpacked of one archive."""

    def is_complete(self) -> bool:
        """Whether what the remote has now was unpacked to its end."""
        ...

    def among(self, paths: Sequence[str]) -> Mapping[str, tuple[LocalFile, ...]]:
        """Of ``paths`` those that are members, with all states in which each was left."""
        ...

    def touch(self, before: LocalFile, now: LocalFile) -> None:
        """A member is still what it was, but for its time."""
        ...


class Records(Protocol):
    """What was unpacked in a tree."""

    def archives(self) -> Iterable[str]:
        """Paths of all archives of which anything was."""
        ...

    def open(self, archive: str, there: RemoteFile | None) -> Record:
        """The record of one, and of what the remote has in its place."""
        ...


@dataclass(frozen=True, slots=True)
class _Archive:
    path: str
    standing: Standing
    record: Record


class Comparison:
    """One tree beside its remote; used by one thread.

    Threads: what ``Source`` has, and four that hash while ``plans`` is read.

    Args:
        remote: entered.
        tree: a folder.
        index: of ``tree``.
        inventory: of ``index``'s database, empty.
        records: what was unpacked in ``tree``.
        on_failed: told the path of what cannot be compared, and why.
    """

    def __init__(
        self,
        remote: Remote,
        tree: Path,
        index: Index,
        inventory: Inventory,
        records: Records,
        on_failed: Callable[[str, DrivesyncError], None],
    ) -> None:
        self._remote = remote
        self._tree = tree
        self._index = index
        self._inventory = inventory
        self._records = records
        self._on_failed = on_failed
        self._blockers: dict[str, str] = {}
        self._archives: dict[str, _Archive] = {}

    def gather(self, stack: ExitStack, apart: Sequence[str]) -> tuple[list[str], list[Skipped]]:
        """Look at both sides; a remote that is not there yet holds nothing.

        Args:
            stack: closed when the push has ended.
            apart: patterns of what goes another way.

        Returns:
            The paths of what goes another way, and what is not to be sent.
        """
        pages = self._list(Source(self._remote, stack))
        others: list[str] = []
        skipped: list[Skipped] = []

        def wanted() -> Iterator[LocalFile]:
            for seen in scan(self._tree, self._on_failed):
                if isinstance(seen, Skipped):
                    skipped.append(seen)
                elif is_apart(seen.path, apart):
                    others.append(seen.path)
                else:
                    yield seen

        # The first pages come meanwhile.
        found = wanted()
        while some := list(islice(found, _AT_ONCE)):
            self._inventory.add_here(some)
        for page in pages:
            self._inventory.add_there(page.entries)
        return others, skipped

    def plans(self, *, ours: bool) -> Iterator[UploadPlan]:
        """What is to be done, in the order in which it is to be sent.

        Args:
            ours: see ``MirrorOptions``.

        Raises:
            TransientError: a remote that has to read for its checksums cannot be reached.
        """
        found = [self._judge(path, ours=ours) for path in self._records.archives()]
        found.sort(key=lambda archive: _BEST_FIRST.index(archive.standing))
        self._archives = {archive.path: archive for archive in found}
        with ThreadPoolExecutor(_LOOKERS, "look") as pool:
            try:
                for pairs in self._inventory.pairs():
                    yield self._plan(pool, pairs, ours=ours)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _list(self, source: Source) -> Iterator[Page]:
        try:
            return source.open(Listings(self._index.database))
        except NotFoundError:
            return iter(())

    def _plan(self, pool: ThreadPoolExecutor, pairs: list[Pair], *, ours: bool) -> UploadPlan:
        members = self._find_members(pairs)
        recalled = [
            recall(
                replace(
                    pair, blocked_by=self._find_blocker(pair), members=tuple(members.get(pair.here.path, ()))
                )
            )
            for pair in pairs
        ]
        asked = {
            pair.here.path: pool.submit(self._learn, pair)
            for pair in recalled
            if wants_local_md5(pair) or wants_remote_md5(pair)
        }
        told = (asked[path].result() if (path := pair.here.path) in asked else pair for pair in recalled)
        learned = [pair for pair in told if pair is not None]
        plan = plan_upload(learned, ours=ours)
        known = {pair.here.path: pair.then for pair in learned}
        held = [replace(file, remote=self._remote.name) for file in plan.keep]
        self._index.record(*(file for file in held if file != known[file.path]))
        self._recognize(plan.unpacked)
        return plan

    def _judge(self, path: str, *, ours: bool) -> _Archive:
        """How the remote stands to an archive that was unpacked here."""
        there = self._inventory.find_there(path)
        if not isinstance(there, RemoteFile):
            return _Archive(path, Standing.GONE, self._records.open(path, None))
        record = self._records.open(path, there)
        is_current = record.is_complete() and not self._will_replace(path, ours=ours)
        return _Archive(path, Standing.THERE if is_current else Standing.CHANGED, record)

    def _will_replace(self, path: str, *, ours: bool) -> bool:
        """Whether an archive lies here, too, that goes in place of what is there."""
        pair = self._inventory.find(path)
        if pair is None:
            return False
        pair = recall(pair)
        if wants_local_md5(pair):
            # One that cannot be read does not go.
            with suppress(LocalWriteError):
                pair = replace(pair, here=hash_file(self._tree, pair.here))
        return bool(plan_upload([pair], ours=ours).upload)

    def _find_members(self, pairs: list[Pair]) -> dict[str, list[Member]]:
        """By path what archives have where the remote has no file."""
        paths = [pair.here.path for pair in pairs if not isinstance(pair.there, RemoteFile)]
        members: dict[str, list[Member]] = {}
        for archive in self._archives.values():
            for path, states in archive.record.among(paths).items():
                members.setdefault(path, []).append(Member(archive.path, archive.standing, states))
        return members

    def _recognize(self, unpacked: Iterable[Unpacked]) -> None:
        """Have what was read to know it again known by its time."""
        for one in unpacked:
            if not is_same(one.state, one.here):
                self._archives[one.archive].record.touch(one.state, one.here)

    def _find_blocker(self, pair: Pair) -> str:
        folder = pair.here.path.rpartition("/")[0]
        if folder not in self._blockers:
            self._blockers[folder] = self._inventory.find_blocker(folder) if folder else ""
        return self._blockers[folder]

    def _learn(self, pair: Pair) -> Pair | None:
        """``pair`` with the checksums that are needed to decide; None if they cannot be had."""
        try:
            if wants_remote_md5(pair) and isinstance(pair.there, RemoteFile):
                now = self._remote.renew(pair.there)
                pair = replace(pair, there=None if now is None else replace(now, path=pair.there.path))
            if wants_local_md5(pair):
                pair = replace(pair, here=hash_file(self._tree, pair.here))
        except (TransientError, UsedUpError):
            raise
        except DrivesyncError as error:
            self._on_failed(pair.here.path, error)
            return None
        return pair
