"""One session at a time writes a run: it holds the run's lease, and says every minute that it is still there.

The remote keeps the lease (``remotes/*/leases.py``), ``turns`` decides. One thread for each lease that is held renews
it and looks whether another session has taken it, from ``__enter__`` to ``__exit__``, where it gives it back.

A session that cannot reach the remote keeps its lease for as long as no other session has taken it: what counts is
what ``check`` is told, and that is asked before anything is pushed. So a session that was stopped for hours, and is
continued, stops by itself.
"""

from __future__ import annotations

import getpass
import os
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from drivesync.errors import DrivesyncError, LeaseError, NotFoundError
from drivesync.holder import make_holder
from drivesync.leasing.claiming import Claim
from drivesync.turns import STALE_AFTER_S, report_gone, report_taken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from drivesync.files import LeaseRecord
    from drivesync.remotes.base import Remote

_TOLD_AFTER_S = 180.0
_GIVE_BACK_S = 10.0


def describe_session() -> str:
    """This session in words, for people: who runs it, where, and which process it is."""
    try:
        user = getpass.getuser()
    # An account without a name, as some containers have it: KeyError before Python 3.13.
    except (KeyError, OSError):
        user = f"user {os.getuid()}"
    return f"{user}@{socket.gethostname()}, process {os.getpid()}"


