"""Push: snapshot, upload, verify. A file is safe once Drive's revision carries our checksum, and not before."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from rich.filesize import decimal as format_size
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from drivesync.disk import local_errors, look
from drivesync.errors import DamagedError, DrivesyncError, UnfinishedError
from drivesync.files import LocalFile, Receipt, refuse_name
from drivesync.spool import Entry, Refused, Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path
    from types import TracebackType

    from drivesync.acceptance import Accept
    from drivesync.files import RemoteFile
    from drivesync.index import Index
    from drivesync.progress import Reporter
    from drivesync.remotes.base import Remote

_TRIES = 2
_LONGEST_WAIT_S = 60.0
_MOST_DOUBLINGS = 6
_CANCEL_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The remote holds the file as it is; nothing was copied."""

    path: str


@dataclass(frozen=True, slots=True)
class Pushed:
    """A file that is safe now; ``uploaded`` is False where the remote held its content already."""

    receipt: Receipt
    uploaded: bool


class Pusher:
    """Takes files of one tree to one remote; ``offer`` and ``push_next`` may be called from different threads.

    Args:
        tree: the local tree.
        remote: entered.
        index: entered.
        accept: judges each snapshot.
        reporter: hears how it goes.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        tree: Path,
        remote: Remote,
        index: Index,
        accept: Accept,
        reporter: Reporter,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tree = tree
        self._remote = remote
        self._index = index
        self._accept = accept
        self._reporter = reporter
        self._clock = clock
        self._refused: dict[str, LocalFile] = {}
        self.spool = Spool(tree)

    def offer(self, path: str, *, trust_index: bool = True) -> Entry | Refused | Unchanged:
        """Take a snapshot of ``path`` if the remote is not known to hold it as it is.

        Args:
            path: relative to the tree.
            trust_index: False takes the snapshot, so that ``push_next`` asks the remote itself.

        Raises:
            LocalWriteError: the disk cannot take the snapshot.
        """
        if reason := refuse_name(PurePosixPath(path).name):
            return Refused(path, reason)
        here = look(self._tree, path)
        if here is None:
            return Refused(path, "it is gone", moved=True)
        known = self._index.find(path)
        if trust_index and known is not None and (known.size, known.mtime_ns) == (here.size, here.mtime_ns):
            return Unchanged(path)
        if any(entry.path == path and _is_same(entry, here) for entry in self.spool.pending()):
            return Unchanged(path)
        if self._refused.get(path) == here:
            return Refused(path, "it is as it was when it was refused", moved=True)
        outcome = self.spool.take(path, self._accept)
        if isinstance(outcome, Refused) and not outcome.moved:
            self._refused[path] = here
            self._reporter.note(f"not pushed: {path}: {outcome.reason}")
        return outcome

    def push_next(self) -> Pushed | None:
        """Push the most valuable pending snapshot and write its receipt; None if nothing is pending.

        Raises:
            DamagedError: twice, what Drive holds afterwards was not what was sent; the snapshot stays pending.
            DrivesyncError: the remote cannot take it; the snapshot stays pending.
        """
        with self.spool.claim() as entry:
            if entry is None:
                return None
            again = Retrying(
                retry=retry_if_exception_type(DamagedError), stop=stop_after_attempt(_TRIES), reraise=True
            )
            landed, uploaded = again(self._land, entry)
            receipt = Receipt(
                path=entry.path,
                size=entry.size,
                md5=entry.md5,
                sha256=entry.sha256,
                file_id=landed.id,
                revision_id=landed.revision_id,
                at_s=self._clock(),
                iteration=entry.iteration,
            )
            # Before the receipt: if the disk takes this and not that, the snapshot stays pending, and nothing is lost.
            self._index.record(entry.source)
            self.spool.settle(entry, receipt)
        which = "" if entry.iteration is None else f", iteration {entry.iteration}"
        how = (
            f"{format_size(entry.size)}, verified on Drive" if uploaded else "was on Drive already, verified"
        )
        self._reporter.note(f"safe: {entry.path}{which} ({how})")
        return Pushed(receipt, uploaded=uploaded)

    def cancel(self) -> None:
        """End a push that is under way; its snapshot stays pending."""
        self._remote.cancel()

    def _land(self, entry: Entry) -> tuple[RemoteFile, bool]:
        """See that Drive holds ``entry``; returned is its file, and whether it had to be uploaded."""
        there = self._remote.find(entry.path)
        if there is not None and _holds(there, entry):
            return there, False
        properties = {} if entry.iteration is None else {"iteration": str(entry.iteration)}
        snapshot = self.spool.snapshot_of(entry)
        with local_errors(snapshot, "read"), snapshot.open("rb") as source:
            there = self._remote.write(
                entry.path,
                source,
                size=entry.size,
                modified_s=entry.mtime_ns / 1e9,
                properties=properties,
                replaces=there,
            )
        if not _holds(there, entry):
            raise DamagedError(
                f"{entry.path} is not on Drive as it was sent: expected {entry.size} bytes with md5 {entry.md5}, "
                f"Drive has {there.size} bytes with md5 {there.md5}"
            )
        return there, True


def _is_same(entry: Entry, here: LocalFile) -> bool:
    return (entry.size, entry.mtime_ns) == (here.size, here.mtime_ns)


def _holds(there: RemoteFile, entry: Entry) -> bool:
    same = (there.size, there.md5) == (entry.size, entry.md5)
    return same and there.sha256 in {"", entry.sha256}


@dataclass(frozen=True, slots=True)
class PushResult:
    """What a push did; every tuple in the order in which it happened."""

    pushed: tuple[Pushed, ...]
    refused: tuple[Refused, ...]

    def raise_failure(self) -> None:
        """Raise the worst of what was not sent, if anything was not: a damaged file before one in use."""
        if self.refused:
            worst = min(self.refused, key=lambda refused: refused.moved)
            said = f"{len(self.refused)} file(s) were not sent; {worst.path}: {worst.reason}"
            if worst.moved:
                raise UnfinishedError(said, hint="Run the same command again when nothing writes to it.")
            raise DamagedError(said, hint="What Drive holds under that name is as it was.")


def find_files(tree: Path, patterns: Iterable[str]) -> list[str]:
    """The tree's files that match one of ``patterns``, as sorted POSIX paths."""
    found = {match for pattern in patterns for match in tree.glob(pattern) if match.is_file()}
    return sorted(match.relative_to(tree).as_posix() for match in found)


