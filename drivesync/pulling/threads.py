"""The end of threads that read from a remote."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from threading import Thread

    from drivesync.remotes.base import Remote

_CANCEL_EVERY_S = 0.2


def end_threads(threads: Iterable[Thread], remote: Remote, *, cuts_off: bool) -> None:
    """Wait until all of them have ended.

    Args:
        threads: that have been told to end.
        remote: they read from.
        cuts_off: end what is under way, too.
    """
    for thread in threads:
        # A connection that is only being made cannot be cut yet, so this is done until all have ended.
        while thread.is_alive():
            if cuts_off:
                remote.cancel()
            thread.join(_CANCEL_EVERY_S)
