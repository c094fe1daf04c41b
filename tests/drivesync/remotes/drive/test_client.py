"""What holds for every request, whoever makes it: tokens, counting, pace, and the end."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from drivesync.errors import NotAllowedError, NotFoundError, RateLimitedError, TransientError
from drivesync.remotes.drive.client import DriveClient
from drivesync.remotes.drive.line import resource_keys_header
from drivesync.remotes.usage import Spent
from drivesync.testing import Costs, Delay, ErrorAnswer, ExpiredToken, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from drivesync.config import Settings
    from tests.drivesync.remotes.conftest import Drive

CONTENT = bytes(range(256)) * 100


@pytest.fixture
def make_client() -> Iterator[Callable[[Settings], DriveClient]]:
    made: list[DriveClient] = []

    def make(settings: Settings) -> DriveClient:
        client = DriveClient(settings, lambda _line: None, first_wait_s=settings.retry_wait_s)
        client.open()
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(settings: Settings, make_client: Callable[[Settings], DriveClient]) -> DriveClient:
    return make_client(settings)


@pytest.fixture
def file_id(drive: Drive) -> str:
    return drive.add("darknet", "a", CONTENT)


class Blocks:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, block: bytes) -> None:
        self.data += block


def read(client: DriveClient, file_id: str) -> bytes:
    sink = Blocks()
    client.read_media("reading a", file_id, 0, len(CONTENT) - 1, sink)
    return sink.data


def ask(client: DriveClient) -> dict[str, Any]:
    return client.execute("asking", "other", client.about.get(fields="user(displayName)"))


def expire(drive: Drive, skip: int = 0) -> None:
    drive.emulator.inject(Fault(ExpiredToken(), skip=skip))


class TestTokens:
    def test_one_is_fetched_for_all_threads(
        self,
        refreshable: Settings,
        drive: Drive,
        file_id: str,
        make_client: Callable[[Settings], DriveClient],
    ) -> None:
        client = make_client(refreshable)
        with ThreadPoolExecutor(16) as pool:
            assert set(pool.map(lambda _: read(client, file_id), range(32))) == {CONTENT}
        assert drive.emulator.app.authority.refreshed == 1

    def test_one_that_expires_while_many_are_at_work_is_renewed_once(
        self,
        refreshable: Settings,
        drive: Drive,
        file_id: str,
        make_client: Callable[[Settings], DriveClient],
    ) -> None:
        client = make_client(refreshable)
        ask(client)
        expire(drive, skip=20)
        # All that are on their way when it expires hear of it.
        drive.emulator.inject(Fault(Delay(0.05), times=None))
        with ThreadPoolExecutor(16) as pool:
            assert set(pool.map(lambda _: read(client, file_id), range(64))) == {CONTENT}
        assert drive.emulator.app.authority.refreshed == 2
        counted = client.usage.by_kind["download"].requests
        assert counted == drive.requests("files.get.media") == 64 + client.usage.retries
        assert 1 <= client.usage.retries <= 16

    def test_uploads_and_metadata_are_sent_again_too(
        self, refreshable: Settings, drive: Drive, make_client: Callable[[Settings], DriveClient]
    ) -> None:
        client = make_client(refreshable)
        assert ask(client)
        expire(drive)
        assert ask(client)
        assert drive.emulator.app.authority.refreshed == 2

    def test_one_that_was_taken_back_is_an_error_that_says_what_to_do(
        self,
        refreshable: Settings,
        drive: Drive,
        file_id: str,
        make_client: Callable[[Settings], DriveClient],
    ) -> None:
        client = make_client(refreshable)
        read(client, file_id)
        with drive.emulator.locked():
            drive.emulator.app.authority.revoke_all()
        for work in (lambda: read(client, file_id), lambda: ask(client)):
            with pytest.raises(NotAllowedError, match="expired or is not valid") as caught:
                work()
            assert "drivesync login" in caught.value.hint

    def test_one_that_cannot_be_renewed_is_not_asked_for_again_and_again(
        self, client: DriveClient, drive: Drive, file_id: str
    ) -> None:
        expire(drive)
        with pytest.raises(NotAllowedError, match="GOOGLE_OAUTH_ACCESS_TOKEN") as caught:
            read(client, file_id)
        assert "Set GOOGLE_OAUTH_ACCESS_TOKEN" in caught.value.hint
        assert drive.requests("files.get.media") == 1

    def test_one_that_is_refused_though_it_is_new_is_an_error(
        self,
        refreshable: Settings,
        drive: Drive,
        file_id: str,
        make_client: Callable[[Settings], DriveClient],
    ) -> None:
        client = make_client(refreshable)
        drive.emulator.inject(Fault(ErrorAnswer(401, "authError"), times=None))
        with pytest.raises(NotAllowedError, match="401"):
            read(client, file_id)
        assert drive.requests("files.get.media") == 2


def test_requests_are_counted_by_kind(client: DriveClient, file_id: str) -> None:
    ask(client)
    read(client, file_id)
    read(client, file_id)
    client.execute("looking", "get", client.files.get(fileId=file_id))
    client.execute("listing", "list", client.files.list(q="trashed = false"))
    assert client.usage.by_kind == {
        "other": Spent(1, 5),
        "download": Spent(2, 400),
        "get": Spent(1, 5),
        "list": Spent(1, 100),
    }
    assert client.usage.retries == 0


def test_a_long_question_is_asked_too(client: DriveClient, file_id: str) -> None:
    # Beyond 2,048 characters Google's client sends a POST.
    query = " or ".join(["name = 'a'"] * 300)
    answer = client.execute("listing", "list", client.files.list(q=query, fields="files(id)"))
    assert answer == {"files": [{"id": file_id}]}


def test_other_errors_pass_at_once(client: DriveClient, drive: Drive) -> None:
    with pytest.raises(NotFoundError, match="looking: Drive answered 404"):
        client.execute("looking", "get", client.files.get(fileId="nobody"))
    assert drive.requests("files.get") == 1


def test_resource_keys_open_files_that_are_shared_by_a_link() -> None:
    assert resource_keys_header({"a": "0-k", "b": "0-l"}) == {"X-Goog-Drive-Resource-Keys": "a/0-k,b/0-l"}
    # A key is whatever the other end says; no line break gets into a header by it.
    assert resource_keys_header({"a": "0-k\r\nx: y", "b": "0-l", "c": "ü"}) == {
        "X-Goog-Drive-Resource-Keys": "b/0-l"
    }
    assert resource_keys_header({"a": "0\nk"}) == {}


def test_a_limit_is_met_and_kept_to(client: DriveClient, drive: Drive, file_id: str) -> None:
    drive.emulator.set_costs(Costs(latency_s=0.02, requests_per_s=200, requests_burst_s=0.25))
    begun_s = time.monotonic()
    with ThreadPoolExecutor(32) as pool:
        assert set(pool.map(lambda _: read(client, file_id), range(350))) == {CONTENT}
        assert client.slowed_by == ""
    # How near to 1.5 it comes is for test_pace.py to say, on a clock that nothing else delays.
    assert time.monotonic() - begun_s >= 1.5
    assert client.usage.retries < 350


def test_while_a_limit_holds_it_says_so(client: DriveClient, drive: Drive, file_id: str) -> None:
    drive.emulator.inject(Fault(ErrorAnswer(429, retry_after_s=1)))
    assert not client.slowed_by
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read, client, file_id)
        seen = set()
        while not reading.done():
            seen.add(client.slowed_by)
            time.sleep(0.01)
        assert reading.result() == CONTENT
    assert "Drive's rate limit" in seen
    assert not client.slowed_by


def test_a_limit_that_lets_nothing_through_ends_in_an_error(
    client: DriveClient, drive: Drive, file_id: str
) -> None:
    drive.emulator.inject(Fault(ErrorAnswer(403, "rateLimitExceeded"), times=None))
    with pytest.raises(RateLimitedError):
        read(client, file_id)


@pytest.mark.parametrize("end", [DriveClient.cancel, DriveClient.close])
def test_the_end_comes_soon(
    end: Callable[[DriveClient], None], client: DriveClient, drive: Drive, file_id: str
) -> None:
    # At this pace the rest of the file takes a minute.
    drive.emulator.set_costs(Costs(bandwidth_bytes_per_s=400.0))
    drive.emulator.inject(Fault(ErrorAnswer(429, retry_after_s=60), skip=1))
    with ThreadPoolExecutor(2) as pool:
        reading: Future[Any] = pool.submit(read, client, file_id)
        while drive.requests("files.get.media") < 1:
            time.sleep(0.001)
        waiting: Future[Any] = pool.submit(ask, client)
        while not client.slowed_by:
            time.sleep(0.001)
        begun_s = time.monotonic()
        end(client)
        for work in (reading, waiting):
            with pytest.raises(TransientError):
                work.result(timeout=20)
        assert time.monotonic() - begun_s < 20
    with pytest.raises(TransientError, match="stopped"):
        ask(client)


def test_it_can_be_opened_again(client: DriveClient, file_id: str) -> None:
    client.close()
    client.open()
    assert read(client, file_id) == CONTENT
