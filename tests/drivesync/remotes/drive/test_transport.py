"""Proxies, certificates and a prompt end, for both ways in which requests go out."""

from __future__ import annotations

import base64
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeAlias

import pytest
import urllib3

from drivesync.errors import RemoteError, SettingsError
from drivesync.remotes.drive.translate import translate_errors
from drivesync.remotes.drive.transport import Transport
from drivesync.testing import TOKEN, ErrorAnswer, Fault
from drivesync.testing.tls import TlsFront

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from drivesync.testing import DriveEmulator

    Ask: TypeAlias = Callable[[Transport], tuple[int, bytes]]

PATH = "/drive/v3/about?fields=user"
SIZE = 1 << 20
HEADERS = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def front(drive_emulator: DriveEmulator) -> Iterator[TlsFront]:
    with TlsFront(drive_emulator.url) as entered:
        yield entered


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def by_request(transport: Transport) -> tuple[int, bytes]:
    answer = transport.request("GET", transport.base_url + PATH, headers=HEADERS)
    return answer.status, answer.data


def by_stream(transport: Transport) -> tuple[int, bytes]:
    answer = transport.stream(PATH, HEADERS)
    try:
        return answer.status, answer.data
    finally:
        answer.close()


both_ways = pytest.mark.parametrize("ask", [by_request, by_stream])


def once(ask: Ask, base_url: str, *, by_proxy: bool) -> tuple[int, bytes]:
    transport = Transport(base_url, by_proxy=by_proxy)
    try:
        return ask(transport)
    finally:
        transport.close()


