from __future__ import annotations

import contextlib
import os
import socket
import ssl
import struct
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from drivesync.testing.tls import TlsFront

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT_S = 20.0
MEGABYTE = 1024 * 1024


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Stands for the emulator: the test accepts, and is itself the server."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(TIMEOUT_S)
        yield server


@pytest.fixture
def front(listener: socket.socket) -> Iterator[TlsFront]:
    with TlsFront(f"http://127.0.0.1:{listener.getsockname()[1]}") as entered:
        yield entered


def dial(front: TlsFront) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", int(front.url.rpartition(":")[2])), timeout=TIMEOUT_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def secure(front: TlsFront, connection: socket.socket, host: str) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=front.ca_pem)
    # An end without close_notify shall be an error here, not an empty read.
    return context.wrap_socket(connection, server_hostname=host, suppress_ragged_eofs=False)


def connect(front: TlsFront, host: str = "www.googleapis.com") -> ssl.SSLSocket:
    connection = dial(front)
    connection.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
    assert receive_exactly(connection, 39) == b"HTTP/1.1 200 Connection established\r\n\r\n"
    return secure(front, connection, host)


def pair(front: TlsFront, listener: socket.socket) -> tuple[ssl.SSLSocket, socket.socket]:
    client = connect(front)
    upstream, _ = listener.accept()
    upstream.settimeout(TIMEOUT_S)
    return client, upstream


def receive_exactly(connection: socket.socket, count: int) -> bytes:
    received = bytearray()
    while len(received) < count:
        chunk = connection.recv(count - len(received))
        assert chunk, f"ended after {len(received)} of {count} bytes"
        received += chunk
    return bytes(received)


def receive_all(connection: socket.socket) -> bytes:
    received = bytearray()
    while chunk := connection.recv(MEGABYTE):
        received += chunk
    return bytes(received)


def send_fin(connection: socket.socket) -> None:
    """End the sending half of the TCP connection, with no word of TLS; receiving goes on."""
    with socket.socket(fileno=os.dup(connection.fileno())) as plain:
        plain.shutdown(socket.SHUT_WR)


def send_until_it_blocks(connection: socket.socket) -> int:
    """Send zeros until none was taken for a while; returns how many were taken, at most 256 MiB."""
    sent = 0
    connection.settimeout(0.2)
    with suppress(TimeoutError):
        while sent < 256 * MEGABYTE:
            sent += connection.send(bytes(16 * 1024))
    return sent


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://127.0.0.1:80", id="TLS already"),
        pytest.param("http://127.0.0.1", id="no port"),
        pytest.param("127.0.0.1:80", id="no scheme"),
    ],
)
def test_an_upstream_that_cannot_be_is_told_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="http://HOST:PORT"):
        TlsFront(url)


@pytest.mark.parametrize("host", ["www.googleapis.com", "oauth2.googleapis.com", "localhost"])
def test_connect_answers_as_the_host_asked_for_and_reaches_the_upstream(
    front: TlsFront, listener: socket.socket, host: str
) -> None:
    with connect(front, host) as client:  # which checks that the certificate is for the host
        upstream, _ = listener.accept()
        with upstream:
            client.sendall(b"ping")
            assert receive_exactly(upstream, 4) == b"ping"
            upstream.sendall(b"pong")
            assert receive_exactly(client, 4) == b"pong"


def test_tls_is_served_at_the_address_itself_too(front: TlsFront, listener: socket.socket) -> None:
    with secure(front, dial(front), "127.0.0.1") as client:
        client.sendall(b"ping")
        upstream, _ = listener.accept()
        with upstream:
            assert receive_exactly(upstream, 4) == b"ping"


def test_a_client_need_not_wait_for_the_answer_to_connect(front: TlsFront, listener: socket.socket) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context(cafile=front.ca_pem)
    tls = context.wrap_bio(incoming, outgoing, server_hostname="www.googleapis.com")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    with dial(front) as client:
        client.sendall(b"CONNECT www.googleapis.com:443 HTTP/1.1\r\n\r\n" + outgoing.read())
        receive_exactly(client, 39)
        assert receive_exactly(client, 3) == b"\x16\x03\x03"  # a ServerHello
        listener.accept()[0].close()


def test_both_directions_carry_large_bodies_at_once(front: TlsFront, listener: socket.socket) -> None:
    up, down = os.urandom(8 * MEGABYTE), os.urandom(8 * MEGABYTE + 1)
    client, upstream = pair(front, listener)
    with client, upstream:
        sender = threading.Thread(target=upstream.sendall, args=(down,))
        uploaded: list[bytes] = []
        receiver = threading.Thread(target=lambda: uploaded.append(receive_exactly(upstream, len(up))))
        sender.start()
        receiver.start()
        client.sendall(up)
        downloaded = receive_exactly(client, len(down))
        sender.join()
        receiver.join()
    assert downloaded == down
    assert uploaded == [up]


