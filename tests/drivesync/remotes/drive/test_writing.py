"""A write that a process could not end is ended by the next one: one file, and nothing that arrived is sent twice."""

from __future__ import annotations

import io
import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import NotFoundError, RemoteError, TransientError
from drivesync.remotes.drive.remote import DriveRemote
from drivesync.spooling.notes import MemoryNote
from drivesync.testing import CorruptUpload, ErrorAnswer, ExpiredUpload, Fault, LostAnswer
from drivesync.testing.metadata import Metadata

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivesync.config import Settings
    from drivesync.files import RemoteFile
    from drivesync.remotes.base import Note, Remote
    from tests.drivesync.remotes.conftest import Drive

    Wait = Callable[[Callable[[], object]], None]

MIB = 1 << 20
CONTENT = random.Random(0).randbytes(8 * MIB + 1000)
OTHER = random.Random(1).randbytes(len(CONTENT))
OLD = b"old content"


class Cut(BaseException):
    """The process is killed here."""


class CutNote(MemoryNote):
    """A note at whose first writing of some stage (begun, open, done) the process is killed, before it or after."""

    def __init__(self, stage: str, *, before: bool) -> None:
        super().__init__()
        self._stage = stage
        self._before = before

    def write(self, text: str) -> None:
        said = json.loads(text)
        stage = "open" if said["uri"] else "done" if said["is_done"] else "begun"
        is_it = stage == self._stage
        self._stage = "" if is_it else self._stage
        if not (is_it and self._before):
            super().write(text)
        if is_it:
            raise Cut


def send(
    remote: Remote,
    replaces: RemoteFile | None,
    note: Note | None,
    *,
    content: bytes = CONTENT,
    source: io.BytesIO | None = None,
    before_end: Callable[[], None] = lambda: None,
    epoch: str = "1",
) -> RemoteFile:
    return remote.write(
        "backup/a",
        source or io.BytesIO(content),
        size=len(content),
        modified_s=1_700_000_000.5,
        properties={"epoch": epoch, "iteration": "7"},
        executable=False,
        replaces=replaces,
        before_end=before_end,
        note=note,
    )


def revisions(drive: Drive) -> list[bytes]:
    """The revisions of the one file that there is."""
    (entry,) = drive.entries("darknet/backup")
    return [bytes(revision.content.data) for revision in entry.revisions]


def sent_bytes(drive: Drive) -> int:
    counters = drive.emulator.counters()
    return sum(counters[kind].bytes_up for kind in ("upload.chunk", "upload.final"))


def stored_bytes(drive: Drive) -> int:
    """What the session that was opened last has stored."""
    with drive.emulator.locked() as store:
        return len(store.uploads.all()[-1].data)


