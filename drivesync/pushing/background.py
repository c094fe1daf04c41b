"""Pushing in the background: a thread that goes on whatever the remote does, for as long as its context lasts."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from rich.filesize import decimal as format_size

from drivesync.errors import DrivesyncError, LeaseError, NotAllowedError, RemoteFullError
from drivesync.pushing.pusher import Pushed
from drivesync.spooling.outcome import Refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from drivesync.files import Receipt
    from drivesync.progress import Reporter
    from drivesync.pushing.offering import Unchanged
    from drivesync.pushing.pusher import Pusher
    from drivesync.spooling.entries import Entry

_LONGEST_WAIT_S = 60.0
_MOST_DOUBLINGS = 6
_AUDIT_EVERY_S = 60.0
_CANCEL_EVERY_S = 0.2
_NAMED = 5


class BackgroundPusher:
    """Pushes in a thread what is offered, for as long as the context lasts; trouble with the remote only delays it.

    What the remote has no room for is tried again at most once a minute, and what is smaller goes meanwhile. What
    belongs to a run that another session has stays where it is.

    Args:
        pusher: does the work.
        reporter: hears of trouble.
        on_safe: told of each receipt, in the pushing thread.
        on_lost: told once for each run that another session has, in the pushing thread.
        first_pause_s: how long it waits after a push that failed; twice as long after each further one, to a minute.
        audit_every_s: so often it looks whether the remote still has what this session pushed.
        clock: seconds that never decrease.
        wait: ``wait(condition, predicate, timeout_s)``, see ``threading.Condition.wait_for``.
    """

    def __init__(
        self,
        pusher: Pusher,
        reporter: Reporter,
        on_safe: Callable[[Receipt], None],
        *,
        on_lost: Callable[[LeaseError], None] = lambda _error: None,
        first_pause_s: float = 2.0,
        audit_every_s: float = _AUDIT_EVERY_S,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Condition, Callable[[], bool], float], bool] = threading.Condition.wait_for,
    ) -> None:
        self._pusher = pusher
        self._first_pause_s = first_pause_s
        self._audit_every_s = audit_every_s
        self._reporter = reporter
        self._on_safe = on_safe
        self._on_lost = on_lost
        self._clock = clock
        self._wait = wait
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._trouble: Exception | None = None
        self._lost: LeaseError | None = None
        self._is_refused = False
        self._failures = self._full_failures = 0
        self._full_until_s = self._audit_at_s = 0.0
        self._thread = threading.Thread(target=self._run, name="push", daemon=True)

    def __enter__(self) -> BackgroundPusher:
        """Start pushing.

        Raises:
            UnfinishedError: another process pushes from this tree.
            LocalWriteError: the state folder cannot be written.
        """
        self._pusher.__enter__()
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
        self._pusher.__exit__(kind, error, traceback)

    @property
    def trouble(self) -> Exception | None:
        """Why the last push did not work; None if it did."""
        return self._trouble

    @property
    def lost(self) -> LeaseError | None:
        """Which session has a run that was pushed from here; None while no push has met one."""
        return self._lost

    def lost_of(self, run: str) -> LeaseError | None:
        """Which session has ``run``; None while no push of it has met one."""
        return self._pusher.lost.get(run)

    @property
    def pending(self) -> tuple[Entry, ...]:
        """What is not safe yet."""
        return self._pusher.spool.pending()

    def describe_pending(self) -> str:
        """What is not safe yet, as a clause: how many files, and which first; empty if everything is."""
        pending = self.pending
        if not pending:
            return ""
        named = ", ".join(f"{entry.path} ({format_size(entry.size)})" for entry in pending[:_NAMED])
        more = f" and {len(pending) - _NAMED} more" if len(pending) > _NAMED else ""
        return f"{len(pending)} file(s) are not on the remote yet: {named}{more}"

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
        """Wait until nothing is pending; False if the time ran out first, or another session has all that is."""
        with self._changed:
            self._changed.wait_for(lambda: not self._pusher.may_push(), timeout_s)
        return not self.pending

    def _run(self) -> None:
        while not self._closing.is_set():
            self._try_step()

    def _try_step(self) -> None:
        try:
            is_idle = self._step()
        except LeaseError as error:
            self._lose(error)
        except RemoteFullError as error:
            self._full_failures += 1
            self._full_until_s = self._clock() + self._pause_after(self._full_failures)
            self._tell(error, self._full_failures)
        # Whatever it is, a pusher that dies unseen costs somebody a night's training.
        except Exception as error:  # noqa: BLE001
            if self._closing.is_set():
                return
            self._failures += 1
            self._is_refused = self._is_refused or isinstance(error, NotAllowedError)
            self._tell(error, self._failures)
            self._rest(self._pause_after(self._failures), lambda: False)
        else:
            self._note_success()
            if is_idle:
                self._rest(self._idle_s(), lambda: self._pusher.may_push(self._bound()))

    def _step(self) -> bool:
        """Push one file, or look after those that are pushed; whether there was none to push."""
        if self._is_refused:
            # Somebody may have logged in again.
            self._pusher.reopen()
            self._is_refused = False
        pushed = self._pusher.push_next(below_bytes=self._bound())
        if isinstance(pushed, Pushed):
            self._on_safe(pushed.receipt)
        if self._clock() >= self._audit_at_s:
            self._pusher.audit()
            self._audit_at_s = self._clock() + self._audit_every_s
        return pushed is None

    def _note_success(self) -> None:
        self._failures = 0
        if self._pusher.full_bytes is None:
            self._full_failures = 0
            self._trouble = None
        with self._changed:
            self._changed.notify_all()

    def _lose(self, error: LeaseError) -> None:
        self._lost = error
        self._reporter.note(f"pushing of that run has ended: {_describe(error)}")
        try:
            self._on_lost(error)
        # Other runs go on.
        except Exception as failed:  # noqa: BLE001
            self._tell(failed, 1)
        with self._changed:
            self._changed.notify_all()

    def _bound(self) -> int | None:
        """Files as large as this, or larger, have to wait for room."""
        return self._pusher.full_bytes if self._clock() < self._full_until_s else None

    def _idle_s(self) -> float:
        until_s = self._audit_at_s if self._bound() is None else min(self._audit_at_s, self._full_until_s)
        return max(until_s - self._clock(), 0.0)

    def _pause_after(self, failures: int) -> float:
        return min(self._first_pause_s * 2.0 ** min(failures - 1, _MOST_DOUBLINGS), _LONGEST_WAIT_S)

    def _tell(self, error: Exception, failures: int) -> None:
        self._trouble = error
        if failures == 1 or failures % 10 == 0:
            self._reporter.note(f"waiting to push: {_describe(error)}")

    def _rest(self, wait_s: float, is_over: Callable[[], bool]) -> None:
        with self._changed:
            self._wait(self._changed, lambda: self._closing.is_set() or is_over(), wait_s)


def _describe(error: Exception) -> str:
    hint = error.hint if isinstance(error, DrivesyncError) else f"This is an error in the program: {error!r}"
    said = f"{error}. {hint}".rstrip(". ")
    return said if said.endswith(("?", "!")) else f"{said}."
