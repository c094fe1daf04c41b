"""Pushing in the background: a thread that goes on whatever the remote does, for as long as its context lasts."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from drivesync.errors import DrivesyncError
from drivesync.spool import Entry, Refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from drivesync.files import Receipt
    from drivesync.progress import Reporter
    from drivesync.push import Pusher, Unchanged

_LONGEST_WAIT_S = 60.0
_MOST_DOUBLINGS = 6
_CANCEL_EVERY_S = 0.2


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