@both_ways
class TestTheWay:
    def test_directly(self, ask: Ask, drive_emulator: DriveEmulator) -> None:
        status, body = once(ask, drive_emulator.url, by_proxy=False)
        assert status == 200
        assert b"displayName" in body

    def test_by_tls_with_an_authority_of_ones_own(
        self,
        ask: Ask,
        front: TlsFront,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(front.ca_pem))
        assert once(ask, front.url, by_proxy=False)[0] == 200

    def test_no_certificate_is_taken_on_trust(self, ask: Ask, front: TlsFront) -> None:
        with (
            pytest.raises(RemoteError, match="certificate is not valid") as caught,
            translate_errors("asking"),
        ):
            once(ask, front.url, by_proxy=False)
        assert type(caught.value) is RemoteError
        assert "SSL_CERT_FILE" in caught.value.hint

    @pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
    def test_through_a_proxy(
        self,
        ask: Ask,
        name: str,
        front: TlsFront,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(front.ca_pem))
        # Without the scheme, as many have it.
        monkeypatch.setenv(name, front.proxy_url.removeprefix("http://"))
        assert once(ask, "https://www.googleapis.com", by_proxy=True)[0] == 200

    def test_around_a_proxy(
        self,
        ask: Ask,
        drive_emulator: DriveEmulator,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        assert once(ask, drive_emulator.url, by_proxy=False)[0] == 200
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert once(ask, drive_emulator.url, by_proxy=True)[0] == 200

    def test_a_proxy_that_asks_who_is_there(self, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
        heads: list[bytes] = []
        with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
            host, port = listener.getsockname()
            monkeypatch.setenv("https_proxy", f"http://user:p%40ss@{host}:{port}")

            def refuse() -> None:
                connection, _address = listener.accept()
                with connection:
                    heads.append(connection.recv(65536))
                    connection.sendall(b"HTTP/1.1 407 Who is there\r\ncontent-length: 0\r\n\r\n")

            refused = pool.submit(refuse)
            with pytest.raises(RemoteError) as caught, translate_errors("asking"):
                once(ask, "https://www.googleapis.com", by_proxy=True)
            refused.result()
        assert heads[0].startswith(b"CONNECT www.googleapis.com:443 HTTP/1.")
        assert base64.b64encode(b"user:p@ss") in heads[0]
        assert "p@ss" not in str(caught.value)

    @pytest.mark.parametrize(
        "proxy", ["socks5://127.0.0.1:1080", "https://127.0.0.1:1", "http://", "http://[::"]
    )
    def test_a_proxy_that_cannot_be_used(self, ask: Ask, proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("https_proxy", proxy)
        with pytest.raises(SettingsError, match="proxy") as caught:
            once(ask, "https://www.googleapis.com", by_proxy=True)
        assert "HTTPS_PROXY" in caught.value.hint


class Deaf:
    """A server that takes connections and says nothing, or not even takes them."""

    def __init__(self, *, accepts: bool) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        # Connections in the backlog are established, so it has to be full for the next to wait.
        self._others = [] if accepts else [self._connect() for _ in range(4)]

    def _connect(self) -> socket.socket:
        other = socket.socket()
        other.setblocking(False)
        other.connect_ex(self._listener.getsockname())
        return other

    def close(self) -> None:
        for one in (*self._others, self._listener):
            one.close()


@both_ways
@pytest.mark.parametrize("accepts", [pytest.param(True, id="in TLS"), pytest.param(False, id="in TCP")])
def test_a_cut_ends_connections_that_are_being_made(
    ask: Ask,
    accepts: bool,  # noqa: FBT001 - from the table
) -> None:
    server = Deaf(accepts=accepts)
    transport = Transport(server.url, by_proxy=False)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, transport)
        give_up_s = time.monotonic() + 5
        while not transport._sockets._open and time.monotonic() < give_up_s:
            time.sleep(0.001)
        transport.cut()
        # To be late is an OSError, too.
        error = asked.exception(timeout=10)
        assert isinstance(error, (OSError, urllib3.exceptions.HTTPError))
    with pytest.raises((OSError, urllib3.exceptions.HTTPError)):
        ask(transport)
    transport.close()
    server.close()


def test_a_cut_ends_reads() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    transport = Transport(f"http://127.0.0.1:{listener.getsockname()[1]}", by_proxy=False)
    begun = threading.Event()

    def read() -> bytes:
        answer = transport.stream("/", {})
        begun.set()
        try:
            return answer.read(100)
        finally:
            answer.close()

    with ThreadPoolExecutor(1) as pool, listener:
        reading = pool.submit(read)
        connection, _address = listener.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
            assert begun.wait(5)
            transport.cut()
            assert reading.result(timeout=5) == b"half"
    transport.close()


class TestBodies:
    """What goes out by TLS: its tickets, which come unasked, are no answers."""

    @pytest.fixture
    def transport(self, front: TlsFront, monkeypatch: pytest.MonkeyPatch) -> Iterator[Transport]:
        monkeypatch.setenv("SSL_CERT_FILE", str(front.ca_pem))
        opened = Transport(front.url, by_proxy=False)
        yield opened
        opened.close()

    def send(self, transport: Transport, blocks: Iterable[bytes]) -> tuple[int, bytes]:
        headers = {**HEADERS, "content-length": str(SIZE)}
        answer = transport.send("POST", "/upload/drive/v3/files?uploadType=media", headers, blocks)
        try:
            return answer.status, answer.data
        finally:
            answer.close()

    def test_a_body_goes_out_whole(self, transport: Transport, drive_emulator: DriveEmulator) -> None:
        def blocks() -> Iterator[bytes]:
            for number in range(SIZE >> 16):
                if number in {1, 2}:
                    # Long enough for whatever comes after a handshake.
                    time.sleep(0.05)
                yield bytes(1 << 16)

        for _ in range(2):
            assert self.send(transport, blocks())[0] == 200
        assert [len(content) for content in drive_emulator.read_tree("").values()] == [SIZE]
        assert [entry.quota_bytes for entry in drive_emulator.store.children("root")] == [SIZE] * 2

    def test_who_answers_early_is_heard(self, transport: Transport, drive_emulator: DriveEmulator) -> None:
        drive_emulator.inject(Fault(ErrorAnswer(403, "storageQuotaExceeded"), "files.create.media"))
        sent: list[None] = []

        def blocks() -> Iterator[bytes]:
            give_up_s = time.monotonic() + 20
            while time.monotonic() < give_up_s:
                sent.append(None)
                yield b"x"
                time.sleep(0.001)

        status, body = self.send(transport, blocks())
        assert status == 403
        assert b"storageQuotaExceeded" in body
        assert 0 < len(sent) < 5000
