"""Whether what a session pushed is still what the remote has: a straggler may have got between.

A session that has lost its run notices that at the next look at its lease; what it sent in that very moment may still
land. So whoever has the run looks now and then, and puts its own back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivesync.files import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivesync.files import RemoteFile
    from drivesync.pushing.landing import Landing, Own
    from drivesync.remotes.base import Remote

_WRITTEN_OVER = frozenset({Role.LAST, Role.BEST, Role.FINAL})


def find_overwritten(landing: Landing, remote: Remote) -> Iterator[tuple[Own, RemoteFile]]:
    """What the remote has in place of what this session pushed; one request for each file.

    What was deleted, or moved away, is nobody's to bring back.

    Args:
        landing: knows what was pushed under which lease.
        remote: entered.

    Raises:
        DrivesyncError: the remote does not answer.
    """
    for path, own in list(landing.own.items()):
        if own.entry.role not in _WRITTEN_OVER or not landing.has_lease(own.entry.run):
            continue
        there = remote.find(path)
        if there is not None and not own.is_at(there):
            yield own, there
