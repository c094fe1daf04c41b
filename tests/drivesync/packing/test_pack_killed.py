"""A packing that is killed at any request: the tree stays as it is, pulls are right, and the next packing tidies up."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drivesync.remotes.drive.remote import DriveRemote
    from tests.drivesync.packing.conftest import Site


class Interrupted(BaseException):
    """The process would have died here."""


class DyingRemote:
    """A remote whose user dies before or after the nth request that changes something."""

    def __init__(self, remote: DriveRemote, dies_at: int, *, after: bool) -> None:
        self._remote = remote
        self._left = dies_at
        self._after = after

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._remote, name)
        if name not in {"write", "delete", "read", "find", "renew", "files_in"}:
            return found

        def call(*arguments: Any, **options: Any) -> Any:
            self._left -= 1
            if self._left == 0 and not self._after:
                raise Interrupted
            answer = found(*arguments, **options)
            if self._left == 0:
                raise Interrupted
            return answer

        return call


def dies(site: Site, nth: int, *, after: bool) -> bool:
    """Pack, but die at the nth request, if there are so many; whether there were."""
    try:
        site.pack(remote=DyingRemote(site.remote, nth, after=after))
    except Interrupted:
        return True
    return False


def test_killed_before_or_after_any_request_it_harms_nothing(site: Site) -> None:
    site.pack()
    expected = site.contents()
    kills = 0
    while kills < 30:
        # A third of all is another each time, so that packs are added, and written anew.
        changed = {f"data/obj/{one:03}.jpg": bytes([kills]) * 1400 for one in range(kills % 3, 60, 3)}
        expected |= changed
        site.put(**changed)
        site.pull()
        for number in count(2):
            if not dies(site, number // 2, after=number % 2 == 1):
                break
            kills += 1
            assert site.contents() == expected
            if number % 6 == 0:
                site.pull_anew()
        site.assert_tidy()
        site.pull_anew()
