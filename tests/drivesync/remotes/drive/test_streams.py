"""Answers in every form that HTTP/1.1 allows, torn at every place, and when a connection is used again."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from http.client import HTTPException
from typing import TYPE_CHECKING, ClassVar

import pytest
from urllib3.util.wait import wait_for_read

from drivesync.remotes.drive.streams import Answer, Streams

if TYPE_CHECKING:
    from collections.abc import Iterator

BODY = bytes(range(256)) * 40
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 10240\r\n\r\n" + BODY
SMALL = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Server:
    """Answers each request, on one connection after the other, with the next of its answers, in pieces."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.requests: list[bytes] = []
        self.piece_bytes = 1 << 20
        self.connections = 0
        self.closes_after = 1000
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def connect(self) -> socket.socket:
        self.connections += 1
        return socket.create_connection(self._listener.getsockname(), timeout=10)

    def close(self) -> None:
        # A connection that says nothing ends the loop.
        socket.create_connection(self._listener.getsockname()).close()
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            connection, _address = self._listener.accept()
            served = 0
            with connection, suppress(OSError):
                while served < self.closes_after and (request := connection.recv(65536)):
                    served += 1
                    self.requests.append(request)
                    answer = self.answers.pop(0)
                    for at in range(0, len(answer), self.piece_bytes):
                        connection.sendall(answer[at : at + self.piece_bytes])
                    if b"close" in answer or answer.endswith(b"torn"):
                        break
            if not served:
                return


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.close()


@pytest.fixture
def streams(server: Server) -> Iterator[Streams]:
    opened = Streams(server.connect, "drive.test", most_idle=2)
    yield opened
    opened.close()


def read_all(answer: Answer, block_bytes: int = 1000) -> bytes:
    blocks = []
    while block := answer.read(block_bytes):
        assert len(block) <= block_bytes
        blocks.append(block)
    answer.close()
    return b"".join(blocks)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(
    b"%x;x=y\r\n%b\r\n" % (len(piece), piece) for piece in (BODY[:1], BODY[1:3000], BODY[3000:])
)


@pytest.mark.parametrize("piece_bytes", [1 << 20, 7, 1])
@pytest.mark.parametrize(
    ("answer", "is_kept"),
    [
        pytest.param(WHOLE, True, id="a length"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + WHOLE, True, id="after an answer that says nothing"),
        pytest.param(CHUNKED + b"0\r\n\r\n", True, id="chunks"),
        pytest.param(CHUNKED + b"0\r\nsome: trailer\r\n\r\n", True, id="chunks and a trailer"),
        pytest.param(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + BODY, False, id="to the end"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nconnection: Close\r\ncontent-length:10240\r\n\r\n" + BODY + b"close",
            False,
            id="a length, and the end after it",
        ),
        pytest.param(
            b"HTTP/1.0 200 OK\r\ncontent-length: 10240\r\n\r\n" + BODY + b"close", False, id="HTTP/1.0"
        ),
    ],
)
def test_bodies(
    server: Server,
    streams: Streams,
    answer: bytes,
    is_kept: bool,  # noqa: FBT001 - from the table
    piece_bytes: int,
) -> None:
    server.answers = [answer, SMALL]
    server.piece_bytes = piece_bytes
    assert read_all(streams.get("/a", {})) == BODY
    assert read_all(streams.get("/b", {})) == b"ok"
    assert server.connections == (1 if is_kept else 2)


def test_what_is_sent(server: Server, streams: Streams) -> None:
    server.answers = [SMALL]
    streams.get("/drive/v3/files/a?alt=media", {"range": "bytes=0-1"}).close()
    assert server.requests == [
        b"GET /drive/v3/files/a?alt=media HTTP/1.1\r\nhost: drive.test\r\nrange: bytes=0-1\r\n\r\n"
    ]


