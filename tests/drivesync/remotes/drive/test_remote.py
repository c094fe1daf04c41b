"""A folder on Drive as a remote: what is found, read and written, and what happens where Drive is in trouble."""

from __future__ import annotations

import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from drivesync.config import Settings
from drivesync.errors import MovedError, NotAllowedError, NotFoundError, RemoteError, TransientError
from drivesync.files import Room
from drivesync.remotes.drive.remote import DriveRemote
from drivesync.testing import (
    CorruptDownload,
    CutDownload,
    Delay,
    ErrorAnswer,
    ExpiredToken,
    Fault,
    LostAnswer,
)
from drivesync.testing.entries import Content
from drivesync.testing.metadata import Metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from drivesync.files import RemoteFile
    from drivesync.remotes.base import Remote
    from tests.drivesync.remotes.conftest import Drive, Listed

    ListAll = Callable[[Remote], Listed]
    Read = Callable[..., bytes]
    Enter = Callable[[str], DriveRemote]


def write(
    remote: Remote,
    path: str,
    content: bytes,
    replaces: RemoteFile | None = None,
    *,
    executable: bool = False,
) -> RemoteFile:
    return remote.write(
        path,
        io.BytesIO(content),
        size=len(content),
        modified_s=1_700_000_000.123,
        properties={"iteration": "7"},
        executable=executable,
        replaces=replaces,
    )


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
        drive.add_other("darknet", "a", "application/vnd.google-apps.document")
        found = remote.find("a")
        assert found is not None
        assert found.id == newest

    def test_a_folder_that_was_remembered_and_is_deleted(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll
    ) -> None:
        drive.add("darknet/backup", "a")
        assert remote.find("backup/a") is not None
        drive.delete("darknet/backup")
        assert remote.find("backup/a") is None
        drive.add("darknet/backup", "a")
        assert remote.find("backup/a") == list_all(remote).files["backup/a"]

    def test_what_is_remembered_is_not_asked_for_again(self, remote: DriveRemote, drive: Drive) -> None:
        drive.add("darknet/backup", "a")
        for _ in range(3):
            remote.find("backup/a")
        assert drive.requests("files.list") == 2 + 3


class TestFilesIn:
    def test_all_that_lies_in_a_folder_itself(self, remote: DriveRemote, drive: Drive) -> None:
        folder = "darknet/.drivesync/packs"
        ids = {drive.add(folder, "a", b"older", at_s=10), drive.add(folder, "a", b"newer", at_s=20)}
        drive.add(f"{folder}/below", "b")
        drive.add_other(folder, "c", "application/vnd.google-apps.document")
        found = remote.files_in(".drivesync/packs")
        assert [file.path for file in found] == [".drivesync/packs/a"] * 2
        assert {file.id for file in found} == ids

    def test_of_a_folder_that_is_not_there(self, remote: DriveRemote, drive: Drive) -> None:
        drive.add("darknet", "a")
        assert remote.files_in("b") == ()
        assert remote.files_in("a") == ()

    def test_of_one_that_was_remembered_and_is_deleted(self, remote: DriveRemote, drive: Drive) -> None:
        drive.add("darknet/b", "a")
        assert len(remote.files_in("b")) == 1
        drive.delete("darknet/b")
        assert remote.files_in("b") == ()
        drive.add("darknet/b", "c")
        assert [file.path for file in remote.files_in("b")] == ["b/c"]


class TestRenew:
    def test_as_it_is_now(self, remote: DriveRemote, drive: Drive, list_all: ListAll, read: Read) -> None:
        file_id = drive.add("darknet", "a", b"before")
        before = list_all(remote).files["a"]
        with drive.emulator.locked() as store:
            store.update(file_id, Metadata(name="renamed"), Content.of(b"afterwards"))
        renewed = remote.renew(before)
        assert renewed is not None
        assert (renewed.path, renewed.id, renewed.size) == ("a", file_id, 10)
        assert renewed.revision_id != before.revision_id
        assert read(remote, renewed) == b"afterwards"
        assert drive.requests("files.get") == 1

    @pytest.mark.parametrize("trash_only", [True, False])
    def test_gone(self, remote: DriveRemote, drive: Drive, list_all: ListAll, *, trash_only: bool) -> None:
        drive.add("darknet", "a")
        file = list_all(remote).files["a"]
        drive.trash("darknet/a") if trash_only else drive.delete("darknet/a")
        assert remote.renew(file) is None


