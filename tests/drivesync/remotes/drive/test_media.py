"""Bytes arrive once and in order, whatever happens to the connections that bring them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, cast

import pytest

from drivesync.errors import (
    DrivesyncError,
    LocalWriteError,
    MovedError,
    NotFoundError,
    RemoteError,
    TransientError,
)
from drivesync.remotes.drive.client import DriveClient
from drivesync.remotes.drive.media import MediaRead
from drivesync.remotes.retrying import Budget
from drivesync.testing import CutDownload, ErrorAnswer, Fault, LostAnswer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from drivesync.config import Settings
    from drivesync.remotes.drive.streams import Answer
    from tests.drivesync.remotes.conftest import Drive

CONTENT = random.Random(0).randbytes(3 << 20)
MEDIA = "files.get.media"


class Blocks:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.blocks: list[bytes] = []

    def write(self, block: bytes) -> None:
        self.blocks.append(block)

    @property
    def data(self) -> bytes:
        return b"".join(self.blocks)


@pytest.fixture
def client(settings: Settings) -> Iterator[DriveClient]:
    opened = DriveClient(settings, lambda _line: None, first_wait_s=settings.retry_wait_s)
    opened.open()
    yield opened
    opened.close()


@pytest.fixture
def file_id(drive: Drive) -> str:
    return drive.add("darknet", "a", CONTENT)


def read(client: DriveClient, file_id: str, first: int = 0, last: int = len(CONTENT) - 1) -> bytes:
    sink = Blocks()
    client.read_media("reading a", file_id, first, last, sink)
    assert max(map(len, sink.blocks)) <= 1 << 20
    return sink.data


@pytest.mark.parametrize(
    ("first", "last"),
    [
        pytest.param(0, len(CONTENT) - 1, id="all of it"),
        pytest.param(0, 0, id="the first byte"),
        pytest.param(len(CONTENT) - 1, len(CONTENT) - 1, id="the last byte"),
        pytest.param(1_000_000, 2_000_000, id="from the middle"),
    ],
)
def test_a_stretch(client: DriveClient, drive: Drive, file_id: str, first: int, last: int) -> None:
    assert read(client, file_id, first, last) == CONTENT[first : last + 1]
    assert drive.requests(MEDIA) == 1
    assert client.usage.by_kind["download"].requests == 1


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param([Fault(CutDownload(1_234_567), MEDIA)], id="cut in the middle"),
        pytest.param([Fault(CutDownload(0), MEDIA, times=4)], id="cut at the start, as often as may be"),
        pytest.param([Fault(CutDownload(300_000), MEDIA, times=9)], id="cut more often than may be"),
        pytest.param([Fault(LostAnswer(), MEDIA, times=2)], id="no answer"),
        pytest.param([Fault(ErrorAnswer(503), MEDIA, times=3)], id="503"),
        pytest.param([Fault(ErrorAnswer(429), MEDIA, times=7)], id="too many requests"),
        pytest.param(
            [Fault(ErrorAnswer(403, "userRateLimitExceeded"), MEDIA, times=7)], id="the same as 403"
        ),
    ],
)
def test_what_breaks_goes_on_at_the_byte_where_it_broke(
    client: DriveClient, drive: Drive, file_id: str, faults: list[Fault]
) -> None:
    drive.emulator.inject(*faults)
    assert read(client, file_id, 5, len(CONTENT) - 2) == CONTENT[5:-1]
    counted = drive.emulator.counters()[MEDIA]
    repeats = sum(fault.times or 0 for fault in faults)
    assert (counted.requests, client.usage.retries) == (repeats + 1, repeats)
    # No byte was sent for nothing but those of error messages.
    assert counted.bytes_down <= len(CONTENT) + 1000 * repeats


@pytest.mark.parametrize(
    ("fault", "kind", "match"),
    [
        pytest.param(Fault(CutDownload(0), MEDIA, times=5), TransientError, "early", id="always cut"),
        pytest.param(Fault(ErrorAnswer(503), MEDIA, times=5), TransientError, "503", id="never well"),
        pytest.param(
            Fault(ErrorAnswer(403, "downloadQuotaExceeded"), MEDIA), RemoteError, "downloadQuota", id="quota"
        ),
        pytest.param(Fault(ErrorAnswer(404, "notFound"), MEDIA), NotFoundError, "404", id="gone"),
        pytest.param(Fault(ErrorAnswer(416), MEDIA), MovedError, "shorter", id="416"),
    ],
)
def test_what_cannot_be_had(
    client: DriveClient, drive: Drive, file_id: str, fault: Fault, kind: type[DrivesyncError], match: str
) -> None:
    drive.emulator.inject(fault)
    with pytest.raises(kind, match=f"^reading a: .*{match}") as caught:
        read(client, file_id)
    assert type(caught.value) is kind
    said = str(caught.value) + caught.value.hint
    assert not any(secret in said for secret in (drive.emulator.url, "emulator-token", file_id))


def test_a_refused_request_leaves_its_connection_usable(
    client: DriveClient, drive: Drive, file_id: str
) -> None:
    read(client, file_id)
    (connection,) = client._transport._streams._idle
    drive.emulator.inject(
        Fault(ErrorAnswer(403, "rateLimitExceeded"), MEDIA, times=2), Fault(ErrorAnswer(503), MEDIA, times=2)
    )
    read(client, file_id)
    assert list(client._transport._streams._idle) == [connection]


def test_a_file_that_became_shorter_has_moved(client: DriveClient, drive: Drive) -> None:
    short = drive.add("darknet", "b", CONTENT[:1000])
    for first in (0, 999, 1000, 2000):
        with pytest.raises(MovedError):
            read(client, short, first, 3000)


def test_a_file_that_is_longer_than_thought_has_moved(client: DriveClient, file_id: str) -> None:
    with pytest.raises(MovedError, match=f"{len(CONTENT)} bytes"):
        client.read_media("reading a", file_id, 0, 999, Blocks(), size_bytes=1000)


def test_a_file_that_grows_while_it_is_read_has_moved(
    client: DriveClient, drive: Drive, file_id: str
) -> None:
    drive.emulator.inject(Fault(CutDownload(1000), MEDIA))

    class Growing(Blocks):
        def write(self, block: bytes) -> None:
            super().write(block)
            drive.emulator.put("darknet/a", CONTENT + b"more")

    sink = Growing()
    with pytest.raises(MovedError):
        client.read_media("reading a", file_id, 0, len(CONTENT) - 1, sink)
    assert sink.data == CONTENT[:1000]


def test_errors_of_the_sink_are_its_own_and_final(client: DriveClient, drive: Drive, file_id: str) -> None:
    class Full(Blocks):
        def __init__(self, error: Exception) -> None:
            super().__init__()
            self.error = error

        def write(self, block: bytes) -> None:
            super().write(block)
            raise self.error

    for error in (LocalWriteError("read-only"), OSError(28, "No space left on device")):
        sink = Full(error)
        with pytest.raises(type(error)) as caught:
            client.read_media("reading a", file_id, 0, len(CONTENT) - 1, sink)
        assert caught.value is error
        assert len(sink.blocks) == 1
    assert drive.requests(MEDIA) == 2
    assert read(client, file_id) == CONTENT


class Prepared:
    """Stands where an answer does: Drive itself never sends some that are allowed."""

    def __init__(self, status: int, body: bytes, **headers: str) -> None:
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self._body = body

    def read(self, most: int) -> bytes:
        block, self._body = self._body[:most], self._body[most:]
        return block

    def close(self) -> None:
        self._body = b""


def attempt(first: int, last: int, *answers: Prepared) -> tuple[bytes, list[str]]:
    """What comes to the sink, and the ranges that were asked for."""
    sink, ranges, left = Blocks(), [], list(answers)

    def send(headers: Mapping[str, str]) -> Answer:
        ranges.append(headers["range"])
        return cast("Answer", left.pop(0))

    MediaRead("reading a", send, {}, sink, first, last, None, Budget(0)).attempt()
    return sink.data, ranges


def test_a_whole_file_in_place_of_a_range_is_skipped_through() -> None:
    size = str(len(CONTENT))
    data, _ranges = attempt(1_000_000, 2_000_000, Prepared(200, CONTENT, content_length=size))
    assert data == CONTENT[1_000_000:2_000_001]
    assert attempt(0, 99, Prepared(200, CONTENT))[0] == CONTENT[:100]
    with pytest.raises(MovedError):
        attempt(0, 10, Prepared(200, b"short", content_length="5"))


def test_a_part_of_a_range_is_taken_and_the_rest_asked_for() -> None:
    data, ranges = attempt(
        0,
        9,
        Prepared(206, b"abcd", content_range="bytes 0-3/*"),
        Prepared(206, b"efghij", content_range="bytes 4-9/10"),
    )
    assert (data, ranges) == (b"abcdefghij", ["bytes=0-9", "bytes=4-9"])


@pytest.mark.parametrize("content_range", ["", "bytes 1-9/10", "bytes */10", "items 0-9/10"])
def test_another_range_than_was_asked_for_is_not_taken(content_range: str) -> None:
    with pytest.raises(TransientError, match="another range"):
        attempt(0, 9, Prepared(206, b"abcdefghij", content_range=content_range))
