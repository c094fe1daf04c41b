"""The resumable protocol byte by byte: what a client may rely on when an upload breaks anywhere."""

from __future__ import annotations

import hashlib
import io
import json
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
from googleapiclient.errors import HttpError
from googleapiclient.http import MediaIoBaseUpload

from drivesync.testing import CutUpload, DriveEmulator, ErrorAnswer, ExpiredUpload, Fault, LostAnswer
from drivesync.testing.upload_calls import split_related
from drivesync.testing.wire import ApiError

Call = Callable[..., tuple[int, Mapping[str, str], bytes]]

_STEP = 256 * 1024
_DATA = bytes(range(256)) * 1024 * 3 + b"tail"


@pytest.fixture
def session(call: Call) -> str:
    """The path of a fresh resumable session."""
    return start(call)


def start(call: Call, **body: object) -> str:
    encoded = json.dumps({"name": "a", **body}).encode()
    status, headers, _ = call(
        "POST", "/upload/drive/v3/files?uploadType=resumable&fields=id,size,md5Checksum", encoded
    )
    assert status == 200
    location = urlsplit(headers["location"])
    return f"{location.path}?{location.query}"


def put(
    call: Call, session: str, data: bytes, content_range: str | None = None
) -> tuple[int, str | None, bytes]:
    headers = {} if content_range is None else {"Content-Range": content_range}
    status, answered, body = call("PUT", session, data, headers)
    return status, answered.get("range"), body


def status_of(call: Call, session: str, total: object = "*") -> tuple[int, str | None]:
    return put(call, session, b"", f"bytes */{total}")[:2]


def test_location_is_where_the_client_came_to(drive_emulator: DriveEmulator, call: Call) -> None:
    _, headers, _ = call("POST", "/upload/drive/v3/files?uploadType=resumable", b"{}")
    assert headers["location"].startswith(
        f"{drive_emulator.url}/upload/drive/v3/files?uploadType=resumable&upload_id="
    )
    _, headers, _ = call(
        "POST", "/upload/drive/v3/files?uploadType=resumable", b"{}", {"Host": "www.googleapis.com"}
    )
    assert headers["location"].startswith("https://www.googleapis.com/upload/")


def test_whole_file_in_one_put(call: Call, session: str, drive_emulator: DriveEmulator) -> None:
    status, _, body = put(call, session, _DATA)
    assert status == 200
    assert json.loads(body).keys() == {"id", "size", "md5Checksum"}
    assert json.loads(body)["md5Checksum"] == hashlib.md5(_DATA, usedforsecurity=False).hexdigest()
    assert drive_emulator.read_tree("") == {"a": _DATA}


def test_chunks(call: Call, session: str, drive_emulator: DriveEmulator) -> None:
    total = len(_DATA)
    assert status_of(call, session, total) == (308, None)
    assert put(call, session, _DATA[:_STEP], f"bytes 0-{_STEP - 1}/{total}")[:2] == (
        308,
        f"bytes=0-{_STEP - 1}",
    )
    assert status_of(call, session, total) == (308, f"bytes=0-{_STEP - 1}")
    status, _, body = put(call, session, _DATA[_STEP:], f"bytes {_STEP}-{total - 1}/{total}")
    assert (status, json.loads(body)["size"]) == (200, str(total))
    assert drive_emulator.read_tree("") == {"a": _DATA}


def test_a_total_that_is_told_last(call: Call, session: str, drive_emulator: DriveEmulator) -> None:
    assert put(call, session, _DATA[:_STEP], f"bytes 0-{_STEP - 1}/*")[0] == 308
    assert put(call, session, b"end", f"bytes {_STEP}-{_STEP + 2}/{_STEP + 3}")[0] == 200
    assert drive_emulator.read_tree("") == {"a": _DATA[:_STEP] + b"end"}


def test_an_empty_file(call: Call, session: str, drive_emulator: DriveEmulator) -> None:
    assert status_of(call, session, 0)[0] == 200
    assert drive_emulator.read_tree("") == {"a": b""}


