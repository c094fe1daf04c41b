"""A packing that is killed at any request: the tree stays as it is, pulls are right, and the next packing tidies up."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from drivesync.remotes.drive.remote import DriveRemote
    from tests.drivesync.packing.conftest import Site


KILLS = 15
"""At least, of a packing that adds a pack, and as many of one that writes packs anew."""


class Interrupted(BaseException):
    """The process would have died here."""


class DyingRemote:
    """A remote whose user dies after the nth request: that is before the next, too."""

    def __init__(self, remote: DriveRemote, dies_after: int) -> None:
        self._remote = remote
        self._left = dies_after

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._remote, name)
        if name not in {"write", "delete", "read", "renew", "files_in", "room"}:
            return found

        def call(*arguments: Any, **options: Any) -> Any:
            answer = found(*arguments, **options)
            self._left -= 1
            if self._left == 0:
                raise Interrupted
            return answer

        return call


def dies(site: Site, nth: int) -> bool:
    """Pack, but die after the nth request, if there are so many; whether there were."""
    try:
        site.pack(remote=DyingRemote(site.remote, nth))
    except Interrupted:
        return True
    return False


@pytest.mark.parametrize(
    "every", [pytest.param(6, id="a pack is added"), pytest.param(2, id="packs are written anew")]
)
def test_killed_after_any_request_it_harms_nothing(site: Site, every: int) -> None:
    site.pack()
    expected = site.contents()
    for nth in count(1):
        changed = {f"data/obj/{one:03}.jpg": bytes([nth]) * 1400 for one in range(nth % every, 60, every)}
        expected |= changed
        site.put(**changed)
        site.pull()
        died = dies(site, nth)
        assert site.contents() == expected
        if died and nth % 4 == 0:
            site.pull_anew()
        site.pack()
        site.assert_tidy()
        assert site.contents() == expected
        if not died:
            break
    assert nth > KILLS
    site.pull_anew()
