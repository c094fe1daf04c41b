"""An upload makes one file with the right content, however it is cut, lost or forgotten on its way."""

from __future__ import annotations

import io
import json
import logging
import random
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import (
    LeaseError,
    MovedError,
    NotAllowedError,
    RateLimitedError,
    RemoteError,
    RemoteFullError,
    TransientError,
)
from drivesync.remotes.drive.remote import DriveRemote
from drivesync.spooling.notes import MemoryNote
from drivesync.testing import (
    TOKEN,
    CutUpload,
    ErrorAnswer,
    ExpiredToken,
    ExpiredUpload,
    Fault,
    LostAnswer,
)
from drivesync.testing.calls import classify
from drivesync.testing.entries import Content
from drivesync.testing.exchange import Exchange
from drivesync.testing.metadata import Metadata
from drivesync.testing.trees import find

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from drivesync.config import Settings
    from drivesync.files import RemoteFile
    from drivesync.remotes.base import Note
    from drivesync.testing.calls import Call
    from tests.drivesync.remotes.conftest import Drive

MEBIBYTE = 1 << 20
KIBIBYTE = 1 << 10
CONTENT = random.Random(0).randbytes(8 * MEBIBYTE)
OLD = b"old content"
FIRST_WAIT_S = 0.001


def raising(error: Exception) -> Callable[[], None]:
    def raise_it() -> None:
        raise error

    return raise_it


def send(
    remote: DriveRemote,
    content: bytes = CONTENT,
    replaces: RemoteFile | None = None,
    *,
    before_end: Callable[[], None] = lambda: None,
    note: Note | None = None,
) -> RemoteFile:
    return remote.write(
        "a",
        io.BytesIO(content),
        size=len(content),
        modified_s=1.0,
        properties={},
        executable=False,
        replaces=replaces,
        before_end=before_end,
        note=note,
    )


def only(drive: Drive) -> list[bytes]:
    """The revisions of the one file that there is."""
    (entry,) = drive.entries("darknet")
    return [bytes(revision.content.data) for revision in entry.revisions]


@dataclass(frozen=True)
class Sessions:
    """Requests that uploads took: to open sessions and to end them, for pieces but the last, last ones, questions."""

    opened: int = 0
    chunk: int = 0
    final: int = 0
    status: int = 0
    cancel: int = 0


def sessions(drive: Drive) -> Sessions:
    opened = sum(drive.requests(f"files.{how}.resumable") for how in ("create", "update"))
    return Sessions(
        opened, *(drive.requests(f"upload.{what}") for what in ("chunk", "final", "status", "cancel"))
    )


def sent_bytes(drive: Drive) -> int:
    counters = drive.emulator.counters()
    return sum(counters[kind].bytes_up for kind in ("upload.chunk", "upload.final"))


def stored_bytes(drive: Drive) -> int:
    """What the session that was opened last has stored."""
    with drive.emulator.locked() as store:
        return len(store.uploads.all()[-1].data)


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 32 * MEBIBYTE, 32 * MEBIBYTE + 1, 70 * MEBIBYTE])
def test_any_size(remote: DriveRemote, drive: Drive, size: int) -> None:
    content = bytes(size)
    written = send(remote, content)
    assert written.size == size
    assert only(drive) == [content]
    assert sent_bytes(drive) == size
    # As long as all goes well there is one request to open the session, and one for all bytes.
    assert sessions(drive) == Sessions(opened=1, final=1)


TROUBLE = [
    pytest.param([Fault(LostAnswer(), "upload.final")], id="the answer is lost"),
    pytest.param([Fault(LostAnswer(), "upload.final", times=2)], id="the answer is lost twice"),
    pytest.param([Fault(LostAnswer(), "files.*.resumable", times=3)], id="the session's address is lost"),
    pytest.param(
        [Fault(LostAnswer(), "upload.final"), Fault(LostAnswer(), "upload.status")], id="status lost too"
    ),
    pytest.param([Fault(ErrorAnswer(503), "upload.*", times=3)], id="503 to chunks and questions"),
    pytest.param([Fault(ErrorAnswer(500), "files.*.resumable", times=3)], id="500 at the start"),
    pytest.param([Fault(ErrorAnswer(403, "userRateLimitExceeded"), times=3)], id="too many requests"),
    pytest.param([Fault(CutUpload(3 * MEBIBYTE), "upload.final")], id="cut in the middle"),
    pytest.param([Fault(CutUpload(0), "upload.final", times=4)], id="cut at the start, again and again"),
    pytest.param([Fault(ExpiredUpload(404), "upload.final")], id="session forgotten"),
    pytest.param([Fault(ExpiredUpload(410), "upload.final")], id="session over a week old"),
    pytest.param(
        [Fault(CutUpload(3 * MEBIBYTE), "upload.final"), Fault(ExpiredUpload(), "upload.status")],
        id="cut, and then forgotten",
    ),
    pytest.param(
        [Fault(LostAnswer(), "upload.final", times=2), Fault(ExpiredUpload(), "upload.status")],
        id="done, not answered, and then forgotten: the id is taken",
    ),
]


