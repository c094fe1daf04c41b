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
from drivesync.turns import report_gone, report_taken

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from drivesync.files import LeaseRecord
    from drivesync.remotes.base import Remote

_RENEW_EVERY_S = 60.0
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
        tell: is given a line when it is waited for, when it could not be renewed for minutes, and when it could again.
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
        tell: Callable[[str], None] = lambda _line: None,
        give_back_s: float = _GIVE_BACK_S,
        elapsed_s: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
    ) -> None:
        self.run = run
        self._remote = remote
        self._take_over = take_over
        self._waits = waits
        self._holder = make_holder()
        self._claim = Claim(remote, run, self._holder, who or describe_session(), elapsed_s=elapsed_s)
        self._tell = tell
        self._give_back_s = give_back_s
        self._elapsed_s = elapsed_s
        self._wait = wait
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
                self._lost = self._explain_gone()
            else:
                if successor is not None:
                    self._lost = report_taken(successor, self._ask_time(successor.renewed_s))
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
        while self._lost is None and not self._wait(self._closing, _RENEW_EVERY_S):
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
            self._lost = self._explain_gone()
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
