"""Short ways to put things on an emulated Drive and to look what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drivesync.testing.entries import Content, Entry
from drivesync.testing.metadata import Metadata
from drivesync.testing.trees import find, make_folders

if TYPE_CHECKING:
    from drivesync.testing import DriveEmulator


class Drive:
    """The Drive beside a test."""

    def __init__(self, emulator: DriveEmulator) -> None:
        self.emulator = emulator

    def add(self, folder: str, name: str, data: bytes = b"", *, at_s: float | None = None) -> str:
        """One more file of that name, whatever it holds; returns its id."""
        modified_ms = None if at_s is None else round(at_s * 1000)
        with self.emulator.locked() as store:
            parent = make_folders(store, folder).id
            metadata = Metadata(name=name, parents=(parent,), modified_ms=modified_ms)
            return store.create(metadata, Content.of(data)).id

    def add_in(self, folder_id: str, name: str) -> None:
        """An empty file in the folder with this id."""
        with self.emulator.locked() as store:
            store.create(Metadata(name=name, parents=(folder_id,)))

    def add_other(self, folder: str, name: str, mime_type: str, *, target_id: str | None = None) -> str:
        """Something without bytes: another folder of a name, a document, a shortcut; returns its id."""
        with self.emulator.locked() as store:
            parent = make_folders(store, folder).id
            metadata = Metadata(
                name=name, parents=(parent,), mime_type=mime_type, shortcut_target_id=target_id
            )
            return store.create(metadata).id

    def trash(self, path: str) -> None:
        with self.emulator.locked() as store:
            found = find(store, path)
            assert found is not None
            store.update(found.id, Metadata(trashed=True))

    def entries(self, folder: str) -> list[Entry]:
        """What lies in a folder, trashed or not."""
        with self.emulator.locked() as store:
            found = find(store, folder)
            return [] if found is None else list(store.children(found.id))

    def requests(self, kind: str) -> int:
        return self.emulator.counters()[kind].requests


@pytest.fixture
def drive(drive_emulator: DriveEmulator) -> Drive:
    return Drive(drive_emulator)