@pytest.mark.parametrize(
    ("data", "content_range"),
    [
        pytest.param(_DATA[:1000], f"bytes 0-999/{len(_DATA)}", id="no multiple of 256 KiB"),
        pytest.param(_DATA[:_STEP], f"bytes {_STEP}-{2 * _STEP - 1}/{len(_DATA)}", id="a gap"),
        pytest.param(_DATA[:_STEP], f"bytes 0-{2 * _STEP - 1}/{len(_DATA)}", id="shorter than said"),
        pytest.param(_DATA[:_STEP], "bytes nonsense", id="unreadable"),
        pytest.param(_DATA[:_STEP], f"bytes 0-{_STEP - 1}/5", id="beyond the whole"),
    ],
)
def test_bad_chunks_are_400_and_harm_nothing(
    call: Call, session: str, drive_emulator: DriveEmulator, data: bytes, content_range: str
) -> None:
    assert put(call, session, data, content_range)[0] == 400
    status, stored, _ = put(call, session, b"", f"bytes */{len(_DATA)}")
    start_at = 0 if stored is None else int(stored.rpartition("-")[2]) + 1
    assert status == 308
    assert put(call, session, _DATA[start_at:], f"bytes {start_at}-{len(_DATA) - 1}/{len(_DATA)}")[0] == 200
    assert drive_emulator.read_tree("") == {"a": _DATA}


def test_length_other_than_announced_is_400(call: Call) -> None:
    _, headers, _ = call(
        "POST", "/upload/drive/v3/files?uploadType=resumable", b"{}", {"X-Upload-Content-Length": "5"}
    )
    location = urlsplit(headers["location"])
    assert put(call, f"{location.path}?{location.query}", b"four")[0] == 400


@pytest.mark.parametrize("cut_at", [0, 1, _STEP - 1, _STEP, 2 * _STEP + 5, len(_DATA) - 1])
def test_cut_in_the_middle_and_resumed(
    call: Call, session: str, drive_emulator: DriveEmulator, cut_at: int
) -> None:
    drive_emulator.inject(Fault(CutUpload(cut_at), call="upload.*"))
    with pytest.raises(ConnectionError):
        put(call, session, _DATA)
    kept = cut_at // _STEP * _STEP
    assert status_of(call, session, len(_DATA)) == (308, f"bytes=0-{kept - 1}" if kept else None)
    assert drive_emulator.read_tree("") == {}
    assert put(call, session, _DATA[kept:], f"bytes {kept}-{len(_DATA) - 1}/{len(_DATA)}")[0] == 200
    assert drive_emulator.read_tree("") == {"a": _DATA}


def test_bytes_that_are_stored_may_be_sent_again(
    call: Call, session: str, drive_emulator: DriveEmulator
) -> None:
    total = len(_DATA)
    put(call, session, _DATA[: 2 * _STEP], f"bytes 0-{2 * _STEP - 1}/{total}")
    assert put(call, session, _DATA[_STEP:], f"bytes {_STEP}-{total - 1}/{total}")[0] == 200
    assert drive_emulator.read_tree("") == {"a": _DATA}


def test_answer_lost_after_the_last_byte(call: Call, session: str, drive_emulator: DriveEmulator) -> None:
    """The file is there once; asking for the status tells it, and so does sending everything again."""
    drive_emulator.inject(Fault(LostAnswer(), call="upload.final"))
    with pytest.raises(ConnectionError):
        put(call, session, _DATA)
    assert drive_emulator.read_tree("") == {"a": _DATA}
    status, _, body = put(call, session, b"", f"bytes */{len(_DATA)}")
    assert (status, json.loads(body)["size"]) == (200, str(len(_DATA)))
    assert put(call, session, _DATA)[0] == 200
    assert len(list(drive_emulator.store.children("root"))) == 1


def test_a_newer_request_takes_over_from_one_that_hangs(
    drive_emulator: DriveEmulator, call: Call, session: str
) -> None:
    """A connection that the client gave up on must not write behind the back of the one that resumed."""
    host = urlsplit(drive_emulator.url)
    head = f"PUT {session} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(_DATA)}\r\n\r\n".encode()
    with socket.create_connection((host.hostname, host.port or 0), timeout=20) as hanging:
        hanging.sendall(head + _DATA[: _STEP + 100])
        (upload,) = drive_emulator.store.uploads.all()
        while len(upload.data) < _STEP:
            time.sleep(0.001)
        assert status_of(call, session, len(_DATA)) == (308, f"bytes=0-{_STEP - 1}")
        assert put(call, session, _DATA[_STEP:], f"bytes {_STEP}-{len(_DATA) - 1}/{len(_DATA)}")[0] == 200
        hanging.sendall(b"\0" * 1000)
        with pytest.raises(ConnectionResetError):
            hanging.recv(1)
    assert drive_emulator.read_tree("") == {"a": _DATA}


