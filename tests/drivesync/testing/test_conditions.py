"""Every fault and cost does to the wire what it says."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from drivesync.testing import (
    CorruptDownload,
    CorruptUpload,
    Costs,
    CutDownload,
    CutUpload,
    Delay,
    DriveEmulator,
    ErrorAnswer,
    ExpiredToken,
    Fault,
    LostAnswer,
    OmittedParent,
)
from drivesync.testing.trees import make_folders

Call = Callable[..., tuple[int, Mapping[str, str], bytes]]

_DATA = bytes(range(256)) * 40


@pytest.fixture
def media(drive_emulator: DriveEmulator) -> str:
    """The path of a file's content."""
    return f"/drive/v3/files/{drive_emulator.put('a', _DATA)}?alt=media"


@pytest.mark.parametrize(
    ("effect", "status", "reason", "headers"),
    [
        pytest.param(ErrorAnswer(500, "internalError"), 500, "internalError", {}, id="500"),
        pytest.param(
            ErrorAnswer(429, "rateLimitExceeded", "", 3),
            429,
            "rateLimitExceeded",
            {"retry-after": "3"},
            id="429",
        ),
        pytest.param(
            ErrorAnswer(403, "downloadQuotaExceeded"),
            403,
            "downloadQuotaExceeded",
            {},
            id="a quota of its own",
        ),
    ],
)
def test_error(
    drive_emulator: DriveEmulator,
    call: Call,
    media: str,
    effect: ErrorAnswer,
    status: int,
    reason: str,
    headers: dict[str, str],
) -> None:
    drive_emulator.inject(Fault(effect, call="files.get*", times=2))
    for _ in range(2):
        got = call("GET", media)
        assert (got[0], json.loads(got[2])["error"]["errors"][0]["reason"]) == (status, reason)
        assert headers.items() <= got[1].items()
    assert call("GET", media)[2] == _DATA


@pytest.mark.parametrize(
    ("after_bytes", "arrive"),
    [(0, 0), (100, 100), (len(_DATA), len(_DATA) - 1)],
    ids=["at once", "middle", "last byte"],
)
def test_cut_download(
    drive_emulator: DriveEmulator, call: Call, media: str, after_bytes: int, arrive: int
) -> None:
    drive_emulator.inject(Fault(CutDownload(after_bytes)))
    with pytest.raises(http.client.IncompleteRead) as caught:
        call("GET", media)
    assert caught.value.partial == _DATA[:arrive]
    assert call("GET", media)[2] == _DATA


def test_cut_upload_does_nothing_to_the_drive(drive_emulator: DriveEmulator, call: Call) -> None:
    drive_emulator.inject(Fault(CutUpload(100)))
    with pytest.raises(ConnectionError):
        call("POST", "/upload/drive/v3/files?uploadType=media", _DATA)
    assert drive_emulator.read_tree("") == {}
    assert drive_emulator.counters()["files.create.media"].bytes_up == 100


def test_corrupt_download(drive_emulator: DriveEmulator, call: Call, media: str) -> None:
    drive_emulator.inject(Fault(CorruptDownload(flips=3)))
    damaged = call("GET", media)[2]
    assert len(damaged) == len(_DATA)
    assert 1 <= sum(one != other for one, other in zip(damaged, _DATA, strict=True)) <= 3
    assert call("GET", media)[2] == _DATA
    assert drive_emulator.read_tree("") == {"a": _DATA}


def test_corrupt_upload(drive_emulator: DriveEmulator, call: Call) -> None:
    drive_emulator.inject(Fault(CorruptUpload()))
    call("POST", "/upload/drive/v3/files?uploadType=media", _DATA)
    (stored,) = drive_emulator.read_tree("").values()
    assert (len(stored), sum(one != other for one, other in zip(stored, _DATA, strict=True))) == (
        len(_DATA),
        1,
    )


@pytest.mark.parametrize(
    ("method", "target", "body", "left"),
    [
        pytest.param(
            "POST", "/upload/drive/v3/files?uploadType=media", b"new", ["a", "Untitled"], id="create"
        ),
        pytest.param("DELETE", "/drive/v3/files/ID", b"", [], id="delete"),
        pytest.param("PATCH", "/drive/v3/files/ID", b'{"name":"b"}', ["b"], id="update"),
    ],
)
def test_lost_answer_comes_after_the_work(
    drive_emulator: DriveEmulator, call: Call, method: str, target: str, body: bytes, left: list[str]
) -> None:
    file_id = drive_emulator.put("a", _DATA)
    drive_emulator.inject(Fault(LostAnswer()))
    with pytest.raises(http.client.RemoteDisconnected):
        call(method, target.replace("ID", file_id), body)
    assert list(drive_emulator.read_tree("")) == left


