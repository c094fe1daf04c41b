"""An upload makes one file with the right content, however it is cut, lost or forgotten on its way."""

from __future__ import annotations

import io
import random
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import NotAllowedError, RemoteError, TransientError
from drivesync.testing import (
    CutUpload,
    ErrorAnswer,
    ExpiredToken,
    ExpiredUpload,
    Fault,
    LostAnswer,
)

if TYPE_CHECKING:
    from drivesync.files import RemoteFile
    from drivesync.remotes.drive.remote import DriveRemote
    from tests.drivesync.remotes.conftest import Drive

MEBIBYTE = 1 << 20
CONTENT = random.Random(0).randbytes(8 * MEBIBYTE)
OLD = b"old content"


def send(remote: DriveRemote, content: bytes = CONTENT, replaces: RemoteFile | None = None) -> RemoteFile:
    return remote.write(
        "a",
        io.BytesIO(content),
        size=len(content),
        modified_s=1.0,
        properties={},
        executable=False,
        replaces=replaces,
    )


def only(drive: Drive) -> list[bytes]:
    """The revisions of the one file that there is."""
    (entry,) = drive.entries("darknet")
    return [bytes(revision.content.data) for revision in entry.revisions]


def sent_bytes(drive: Drive) -> int:
    counters = drive.emulator.counters()
    return sum(counters[kind].bytes_up for kind in ("upload.chunk", "upload.final"))


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 32 * MEBIBYTE, 32 * MEBIBYTE + 1, 70 * MEBIBYTE])
def test_any_size(remote: DriveRemote, drive: Drive, size: int) -> None:
    content = bytes(size)
    written = send(remote, content)
    assert written.size == size
    assert only(drive) == [content]
    assert sent_bytes(drive) == size


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
