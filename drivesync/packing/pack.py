"""Pack: a tree's small files get into packs beside it on the remote, of which later pulls bring them in seconds.

    list --> what is in packs already, what is here --> plan --> each new pack: write, compare, name it in the manifest
         --> a manifest without what is dead: write, compare --> delete what it does not name

The tree itself is not touched. Cut anywhere, all packs that the manifest names are good, and the next packing deletes
what it does not name.
"""

from __future__ import annotations

import secrets
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.filesize import decimal as format_size

from drivesync.disk import lock_state
from drivesync.errors import DamagedError, RemoteFullError, UsageError
from drivesync.index import Index
from drivesync.mirroring.write_rate import WriteRate
from drivesync.packing.local import Copies
from drivesync.packing.marked import Marked
from drivesync.packing.pace import FullSpeed
from drivesync.packing.plan import DEFAULT_LIMITS, PackingLimits, PackingPlan, plan_packing
from drivesync.packing.storing import PackStore
from drivesync.packing.tarstream import MemberChangedError, TarStream
from drivesync.pulling.manifest import MOST_MEMBERS, Manifest
from drivesync.pulling.plan import Chooser
from drivesync.remotes.base import PackingRemote

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from drivesync.files import RemoteFile
    from drivesync.packing.pace import Pace
    from drivesync.progress import Reporter
    from drivesync.pulling.manifest import Pack
    from drivesync.remotes.base import Remote
    from drivesync.remotes.usage import Spent

WRITES_PER_S = 1.0
"""A third of what Drive takes of an account for long, so that checkpoints need not wait:
https://developers.google.com/workspace/drive/api/guides/limits."""
WRITES_AT_ONCE = 5

_ROOM_FACTOR = 2
_TRIES = 3
"""To make a pack of files of which some are changed meanwhile."""
_FULL_SPEED = FullSpeed()


@dataclass(slots=True)
class PackResult:
    """What a packing did.

    Attributes:
        plan: what was to be done; None while that is not known.
        packs: new packs that are there, compared, and named in the manifest.
        packed_files: files in them.
        packed_bytes: their size, as packs.
        deleted_packs: packs that were deleted, what killed sessions left included.
        changed: paths of files that were changed here meanwhile, and are in no new pack.
        usage: requests and quota units by kind.
        retries: requests that had to be repeated.
        seconds: how long it took.
    """

    plan: PackingPlan | None = None
    packs: int = 0
    packed_files: int = 0
    packed_bytes: int = 0
    deleted_packs: int = 0
    changed: list[str] = field(default_factory=list)
    usage: dict[str, Spent] = field(default_factory=dict)
    retries: int = 0
    seconds: float = 0.0

    def describe(self) -> dict[str, Any]:
        """All of it but what it has cost, for machines."""
        plan = self.plan or PackingPlan((), (), (), 0, 0.0, rewrite=False)
        return {
            "planned": {"files": plan.new_files, "bytes": plan.new_bytes, "packs": len(plan.new)},
            "packed": {"files": self.packed_files, "bytes": self.packed_bytes, "packs": self.packs},
            "kept_packs": len(plan.keep),
            "deleted_packs": self.deleted_packs,
            "dead_share": round(plan.dead_share, 4),
            "rewritten": plan.rewrite,
            "absent": plan.absent,
            "changed": self.changed,
            "seconds": round(self.seconds, 3),
        }


def pack(
    remote: Remote,
    tree: Path,
    *,
    reporter: Reporter,
    limits: PackingLimits = DEFAULT_LIMITS,
    dry_run: bool = False,
    pace: Pace = _FULL_SPEED,
    rate: WriteRate | None = None,
    on_plan: Callable[[PackingPlan], None] = lambda _plan: None,
    result: PackResult | None = None,
) -> PackResult:
    """Put the small files of ``remote`` that are in ``tree``, byte for byte, into packs beside the tree there.

    What is not here, or another here, is left out, and comes singly as before. Two sessions that pack at once do no
    harm: the later manifest wins whole.

    Args:
        remote: entered.
        tree: where the copies are.
        reporter: hears how it goes.
        limits: see ``PackingLimits``.
        dry_run: say what would be done, and do nothing.
        pace: of all that is read and hashed here.
        rate: of writes; a third of Drive's unless given.
        on_plan: hears what is planned, before anything is sent.
        result: filled as it goes, and so tells what was done even where an error is raised; a new one unless given.

    Raises:
        UsageError: ``remote`` keeps no packs.
        NotFoundError: the remote folder does not exist.
        RemoteFullError: it has not twice the room for what is new; nothing has been sent.
        TransientError: the remote cannot be reached after all repeats; packs that are there stay.
        UnfinishedError: another packing is at work in this tree, or ``pace`` ended this one.
    """
    if not isinstance(remote, PackingRemote):
        raise UsageError(
            f"{remote.name} keeps no packs",
            hint="Only where each file costs a request, in Google Drive, do they help.",
        )
    started_s = time.monotonic()
    result = PackResult() if result is None else result
    rate = rate or WriteRate(WRITES_PER_S, WRITES_AT_ONCE)
    try:
        with ExitStack() as stack:
            if not dry_run:
                stack.enter_context(lock_state(tree, "pack"))
            index = stack.enter_context(Index(tree, leaves_traces=not dry_run))
            reporter.begin("pack", lambda: remote.slowed_by)
            copies = Copies(tree, index, pace)
            work = _Work(remote, tree, copies, reporter, pace, PackStore(remote, rate, reporter.note), result)
            plan = work.plan(limits)
            on_plan(plan)
            if not dry_run:
                work.run(plan)
    finally:
        result.usage, result.retries = remote.usage.by_kind, remote.usage.retries
        result.seconds = time.monotonic() - started_s
    return result


