"""A tree beside its remote: both are looked at, and what is to be sent is planned, part by part."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from drivesync.disk import hash_file
from drivesync.errors import DrivesyncError, NotFoundError, TransientError, UsedUpError
from drivesync.files import RemoteFile, Skipped
from drivesync.listings import Listings
from drivesync.mirroring.scan import scan
from drivesync.mirroring.upload_plan import is_apart, plan_upload, recall, wants_local_md5, wants_remote_md5
from drivesync.pulling.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import ExitStack
    from pathlib import Path

    from drivesync.files import LocalFile, Page
    from drivesync.index import Index
    from drivesync.mirroring.inventory import Inventory
    from drivesync.mirroring.upload_plan import Pair, UploadPlan
    from drivesync.remotes.base import Remote

_LOOKERS = 4
"""Two cores hash about as fast as most disks read; the others wait for the disk, or for a remote, meanwhile."""
_AT_ONCE = 1000


class Comparison:
    """One tree beside its remote; used by one thread.

    Threads: what ``Source`` has, and four that hash while ``plans`` is read.

    Args:
        remote: entered.
        tree: a folder.
        index: of ``tree``.
        inventory: of ``index``'s database, empty.
        on_failed: told the path of what cannot be compared, and why.
    """

    def __init__(
        self,
        remote: Remote,
        tree: Path,
        index: Index,
        inventory: Inventory,
        on_failed: Callable[[str, DrivesyncError], None],
    ) -> None:
        self._remote = remote
        self._tree = tree
        self._index = index
        self._inventory = inventory
        self._on_failed = on_failed
        self._blockers: dict[str, str] = {}

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
        recalled = [recall(replace(pair, blocked_by=self._find_blocker(pair))) for pair in pairs]
        asked = {
            pair.here.path: pool.submit(self._learn, pair)
            for pair in recalled
            if wants_local_md5(pair) or wants_remote_md5(pair)
        }
        told = (asked[path].result() if (path := pair.here.path) in asked else pair for pair in recalled)
        learned = [pair for pair in told if pair is not None]
        plan = plan_upload(learned, ours=ours)
        known = {pair.here.path: pair.then for pair in learned}
        self._index.record(*(file for file in plan.keep if file != known[file.path]))
        return plan

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
