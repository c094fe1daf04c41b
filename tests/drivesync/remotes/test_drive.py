"""A folder on Drive as a remote: nothing is missed, nothing is asked twice, and names are only names."""

from __future__ import annotations

import hashlib
import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from drivesync.config import Settings
from drivesync.errors import NotAllowedError, NotFoundError, RemoteError, TransientError, UsageError
from drivesync.files import RemoteFile, Skipped
from drivesync.remotes import open_remote
from drivesync.remotes.drive import FOLDER, DriveRemote
from drivesync.testing import (
    CorruptDownload,
    CutDownload,
    Delay,
    ErrorAnswer,
    ExpiredToken,
    Fault,
    LostAnswer,
    OmittedParent,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivesync.remotes.base import Remote
    from tests.drivesync.remotes.conftest import Drive

HOSTILE = [
    "it's",
    'say "hello"',
    "back\\slash",
    "\\'",
    "' or name != '",
    "100% #1?a=b&c+d",
    "日本語 ünïcödé 🦊",
    " leading, trailing. ",
    "line\nbreak",
]


def listed(remote: Remote) -> dict[str, RemoteFile]:
    return {entry.path: entry for entry in remote.list() if isinstance(entry, RemoteFile)}


def skipped(remote: Remote) -> dict[str, str]:
    return {entry.path: entry.reason for entry in remote.list() if isinstance(entry, Skipped)}


def read(remote: Remote, file: RemoteFile) -> bytes:
    class Sink(io.BytesIO):
        def write(self, block: bytes) -> None:  # type: ignore[override]
            super().write(block)

    sink = Sink()
    remote.read(file, sink)
    return sink.getvalue()


def write(remote: Remote, path: str, content: bytes, replaces: RemoteFile | None = None) -> RemoteFile:
    return remote.write(
        path,
        io.BytesIO(content),
        size=len(content),
        modified_s=1_700_000_000.123,
        properties={"iteration": "7"},
        replaces=replaces,
    )


class TestList:
    def test_what_a_file_is(self, remote: DriveRemote, drive: Drive) -> None:
        file_id = drive.add("darknet/data", "a.txt", b"content", at_s=1_700_000_000.123)
        (file,) = remote.list()
        assert file == RemoteFile(
            path="data/a.txt",
            id=file_id,
            size=7,
            md5="9a0364b9e99bb480dd25e1f0284c8555",
            modified_s=1_700_000_000.123,
            sha256=hashlib.sha256(b"content").hexdigest(),
            revision_id=drive.entries("darknet/data")[0].revisions[0].id,
        )

    @pytest.mark.parametrize("name", HOSTILE)
    def test_any_name(self, settings: Settings, drive: Drive, name: str) -> None:
        drive.add(name, name, b"content")
        drive.add(f"{name}/{name}", name, b"content")
        with open_remote(name, settings, lambda _line: None) as remote:
            assert set(listed(remote)) == {name, f"{name}/{name}"}
            assert remote.find(f"{name}/{name}") == listed(remote)[f"{name}/{name}"]

    def test_names_that_can_be_no_files_are_skipped_with_all_below_them(
        self, remote: DriveRemote, drive: Drive
    ) -> None:
        for name in ("..", ".", "a/b", "../../x", "n\0ull", "x" * 256, "日" * 86):
            drive.add("darknet", name)
            drive.add_in(drive.add_other("darknet", name, FOLDER), "below")
        drive.add("darknet", "good")
        assert set(listed(remote)) == {"good"}
        assert all("its name" in reason for reason in skipped(remote).values())

    def test_what_is_no_file(self, remote: DriveRemote, drive: Drive) -> None:
        target = drive.add("elsewhere", "target")
        loop = drive.add("darknet", "file") and drive.entries("darknet")[0].parents[0]
        drive.add_other("darknet", "notes", "application/vnd.google-apps.document")
        drive.add_other("darknet", "link", "application/vnd.google-apps.shortcut", target_id=target)
        drive.add_other("darknet", "loop", "application/vnd.google-apps.shortcut", target_id=loop)
        assert set(listed(remote)) == {"file"}
        assert skipped(remote) == {
            "notes": "it is a Google document, not a file",
            "link": "it is a Google shortcut, not a file",
            "loop": "it is a Google shortcut, not a file",
        }

    def test_the_trash_is_left_where_it_is(self, remote: DriveRemote, drive: Drive) -> None:
        drive.add("darknet", "kept")
        drive.add("darknet", "thrown away")
        drive.add("darknet/folder", "below")
        drive.trash("darknet/thrown away")
        drive.trash("darknet/folder")
        assert set(listed(remote)) == {"kept"}

    def test_several_files_and_folders_of_one_name(self, remote: DriveRemote, drive: Drive) -> None:
        for data in (b"1", b"2"):
            drive.add("darknet", "twin", data)
            drive.add_in(drive.add_other("darknet", "data", FOLDER), f"in {data.decode()}")
        assert sorted(entry.path for entry in remote.list()) == ["data/in 1", "data/in 2", "twin", "twin"]

    def test_more_than_a_page(self, remote: DriveRemote, drive: Drive) -> None:
        for number in range(2001):
            drive.add("darknet/many", f"{number}.txt")
        drive.emulator.counters().reset()
        assert set(listed(remote)) == {f"many/{number}.txt" for number in range(2001)}
        # One for the folder itself, one for what is in it, three pages.
        assert drive.requests("files.list") == 5

    def test_fifty_folders_are_one_request(self, remote: DriveRemote, drive: Drive) -> None:
        for number in range(120):
            drive.add(f"darknet/{number}", "file")
        drive.emulator.counters().reset()
        assert set(listed(remote)) == {f"{number}/file" for number in range(120)}
        assert drive.requests("files.list") == 1 + 1 + 3

    def test_an_empty_folder_among_others_is_asked_once_more(self, remote: DriveRemote, drive: Drive) -> None:
        for number in range(3):
            drive.add(f"darknet/{number}", "file")
        drive.add_other("darknet", "empty", FOLDER)
        drive.emulator.counters().reset()
        assert len(listed(remote)) == 3
        assert drive.requests("files.list") == 1 + 1 + 1 + 1

    def test_a_folder_that_drive_leaves_out_without_a_word_is_not_missed(
        self, remote: DriveRemote, drive: Drive
    ) -> None:
        for number in range(70):
            drive.add(f"darknet/{number}", "file")
        drive.emulator.inject(Fault(OmittedParent(), "files.list", times=None))
        assert set(listed(remote)) == {f"{number}/file" for number in range(70)}

    def test_deep_folders(self, remote: DriveRemote, drive: Drive) -> None:
        path = "/".join("abcdefghijklmnopqrst")
        drive.add(f"darknet/{path}", "file")
        assert set(listed(remote)) == {f"{path}/file"}

    @pytest.mark.parametrize("name", ["absent", "darknet/absent", "DARKNET", "a file", "thrown away"])
    def test_no_such_folder(self, settings: Settings, drive: Drive, name: str) -> None:
        drive.add("darknet", "a file")
        drive.add("", "a file")
        drive.add("thrown away", "file")
        drive.trash("thrown away")
        said = "there is no folder"
        with open_remote(name, settings, print) as remote, pytest.raises(NotFoundError, match=said) as caught:
            list(remote.list())
        assert "pull REMOTE" in caught.value.hint

    def test_the_oldest_of_several_folders_of_its_name(self, settings: Settings, drive: Drive) -> None:
        for _ in range(3):
            folder = drive.add_other("", "tree", FOLDER)
            drive.add_in(folder, folder)
        oldest = min(drive.entries(""), key=lambda entry: entry.created_ms).id
        with open_remote("tree", settings, lambda _line: None) as remote:
            assert set(listed(remote)) == {oldest}

    def test_blind_to_case_is_only_drive(self, settings: Settings, drive: Drive) -> None:
        drive.add("Darknet", "theirs")
        drive.add("darknet", "ours")
        with open_remote("darknet", settings, lambda _line: None) as remote:
            assert set(listed(remote)) == {"ours"}


class TestFind:
    def test_nothing_there(self, remote: DriveRemote, drive: Drive) -> None:
        assert remote.find("backup/a") is None
        drive.add("darknet", "other")
        assert remote.find("backup/a") is None
        assert remote.find("a") is None

    def test_another_case_is_another_file(self, remote: DriveRemote, drive: Drive) -> None:
        drive.add("darknet", "A.weights")
        assert remote.find("a.weights") is None

    def test_the_newest_of_a_name(self, remote: DriveRemote, drive: Drive) -> None:
        drive.add("darknet", "a", b"1", at_s=10)
        newest = drive.add("darknet", "a", b"2", at_s=30)
        drive.add("darknet", "a", b"3", at_s=20)
        drive.add_other("darknet", "a", FOLDER)
        drive.add_other("darknet", "a", "application/vnd.google-apps.document")
        found = remote.find("a")
        assert found is not None
        assert found.id == newest


class TestRead:
    @pytest.mark.parametrize("size", [0, 1, 1000, (16 << 20) - 1, 16 << 20, (16 << 20) + 1])
    def test_any_size(self, remote: DriveRemote, drive: Drive, size: int) -> None:
        content = bytes(range(256)) * (size // 256) + bytes(size % 256)
        drive.add("darknet", "a", content)
        assert read(remote, listed(remote)["a"]) == content
        assert drive.requests("files.get.media") == -(-size // (16 << 20))

    def test_a_cut_connection_costs_only_the_part_that_was_under_way(
        self, remote: DriveRemote, drive: Drive
    ) -> None:
        content = bytes(40 << 20)
        drive.add("darknet", "a", content)
        drive.emulator.inject(Fault(CutDownload(after_bytes=1000), "files.get.media", skip=1))
        assert read(remote, listed(remote)["a"]) == content
        assert drive.requests("files.get.media") == 4

    def test_damage_comes_through_to_whoever_checks(self, remote: DriveRemote, drive: Drive) -> None:
        drive.add("darknet", "a", bytes(1000))
        drive.emulator.inject(Fault(CorruptDownload(), "files.get.media"))
        content = read(remote, listed(remote)["a"])
        assert len(content) == 1000
        assert content != bytes(1000)

    def test_gone_meanwhile(self, remote: DriveRemote, drive: Drive) -> None:
        drive.add("darknet", "a", b"content")
        file = listed(remote)["a"]
        with drive.emulator.locked() as store:
            store.delete(file.id)
        with pytest.raises(NotFoundError, match="reading a: Drive answered 404 notFound"):
            read(remote, file)


class TestWrite:
    def test_a_new_file_in_new_folders(self, remote: DriveRemote, drive: Drive) -> None:
        written = write(remote, "backup/it's 日本.weights", b"content")
        assert listed(remote) == {"backup/it's 日本.weights": written}
        assert written.md5 == "9a0364b9e99bb480dd25e1f0284c8555"
        assert written.modified_s == 1_700_000_000.123
        (entry,) = drive.entries("darknet/backup")
        assert entry.app_properties == {"iteration": "7"}

    def test_an_update_keeps_the_id_and_makes_a_revision(self, remote: DriveRemote, drive: Drive) -> None:
        first = write(remote, "a", b"first")
        second = write(remote, "a", b"second", replaces=first)
        assert second.id == first.id
        assert second.revision_id != first.revision_id
        (entry,) = drive.entries("darknet")
        assert [bytes(revision.content.data) for revision in entry.revisions] == [b"first", b"second"]

    def test_folders_are_made_once_by_many(self, remote: DriveRemote, drive: Drive) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: write(remote, f"a/b/{number}", b"x"), range(16)))
        assert [entry.name for entry in drive.entries("")] == ["darknet"]
        assert [entry.name for entry in drive.entries("darknet")] == ["a"]
        assert len(drive.entries("darknet/a/b")) == 16

    def test_a_folder_whose_making_was_not_answered_is_no_twin(
        self, remote: DriveRemote, drive: Drive
    ) -> None:
        drive.emulator.inject(Fault(LostAnswer(), "files.create", times=2))
        write(remote, "a", b"x")
        assert [entry.name for entry in drive.entries("")] == ["darknet"]
        assert [entry.name for entry in drive.entries("darknet")] == ["a"]

    def test_a_folder_in_the_trash_takes_nothing_that_is_said_to_be_safe(
        self, remote: DriveRemote, drive: Drive
    ) -> None:
        write(remote, "backup/a", b"first")
        drive.trash("darknet/backup")
        with pytest.raises(NotFoundError, match="trash"):
            write(remote, "backup/b", b"second")
        write(remote, "backup/b", b"second")
        assert set(listed(remote)) == {"backup/b"}

    def test_a_folder_that_was_deleted_is_made_anew_the_next_time(
        self, remote: DriveRemote, drive: Drive
    ) -> None:
        write(remote, "backup/a", b"first")
        with drive.emulator.locked() as store:
            store.delete(drive.entries("darknet")[0].id)
        with pytest.raises(NotFoundError):
            write(remote, "backup/b", b"second")
        write(remote, "backup/b", b"second")
        assert set(listed(remote)) == {"backup/b"}

    def test_a_file_that_was_deleted_meanwhile(self, remote: DriveRemote, drive: Drive) -> None:
        first = write(remote, "a", b"first")
        with drive.emulator.locked() as store:
            store.delete(first.id)
        with pytest.raises(NotFoundError):
            write(remote, "a", b"second", replaces=first)


class TestTrouble:
    @pytest.mark.parametrize(
        ("status", "reason"),
        [
            (403, "userRateLimitExceeded"),
            (429, "rateLimitExceeded"),
            (500, "backendError"),
            (503, "backendError"),
        ],
    )
    def test_what_passes_is_waited_out(
        self, remote: DriveRemote, drive: Drive, status: int, reason: str
    ) -> None:
        drive.add("darknet", "a", b"content")
        drive.emulator.inject(Fault(ErrorAnswer(status, reason), times=4))
        assert set(listed(remote)) == {"a"}

    def test_what_lasts_is_told(self, remote: DriveRemote, drive: Drive) -> None:
        drive.emulator.inject(Fault(ErrorAnswer(503), times=None))
        with pytest.raises(TransientError, match="looking for darknet: Drive answered 503 backendError"):
            list(remote.list())
        assert drive.requests("files.list") == 5

    def test_a_dead_token(self, remote: DriveRemote, drive: Drive) -> None:
        drive.add("darknet", "a")
        drive.emulator.inject(Fault(ExpiredToken()))
        with pytest.raises(NotAllowedError, match="token") as caught:
            list(remote.list())
        assert "authenticate_user" in caught.value.hint

    def test_nobody_answers(self, remote: DriveRemote, drive: Drive) -> None:
        drive.emulator.__exit__(None, None, None)
        with pytest.raises(TransientError, match="Connection refused"):
            list(remote.list())

    def test_one_who_refuses(self, remote: DriveRemote, drive: Drive) -> None:
        drive.emulator.inject(Fault(ErrorAnswer(403, "dailyLimitExceeded")))
        with pytest.raises(RemoteError, match="dailyLimitExceeded") as caught:
            list(remote.list())
        assert not isinstance(caught.value, TransientError)
        assert drive.requests("files.list") == 1


class TestCancel:
    @pytest.fixture
    def stubborn(self, settings: Settings) -> Iterator[DriveRemote]:
        patient = Settings(settings.emulator_url, settings.access_token, retries=50)
        with DriveRemote("darknet", patient, first_wait_s=30.0) as remote:
            yield remote

    @pytest.mark.parametrize(
        "fault",
        [
            pytest.param(Delay(30.0), id="Drive hangs"),
            pytest.param(ErrorAnswer(503), id="a pause between two tries"),
            pytest.param(
                ErrorAnswer(429, "rateLimitExceeded", retry_after_s=500), id="a pause that Drive asked for"
            ),
        ],
    )
    def test_whoever_waits_is_set_free(
        self, stubborn: DriveRemote, drive: Drive, fault: Delay | ErrorAnswer
    ) -> None:
        drive.emulator.inject(Fault(fault, times=None))
        with ThreadPoolExecutor(3) as pool:
            waiting = [pool.submit(lambda: list(stubborn.list())) for _ in range(3)]
            while drive.requests("files.list") < 1:
                time.sleep(0.005)
            began_s = time.monotonic()
            stubborn.cancel()
            errors = [future.exception(timeout=20) for future in waiting]
        assert time.monotonic() - began_s < 3
        assert all(isinstance(error, TransientError) for error in errors), errors
        with pytest.raises(TransientError, match="stopped"):
            stubborn.find("a")

    def test_a_cut_while_reading_never_shows_as_anything_else(self, settings: Settings, drive: Drive) -> None:
        drive.add("darknet", "a", bytes(64 << 20))
        with DriveRemote("darknet", settings, first_wait_s=0.001) as remote:
            file = listed(remote)["a"]
            with ThreadPoolExecutor(1) as pool:
                reading = pool.submit(read, remote, file)
                threading.Event().wait(0.02)
                remote.cancel()
                assert isinstance(reading.exception(timeout=20), TransientError)


@pytest.mark.parametrize("name", ["", "/", "//", "a//b", "..", "a/../b", ".", "x" * 256, "a\0b"])
def test_names_of_no_folder(name: str) -> None:
    with pytest.raises(UsageError, match="names no folder"):
        open_remote(name, Settings(), lambda _line: None)


def test_slashes_around_a_name_are_nothing(settings: Settings, drive: Drive) -> None:
    drive.add("work/darknet", "a")
    with open_remote("/work/darknet/", settings, lambda _line: None) as remote:
        assert set(listed(remote)) == {"a"}