class _Work:
    """One packing."""

    def __init__(
        self,
        remote: PackingRemote,
        tree: Path,
        copies: Copies,
        reporter: Reporter,
        pace: Pace,
        store: PackStore,
        result: PackResult,
    ) -> None:
        self._remote = remote
        self._tree = tree
        self._copies = copies
        self._reporter = reporter
        self._pace = pace
        self._store = store
        self._result = result
        # What the remote's manifest said at first, what of that is there, and what we know it to say now.
        self._told = self._sound = self._named = Manifest()

    def plan(self, limits: PackingLimits) -> PackingPlan:
        """Find out what is to be packed."""
        small: list[RemoteFile] = []
        chooser = Chooser()
        for page in self._remote.list():
            files = [file for file in chooser.take(page).files if file.size <= limits.most_file_bytes]
            self._copies.add(files)
            small += files
        self._told = self._named = self._store.read_manifest()
        self._sound = self._store.leave_out_lost(self._told)
        plan = plan_packing(small, self._sound, limits, is_here=self._copies.has)
        self._result.plan = plan
        self._reporter.expect(files=plan.new_files, size_bytes=plan.new_bytes)
        return plan

    def run(self, plan: PackingPlan) -> None:
        """Do it all; see ``pack``."""
        self._refuse_if_full(plan)
        marked = Marked(self._tree)
        made: list[Pack] = []
        for files in plan.new:
            new = self._make(files, marked)
            if new is None:
                continue
            made.append(new)
            # Named at once, so that a kill costs one pack at most, and nobody takes it for abandoned.
            so_far = Manifest((*self._sound.packs, *made))
            if so_far.files <= MOST_MEMBERS:
                self._name(so_far)
            self._account(new)
        kept = {old.name for old in plan.keep}
        # A kill after the manifest must not leave them to the hour that is waited for what others began.
        marked.add(*(old.name for old in self._told.packs if old.name not in kept))
        self._name(Manifest((*plan.keep, *made)))
        self._result.deleted_packs = self._store.delete_unnamed(marked.names().__contains__)
        marked.clear()

    def _refuse_if_full(self, plan: PackingPlan) -> None:
        """See that there is twice the room that the new packs take: old ones go only when these are there.

        Raises:
            RemoteFullError: there is not, as far as the remote can tell.
        """
        room = self._remote.room() if plan.new else None
        need = _ROOM_FACTOR * plan.new_bytes
        if room is not None and room.free is not None and room.free < need:
            raise RemoteFullError(
                f"packs of {format_size(plan.new_bytes)} are made only where {format_size(need)} are free, and "
                f"{self._remote.name} has room for {format_size(room.free)}",
                hint="Free some space there; pulls work without packs, too.",
            )

    def _make(self, files: Sequence[RemoteFile], marked: Marked) -> Pack | None:
        """A new pack of those of ``files`` that stay as they are; None where none do.

        Raises:
            DamagedError: what the remote held afterwards was another one every time.
        """
        problem: DamagedError | None = None
        for _ in range(_TRIES):
            files = [file for file in files if self._stays(file)]
            if not files:
                return None
            try:
                return self._send(files, marked)
            except MemberChangedError as error:
                problem = None
                self._result.changed.append(error.file.path)
                files = [file for file in files if file is not error.file]
            except DamagedError as error:
                problem = error
        if problem is not None:
            raise problem
        # They are being written to all the time.
        return None

    def _stays(self, file: RemoteFile) -> bool:
        self._pace.breathe()
        stays = self._copies.is_unchanged(file)
        if not stays:
            self._result.changed.append(file.path)
        return stays

    def _send(self, files: Sequence[RemoteFile], marked: Marked) -> Pack:
        sent_bytes = 0

        def advance(size_bytes: int) -> None:
            nonlocal sent_bytes
            sent_bytes += size_bytes
            self._reporter.advance(size_bytes=size_bytes)

        name = f"{secrets.token_hex(16)}.tar"
        marked.add(name)
        try:
            with TarStream(self._tree, files, self._pace, advance) as stream:
                return self._store.write_pack(name, stream)
        except BaseException:
            self._reporter.advance(size_bytes=-sent_bytes)
            raise

    def _name(self, manifest: Manifest) -> None:
        """Let ``manifest`` be what counts, without what another session has deleted meanwhile."""
        sound = self._store.leave_out_lost(manifest)
        if sound != self._named:
            self._store.write_manifest(sound)
            self._named = sound

    def _account(self, new: Pack) -> None:
        self._result.packs += 1
        self._result.packed_files += len(new.members)
        self._result.packed_bytes += new.size
        self._reporter.advance(files=len(new.members))
