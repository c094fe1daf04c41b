"""Short ways to put things on an emulated Drive and to look what is there."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from drivesync.files import RemoteFile, RemoteFolder, Skipped
from drivesync.remotes.drive.remote import DriveRemote
from drivesync.testing.entries import FOLDER_TYPE, SHORTCUT_TYPE, Content, Entry
from drivesync.testing.metadata import Metadata
from drivesync.testing.trees import find, make_folders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from drivesync.config import Settings
    from drivesync.remotes.base import Remote
    from drivesync.testing import DriveEmulator

FIRST_WAIT_S = 0.001


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

    def add_in(self, folder_id: str, name: str, *, at_s: float | None = None) -> str:
        """An empty file in the folder with this id; returns its own."""
        modified_ms = None if at_s is None else round(at_s * 1000)
        with self.emulator.locked() as store:
            return store.create(Metadata(name=name, parents=(folder_id,), modified_ms=modified_ms)).id

    def add_folder_in(self, folder_id: str, name: str) -> str:
        """A folder in the folder with this id; returns its own."""
        with self.emulator.locked() as store:
            return store.create(Metadata(name=name, parents=(folder_id,), mime_type=FOLDER_TYPE)).id

    def lock(self, file_id: str, resource_key: str) -> None:
        """Make it another user's, who shares it by a link with a key; it stays where it is."""
        with self.emulator.locked() as store:
            parents = store.get(file_id).parents
            store.disown(file_id, resource_key=resource_key)
            store.update(file_id, Metadata(), add_parents=parents)

    def add_other(self, folder: str, name: str, mime_type: str, *, target_id: str | None = None) -> str:
        """Something without bytes: another folder of a name, a document, a shortcut; returns its id."""
        with self.emulator.locked() as store:
            parent = make_folders(store, folder).id
            metadata = Metadata(
                name=name, parents=(parent,), mime_type=mime_type, shortcut_target_id=target_id
            )
            return store.create(metadata).id

    def add_folder(self, path: str) -> str:
        """One more folder at that path, those above it made where they are missing; returns its id."""
        folder, _, name = path.rpartition("/")
        return self.add_other(folder, name, FOLDER_TYPE)

    def add_shortcut(self, path: str, target_id: str) -> str:
        """A shortcut at ``path``; returns its own id."""
        folder, _, name = path.rpartition("/")
        return self.add_other(folder, name, SHORTCUT_TYPE, target_id=target_id)

    def make_shared_drive(self, name: str, *paths: str) -> str:
        """A shared drive with empty files at ``paths``; returns its id."""
        with self.emulator.locked() as store:
            drive_id = store.create_drive(name).id
            folders = {"": drive_id}
            for path in paths:
                at = ""
                for part in path.split("/")[:-1]:
                    below = f"{at}/{part}"
                    if below not in folders:
                        metadata = Metadata(name=part, mime_type=FOLDER_TYPE, parents=(folders[at],))
                        folders[below] = store.create(metadata).id
                    at = below
                store.create(Metadata(name=path.rpartition("/")[2], parents=(folders[at],)))
            return drive_id

    def id_of(self, path: str) -> str:
        """Of what lies at ``path`` below My Drive."""
        with self.emulator.locked() as store:
            found = find(store, path)
            assert found is not None
            return found.id

    def change(self, file_id: str, metadata: Metadata, *, to: str | None = None) -> None:
        """Rename, trash or restore; ``to`` is the folder that it is moved into."""
        with self.emulator.locked() as store:
            entry = store.get(file_id)
            if to is None:
                store.update(file_id, metadata)
            else:
                store.update(file_id, metadata, add_parents=(to,), remove_parents=entry.parents)

    def delete(self, path: str) -> None:
        file_id = self.id_of(path)
        with self.emulator.locked() as store:
            store.delete(file_id)

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


@dataclass(frozen=True)
class Listed:
    """A listing, put together from its pages.

    Attributes:
        files: by path; of several the first that was named.
        folders: path by id, as whoever keeps a listing keeps it.
        skipped: reason by path.
        entries: all of it, in the order in which it came.
    """

    files: dict[str, RemoteFile] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    entries: list[RemoteFile | RemoteFolder | Skipped] = field(default_factory=list)

    @property
    def paths(self) -> set[str]:
        """Of the folders, but for the tree's own."""
        return set(self.folders.values()) - {""}


def _list_all(remote: Remote) -> Listed:
    """List ``remote``, and hold it to what a listing promises."""
    listed = Listed()
    is_open = False
    for page in remote.list():
        listed.entries.extend(page.entries)
        is_open = not page.ends
        for entry in page.entries:
            if isinstance(entry, RemoteFile):
                earlier = listed.files.setdefault(entry.path, entry)
                assert earlier.modified_s >= entry.modified_s, f"{entry.path}: the newest did not come first"
            elif isinstance(entry, RemoteFolder):
                listed.folders[entry.id] = entry.path
            else:
                listed.skipped[entry.path] = entry.reason
    assert not is_open, "the last page does not end what it is about"
    assert isinstance(listed.entries[0], RemoteFolder)
    assert listed.entries[0].path == ""
    assert not listed.files.keys() & set(listed.folders.values()), "a file has the path of a folder"
    return listed


@pytest.fixture
def drive(drive_emulator: DriveEmulator) -> Drive:
    return Drive(drive_emulator)


@pytest.fixture
def list_all() -> Callable[[Remote], Listed]:
    """``list_all(remote)`` lists, and holds the listing to what ``Remote.list`` promises."""
    return _list_all


@pytest.fixture
def enter(settings: Settings) -> Iterator[Callable[[str], DriveRemote]]:
    """``enter("work/darknet")`` enters the folder of that name; it is left with the test."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(DriveRemote(name, settings, first_wait_s=FIRST_WAIT_S))


@pytest.fixture
def read() -> Callable[..., bytes]:
    """``read(remote, file, first, last)`` is what the remote writes into a sink."""

    def read(remote: Remote, file: RemoteFile, first: int = 0, last: int | None = None) -> bytes:
        blocks: list[bytes] = []

        class Sink:
            def write(self, block: bytes) -> None:
                blocks.append(bytes(block))

        remote.read(file, Sink(), first, last)
        return b"".join(blocks)

    return read
