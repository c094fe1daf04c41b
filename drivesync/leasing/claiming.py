"""A session's way to its turn: it takes the run at once, is refused, or waits until the session before is surely gone.

A machine that vanished has not given its lease back, which therefore looks alive for minutes, as that of a session
which is at work does. Who may wait sees which of both it is: one that is alive is heard from within a minute. Of
sessions on this machine it is known at once.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from drivesync.errors import TransientError
from drivesync.holder import Fate, tell_fate
from drivesync.turns import explain_wait, has_shown_life, may_claim, refuse

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivesync.files import LeaseRecord
    from drivesync.remotes.base import Remote

_TRIES = 10
_LOOK_EVERY_S = 5.0


class Claim:
    """One session's claim to ``run``; used by one thread.

    Args:
        remote: entered.
        run: what is claimed.
        holder: the session's name for itself, see ``holder``.
        who: the session in words.
        elapsed_s: seconds from any moment on.
        tell_fate: what is known of a holder's process.
    """

    def __init__(
        self,
        remote: Remote,
        run: str,
        holder: str,
        who: str,
        *,
        elapsed_s: Callable[[], float] = time.monotonic,
        tell_fate: Callable[[str], Fate] = tell_fate,
    ) -> None:
        self._remote = remote
        self._run = run
        self._holder = holder
        self._who = who
        self._elapsed_s = elapsed_s
        self._tell_fate = tell_fate

    def take(
        self, *, take_over: bool, pause: Callable[[float], bool] | None, tell: Callable[[str], None]
    ) -> LeaseRecord:
        """Have the run's next turn.

        Args:
            take_over: take it from another session that has it.
            pause: waits so many seconds; whether to give up. None refuses where there would be something to wait for.
            tell: is given a line when there is.

        Raises:
            LeaseError: another session has it.
            TransientError: nobody can tell now, or ``pause`` said to give up; taking again goes on where this ended.
        """
        for _ in range(_TRIES):
            newest = self._find_free(pause, tell, take_over=take_over)
            if newest is not None and newest.holder == self._holder:
                return newest
            taken = self._remote.claim_lease(self._run, newest, self._holder, self._who)
            if taken is not None:
                return taken
            # Whoever was faster is alive, and is not the session that the user wanted the run taken from.
            take_over, pause = False, None
        raise TransientError(
            f"claiming {self._run}: other sessions were faster {_TRIES} times",
            hint="Start it again when fewer of them do the same.",
        )

    def _find_free(
        self, pause: Callable[[float], bool] | None, tell: Callable[[str], None], *, take_over: bool
    ) -> LeaseRecord | None:
        """The newest record, behind which there may be another turn; None if there has been none."""
        begun_s = self._elapsed_s()
        first = self._remote.find_lease(self._run)
        # Mostly it is free whatever the time is, which remotes have to be asked for.
        if first is None or take_over or self._is_free(first, -math.inf):
            return first
        began_s: float | None = None
        while True:
            # The time first: asking for it may take long, and must not make a record look old.
            now_s = self._remote.now_s()
            newest = self._remote.find_lease(self._run)
            if newest is None or self._is_free(newest, now_s):
                return newest
            is_first = began_s is None
            if began_s is None:
                began_s = now_s - (self._elapsed_s() - begun_s)
            is_alive = self._tell_fate(newest.holder) is Fate.ALIVE
            if pause is None or is_alive or has_shown_life(newest, first, began_s):
                raise refuse(newest, now_s)
            if is_first:
                tell(explain_wait(newest, now_s))
            if pause(_LOOK_EVERY_S):
                raise TransientError(f"claiming {self._run}: stopped")

    def _is_free(self, record: LeaseRecord, now_s: float) -> bool:
        is_nobodys = record.holder == self._holder or self._tell_fate(record.holder) is Fate.GONE
        return is_nobodys or may_claim(record, now_s, take_over=False)