def push(pusher: Pusher, tree: Path, patterns: Sequence[str]) -> PushResult:
    """Push every file that matches, and what an earlier process left in the spool, and return when all is safe.

    Raises:
        UnfinishedError: another process pushes from this tree.
        DrivesyncError: see ``Pusher``; what was pushed before it is safe, and a rerun goes on.
    """
    refused: list[Refused] = []
    done: list[Pushed] = []
    with pusher.spool:
        # One file at a time, so that the spool never needs room for all of them.
        for path in [*find_files(tree, patterns), None]:
            if path is not None:
                outcome = pusher.offer(path, trust_index=False)
                if isinstance(outcome, Refused):
                    refused.append(outcome)
            while (pushed := pusher.push_next()) is not None:
                done.append(pushed)
    return PushResult(tuple(done), tuple(refused))


class BackgroundPusher:
    """Pushes in a thread what is offered, for as long as the context lasts; trouble with the remote only delays it.

    Args:
        pusher: does the work.
        reporter: hears of trouble.
        on_safe: told of each receipt, in the pushing thread.
        first_pause_s: how long it waits after a push that failed; twice as long after each further one, to a minute.
    """

    def __init__(
        self,
        pusher: Pusher,
        reporter: Reporter,
        on_safe: Callable[[Receipt], None],
        *,
        first_pause_s: float = 2.0,
    ) -> None:
        self._pusher = pusher
        self._first_pause_s = first_pause_s
        self._reporter = reporter
        self._on_safe = on_safe
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._trouble: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="push", daemon=True)

    def __enter__(self) -> BackgroundPusher:
        """Start pushing.

        Raises:
            UnfinishedError: another process pushes from this tree.
            LocalWriteError: the state folder cannot be written.
        """
        self._pusher.spool.__enter__()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._changed:
            self._closing.set()
            self._changed.notify_all()
        # A connection that is just being made cannot be cut yet; so it is tried until the thread has ended.
        while self._thread.is_alive():
            self._pusher.cancel()
            self._thread.join(_CANCEL_EVERY_S)
        self._pusher.spool.__exit__(kind, error, traceback)

    @property
    def trouble(self) -> Exception | None:
        """Why the last push did not work; None if it did."""
        return self._trouble

    @property
    def pending(self) -> tuple[Entry, ...]:
        """What is not safe yet."""
        return self._pusher.spool.pending()

    def offer(self, path: str) -> Entry | Refused | Unchanged:
        """See ``Pusher.offer``; where no snapshot can be taken, that is told, and the file is refused for now."""
        try:
            outcome = self._pusher.offer(path)
        # The thread that watches calls this, and has to live.
        except Exception as error:  # noqa: BLE001
            self._reporter.note(f"not pushed yet: {path}: {_describe(error)}")
            return Refused(path, str(error), moved=True)
        with self._changed:
            self._changed.notify_all()
        return outcome

    def wait_until_safe(self, timeout_s: float) -> bool:
        """Wait until nothing is pending; False if the time ran out first."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._pusher.spool.pending(), timeout_s)

    def _run(self) -> None:
        failures = 0
        while not self._closing.is_set():
            try:
                pushed = self._pusher.push_next()
                if pushed is not None:
                    self._on_safe(pushed.receipt)
            # Whatever it is, a pusher that dies unseen costs somebody a night's training.
            except Exception as error:  # noqa: BLE001
                if self._closing.is_set():
                    break
                failures += 1
                self._tell(error, failures)
                doublings = min(failures - 1, _MOST_DOUBLINGS)
                self._pause(min(self._first_pause_s * 2.0**doublings, _LONGEST_WAIT_S))
                continue
            failures, self._trouble = 0, None
            with self._changed:
                self._changed.notify_all()
                if pushed is None:
                    self._changed.wait_for(lambda: self._closing.is_set() or bool(self.pending))

    def _tell(self, error: Exception, failures: int) -> None:
        self._trouble = error
        if failures == 1 or failures % 10 == 0:
            self._reporter.note(f"waiting to push: {_describe(error)}")

    def _pause(self, wait_s: float) -> None:
        with self._changed:
            self._changed.wait_for(self._closing.is_set, wait_s)


def _describe(error: Exception) -> str:
    hint = error.hint if isinstance(error, DrivesyncError) else f"This is an error in the program: {error!r}"
    return f"{error}. {hint}".rstrip(". ") + "."