@pytest.mark.parametrize("slow", ["client", "upstream"])
def test_who_does_not_read_stops_who_writes(front: TlsFront, listener: socket.socket, slow: str) -> None:
    client, upstream = pair(front, listener)
    writer, reader = (upstream, client) if slow == "client" else (client, upstream)
    with client, upstream:
        sent = send_until_it_blocks(writer)
        # TLS keeps a record whose sending it began, and finishes it when next asked to.
        writer.settimeout(TIMEOUT_S)
        finisher = threading.Thread(target=writer.sendall, args=(bytes(16 * 1024),))
        finisher.start()
        assert receive_exactly(reader, sent + 16 * 1024).count(0) == sent + 16 * 1024
        finisher.join()
    assert sent < 64 * MEGABYTE


def test_an_orderly_end_of_the_upstream_is_one_for_the_client(
    front: TlsFront, listener: socket.socket
) -> None:
    client, upstream = pair(front, listener)
    with client:
        with upstream:
            upstream.sendall(b"last words")
        assert receive_all(client) == b"last words"


def test_a_reset_by_the_upstream_is_one_for_the_client(front: TlsFront, listener: socket.socket) -> None:
    client, upstream = pair(front, listener)
    with client:
        upstream.sendall(b"half of a bo")
        assert receive_exactly(client, 12) == b"half of a bo"
        reset(upstream)
        # Some builds of Python hide an end without TLS's good-bye.
        with contextlib.suppress(ConnectionResetError, ssl.SSLEOFError):
            assert client.recv(1) == b""


def test_a_client_that_has_said_all_still_hears_the_answer(front: TlsFront, listener: socket.socket) -> None:
    client, upstream = pair(front, listener)
    with client, upstream:
        client.sendall(b"question")
        send_fin(client)
        assert receive_all(upstream) == b"question"
        upstream.sendall(b"answer")
        upstream.shutdown(socket.SHUT_WR)
        assert receive_all(client) == b"answer"


def test_a_client_that_says_goodbye_ends_the_upstream(front: TlsFront, listener: socket.socket) -> None:
    client, upstream = pair(front, listener)
    with upstream:
        client.sendall(b"question")
        threading.Thread(target=lambda: client.unwrap().close()).start()
        assert receive_all(upstream) == b"question"


def test_a_reset_by_the_client_is_one_for_the_upstream(front: TlsFront, listener: socket.socket) -> None:
    client, upstream = pair(front, listener)
    with upstream:
        client.sendall(b"half of a bo")
        assert receive_exactly(upstream, 12) == b"half of a bo"
        reset(client)
        with pytest.raises(ConnectionResetError):
            upstream.recv(1)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        pytest.param(b"GET http://www.googleapis.com/ HTTP/1.1\r\n\r\n", b"405", id="a plain request"),
        pytest.param(b"CONNECT www.googleapis.com:80 HTTP/1.1\r\n\r\n", b"403", id="a port without TLS"),
        pytest.param(b"CONNECT " + b"a" * 20_000, b"431", id="a head without end"),
    ],
)
def test_nothing_but_tls_gets_through(
    front: TlsFront, listener: socket.socket, head: bytes, status: bytes
) -> None:
    with dial(front) as client:
        client.sendall(head)
        assert receive_exactly(client, 12) == b"HTTP/1.1 " + status
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_an_upstream_that_is_away_is_a_bad_gateway(front: TlsFront, listener: socket.socket) -> None:
    listener.close()
    with dial(front) as client:
        client.sendall(b"CONNECT www.googleapis.com:443 HTTP/1.1\r\n\r\n")
        assert b" 502 " in receive_all(client)
    with pytest.raises(OSError, match=r"reset|EOF"):
        secure(front, dial(front), "127.0.0.1")


def test_a_client_that_does_not_trust_the_authority_harms_no_other(
    front: TlsFront, listener: socket.socket
) -> None:
    with dial(front) as connection, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(connection, server_hostname="localhost")
    listener.accept()[0].close()
    client, upstream = pair(front, listener)
    with client, upstream:
        client.sendall(b"ping")
        assert receive_exactly(upstream, 4) == b"ping"


def test_leaving_cuts_what_is_open_and_leaves_nothing_behind(listener: socket.socket) -> None:
    with TlsFront(f"http://127.0.0.1:{listener.getsockname()[1]}") as front:
        client, upstream = pair(front, listener)
        threads = threading.active_count()
    with client, upstream:
        # Some builds of Python hide an end without TLS's good-bye.
        with contextlib.suppress(ConnectionResetError, ssl.SSLEOFError):
            assert client.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            dial(front)
    assert threading.active_count() == threads - 1
    assert not front.ca_pem.exists()
