"""Packs on the remote: none is deleted that a manifest names at that moment."""

from __future__ import annotations

import math
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from drivesync.mirroring.write_rate import WriteRate
from drivesync.packing.storing import PackStore
from drivesync.pulling.manifest import MANIFEST, Manifest, write_manifest

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivesync.files import RemoteFile
    from drivesync.remotes.drive.remote import DriveRemote
    from tests.drivesync.packing.conftest import Site


class Watched:
    """A remote that nothing may be deleted on that its manifest names, and on which something happens meanwhile.

    Attributes:
        calls: so many there were; something happens before the nth, or after it where that deletes.
    """

    def __init__(self, site: Site, nth: int, happens: Callable[[], object]) -> None:
        self.calls = 0
        self._site = site
        self._nth = nth
        self._happens = happens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._site.remote, name)

    def delete(self, file: RemoteFile) -> None:
        assert file.id not in {pack.file_id for pack in self._site.manifest().packs}
        self._site.remote.delete(file)
        self._note_call()

    def files_in(self, path: str) -> tuple[RemoteFile, ...]:
        self._note_call()
        return self._site.remote.files_in(path)

    def renew(self, file: RemoteFile) -> RemoteFile | None:
        self._note_call()
        return self._site.remote.renew(file)

    def read(self, *arguments: Any) -> None:
        self._note_call()
        self._site.remote.read(*arguments)

    def _note_call(self) -> None:
        self.calls += 1
        if self.calls == self._nth:
            self._happens()


def open_store(remote: DriveRemote | Watched, notes: list[str]) -> PackStore:
    return PackStore(remote, WriteRate(math.inf, 1), notes.append)


@pytest.mark.parametrize("named_from", [0, 1])
def test_what_another_session_names_at_the_last_moment_stays(site: Site, named_from: int) -> None:
    left: list[int] = []
    for nth in count(1):
        site.pack()
        named = {MANIFEST: write_manifest(Manifest(site.manifest().packs[named_from:]))}
        site.put(**{MANIFEST: write_manifest(Manifest())})
        remote = Watched(site, nth, partial(site.put, **named))
        open_store(remote, []).delete_unnamed(lambda _name: True)
        left.append(len(site.names()) - 1)
        if remote.calls < nth:
            break
    assert left[-1] == 0, "undisturbed it deletes both"
    assert left[0] == 2 - named_from, "named in time they stay"


def test_a_manifest_that_others_write_all_the_time_is_told_of(site: Site) -> None:
    site.pack()
    full = site.manifest()
    numbers = count(1)
    notes: list[str] = []

    class Restless(Watched):
        def read(self, *arguments: Any) -> None:
            site.put(**{MANIFEST: write_manifest(Manifest(full.packs[: next(numbers) % 2]))})
            super().read(*arguments)

    store = open_store(Restless(site, 0, lambda: None), notes)
    assert store.read_manifest() == Manifest()
    assert len(notes) == 1
    assert store.delete_unnamed(lambda _name: True) == 0
    site.put(**{MANIFEST: write_manifest(full)})
    assert open_store(site.remote, notes).read_manifest() == full