class TestMostBytes:
    def test_all_that_is_stored_is_a_bound(self, remote: DriveRemote, drive: Drive) -> None:
        drive.add("darknet", "a", bytes(1000))
        drive.add("elsewhere", "b", bytes(500))
        assert remote.most_bytes() == 1500

    def test_of_what_is_not_ones_own_there_is_none(self, enter: Enter, drive: Drive) -> None:
        drive.make_shared_drive("team", "darknet/a")
        drive.add("theirs", "a")
        drive.lock(drive.id_of("theirs"), "")
        assert enter("Shareddrives/team/darknet").most_bytes() is None
        assert enter("theirs").most_bytes() is None


class TestRoom:
    def test_what_is_used_and_what_of_it_is_trash(self, remote: DriveRemote, drive: Drive) -> None:
        drive.add("darknet", "a", bytes(1000))
        drive.add("elsewhere", "b", bytes(500))
        drive.trash("elsewhere/b")
        room = remote.room()
        assert room == Room(15 << 30, 1500, 500)
        assert room.free == (15 << 30) - 1500
        assert drive.requests("about.get") == 1

    def test_there_may_be_no_limit(self, remote: DriveRemote, drive: Drive) -> None:
        drive.emulator.store.storage_limit_bytes = None
        assert remote.room() == Room(None, 0, 0)

    def test_of_a_tree_that_is_not_there_yet(self, enter: Enter, drive: Drive) -> None:
        assert enter("work/darknet").room() == Room(15 << 30, 0, 0)
        drive.make_shared_drive("team")
        assert enter("Shareddrives/team/darknet").room() is None

    def test_of_a_shared_drive_nobody_can_tell(self, enter: Enter, drive: Drive) -> None:
        drive.make_shared_drive("team", "darknet/a")
        assert enter("Shareddrives/team/darknet").room() is None
        assert drive.requests("about.get") == 0