@pytest.mark.parametrize("faults", TROUBLE)
class TestTrouble:
    def test_a_new_file_is_one_file(self, remote: DriveRemote, drive: Drive, faults: list[Fault]) -> None:
        drive.emulator.inject(*faults)
        written = send(remote)
        assert only(drive)[-1] == CONTENT
        assert written.size == len(CONTENT)
        assert remote.find("a") == written

    def test_an_update_stays_one_file_with_the_same_id(
        self, remote: DriveRemote, drive: Drive, faults: list[Fault]
    ) -> None:
        first = send(remote, OLD)
        drive.emulator.inject(*faults)
        written = send(remote, CONTENT, replaces=first)
        assert written.id == first.id
        assert (only(drive)[0], only(drive)[-1]) == (OLD, CONTENT)
        assert remote.find("a") == written


def test_an_answer_that_is_lost_at_the_end_needs_one_question_and_no_second_upload(
    remote: DriveRemote, drive: Drive
) -> None:
    first = send(remote, OLD)
    drive.emulator.reset()
    drive.emulator.inject(Fault(LostAnswer(), "upload.final"))
    written = send(remote, CONTENT, replaces=first)
    assert sessions(drive) == Sessions(opened=1, final=1, status=1)
    assert sent_bytes(drive) == len(CONTENT)
    (entry,) = drive.entries("darknet")
    assert entry.head is not None
    assert written.revision_id == entry.head.id


@pytest.mark.parametrize("is_new", [True, False])
def test_one_that_is_complete_and_whose_session_is_forgotten_is_looked_at_and_not_sent_again(
    remote: DriveRemote, drive: Drive, *, is_new: bool
) -> None:
    first = None if is_new else send(remote, OLD)
    drive.emulator.reset()
    drive.emulator.inject(Fault(LostAnswer(), "upload.final"), Fault(ExpiredUpload(), "upload.status"))
    written = send(remote, CONTENT, replaces=first)
    assert only(drive) == [CONTENT] if is_new else [OLD, CONTENT]
    assert sent_bytes(drive) == len(CONTENT)
    assert written == remote.find("a")


def test_after_trouble_the_pieces_are_smaller_and_grow_again(remote: DriveRemote, drive: Drive) -> None:
    content = random.Random(1).randbytes(30 * MEBIBYTE)
    drive.emulator.inject(Fault(CutUpload(0), "upload.*", times=3))
    send(remote, content)
    # All, 64 MiB and 16 MiB are cut; then there are 4 MiB, 16 MiB, and the rest.
    assert sessions(drive) == Sessions(opened=1, chunk=3, final=3, status=3)
    assert sent_bytes(drive) == len(content)
    assert only(drive) == [content]


def test_who_gets_on_is_not_given_up_however_often_the_line_breaks(
    remote: DriveRemote, drive: Drive, settings: Settings
) -> None:
    often = settings.retries + 3
    drive.emulator.inject(Fault(CutUpload(MEBIBYTE), "upload.*", times=often))
    send(remote)
    assert only(drive) == [CONTENT]
    counted = sessions(drive)
    assert (counted.opened, counted.chunk + counted.final, counted.status) == (1, often + 1, often)


