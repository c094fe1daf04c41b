"""A packing that is killed at any request: the tree stays as it is, pulls are right, and the next packing tidies up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.drivesync.packing.conftest import make_files

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


def test_killed_before_or_after_any_request_it_harms_nothing(site: Site) -> None:
    site.pack()
    expected = dict(make_files())
    kills = done = 0
    number = 0
    while kills < 30 or not done:
        number += 1
        if number == 1 or done:
            # A third of all is new each time, so that packs are added and written anew.
            done = 0
            expected |= {
                f"data/obj/{one:03}.jpg": bytes([kills % 251]) * 1400 for one in range(kills % 3, 60, 3)
            }
            site.put(**expected)
            site.pull()
            number = 1
        died = False
        try:
            site.pack(remote=DyingRemote(site.remote, number // 2 + 1, after=bool(number % 2)))
        except Interrupted:
            died = True
        kills += died
        done = not died
        assert site.contents() == expected
        if number % 6 == 0 or not died:
            site.pull_anew()
        if not died:
            site.assert_tidy()
    assert kills >= 30