def test_session_needs_no_token_but_a_bad_one_is_refused(
    drive_emulator: DriveEmulator, call: Call, session: str
) -> None:
    drive_emulator.app.refused_tokens.add("token")
    assert put(call, session, b"x")[0] == 401
    assert call("PUT", session, b"x", {"Authorization": ""})[0] == 200


@pytest.mark.parametrize("status", [404, 410])
def test_expired_session(call: Call, session: str, drive_emulator: DriveEmulator, status: int) -> None:
    drive_emulator.inject(Fault(ExpiredUpload(status), call="upload.*"))
    assert put(call, session, _DATA)[0] == status
    assert status_of(call, session)[0] == 404
    assert put(call, start(call), _DATA)[0] == 200


def test_cancelled_session(call: Call, session: str) -> None:
    assert call("DELETE", session)[0] == 499
    assert status_of(call, session)[0] == 404


def test_an_update_is_not_seen_before_its_last_byte(call: Call, drive_emulator: DriveEmulator) -> None:
    file_id = drive_emulator.put("a", b"old")
    _, headers, _ = call("PATCH", f"/upload/drive/v3/files/{file_id}?uploadType=resumable", b"{}")
    location = urlsplit(headers["location"])
    session = f"{location.path}?{location.query}"
    put(call, session, _DATA[:_STEP], f"bytes 0-{_STEP - 1}/{len(_DATA)}")
    assert drive_emulator.read_tree("") == {"a": b"old"}
    put(call, session, _DATA[_STEP:], f"bytes {_STEP}-{len(_DATA) - 1}/{len(_DATA)}")
    assert drive_emulator.read_tree("") == {"a": _DATA}


def test_two_sessions_for_one_id_make_one_file(call: Call, drive_emulator: DriveEmulator) -> None:
    with drive_emulator.locked() as store:
        (file_id,) = store.ids.generate(1)
    one, two = start(call, id=file_id), start(call, id=file_id)
    assert put(call, one, b"one")[0] == 200
    assert put(call, two, b"two")[0] == 409
    assert drive_emulator.read_tree("") == {"a": b"one"}


def test_googles_client_resumes_after_503(google: Any, drive_emulator: DriveEmulator) -> None:
    drive_emulator.inject(Fault(ErrorAnswer(503), call="upload.chunk", skip=1))
    media = MediaIoBaseUpload(io.BytesIO(_DATA), "x/y", chunksize=_STEP, resumable=True)
    request = google.files().create(body={"name": "a"}, media_body=media)
    request.next_chunk()
    with pytest.raises(HttpError, match="503"):
        request.next_chunk()
    answer = None
    while answer is None:
        _, answer = request.next_chunk()
    assert drive_emulator.read_tree("") == {"a": _DATA}


_RELATED = 'multipart/related; boundary="b"'


@pytest.mark.parametrize("end", ["\r\n", "\n"], ids=["CRLF", "LF, as googleapiclient sends it"])
@pytest.mark.parametrize(
    "data", [b"", b"x", b"\r", b"\n", b"\r\n", b"--b", b"\r\n--bogus", bytes(range(256))]
)
def test_split_related(end: str, data: bytes) -> None:
    head = f'--b{end}Content-Type: application/json{end}{end}{{"name":"a"}}{end}--b{end}content-type: x/y{end}{end}'
    body = head.encode() + data + f"{end}--b--{end}".encode()
    if data == b"\r\n--bogus":
        # A boundary is a prefix of what a client may send; it has to choose one that its content does not hold.
        body = body.replace(b"--b\n", b"--bb\n").replace(b"--b\r\n", b"--bb\r\n").replace(b"--b--", b"--bb--")
        assert split_related("multipart/related; boundary=bb", body) == (b'{"name":"a"}', "x/y", data)
    else:
        assert split_related(_RELATED, body) == (b'{"name":"a"}', "x/y", data)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        pytest.param("multipart/related", b"--b\n\n{}\n--b\n\nx\n--b--", id="no boundary"),
        pytest.param(_RELATED, b"", id="empty"),
        pytest.param(_RELATED, b"--b\n\n{}\n--b--\n", id="one part"),
        pytest.param(_RELATED, b"--b\n\n{}\n--b\n\ncut off", id="no end"),
    ],
)
def test_split_related_refuses(content_type: str, body: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        split_related(content_type, body)
    assert caught.value.status == 400