def test_answers_are_asked_for_as_they_are_read(
    remote: DriveRemote, drive: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Google's client asks for gzip, which nothing unpacks here."""
    wishes: list[str] = []

    def look(method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Call:
        call = classify(method, path, query, headers)
        if "resumable" in call.kind or call.kind.startswith("upload."):
            wishes.append(headers["accept-encoding"])
        return call

    monkeypatch.setattr("drivesync.testing.server.classify", look)
    drive.emulator.inject(Fault(LostAnswer(), "upload.final"))
    send(remote)
    assert wishes == ["identity"] * 3


def test_to_be_asked_for_patience_is_no_trouble_of_the_line(remote: DriveRemote, drive: Drive) -> None:
    content = bytes(70 * MEBIBYTE)
    drive.emulator.inject(Fault(ErrorAnswer(429, "rateLimitExceeded"), "upload.final", times=3))
    send(remote, content)
    assert sessions(drive) == Sessions(opened=1, final=4, status=3)


def test_the_source_is_read_in_small_blocks(remote: DriveRemote, drive: Drive) -> None:
    class Source(io.BytesIO):
        largest = 0

        def read(self, size: int | None = -1, /) -> bytes:
            block = super().read(size)
            self.largest = max(self.largest, len(block))
            return block

    source = Source(bytes(70 * MEBIBYTE))
    remote.write(
        "a", source, size=70 * MEBIBYTE, modified_s=1.0, properties={}, executable=False, replaces=None
    )
    assert source.largest <= MEBIBYTE
    assert drive.requests("upload.final") == 1


def test_a_token_that_expires_meanwhile_is_renewed_and_nothing_is_lost(
    refreshable: Settings, drive: Drive
) -> None:
    with DriveRemote("darknet", refreshable, first_wait_s=FIRST_WAIT_S) as remote:
        drive.emulator.inject(
            Fault(CutUpload(5 * MEBIBYTE), "upload.final"), Fault(ExpiredToken(), "upload.final")
        )
        send(remote)
    assert only(drive) == [CONTENT]
    assert drive.emulator.app.authority.refreshed == 2
    assert sessions(drive).opened == 1
    assert sent_bytes(drive) <= len(CONTENT) + 512 * KIBIBYTE


def test_two_who_make_files_of_one_id_are_heard_and_none_is_made_twice(
    remote: DriveRemote, drive: Drive
) -> None:
    """As when a create was done, and its session is forgotten before the bytes of a second one are there."""
    note = MemoryNote()

    def meddle() -> None:
        file_id = json.loads(note.read())["file_id"]
        with drive.emulator.locked() as store:
            if file_id not in store.entries:
                folder = find(store, "darknet")
                assert folder is not None
                metadata = Metadata(id=file_id, name="a", parents=(folder.id,))
                store.create(metadata, Content.of(OLD))

    written = send(remote, before_end=meddle, note=note)
    assert only(drive) == [OLD, CONTENT]
    assert remote.find("a") == written


def test_an_id_whose_file_was_deleted_is_not_used_again(remote: DriveRemote, drive: Drive) -> None:
    note = MemoryNote()

    def meddle() -> None:
        file_id = json.loads(note.read())["file_id"]
        with drive.emulator.locked() as store:
            if store.ids.used == store.entries.keys():
                store.delete(store.create(Metadata(id=file_id)).id)

    written = send(remote, before_end=meddle, note=note)
    assert only(drive) == [CONTENT]
    assert remote.find("a") == written


def test_a_session_that_is_opened_in_another_place_is_no_place_for_tokens(
    remote: DriveRemote, drive: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Exchange, "base_url", "https://elsewhere.example")
    with pytest.raises(RemoteError, match="in another place") as caught:
        send(remote)
    assert "elsewhere" not in str(caught.value)
    assert sent_bytes(drive) == 0


class TestBeforeTheEnd:
    def test_all_but_the_last_byte_is_out_and_the_old_content_there(
        self, remote: DriveRemote, drive: Drive
    ) -> None:
        first = send(remote, OLD)
        source, seen = io.BytesIO(CONTENT), []

        def look() -> None:
            seen.append((source.tell(), only(drive)))

        remote.write(
            "a",
            source,
            size=len(CONTENT),
            modified_s=1.0,
            properties={},
            executable=False,
            replaces=first,
            before_end=look,
        )
        assert seen == [(len(CONTENT) - 1, [OLD])]
        assert only(drive) == [OLD, CONTENT]

    def test_it_is_called_again_if_the_last_bytes_are_sent_again(
        self, remote: DriveRemote, drive: Drive
    ) -> None:
        calls: list[None] = []
        drive.emulator.inject(Fault(CutUpload(len(CONTENT) - 1), "upload.final", times=2))
        send(remote, before_end=lambda: calls.append(None))
        assert 2 <= len(calls) <= 3
        assert only(drive) == [CONTENT]

    @pytest.mark.parametrize("content", [CONTENT, b"x", b""], ids=["8 MiB", "a byte", "nothing"])
    @pytest.mark.parametrize("error", [LeaseError("lost"), RemoteFullError("any"), OSError("any")])
    def test_what_it_raises_leaves_the_old_content_and_no_session(
        self, remote: DriveRemote, drive: Drive, content: bytes, error: Exception
    ) -> None:
        first, note = send(remote, OLD), MemoryNote()
        with pytest.raises(type(error)) as caught:
            send(remote, content, replaces=first, before_end=raising(error), note=note)
        assert caught.value is error
        assert caught.value.__cause__ is None
        assert only(drive) == [OLD]
        assert note.read() == ""
        with drive.emulator.locked() as store:
            assert [session for session in store.uploads.all() if not session.finished_id] == []
        assert remote.usage.retries == 0
        drive.emulator.reset()
        send(remote, content, replaces=first, note=note)
        assert only(drive) == [OLD, content]
        assert sent_bytes(drive) == len(content)

    def test_where_nobody_could_tell_the_next_time_sends_the_end(
        self, remote: DriveRemote, drive: Drive, wait_for: Callable[[Callable[[], object]], None]
    ) -> None:
        first, note = send(remote, OLD), MemoryNote()
        error = TransientError("nobody can tell who has the run")

        def fail() -> None:
            # What is on its way when the connection ends may be lost.
            wait_for(lambda: stored_bytes(drive) >= len(CONTENT) - 256 * KIBIBYTE)
            raise error

        with pytest.raises(TransientError) as caught:
            send(remote, replaces=first, before_end=fail, note=note)
        assert caught.value is error
        assert only(drive) == [OLD]
        drive.emulator.reset()
        send(remote, replaces=first, note=note)
        assert only(drive) == [OLD, CONTENT]
        assert sent_bytes(drive) <= 256 * KIBIBYTE

    def test_a_session_that_cannot_be_ended_is_forgotten(self, remote: DriveRemote, drive: Drive) -> None:
        first, note = send(remote, OLD), MemoryNote()
        drive.emulator.inject(Fault(ErrorAnswer(503), "upload.cancel", times=None))
        with pytest.raises(LeaseError):
            send(remote, replaces=first, before_end=raising(LeaseError("lost")), note=note)
        assert drive.requests("upload.cancel") == 1
        assert note.read() == ""
        assert only(drive) == [OLD]


def test_a_source_that_became_shorter_leaves_the_old_content(remote: DriveRemote, drive: Drive) -> None:
    first = send(remote, OLD)
    with pytest.raises(MovedError, match="100 bytes early"):
        remote.write(
            "a",
            io.BytesIO(CONTENT[:-100]),
            size=len(CONTENT),
            modified_s=1.0,
            properties={},
            executable=False,
            replaces=first,
        )
    assert only(drive) == [OLD]
    assert remote.usage.retries == 0


@pytest.mark.parametrize("where", ["*resumable", "upload.final"])
def test_where_there_is_no_room_that_is_said_and_later_it_goes_on(
    remote: DriveRemote, drive: Drive, where: str
) -> None:
    first, note = send(remote, OLD), MemoryNote()
    drive.emulator.inject(Fault(ErrorAnswer(403, "storageQuotaExceeded"), where))
    with pytest.raises(RemoteFullError, match="storageQuotaExceeded") as caught:
        send(remote, replaces=first, note=note)
    assert "free some space" in caught.value.hint
    assert only(drive) == [OLD]
    send(remote, replaces=first, note=note)
    assert only(drive) == [OLD, CONTENT]


def test_a_drive_that_is_full_by_itself(remote: DriveRemote, drive: Drive) -> None:
    with drive.emulator.locked() as store:
        store.storage_limit_bytes = 5 * MEBIBYTE
    with pytest.raises(RemoteFullError):
        send(remote)
    assert remote.usage.retries == 0
    with drive.emulator.locked() as store:
        store.storage_limit_bytes = 9 * MEBIBYTE
    assert send(remote).size == len(CONTENT)


def test_who_is_refused_for_his_rate_to_the_end_hears_of_the_days_limit(
    remote: DriveRemote, drive: Drive
) -> None:
    drive.emulator.inject(Fault(ErrorAnswer(403, "userRateLimitExceeded"), "upload.final", times=None))
    with pytest.raises(RateLimitedError) as caught:
        send(remote)
    assert "750 GB" in caught.value.hint


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(LostAnswer(), "upload.final"), id="an answer is lost"),
        pytest.param(Fault(CutUpload(100), "upload.*", times=None), id="never well again"),
        pytest.param(Fault(ErrorAnswer(503), "upload.*", times=None), id="errors"),
        pytest.param(Fault(ErrorAnswer(400, "badRequest"), "upload.final"), id="a bad request"),
        pytest.param(Fault(ExpiredUpload(), "upload.*", times=None), id="forgotten again and again"),
    ],
)
def test_the_sessions_address_stays_a_secret(
    settings: Settings, drive: Drive, caplog: pytest.LogCaptureFixture, fault: Fault
) -> None:
    caplog.set_level(logging.DEBUG)
    lines: list[str] = []
    note = MemoryNote()
    drive.emulator.inject(fault)
    with DriveRemote("darknet", settings, lines.append, first_wait_s=FIRST_WAIT_S) as remote:
        try:
            send(remote, note=note)
        except RemoteError as error:
            lines += ["".join(traceback.format_exception(error)), repr(error), error.hint]
    with drive.emulator.locked() as store:
        secrets = [session.id for session in store.uploads.all()]
    secrets += ["upload_id", TOKEN]
    # The emulator's server logs in this process, too.
    lines += [record.getMessage() for record in caplog.records if not record.name.startswith("uvicorn")]
    said = "\n".join(lines)
    assert [secret for secret in secrets if secret in said] == []