class TestNow:
    @pytest.fixture
    def ahead(self, drive: Drive, monkeypatch: pytest.MonkeyPatch) -> float:
        """Drive's clock is so many seconds ahead of this machine's."""
        ahead_s = 7200.0
        monkeypatch.setattr(drive.emulator.store, "now_ms", lambda: round((time.time() + ahead_s) * 1000))
        return ahead_s

    def test_it_is_drives_and_costs_nothing_once_anything_was_answered(
        self, remote: DriveRemote, drive: Drive, ahead: float
    ) -> None:
        assert remote.now_s() == pytest.approx(time.time() + ahead, abs=2.0)
        assert drive.emulator.counters().total().requests == 1
        assert remote.now_s() == pytest.approx(time.time() + ahead, abs=2.0)
        assert drive.emulator.counters().total().requests == 1

    @pytest.mark.parametrize("status", [200, 503])
    def test_any_answer_tells_it(self, remote: DriveRemote, drive: Drive, ahead: float, status: int) -> None:
        drive.emulator.inject(*[Fault(ErrorAnswer(status), times=None)] * (status == 503))
        with suppress(TransientError):
            remote.find("a")
        asked = drive.emulator.counters().total().requests
        assert remote.now_s() == pytest.approx(time.time() + ahead, abs=2.0)
        assert drive.emulator.counters().total().requests == asked

    def test_where_nobody_tells_it_that_is_said(
        self, remote: DriveRemote, drive: Drive, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("drivesync.testing.exchange.formatdate", lambda *_, **__: "today")
        with pytest.raises(RemoteError, match="does not say"):
            remote.now_s()
        assert drive.requests("about.get") == 1


class TestRead:
    @pytest.mark.parametrize("size", [0, 1, 1000, (16 << 20) + 1])
    def test_any_size_is_one_request_and_nothing_is_none(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll, read: Read, size: int
    ) -> None:
        content = bytes(range(256)) * (size // 256) + bytes(size % 256)
        drive.add("darknet", "a", content)
        assert read(remote, list_all(remote).files["a"]) == content
        assert drive.requests("files.get.media") == min(size, 1)

    @pytest.mark.parametrize(
        ("first", "last", "content"),
        [
            pytest.param(0, 0, b"0", id="a byte"),
            pytest.param(3, 6, b"3456", id="some in the middle"),
            pytest.param(7, None, b"789", id="to the end"),
            pytest.param(10, None, b"", id="nothing is left"),
        ],
    )
    def test_a_range(
        self,
        remote: DriveRemote,
        drive: Drive,
        list_all: ListAll,
        read: Read,
        first: int,
        last: int | None,
        content: bytes,
    ) -> None:
        drive.add("darknet", "a", b"0123456789")
        assert read(remote, list_all(remote).files["a"], first, last) == content

    def test_a_cut_connection_costs_no_byte(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll, read: Read
    ) -> None:
        content = bytes(range(256)) * (8 << 12)
        drive.add("darknet", "a", content)
        drive.emulator.inject(Fault(CutDownload(after_bytes=5_000_000), "files.get.media"))
        assert read(remote, list_all(remote).files["a"]) == content
        assert drive.requests("files.get.media") == 2

    def test_damage_comes_through_to_whoever_checks(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll, read: Read
    ) -> None:
        drive.add("darknet", "a", bytes(1000))
        drive.emulator.inject(Fault(CorruptDownload(), "files.get.media"))
        content = read(remote, list_all(remote).files["a"])
        assert len(content) == 1000
        assert content != bytes(1000)

    def test_gone_meanwhile(self, remote: DriveRemote, drive: Drive, list_all: ListAll, read: Read) -> None:
        drive.add("darknet", "a", b"content")
        file = list_all(remote).files["a"]
        drive.delete("darknet/a")
        with pytest.raises(NotFoundError, match="reading a: Drive answered 404 notFound"):
            read(remote, file)

    @pytest.mark.parametrize("content", [b"short", b"longer than before"])
    def test_changed_meanwhile(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll, read: Read, content: bytes
    ) -> None:
        drive.add("darknet", "a", b"as it was")
        file = list_all(remote).files["a"]
        drive.emulator.put("darknet/a", content)
        with pytest.raises(MovedError):
            read(remote, file)


class TestWrite:
    def test_a_new_file_in_new_folders(self, remote: DriveRemote, drive: Drive, list_all: ListAll) -> None:
        written = write(remote, "backup/it's 日本.weights", b"content")
        assert list_all(remote).files == {"backup/it's 日本.weights": written}
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

    @pytest.mark.parametrize(
        ("before", "now", "said"),
        [
            pytest.param(None, False, None, id="of a new file that is not, nothing is said"),
            pytest.param(None, True, "true", id="a new file that is"),
            pytest.param(False, False, None, id="as it was, it is not"),
            pytest.param(True, True, "true", id="as it was, it is"),
            pytest.param(True, False, "false", id="no longer"),
            pytest.param(False, True, "true", id="only now"),
        ],
    )
    def test_the_run_bit_is_recorded(
        self, remote: DriveRemote, drive: Drive, *, before: bool | None, now: bool, said: str | None
    ) -> None:
        first = None if before is None else write(remote, "a", b"first", executable=before)
        written = write(remote, "a", b"second", first, executable=now)
        assert written.executable is (None if said is None else said == "true")
        assert drive.entries("darknet")[0].app_properties.get("executable") == said
        assert remote.find("a") == written

    def test_a_tree_whose_name_could_be_an_id_is_made_where_there_is_no_such_id(
        self, enter: Enter, drive: Drive
    ) -> None:
        name = "darknet-runs-of-november-2026"
        write(enter(name), "a", b"content")
        assert drive.emulator.read_tree("") == {f"{name}/a": b"content"}

    @pytest.mark.parametrize("name", ["work/darknet", "MyDrive/work/darknet"])
    def test_the_trees_own_folder_is_made_where_it_is_missing(
        self, enter: Enter, drive: Drive, name: str
    ) -> None:
        write(enter(name), "backup/a", b"content")
        assert drive.emulator.read_tree("") == {"work/darknet/backup/a": b"content"}

    def test_into_a_shared_drive(self, enter: Enter, drive: Drive, list_all: ListAll) -> None:
        drive.make_shared_drive("team")
        remote = enter("Shareddrives/team/work/darknet")
        written = write(remote, "backup/a", b"content")
        assert list_all(remote).files == {"backup/a": written}

    def test_into_the_oldest_of_several_folders_and_into_no_shortcut(
        self, remote: DriveRemote, drive: Drive
    ) -> None:
        drive.add_shortcut("darknet/backup", drive.add_folder("elsewhere"))
        oldest = drive.add_folder("darknet/backup")
        drive.add_folder("darknet/backup")
        written = write(remote, "backup/a", b"content")
        with drive.emulator.locked() as store:
            assert store.get(written.id).parents == (oldest,)

    def test_through_a_shortcut(self, remote: DriveRemote, drive: Drive) -> None:
        drive.add_shortcut("darknet/backup", drive.add_folder("elsewhere"))
        write(remote, "backup/a", b"content")
        assert drive.emulator.read_tree("elsewhere") == {"a": b"content"}

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
        self, remote: DriveRemote, drive: Drive, list_all: ListAll
    ) -> None:
        write(remote, "backup/a", b"first")
        drive.trash("darknet/backup")
        with pytest.raises(NotFoundError, match="trash"):
            write(remote, "backup/b", b"second")
        write(remote, "backup/b", b"second")
        assert set(list_all(remote).files) == {"backup/b"}

    def test_a_folder_that_was_deleted_is_made_anew_the_next_time(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll
    ) -> None:
        write(remote, "backup/a", b"first")
        with drive.emulator.locked() as store:
            store.delete(drive.entries("darknet")[0].id)
        with pytest.raises(NotFoundError):
            write(remote, "backup/b", b"second")
        write(remote, "backup/b", b"second")
        assert set(list_all(remote).files) == {"backup/b"}

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
        self, remote: DriveRemote, drive: Drive, list_all: ListAll, status: int, reason: str
    ) -> None:
        drive.add("darknet", "a", b"content")
        drive.emulator.inject(Fault(ErrorAnswer(status, reason), times=4))
        assert set(list_all(remote).files) == {"a"}

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
        assert caught.value.hint.startswith("Set GOOGLE_OAUTH_ACCESS_TOKEN to a new token")

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
        assert time.monotonic() - began_s < 10
        assert all(isinstance(error, TransientError) for error in errors), errors
        with pytest.raises(TransientError, match="stopped"):
            stubborn.find("a")

    def test_a_cut_while_reading_never_shows_as_anything_else(
        self, remote: DriveRemote, drive: Drive
    ) -> None:
        drive.add("darknet", "a", bytes(64 << 20))
        file = remote.find("a")
        assert file is not None
        begun, cut = threading.Event(), threading.Event()

        class Sink:
            def write(self, _block: bytes) -> None:
                begun.set()
                cut.wait()

        with ThreadPoolExecutor(1) as pool:
            reading = pool.submit(remote.read, file, Sink())
            begun.wait()
            remote.cancel()
            cut.set()
            assert isinstance(reading.exception(timeout=20), TransientError)