class Lease:
    """The right to write ``run``, from ``__enter__`` to ``__exit__``; safe to use from several threads.

    Args:
        remote: entered, and left after this.
        run: what it is on.
        take_over: take it from another session that has it.
        waits: see for minutes whether another session that has it is still there, instead of being refused at once.
        who: this session in words.
        on_lost: told once, in whichever thread finds out, that another session has it now.
        tell: is given a line when it is waited for, when it could not be renewed for minutes, and when it could again.
        renew_every_s: so often it is renewed.
        stale_after_s: after so many seconds without that another session may have it.
        give_back_s: so long ``__exit__`` takes at most.
        elapsed_s: seconds from any moment on.
        wait: ``wait(event, s)`` waits so long, or until the event is set; whether it is.

    Attributes:
        run: as given.
    """

    def __init__(
        self,
        remote: Remote,
        run: str,
        *,
        take_over: bool = False,
        waits: bool = False,
        who: str = "",
        on_lost: Callable[[LeaseError], None] = lambda _error: None,
        tell: Callable[[str], None] = lambda _line: None,
        renew_every_s: float = 60.0,
        stale_after_s: float = STALE_AFTER_S,
        give_back_s: float = _GIVE_BACK_S,
        elapsed_s: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
    ) -> None:
        self.run = run
        self._remote = remote
        self._take_over = take_over
        self._waits = waits
        self._holder = make_holder()
        self._claim = Claim(
            remote,
            run,
            self._holder,
            who or describe_session(),
            stale_after_s=stale_after_s,
            elapsed_s=elapsed_s,
        )
        self._on_lost = on_lost
        self._tell = tell
        self._renew_every_s = renew_every_s
        self._give_back_s = give_back_s
        self._elapsed_s = elapsed_s
        self._wait = wait
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._record: LeaseRecord | None = None
        self._lost: LeaseError | None = None
        self._renewed_s = 0.0
        self._told_s = 0.0
        # A daemon: a remote that hangs must not keep the process from its end.
        self._thread = threading.Thread(target=self._keep, name=f"lease {run}", daemon=True)

    def __enter__(self) -> Lease:
        """Claim it, and keep it from now on.

        Raises:
            LeaseError: another session has it, and is alive as far as anybody knows.
            TransientError: nobody can tell now, or ``begin_exit`` ended the wait; entering again goes on where this
                ended.
        """
        pause = self._pause if self._waits else None
        self._record = self._claim.take(take_over=self._take_over, pause=pause, tell=self._tell)
        self._renewed_s = self._told_s = self._elapsed_s()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give it back, if the remote can be told in time; otherwise it goes stale by itself."""
        self.begin_exit()
        self._thread.join(self._give_back_s)

    def begin_exit(self) -> None:
        """Begin to give it back, or end the wait for it; ``__exit__`` waits until that is done."""
        self._closing.set()

    @property
    def epoch(self) -> int:
        """Which turn of the run this is, from 1: of two sessions the one with the higher has it."""
        return self._held.epoch

    @property
    def holder(self) -> str:
        """This session's name for itself, as its record has it."""
        return self._holder

    @property
    def lost(self) -> LeaseError | None:
        """Who has it now, once another session is known to; None while nobody is."""
        return self._lost

    def check(self) -> None:
        """Ask the remote whether it is still ours.

        Raises:
            LeaseError: another session has it.
            TransientError: nobody can tell now.
        """
        record = self._held
        if self._lost is None:
            try:
                successor = self._remote.next_lease(record)
            except NotFoundError:
                self._lose(self._explain_gone())
            else:
                if successor is not None:
                    self._lose(report_taken(successor, self._ask_time(successor.renewed_s)))
        if self._lost is not None:
            # A new one each time: threads that raise the same one would add to each other's traceback.
            raise LeaseError(str(self._lost), hint=self._lost.hint)

    @property
    def _held(self) -> LeaseRecord:
        if self._record is None:
            raise RuntimeError(f"the lease on {self.run} was not entered")
        return self._record

    def _explain_gone(self) -> LeaseError:
        """Who has it, now that our own record is gone, as far as the remote tells."""
        with suppress(DrivesyncError):
            newest = self._remote.find_lease(self.run)
            if newest is not None:
                return report_taken(newest, self._ask_time(newest.renewed_s))
        return report_gone(self._held)

    def _ask_time(self, otherwise_s: float) -> float:
        try:
            return self._remote.now_s()
        except DrivesyncError:
            return otherwise_s

    def _pause(self, wait_s: float) -> bool:
        return self._wait(self._closing, wait_s)

    def _keep(self) -> None:
        while self._lost is None and not self._wait(self._closing, self._renew_every_s):
            self._renew()
        if self._lost is None:
            # It goes stale by itself; and what ends the session matters more.
            with suppress(DrivesyncError):
                self._remote.renew_lease(self._held, release=True)

    def _renew(self) -> None:
        try:
            self.check()
            self._record = self._remote.renew_lease(self._held)
        except LeaseError:
            return
        except NotFoundError:
            self._lose(self._explain_gone())
        # Whatever it is, a lease that is renewed no more is lost to the next session that starts.
        except Exception as error:  # noqa: BLE001
            self._note_trouble(error)
        else:
            now_s = self._elapsed_s()
            if self._told_s > self._renewed_s:
                self._tell(f"the lease on {self.run} is renewed again")
            self._renewed_s = self._told_s = now_s

    def _note_trouble(self, error: Exception) -> None:
        now_s = self._elapsed_s()
        if now_s - self._told_s < _TOLD_AFTER_S:
            return
        self._told_s = now_s
        minutes = int((now_s - self._renewed_s) // 60)
        self._tell(f"the lease on {self.run} could not be renewed for {minutes} minutes: {error}")

    def _lose(self, error: LeaseError) -> None:
        with self._lock:
            if self._lost is not None:
                return
            self._lost = error
        self._on_lost(error)


class Leases:
    """The leases on all runs of a tree that this session writes; safe to use from several threads.

    Args:
        remote: entered, and left after this.
        take_over: take runs from other sessions that have them.
        waits: see ``Lease``.
        who: this session in words.
        on_lost: told, once a run, that another session has it now.
        tell: see ``Lease``.
        renew_every_s: see ``Lease``.
        stale_after_s: see ``Lease``.
    """

    def __init__(
        self,
        remote: Remote,
        *,
        take_over: bool = False,
        waits: bool = False,
        who: str = "",
        on_lost: Callable[[LeaseError], None] = lambda _error: None,
        tell: Callable[[str], None] = lambda _line: None,
        renew_every_s: float = 60.0,
        stale_after_s: float = STALE_AFTER_S,
    ) -> None:
        self._remote = remote
        self._take_over = take_over
        self._waits = waits
        self._who = who
        self._on_lost = on_lost
        self._tell = tell
        self._renew_every_s = renew_every_s
        self._stale_after_s = stale_after_s
        # To claim may take minutes, in which others ask what is held.
        self._claiming = threading.Lock()
        self._lock = threading.Lock()
        self._leases: dict[str, Lease] = {}
        # Claimed, as far as is known, in vain: with the same name for itself a session goes on where it ended.
        self._tried: dict[str, Lease] = {}

    def __enter__(self) -> Leases:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give all of them back, side by side, and end the wait for those that are not held yet."""
        with self._lock:
            for lease in (*self._leases.values(), *self._tried.values()):
                lease.begin_exit()
        for lease in self.held.values():
            lease.__exit__(kind, error, traceback)

    @property
    def held(self) -> Mapping[str, Lease]:
        """A copy of what was claimed, by run; those that were lost stay."""
        with self._lock:
            return dict(self._leases)

    def hold(self, run: str) -> Lease:
        """The lease on ``run``, claimed when it is first asked for, and held to the end.

        Raises:
            LeaseError: another session has it.
            TransientError: nobody can tell now; asking again goes on where this ended.
        """
        with self._lock:
            held = self._leases.get(run)
        return self._claim(run) if held is None else held

    def _claim(self, run: str) -> Lease:
        with self._claiming:
            with self._lock:
                if run in self._leases:
                    return self._leases[run]
                lease = self._tried.setdefault(run, self._make(run))
            lease.__enter__()
            with self._lock:
                self._leases[run] = self._tried.pop(run)
        return lease

    def _make(self, run: str) -> Lease:
        return Lease(
            self._remote,
            run,
            take_over=self._take_over,
            waits=self._waits,
            who=self._who,
            on_lost=self._on_lost,
            tell=self._tell,
            renew_every_s=self._renew_every_s,
            stale_after_s=self._stale_after_s,
        )