class Killed:
    """Ways to be killed; each does a write as far as it comes."""

    def __init__(self, settings: Settings, drive: Drive, wait_for: Wait) -> None:
        self.settings = settings
        self._drive = drive
        self._wait_for = wait_for

    def at_note(self, stage: str, *, before: bool) -> Callable[[RemoteFile | None], Note]:
        def work(old: RemoteFile | None) -> Note:
            note = CutNote(stage, before=before)
            with self.open() as remote, pytest.raises(Cut):
                send(remote, old, note)
            return note

        return work

    def in_the_middle(self, old: RemoteFile | None) -> Note:
        drive, wait_for, note = self._drive, self._wait_for, MemoryNote()

        class Source(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                if self.tell() == 5 * MIB:
                    wait_for(lambda: stored_bytes(drive) == 5 * MIB)
                    raise Cut
                return super().read(size)

        with self.open() as remote, pytest.raises(Cut):
            send(remote, old, note, source=Source(CONTENT))
        return note

    def before_the_last_byte(self, old: RemoteFile | None) -> Note:
        note = MemoryNote()

        def die() -> None:
            self._wait_for(lambda: stored_bytes(self._drive) == 8 * MIB)
            raise Cut

        with self.open() as remote, pytest.raises(Cut):
            send(remote, old, note, before_end=die)
        return note

    def before_the_answer(self, old: RemoteFile | None) -> Note:
        note = MemoryNote()
        self._drive.emulator.inject(Fault(LostAnswer(), "upload.final"))
        with self.open(retries=0) as remote, pytest.raises(TransientError):
            send(remote, old, note)
        return note

    def open(self, retries: int = 4) -> DriveRemote:
        return DriveRemote("darknet", replace(self.settings, retries=retries), first_wait_s=0.001)


@pytest.fixture
def killed(settings: Settings, drive: Drive, wait_for: Wait) -> Killed:
    return Killed(settings, drive, wait_for)


# How it is killed, and what of the content has arrived by then.
KILLS = [
    pytest.param(lambda by: by.at_note("open", before=True), 0, id="when a session is open and not noted"),
    pytest.param(lambda by: by.at_note("open", before=False), 0, id="when a session is noted"),
    pytest.param(lambda by: by.in_the_middle, 5 * MIB, id="in the middle"),
    pytest.param(lambda by: by.before_the_last_byte, 8 * MIB, id="before the last byte"),
    pytest.param(lambda by: by.before_the_answer, len(CONTENT), id="before the answer"),
    pytest.param(lambda by: by.at_note("done", before=True), len(CONTENT), id="before the end is noted"),
    pytest.param(lambda by: by.at_note("done", before=False), len(CONTENT), id="when the end is noted"),
]
KILLS_OF_NEW = [
    pytest.param(lambda by: by.at_note("begun", before=True), 0, id="before anything is noted"),
    pytest.param(lambda by: by.at_note("begun", before=False), 0, id="when an id is noted"),
    *KILLS,
]


class TestKilled:
    @pytest.mark.parametrize(("kill", "arrived"), KILLS_OF_NEW)
    def test_a_new_file(
        self, killed: Killed, drive: Drive, kill: Callable[[Killed], Callable[..., Note]], arrived: int
    ) -> None:
        note = kill(killed)(None)
        drive.emulator.reset()
        with killed.open() as remote:
            there = remote.find("backup/a")
            assert (there is not None) == (arrived == len(CONTENT))
            written = send(remote, there, note, epoch="2")
            assert remote.find("backup/a") == written
        assert revisions(drive) == [CONTENT]
        assert sent_bytes(drive) == len(CONTENT) - arrived
        assert written.properties == {"epoch": "2", "iteration": "7"}

    @pytest.mark.parametrize(("kill", "arrived"), KILLS_OF_NEW)
    def test_a_new_file_that_a_look_does_not_show_yet(
        self, killed: Killed, drive: Drive, kill: Callable[[Killed], Callable[..., Note]], arrived: int
    ) -> None:
        note = kill(killed)(None)
        drive.emulator.reset()
        with killed.open() as remote:
            send(remote, None, note)
        assert revisions(drive) == [CONTENT]
        assert sent_bytes(drive) == len(CONTENT) - arrived

    @pytest.mark.parametrize(("kill", "arrived"), KILLS)
    def test_an_update(
        self, killed: Killed, drive: Drive, kill: Callable[[Killed], Callable[..., Note]], arrived: int
    ) -> None:
        with killed.open() as remote:
            old = send(remote, None, None, content=OLD)
        note = kill(killed)(old)
        assert revisions(drive) == ([OLD, CONTENT] if arrived == len(CONTENT) else [OLD])
        drive.emulator.reset()
        with killed.open() as remote:
            written = send(remote, old, note)
            assert remote.find("backup/a") == written
        assert written.id == old.id
        assert revisions(drive) == [OLD, CONTENT]
        assert sent_bytes(drive) == len(CONTENT) - arrived


def test_what_is_noted_is_noted_in_time(remote: DriveRemote, drive: Drive) -> None:
    seen: list[tuple[dict[str, object], int, int]] = []

    class Watched(MemoryNote):
        def write(self, text: str) -> None:
            super().write(text)
            opened = drive.requests("files.create.resumable") + drive.requests("files.update.resumable")
            seen.append((json.loads(text), opened, sent_bytes(drive)))

    note = Watched()
    written = send(remote, None, note)
    (first, first_opened, _), (session, _, session_bytes), (done, _, done_bytes) = seen
    assert (first["file_id"], first["uri"], first_opened) == (written.id, "", 0)
    assert str(session["uri"]).startswith(f"{drive.emulator.url}/upload/")
    assert (session["file_id"], session_bytes) == (written.id, 0)
    assert (done["uri"], done["is_done"], done_bytes) == ("", True, len(CONTENT))
    seen.clear()
    send(remote, written, note, content=OTHER[:-1])
    (session, opened, session_bytes), (done, _, _) = seen
    assert (bool(session["uri"]), opened, session_bytes) == (True, 2, len(CONTENT))
    assert done["is_done"] is True


def test_the_later_process_says_its_own_properties(killed: Killed, drive: Drive) -> None:
    note = killed.before_the_last_byte(None)
    with killed.open() as remote:
        written = send(remote, None, note, epoch="2")
        assert written.properties == {"epoch": "2", "iteration": "7"}
        assert remote.find("backup/a") == written
    assert drive.requests("files.update") == 1


class TestNotToBeTrusted:
    """A note leads to a content that is complete; is it still there?"""

    def straggle(self, drive: Drive) -> None:
        drive.emulator.put("darknet/backup/a", OTHER)

    @pytest.mark.parametrize("end", ["before_the_answer", "done"])
    def test_what_a_straggler_wrote_over_it_is_written_over(
        self, killed: Killed, drive: Drive, end: str
    ) -> None:
        if end == "done":
            note: Note = MemoryNote()
            with killed.open() as remote:
                send(remote, None, note)
        else:
            note = killed.before_the_answer(None)
        self.straggle(drive)
        with killed.open() as remote:
            there = remote.find("backup/a")
            written = send(remote, there, note)
            assert remote.find("backup/a") == written
        assert revisions(drive) == [CONTENT, OTHER, CONTENT]

    def test_what_a_straggler_wrote_over_an_empty_file_is_written_over(
        self, killed: Killed, drive: Drive
    ) -> None:
        note = CutNote("done", before=True)
        with killed.open() as remote, pytest.raises(Cut):
            send(remote, None, note, content=b"")
        self.straggle(drive)
        with killed.open() as remote:
            send(remote, remote.find("backup/a"), note, content=b"")
        assert revisions(drive) == [b"", OTHER, b""]

    def test_what_came_damaged_is_sent_again(self, remote: DriveRemote, drive: Drive) -> None:
        note = MemoryNote()
        drive.emulator.inject(Fault(CorruptUpload(), "upload.final"))
        damaged = send(remote, None, note)
        assert revisions(drive) != [CONTENT]
        send(remote, damaged, note)
        assert revisions(drive)[1:] == [CONTENT]

    def test_what_was_deleted_is_made_anew(self, remote: DriveRemote, drive: Drive) -> None:
        note = MemoryNote()
        first = send(remote, None, note)
        remote.delete(first)
        written = send(remote, None, note)
        assert written.id != first.id
        assert revisions(drive) == [CONTENT]

    def test_what_lies_in_the_trash_is_made_anew(self, remote: DriveRemote, drive: Drive) -> None:
        note = MemoryNote()
        first = send(remote, None, note)
        drive.change(first.id, Metadata(trashed=True))
        written = send(remote, None, note)
        assert written.id != first.id
        assert remote.find("backup/a") == written

    @pytest.mark.parametrize("status", [404, 410, 400])
    def test_a_session_that_is_no_more(self, killed: Killed, drive: Drive, status: int) -> None:
        note = killed.in_the_middle(None)
        drive.emulator.inject(
            Fault(ErrorAnswer(400, "badRequest") if status == 400 else ExpiredUpload(status), "upload.status")
        )
        with killed.open() as remote:
            send(remote, None, note)
            assert remote.usage.retries == 0
        assert revisions(drive) == [CONTENT]

    def test_a_session_elsewhere_is_not_asked(self, killed: Killed, drive: Drive) -> None:
        note = killed.in_the_middle(None)
        said = json.loads(note.read())
        note.write(json.dumps(said | {"uri": "https://elsewhere.example/upload?upload_id=x"}))
        drive.emulator.reset()
        with killed.open() as remote:
            send(remote, None, note)
        assert revisions(drive) == [CONTENT]
        assert drive.requests("upload.status") == 0

    def test_another_folder_of_the_name(self, killed: Killed, drive: Drive) -> None:
        note = killed.before_the_last_byte(None)
        drive.trash("darknet/backup")
        with killed.open() as remote:
            written = send(remote, None, note)
            assert remote.find("backup/a") == written

    def test_a_file_that_took_its_place(self, killed: Killed, drive: Drive) -> None:
        note = killed.before_the_last_byte(None)
        other_id = drive.add("darknet/backup", "a", OLD)
        with killed.open() as remote:
            there = remote.find("backup/a")
            written = send(remote, there, note)
        assert written.id == other_id
        assert revisions(drive) == [OLD, CONTENT]


@pytest.mark.parametrize("stage", ["begun", "open", "done"])
@pytest.mark.parametrize("before", [True, False])
def test_an_empty_file_is_one_file_too(killed: Killed, drive: Drive, stage: str, *, before: bool) -> None:
    note = CutNote(stage, before=before)
    with killed.open() as remote, pytest.raises(Cut):
        send(remote, None, note, content=b"")
    with killed.open() as remote:
        written = send(remote, remote.find("backup/a"), note, content=b"")
        assert remote.find("backup/a") == written
    assert revisions(drive) == [b""]


class TestCost:
    def test_a_new_file_is_two_requests_and_so_is_an_update(self, remote: DriveRemote, drive: Drive) -> None:
        first = send(remote, None, MemoryNote(), content=OLD)
        drive.emulator.reset()
        send(remote, first, MemoryNote())
        assert drive.emulator.counters().total().requests == 2
        remote.write(
            "backup/b",
            io.BytesIO(OLD),
            size=len(OLD),
            modified_s=1.0,
            properties={},
            executable=False,
            replaces=None,
        )
        assert drive.emulator.counters().total().requests == 4

    def test_what_was_pushed_before_is_found_by_one(self, remote: DriveRemote, drive: Drive) -> None:
        written = send(remote, None, None)
        drive.emulator.reset()
        assert remote.find("backup/a") == written
        assert drive.emulator.counters().total().requests == 1


class TestRefused:
    @pytest.mark.parametrize("path", ["../a", "backup/../a", "/a", "backup//a", "backup/" + "x" * 256])
    def test_a_path_that_no_local_file_can_have(self, remote: DriveRemote, drive: Drive, path: str) -> None:
        with pytest.raises(RemoteError):
            remote.write(
                path,
                io.BytesIO(OLD),
                size=len(OLD),
                modified_s=1.0,
                properties={},
                executable=False,
                replaces=None,
            )
        assert drive.emulator.read_tree("") == {}

    def test_a_folder_in_the_trash_that_is_restored_holds_what_was_written(
        self, remote: DriveRemote, drive: Drive
    ) -> None:
        send(remote, None, None, content=OLD)
        folder_id, note = drive.id_of("darknet/backup"), MemoryNote()
        drive.delete("darknet/backup/a")
        drive.trash("darknet/backup")
        with pytest.raises(NotFoundError, match="trash"):
            send(remote, None, note)
        drive.change(folder_id, Metadata(trashed=False))
        drive.emulator.reset()
        send(remote, None, note)
        assert revisions(drive) == [CONTENT]
        assert sent_bytes(drive) == 0