def test_expired_token_stays_expired_and_another_is_good(drive_emulator: DriveEmulator, call: Call) -> None:
    drive_emulator.inject(Fault(ExpiredToken(), skip=1))
    assert call("GET", "/drive/v3/files")[0] == 200
    for _ in range(2):
        status, headers, body = call("GET", "/drive/v3/files")
        assert (status, json.loads(body)["error"]["errors"][0]["reason"]) == (401, "authError")
        assert headers["www-authenticate"].startswith("Bearer ")
    assert call("GET", "/drive/v3/files", headers={"Authorization": "Bearer renewed"})[0] == 200


def test_omitted_parent(google: Any, drive_emulator: DriveEmulator) -> None:
    with drive_emulator.locked() as store:
        ids = {make_folders(store, name).id: name for name in ("one", "two", "three")}
    for name in ids.values():
        drive_emulator.put(f"{name}/file in {name}", b"x")
    drive_emulator.inject(Fault(OmittedParent(), times=None))
    query = " or ".join(f"'{folder_id}' in parents" for folder_id in ids)
    listing = google.files().list(q=query, fields="incompleteSearch,files/name").execute()
    names = sorted(item["name"] for item in listing["files"])
    assert (listing["incompleteSearch"], names) == (False, ["file in one", "file in two"])
    alone = google.files().list(q=f"'{list(ids)[-1]}' in parents", fields="files/name").execute()
    assert alone["files"] == [{"name": "file in three"}]


def test_latency_and_delay_are_waited_for(drive_emulator: DriveEmulator, call: Call) -> None:
    drive_emulator.set_costs(Costs(latency_s=0.05))
    drive_emulator.inject(Fault(Delay(0.05), call="about.*"))
    started_s = time.perf_counter()
    call("GET", "/drive/v3/about?fields=user")
    assert time.perf_counter() - started_s >= 0.1


@pytest.mark.parametrize("direction", ["up", "down"])
def test_bandwidth_holds_in_both_directions(
    drive_emulator: DriveEmulator, call: Call, media: str, direction: str
) -> None:
    """At 100 kB/s, 10 kB cannot take less than a tenth of a second, less the pacer's credit."""
    drive_emulator.set_costs(Costs(bandwidth_bytes_per_s=100_000))
    started_s = time.perf_counter()
    if direction == "down":
        assert call("GET", media)[2] == _DATA
    else:
        assert call("POST", "/upload/drive/v3/files?uploadType=media", _DATA)[0] == 200
    assert time.perf_counter() - started_s >= len(_DATA) / 100_000 - 0.025


def test_too_many_requests(drive_emulator: DriveEmulator, call: Call) -> None:
    drive_emulator.set_costs(Costs(requests_per_s=0.001, requests_burst_s=2000))
    statuses = [call("GET", "/drive/v3/files")[0] for _ in range(4)]
    assert statuses == [200, 200, 403, 403]
    count = drive_emulator.counters()["files.list"]
    assert (count.requests, count.rate_limited, count.errors, count.units) == (4, 2, 2, 200)


def test_quota_units_run_out(drive_emulator: DriveEmulator, call: Call, media: str) -> None:
    drive_emulator.set_costs(Costs(units_per_minute=405))
    assert [call("GET", media)[0] for _ in range(3)] == [200, 200, 403]
    assert call("GET", "/drive/v3/about?fields=user")[0] == 200


def test_counters_count_bodies(drive_emulator: DriveEmulator, call: Call, media: str) -> None:
    call("GET", media)
    call("GET", media, headers={"Range": "bytes=0-9"})
    call("POST", "/upload/drive/v3/files?uploadType=media", b"12345")
    counted = drive_emulator.counters().to_json()
    assert counted["files.get.media"]["requests"] == 2
    assert counted["files.get.media"]["bytes_down"] == len(_DATA) + 10
    assert counted["files.get.media"]["units"] == 400
    assert counted["files.create.media"]["bytes_up"] == 5
    assert counted["total"]["requests"] == 3


def test_what_a_client_that_is_gone_did_not_take_does_not_count(
    drive_emulator: DriveEmulator, call: Call
) -> None:
    size_bytes = 32 << 20
    file_id = drive_emulator.put("large", bytes(size_bytes))
    host = urlsplit(drive_emulator.url)
    ask = f"GET /drive/v3/files/{file_id}?alt=media HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\n\r\n"
    with socket.create_connection((host.hostname, host.port or 0)) as killed:
        killed.sendall(ask.encode())
        assert killed.recv(1)
        # As the system ends the connections of a process that is killed with bytes unread.
        killed.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # One piece goes out for each turn of the server's loop, and a request takes several turns.
    for _ in range(100):
        call("GET", "/drive/v3/about?fields=user")
    assert 0 < drive_emulator.counters()["files.get.media"].bytes_down < size_bytes / 2


