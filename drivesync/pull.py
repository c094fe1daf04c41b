"""Pull: list, plan and fetch, side by side. Nothing gets its name before its checksum is the remote's."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rich.filesize import decimal as format_size

from drivesync.config import DEFAULT_REMOTE, read_packs, read_unpack
from drivesync.disk import check_tree, free_bytes, hash_file, is_case_blind, is_same, lock_state, look
from drivesync.errors import DiskFullError, DrivesyncError, LocalWriteError, NotFoundError
from drivesync.files import STATE_FOLDER, LocalFile, Page, RemoteFile
from drivesync.index import Index
from drivesync.listings import Listings
from drivesync.pulling.fetch import Wanted
from drivesync.pulling.finding import WORTH_IT, find_packs
from drivesync.pulling.packed import NO_PACKS
from drivesync.pulling.parts import Parts
from drivesync.pulling.plan import DEFAULT_OPTIONS, Chooser, PullOptions, PullPlan, plan_pull
from drivesync.pulling.source import Source
from drivesync.pulling.transfers import Transfers
from drivesync.pulling.unpacking import Unpacking
from drivesync.result import TransferResult
from drivesync.tree import remember_source
from drivesync.unarchive.unpack import Archives

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from drivesync.progress import Reporter
    from drivesync.pulling.packed import Packed
    from drivesync.remotes.base import Remote
    from drivesync.unarchive.placing import Unpacked

_RECORD_EVERY = 200
_BLOCK_ON_DISK_BYTES = 4096
_SPARE_BYTES = 64 << 20
"""Left free on the disk."""

NAMED_FAILURES = 10
"""So many files that cannot be had are named as it goes; where one thing keeps thousands away, that is enough."""


@dataclass(slots=True)
class PullResult(TransferResult):
    """What a pull did.

    Attributes:
        downloaded_files: files that arrived and are in place.
        downloaded_bytes: their size.
        packed_files: files whose content came out of packs, and not in a request of its own.
        left: paths of old numbered checkpoints that stay on the remote.
        gone: paths of what the remote held as it is, or was, here, and lists no longer.
        unpacked: what became of each archive that is unpacked, and does not come as a file.
    """

    downloaded_files: int = 0
    downloaded_bytes: int = 0
    packed_files: int = 0
    left: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    unpacked: list[Unpacked] = field(default_factory=list)

    def _paths(self) -> tuple[list[str], ...]:
        return self.conflicts, self.left


def with_environment(options: PullOptions, environment: Mapping[str, str]) -> PullOptions:
    """``options`` with what the environment says: DRIVESYNC_UNPACK and DRIVESYNC_PACKS go before the tree's settings.

    Raises:
        SettingsError: one of them cannot be what it says.
    """
    options = replace(options, packs=read_packs(environment))
    named = read_unpack(environment)
    return options if named is None else replace(options, unpack=named + options.unpack, unpack_as_set=False)


def pull(
    remote: Remote,
    tree: Path,
    *,
    reporter: Reporter,
    options: PullOptions = DEFAULT_OPTIONS,
    on_plan: Callable[[PullPlan], None] = lambda _plan: None,
    result: PullResult | None = None,
) -> PullResult:
    """Bring what ``remote`` holds to ``tree``; delete nothing, overwrite no local change unless told so.

    Args:
        remote: entered.
        tree: made if it is not there.
        reporter: hears how it goes.
        options: see ``PullOptions``.
        on_plan: hears what is planned, piece by piece, as the listing comes.
        result: filled as it goes, and so tells what was done even where an error is raised; a new one unless given.

    Returns:
        What was done. A file that cannot be had is in ``failed``, and the others arrive nevertheless.

    Raises:
        NotFoundError: the remote folder does not exist.
        TransientError: the remote cannot be reached after all repeats; what has arrived stays.
        DiskFullError: the tree does not fit, said before the first byte; what is here stays.
        UnfinishedError: another pull is at work in this tree.
    """
    started_s = time.monotonic()
    result = PullResult() if result is None else result
    try:
        _pull(remote, tree, reporter, options, on_plan, result)
    finally:
        result.close(remote, time.monotonic() - started_s)
    return result


def _pull(
    remote: Remote,
    tree: Path,
    reporter: Reporter,
    options: PullOptions,
    on_plan: Callable[[PullPlan], None],
    result: PullResult,
) -> None:
    check_tree(tree)
    with ExitStack() as stack:
        source = Source(remote, stack)
        is_known = (tree / STATE_FOLDER).is_dir()
        if not is_known:
            # Begun before anything is made, so that a mistyped remote leaves no trace.
            source.list_anew()
        if not options.dry_run:
            stack.enter_context(lock_state(tree, "pull"))
        # A dry run keeps out of the way of a pull that is at work, and of one that begins meanwhile.
        index = stack.enter_context(Index(tree, leaves_traces=not options.dry_run))
        reporter.begin("pull", lambda: remote.slowed_by)
        try:
            pages = source.open(Listings(index.database) if is_known or not options.dry_run else None)
        except NotFoundError:
            result.gone = index.forget_gone(remote.name, all_of_it=True)
            raise
        work = _Work(remote, tree, index, reporter, options, on_plan, result)
        if options.dry_run:
            work.plan(pages)
        else:
            # Only now: this remote is there.
            if not options.only:
                remember_source(tree, remote.name, _target_of(remote))
            work.run(source, pages)
            if not (options.only or result.failed):
                remember_source(tree, remote.name, _target_of(remote), complete=True)


def _target_of(remote: Remote) -> str:
    """Where the tree goes if it came from ``remote``; empty for there."""
    return DEFAULT_REMOTE if remote.pull_only else ""


class _Work:
    """One pull: plans each page, and has fetched what is planned."""

    def __init__(
        self,
        remote: Remote,
        tree: Path,
        index: Index,
        reporter: Reporter,
        options: PullOptions,
        on_plan: Callable[[PullPlan], None],
        result: PullResult,
    ) -> None:
        self._remote = remote
        self._tree = tree
        self._index = index
        self._reporter = reporter
        self._options = options
        self._on_plan = on_plan
        self._result = result
        self._lock = threading.Lock()
        self._unrecorded: list[LocalFile] = []
        self._packed: Packed | None = None
        self._archives = Archives(remote, tree, index, reporter, options)

    def plan(self, pages: Iterator[Page]) -> None:
        """Say what would be done."""
        for planned, _local in self._plan(pages):
            self._account(planned)
        self._archives.plan(self._result, self._result.unpacked)
        self._forget_gone()

    def run(self, source: Source, pages: Iterator[Page]) -> None:
        """Do it all; see ``pull``."""
        parts = Parts(self._tree)
        pages = self._pages_that_fit(source, pages, parts)
        try:
            self._fetch(pages, parts)
            # What came as a file of its own is not an archive's to replace.
            self._record()
            self._archives.run(parts, self._result, self._result.unpacked)
        except BaseException:
            # What ended it is what matters, also where it keeps this from being recorded: a full disk, say.
            with suppress(LocalWriteError):
                self._record()
            raise
        self._record()
        self._forget_gone()
        if not (self._options.only or self._result.failed):
            parts.clear()

    def _fetch(self, pages: Iterator[Page], parts: Parts) -> None:
        with (
            Transfers(self._remote, self._tree, parts, self._reporter, self._done, self._failed) as transfers,
            Unpacking(self._remote, transfers, self._reporter.note) as unpacking,
        ):
            try:
                for planned, local in self._plan(pages):
                    self._account(planned)
                    packed = {one.file.path: one for one in planned.packed}
                    for file in planned.download:
                        wanted = Wanted(file, local.get(file.path))
                        if (from_pack := packed.get(file.path)) is not None:
                            unpacking.add(from_pack, wanted)
                        else:
                            transfers.add(wanted)
                unpacking.add_no_more()
                transfers.finish()
            finally:
                self._result.packed_files += unpacking.files

    def _pages_that_fit(self, source: Source, pages: Iterator[Page], parts: Parts) -> Iterator[Page]:
        """``pages``; where they might not fit on the disk, only once it is known that they do.

        Raises:
            DiskFullError: they do not.
        """
        bound = source.most_bytes()
        if bound is not None and bound <= free_bytes(self._tree) - _SPARE_BYTES:
            return pages
        for _page in pages:
            pass
        need = 0
        begun: list[RemoteFile] = []
        for planned, _local in self._plan(source.reopen()):
            for file in planned.download:
                kept_bytes = parts.kept_bytes(file)
                begun += [file] if kept_bytes else []
                need += max(file.size - kept_bytes, 0) + _BLOCK_ON_DISK_BYTES
        if not self._options.only:
            parts.clear(but=begun)
        free = free_bytes(self._tree)
        room = max(free - _SPARE_BYTES, 0)
        if need > room:
            raise DiskFullError(
                f"{format_size(need)} are to come, and the disk of {self._tree} has {format_size(room)} to spare "
                f"({format_size(free)} free, of which {format_size(_SPARE_BYTES)} stay so)",
                hint="Free some space, or name a TREE on a larger disk; nothing has been fetched.",
            )
        return source.reopen()

    def _plan(self, pages: Iterator[Page]) -> Iterator[tuple[PullPlan, dict[str, LocalFile]]]:
        """The plan for each page, and what is here of its files."""
        case_blind = not self._options.dry_run and is_case_blind(self._tree)
        chooser = Chooser(only=self._options.only, case_blind=case_blind)
        to_come = 0
        for page in self._archives.withhold(pages):
            chosen = chooser.take(page)
            synced = self._index.among([file.path for file in chosen.files])
            files, local = self._look(chosen.files, synced)
            old = frozenset() if self._options.all_checkpoints else chosen.old
            planned = plan_pull(files, local, synced, old=old, theirs=self._options.theirs)
            to_come += len(planned.download)
            if to_come > WORTH_IT:
                planned = replace(planned, packed=self._find_packs().take(planned.download))
            # Remember what turned out to be the remote's though no pull of ours brought it.
            found = [
                replace(local[file.path], revision_id=file.revision_id, remote=self._remote.name)
                for file in planned.keep
            ]
            self._index.record(*(here for here in found if here != synced.get(here.path)))
            yield replace(planned, skipped=chosen.skipped), local

    def _find_packs(self) -> Packed:
        """What packs there are, and are to be read; asked for once, while the listing goes on."""
        if self._packed is None:
            is_off = self._archives.packs == "off"
            self._packed = NO_PACKS if is_off else find_packs(self._remote, self._reporter.note)
        return self._packed

    def _look(
        self, files: tuple[RemoteFile, ...], synced: dict[str, LocalFile]
    ) -> tuple[list[RemoteFile], dict[str, LocalFile]]:
        """``files``, and what is here of them; hashed where only the content can tell whether it is the remote's."""
        told: list[RemoteFile] = []
        local: dict[str, LocalFile] = {}
        for file in files:
            here = look(self._tree, file.path)
            if here is not None:
                known = synced.get(file.path)
                if known is not None and is_same(known, here):
                    here = known
                elif here.size == file.size:
                    # One that cannot be read stays without a checksum, and so is kept as it is.
                    with suppress(LocalWriteError):
                        here = hash_file(self._tree, here)
                    if not file.md5:
                        now = self._remote.renew(file)
                        file = file if now is None else replace(now, path=file.path)  # noqa: PLW2901
                local[file.path] = here
            told.append(file)
        return told, local

    def _account(self, planned: PullPlan) -> None:
        result = self._result
        size_bytes = sum(file.size for file in planned.download)
        result.planned_files += len(planned.download)
        result.planned_bytes += size_bytes
        result.kept_files += len(planned.keep)
        result.conflicts += [file.path for file in planned.conflicts]
        result.left += [file.path for file in planned.left]
        result.skipped += planned.skipped
        self._reporter.expect(files=len(planned.download), size_bytes=size_bytes)
        self._on_plan(planned)

    def _done(self, local: LocalFile) -> None:
        with self._lock:
            self._result.downloaded_files += 1
            self._result.downloaded_bytes += local.size
            self._unrecorded.append(replace(local, remote=self._remote.name))
            due = len(self._unrecorded) >= _RECORD_EVERY
        if due:
            self._record()
        self._reporter.advance(files=1)

    def _record(self) -> None:
        # What a kill keeps from being recorded is hashed by the next pull.
        with self._lock:
            files, self._unrecorded = self._unrecorded, []
        self._index.record(*files)

    def _forget_gone(self) -> None:
        self._result.gone = self._index.forget_gone(self._remote.name)

    def _failed(self, path: str, error: DrivesyncError) -> None:
        with self._lock:
            self._result.failed.append((path, error))
            failed = len(self._result.failed)
        if failed <= NAMED_FAILURES:
            self._reporter.note(str(error))
