"""The leases of one session on all runs of a tree: each is claimed when it is first asked for, and held to the end."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from drivesync.leasing.lease import Lease

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from drivesync.remotes.base import Remote


class Leases:
    """The leases on all runs of a tree that this session writes; safe to use from several threads.

    Args:
        remote: entered, and left after this.
        take_over: take runs from other sessions that have them.
        waits: see ``Lease``.
        who: this session in words.
        tell: see ``Lease``.
    """

    def __init__(
        self,
        remote: Remote,
        *,
        take_over: bool = False,
        waits: bool = False,
        who: str = "",
        tell: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self._remote = remote
        self._take_over = take_over
        self._waits = waits
        self._who = who
        self._tell = tell
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
            tell=self._tell,
        )