def test_what_has_arrived_is_not_sent_again(remote: DriveRemote, drive: Drive) -> None:
    drive.emulator.inject(Fault(CutUpload(5 * MEBIBYTE), "upload.final"))
    send(remote)
    assert only(drive) == [CONTENT]
    # What was on its way when the connection was cut is lost, and no more.
    assert len(CONTENT) <= sent_bytes(drive) <= len(CONTENT) + 512 * 1024


def test_a_forgotten_session_starts_from_nothing(remote: DriveRemote, drive: Drive) -> None:
    drive.emulator.inject(
        Fault(CutUpload(5 * MEBIBYTE), "upload.final"), Fault(ExpiredUpload(), "upload.status")
    )
    send(remote)
    assert drive.requests("files.create.resumable") == 2
    assert sent_bytes(drive) >= len(CONTENT) + 4 * MEBIBYTE


@pytest.mark.parametrize(
    ("fault", "kind", "match"),
    [
        pytest.param(
            Fault(ErrorAnswer(503), "upload.*", times=None), TransientError, "503", id="never well again"
        ),
        pytest.param(
            Fault(CutUpload(10), "upload.*", times=None), TransientError, "connection", id="always cut"
        ),
        pytest.param(
            Fault(ExpiredUpload(), "upload.*", times=None),
            TransientError,
            "session has expired",
            id="always forgotten",
        ),
        pytest.param(Fault(ExpiredToken(), "*resumable"), NotAllowedError, "token", id="token dead"),
        pytest.param(
            Fault(ErrorAnswer(403, "storageQuotaExceeded"), "*resumable"),
            RemoteError,
            "storageQuota",
            id="full",
        ),
    ],
)
def test_what_cannot_be_sent_leaves_the_old_content(
    remote: DriveRemote, drive: Drive, fault: Fault, kind: type[RemoteError], match: str
) -> None:
    first = send(remote, OLD)
    drive.emulator.inject(fault)
    with pytest.raises(kind, match=match) as caught:
        send(remote, CONTENT, replaces=first)
    assert only(drive) == [OLD]
    assert "upload_id" not in str(caught.value) + caught.value.hint
    assert drive.emulator.url not in str(caught.value) + caught.value.hint


def test_a_source_is_read_from_its_start_however_it_stands(remote: DriveRemote, drive: Drive) -> None:
    source = io.BytesIO(CONTENT)
    source.seek(1000)
    remote.write(
        "a", source, size=len(CONTENT), modified_s=1.0, properties={}, executable=False, replaces=None
    )
    assert only(drive) == [CONTENT]