def test_status_and_headers(server: Server, streams: Streams) -> None:
    server.answers = [
        b"HTTP/1.1 206 Partial Content\r\nContent-RANGE:  bytes 0-1/9 \r\ncontent-length: 2\r\n\r\nok"
    ]
    answer = streams.get("/a", {})
    assert answer.status == 206
    assert answer.headers == {"content-range": "bytes 0-1/9", "content-length": "2"}
    assert answer.data == b"ok"
    answer.close()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(b"torn", OSError, id="torn at once"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le" + b"torn", OSError, id="torn in the head"),
        pytest.param(b"SSH-2.0-OpenSSH_9.7\r\n\r\n", HTTPException, id="another protocol"),
        pytest.param(b"HTTP/1.1 yes\r\n\r\n", HTTPException, id="no status"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 30000, HTTPException, id="no end"),
    ],
)
def test_what_is_no_answer(server: Server, streams: Streams, answer: bytes, error: type[Exception]) -> None:
    server.answers = [answer, SMALL]
    with pytest.raises(error):
        streams.get("/a", {})
    # Whatever is left on that connection, the next request does not see it.
    assert read_all(streams.get("/b", {})) == b"ok"


@pytest.mark.parametrize(
    ("answer", "came"),
    [
        pytest.param(WHOLE[:-5000] + b"torn", BODY[:-5000] + b"torn", id="a length"),
        pytest.param(CHUNKED[:-5000] + b"torn", None, id="a chunk"),
    ],
)
def test_what_came_before_a_break_is_handed_out(
    server: Server, streams: Streams, answer: bytes, came: bytes | None
) -> None:
    server.answers = [answer, SMALL]
    answered = streams.get("/a", {})
    read = b""
    while block := answered.read(1 << 20):
        read += block
    assert read == came if came is not None else BODY.startswith(read[:-4])
    assert len(read) > 4000
    answered.close()
    assert read_all(streams.get("/b", {})) == b"ok"
    assert server.connections == 2


