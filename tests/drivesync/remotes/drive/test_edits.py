"""Files that are moved and deleted: what stays, what it costs, and what an answer that is lost does not undo."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from drivesync.errors import NotAllowedError, NotFoundError, RemoteError
from drivesync.testing import ErrorAnswer, Fault, LostAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivesync.files import RemoteFile
    from drivesync.remotes.drive.remote import DriveRemote
    from drivesync.testing.entries import Entry
    from drivesync.testing.metadata import Metadata
    from tests.drivesync.remotes.conftest import Drive

CONTENT = b"content"


def put(remote: DriveRemote, path: str) -> RemoteFile:
    return remote.write(
        path,
        io.BytesIO(CONTENT),
        size=len(CONTENT),
        modified_s=1_700_000_000.123,
        properties={"iteration": "7"},
        executable=False,
        replaces=None,
    )


class TestDelete:
    def test_it_is_for_good(self, remote: DriveRemote, drive: Drive) -> None:
        file = put(remote, "backup/a")
        assert remote.room() is not None
        with drive.emulator.locked() as store:
            assert store.used_bytes == len(CONTENT)
        remote.delete(file)
        with drive.emulator.locked() as store:
            assert (store.used_bytes, store.trashed_bytes()) == (0, 0)
        assert drive.entries("darknet/backup") == []
        assert remote.find("backup/a") is None

    def test_an_answer_that_is_lost_or_a_file_that_is_gone_is_no_error(
        self, remote: DriveRemote, drive: Drive
    ) -> None:
        file = put(remote, "a")
        drive.emulator.inject(Fault(LostAnswer(), "files.delete"))
        remote.delete(file)
        remote.delete(file)
        assert drive.requests("files.delete") == 3

    def test_who_may_not_hears_it(self, remote: DriveRemote, drive: Drive) -> None:
        file = put(remote, "a")
        drive.emulator.inject(Fault(ErrorAnswer(403, "insufficientFilePermissions"), "files.delete"))
        with pytest.raises(NotAllowedError):
            remote.delete(file)
        assert remote.find("a") == file


class TestMove:
    def test_the_same_file_elsewhere(self, remote: DriveRemote, drive: Drive) -> None:
        file = put(remote, "backup/a")
        moved = remote.move(file, "backup/archive-2026-11-23/b")
        assert moved == replace(file, path="backup/archive-2026-11-23/b")
        assert moved.properties == {"iteration": "7"}
        assert drive.emulator.read_tree("darknet") == {"backup/archive-2026-11-23/b": CONTENT}
        (entry,) = drive.entries("darknet/backup/archive-2026-11-23")
        assert len(entry.revisions) == 1

    def test_it_is_said_that_its_time_stays(
        self, remote: DriveRemote, drive: Drive, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Google does not say whether a new name is a change."""
        file = put(remote, "a")
        told: list[int | None] = []
        update = drive.emulator.store.update

        def look(file_id: str, metadata: Metadata, **more: Any) -> Entry:
            told.append(metadata.modified_ms)
            return update(file_id, metadata, **more)

        monkeypatch.setattr(drive.emulator.store, "update", look)
        remote.move(file, "b")
        assert told == [1_700_000_000_123]

    def test_one_look_at_the_place_and_one_request(self, remote: DriveRemote, drive: Drive) -> None:
        files = [put(remote, f"backup/{name}") for name in "abc"]
        remote.move(files[0], "backup/archive/a")
        drive.emulator.reset()
        for file in files[1:]:
            remote.move(file, file.path.replace("backup/", "backup/archive/"))
        assert (drive.requests("files.update"), drive.requests("files.list")) == (2, 2)
        assert drive.emulator.counters().total().requests == 4

    def test_another_name_in_the_same_folder(self, remote: DriveRemote, drive: Drive) -> None:
        moved = remote.move(put(remote, "backup/a"), "backup/b")
        assert (moved.path, moved.modified_s) == ("backup/b", 1_700_000_000.123)
        assert drive.emulator.read_tree("darknet") == {"backup/b": CONTENT}

    def test_from_the_one_of_several_folders_that_it_lies_in(self, remote: DriveRemote, drive: Drive) -> None:
        drive.add_folder("darknet/backup")
        second = drive.add_folder("darknet/backup")
        file_id = drive.add_in(second, "a")
        file = remote.find("backup/a")
        assert file is not None
        assert file.id == file_id
        remote.move(file, "archive/a")
        assert [entry.id for entry in drive.entries("darknet/archive")] == [file_id]

    def test_an_answer_that_is_lost(self, remote: DriveRemote, drive: Drive) -> None:
        file = put(remote, "a")
        drive.emulator.inject(Fault(LostAnswer(), "files.update"))
        assert remote.move(file, "archive/a").id == file.id
        assert drive.emulator.read_tree("darknet") == {"archive/a": CONTENT}

    def test_a_folder_that_somebody_removed_is_made_anew_the_next_time(
        self, remote: DriveRemote, drive: Drive
    ) -> None:
        remote.move(put(remote, "a"), "archive/a")
        file = put(remote, "b")
        drive.delete("darknet/archive")
        with pytest.raises(NotFoundError):
            remote.move(file, "archive/b")
        remote.move(file, "archive/b")
        assert drive.emulator.read_tree("darknet") == {"archive/b": CONTENT}

    @pytest.mark.parametrize("other", ["a file", "a document", "a folder"])
    def test_not_over_anything(self, remote: DriveRemote, drive: Drive, other: str) -> None:
        file = put(remote, "a")
        add: dict[str, Callable[[], str]] = {
            "a file": lambda: drive.add("darknet/archive", "a"),
            "a document": lambda: drive.add_other(
                "darknet/archive", "a", "application/vnd.google-apps.document"
            ),
            "a folder": lambda: drive.add_folder("darknet/archive/a"),
        }
        add[other]()
        with pytest.raises(RemoteError, match="there already"):
            remote.move(file, "archive/a")
        assert remote.find("a") == file

    def test_in_a_shared_drive(self, enter: Callable[[str], DriveRemote], drive: Drive) -> None:
        drive.make_shared_drive("team")
        remote = enter("Shareddrives/team/darknet")
        moved = remote.move(put(remote, "backup/a"), "archive/a")
        assert remote.find("archive/a") == moved
        remote.delete(moved)
        assert remote.find("archive/a") is None