def test_control_endpoint(drive_emulator: DriveEmulator, call: Call) -> None:
    fault = {"effect": "error", "status": 503, "reason": "backendError", "call": "files.list", "times": 1}
    assert call("POST", "/emulator/faults", json.dumps(fault).encode())[0] == 200
    assert (
        call("POST", "/emulator/faults", json.dumps([{"effect": "lost_answer", "skip": 9}]).encode())[0]
        == 200
    )
    assert [call("GET", "/drive/v3/files")[0] for _ in range(2)] == [503, 200]
    reported = json.loads(call("GET", "/emulator/faults")[2])
    assert [(item["effect"], item["struck"]) for item in reported] == [("error", 1), ("lost_answer", 0)]
    assert json.loads(call("GET", "/emulator/counters")[2])["files.list"]["injected"] == 1
    assert json.loads(call("DELETE", "/emulator/counters")[2])["total"]["requests"] == 0
    assert json.loads(call("DELETE", "/emulator/faults")[2]) == []
    costs = json.loads(call("POST", "/emulator/costs", b'{"requests_per_s": 7}')[2])
    assert (costs["requests_per_s"], drive_emulator.app.costs) == (7, Costs(requests_per_s=7))
    assert json.loads(call("POST", "/emulator/storage", b'{"limit_bytes": 5}')[2]) == {
        "limit_bytes": 5,
        "used_bytes": 0,
    }
    assert call("POST", "/upload/drive/v3/files?uploadType=media", b"123456")[0] == 403
    assert call("POST", "/emulator/reset")[0] == 200
    assert drive_emulator.app.costs == Costs()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("faults", b'{"effect": "explode"}'),
        ("faults", b"{"),
        ("faults", b'["error"]'),
        ("costs", b'{"latency": 1}'),
        ("storage", b'{"limit_bytes": "all"}'),
        ("storage", b"{}"),
    ],
)
def test_control_endpoint_refuses(call: Call, path: str, body: bytes) -> None:
    status, _, answer = call("POST", f"/emulator/{path}", body)
    assert status == 400
    assert json.loads(answer)["error"]


def test_one_connection_carries_on_after_errors(drive_emulator: DriveEmulator, media: str) -> None:
    """A client that drains the body of a 403 keeps its connection."""
    drive_emulator.inject(Fault(ErrorAnswer(403, "userRateLimitExceeded"), times=2))
    connection = http.client.HTTPConnection(urlsplit(drive_emulator.url).netloc, timeout=20)
    try:
        connection.connect()
        own = connection.sock.getsockname()
        statuses = []
        for _ in range(3):
            connection.request("GET", media, headers={"Authorization": "Bearer t"})
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
            assert connection.sock.getsockname() == own
        assert statuses == [403, 403, 200]
    finally:
        connection.close()


def test_a_client_that_dies_in_the_middle_harms_nobody(
    drive_emulator: DriveEmulator, call: Call, media: str
) -> None:
    host = urlsplit(drive_emulator.url)
    half = b"POST /upload/drive/v3/files?uploadType=media HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\n"
    for sent in (b"GET ", half + b"Content-Length: 100\r\n\r\nhalf"):
        with socket.create_connection((host.hostname, host.port or 0)) as connection:
            connection.sendall(sent)
    assert call("GET", media)[2] == _DATA
    assert drive_emulator.read_tree("") == {"a": _DATA}


def test_an_outage_between_two_entries() -> None:
    emulator = DriveEmulator()
    with emulator:
        url = emulator.url
        emulator.put("a", b"x")
    with (
        pytest.raises(ConnectionRefusedError),
        socket.create_connection(("127.0.0.1", urlsplit(url).port or 0)),
    ):
        pass
    with emulator:
        assert (emulator.url, emulator.read_tree("")) == (url, {"a": b"x"})


def test_the_date_is_the_emulators_own() -> None:
    with DriveEmulator(now_ms=lambda: 86_400_000) as emulator:
        connection = http.client.HTTPConnection(urlsplit(emulator.url).netloc, timeout=20)
        connection.request("GET", "/drive/v3/about?fields=user", headers={"Authorization": "Bearer t"})
        assert connection.getresponse().headers["date"] == "Fri, 02 Jan 1970 00:00:00 GMT"
        connection.close()


def test_a_request_that_is_delayed_does_not_delay_the_end(drive_emulator: DriveEmulator, media: str) -> None:
    drive_emulator.inject(Fault(Delay(3600), call="files.get.media"))
    connection = http.client.HTTPConnection(urlsplit(drive_emulator.url).netloc, timeout=20)
    connection.request("GET", media, headers={"Authorization": "Bearer t"})
    while not drive_emulator.counters()["files.get.media"].requests:
        time.sleep(0.001)
    drive_emulator.__exit__(None, None, None)
    with pytest.raises(ConnectionError):
        connection.getresponse()
    connection.close()