def test_a_chunk_without_a_size(server: Server, streams: Streams) -> None:
    server.answers = [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nmany\r\n"]
    answer = streams.get("/a", {})
    with pytest.raises(HTTPException):
        answer.read(10)
    answer.close()


def test_little_that_is_left_is_read_and_much_is_not(server: Server, streams: Streams) -> None:
    large = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n" + bytes(1_000_000)
    server.answers = [WHOLE, large, SMALL]
    answer = streams.get("/a", {})
    assert answer.read(10) == BODY[:10]
    answer.close()
    answer = streams.get("/b", {})
    assert server.connections == 1
    assert answer.read(10) == bytes(10)
    answer.close()
    assert read_all(streams.get("/c", {})) == b"ok"
    assert server.connections == 2


def test_a_connection_that_was_closed_meanwhile_is_not_used(
    server: Server, streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers = [SMALL, SMALL]
    server.closes_after = 1
    streams.get("/a", {}).close()
    # The other side closes in a thread of its own.
    assert wait_for_read(streams._idle[0].socket, timeout=5)
    later_s = time.monotonic() + 5
    monkeypatch.setattr(time, "monotonic", lambda: later_s)
    streams.get("/b", {}).close()
    assert server.connections == 2


class Ends:
    """Makes connections whose other ends have answered already, so many times."""

    def __init__(self, answers: int = 1) -> None:
        self.far: list[socket.socket] = []
        self._answers = answers

    def connect(self) -> socket.socket:
        near, far = socket.socketpair()
        near.settimeout(5)
        far.sendall(SMALL * self._answers)
        self.far.append(far)
        return near

    def close(self) -> int:
        for far in self.far:
            far.close()
        return len(self.far)


def test_no_more_connections_are_kept_than_wished() -> None:
    ends = Ends(answers=2)
    streams = Streams(ends.connect, "drive.test", most_idle=2)
    for _ in range(2):
        # The answers that are kept for the second round lie in the connections that were not closed.
        for answer in [streams.get("/a", {}) for _ in range(4)]:
            assert read_all(answer) == b"ok"
    streams.close()
    assert ends.close() == 6


def test_closing_twice_gives_a_connection_back_once() -> None:
    ends = Ends(answers=2)
    streams = Streams(ends.connect, "drive.test", most_idle=2)
    first = streams.get("/a", {})
    first.close()
    first.close()
    for answer in (streams.get("/b", {}), streams.get("/c", {})):
        assert read_all(answer) == b"ok"
    streams.close()
    assert ends.close() == 2


class TestBodies:
    """Requests that bring something."""

    LENGTH: ClassVar = {"content-length": str(8 << 20)}

    @pytest.fixture
    def pair(self) -> Iterator[tuple[Streams, socket.socket]]:
        """Streams over one connection, and its far end."""
        near, far = socket.socketpair()
        near.settimeout(5)
        far.settimeout(5)
        ends = iter([near])
        streams = Streams(lambda: next(ends), "drive.test", most_idle=1)
        with near, far:
            yield streams, far

    def test_a_body_goes_out_in_order_and_the_connection_is_kept(
        self, pair: tuple[Streams, socket.socket]
    ) -> None:
        streams, far = pair
        received: list[bytes] = []

        def serve() -> None:
            for _ in range(2):
                data = b""
                while not data.endswith(b"the end"):
                    data += far.recv(1 << 20)
                received.append(data)
                far.sendall(SMALL)

        server = threading.Thread(target=serve)
        server.start()
        for _ in range(2):
            answer = streams.send("PUT", "/a?b", {"content-length": "11"}, [b"bla ", b"the end"])
            assert (answer.status, read_all(answer)) == (200, b"ok")
        server.join()
        assert (
            received
            == [b"PUT /a?b HTTP/1.1\r\nhost: drive.test\r\ncontent-length: 11\r\n\r\nbla the end"] * 2
        )

    @pytest.mark.parametrize("is_closed", [False, True], ids=["listens no more", "closes"])
    def test_who_answers_early_is_heard_before_all_is_sent(
        self, pair: tuple[Streams, socket.socket], *, is_closed: bool
    ) -> None:
        streams, far = pair
        sent: list[int] = []

        def blocks() -> Iterator[bytes]:
            for number in range(32):
                if number == 3:
                    far.recv(64)
                    far.sendall(b"HTTP/1.1 401 Who\r\ncontent-length: 2\r\n\r\nno")
                    if is_closed:
                        far.shutdown(socket.SHUT_RDWR)
                sent.append(number)
                yield bytes(1024)

        answer = streams.send("PUT", "/a", self.LENGTH, blocks())
        assert (answer.status, answer.data) == (401, b"no")
        answer.close()
        assert len(sent) == 4
        with pytest.raises(StopIteration):
            # The rest of the body is still owed to the connection, so that it is not used again.
            streams.get("/b", {})

    def test_a_connection_that_ends_meanwhile_is_an_error(self, pair: tuple[Streams, socket.socket]) -> None:
        streams, far = pair

        def blocks() -> Iterator[bytes]:
            yield b"x"
            far.close()
            yield bytes(1 << 20)
            yield bytes(1 << 20)

        with pytest.raises(OSError, match=r"reset|pipe"):
            streams.send("PUT", "/a", self.LENGTH, blocks())

    def test_a_server_that_takes_no_more_is_not_waited_for_without_end(self) -> None:
        near, far = socket.socketpair()
        near.settimeout(0.05)
        with near, far, pytest.raises(TimeoutError):
            Streams(lambda: near, "drive.test", 1).send("PUT", "/a", self.LENGTH, [bytes(8 << 20)])

    @pytest.mark.parametrize("error", [ValueError("any"), KeyboardInterrupt()])
    def test_what_the_body_raises_passes_and_cuts_the_request_off(
        self, pair: tuple[Streams, socket.socket], error: BaseException
    ) -> None:
        streams, far = pair

        def blocks() -> Iterator[bytes]:
            yield b"x" * 1000
            raise error

        with pytest.raises(type(error)) as caught:
            streams.send("PUT", "/a", self.LENGTH, blocks())
        assert caught.value is error
        data = b""
        while piece := far.recv(65536):
            data += piece
        assert data.endswith(b"\r\n\r\n" + b"x" * 1000)
