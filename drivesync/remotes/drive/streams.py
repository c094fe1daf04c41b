"""Requests whose bodies are streamed, one way or the other, over connections that are kept.

A pull of small files is little else than GETs, and in each of them http.client and urllib3 spend more time than TLS
does: for 2,000 files of 20 KB over TLS in 32 threads, 1.3 CPU seconds with urllib3, 0.8 with http.client, 0.5 here,
0.4 for the bare sockets. So this speaks just as much of HTTP/1.1 (RFC 9112) as they need. Uploads go this way too: a
server may answer before it has all of a body, and urllib3 would send the rest in vain. Nor is anything logged here,
and the address of an upload session is a secret. All else goes by urllib3 (transport.py).
"""

from __future__ import annotations

import ssl
import time
from collections import deque
from contextlib import suppress
from http.client import BadStatusLine, HTTPException
from typing import TYPE_CHECKING

from urllib3.util.wait import wait_for_read

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Mapping

_RECEIVED_BYTES = 64 << 10
_LONGEST_HEAD_BYTES = 64 << 10
_DRAINED_BYTES = 64 << 10
_CHECKED_AFTER_S = 1.0
"""A connection that was idle for so long may have been closed by the other side."""


class Streams:
    """Connections to one server; safe to use from several threads.

    Args:
        connect: makes a connection.
        host: as the Host header has it.
        most_idle: so many connections are kept.
    """

    def __init__(self, connect: Callable[[], socket.socket], host: str, most_idle: int) -> None:
        self._connect = connect
        self._host = host
        self._most_idle = most_idle
        self._idle: deque[Wire] = deque()

    def get(self, path: str, headers: Mapping[str, str]) -> Answer:
        """Ask for ``path``; the answer has to be closed.

        Raises:
            OSError: the connection broke, or there was none to be had.
            http.client.HTTPException: what came is no HTTP.
        """
        return self.send("GET", path, headers, ())

    def send(self, method: str, path: str, headers: Mapping[str, str], body: Iterable[bytes]) -> Answer:
        """Send a request; the answer has to be closed.

        Args:
            method: of HTTP.
            path: with its query.
            headers: ``content-length`` among them, unless there is no body.
            body: blocks that are sent as they come, until the server answers. What it raises passes, and leaves the
                request cut off: the server never has the whole of it.

        Raises:
            OSError: the connection broke, or there was none to be had.
            http.client.HTTPException: what came is no HTTP.
        """
        wire = self._take()
        try:
            lines = [f"{method} {path} HTTP/1.1", f"host: {self._host}"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            wire.socket.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
            is_sent = wire.send_body(body)
            status, answered = wire.read_head()
            while 100 <= status < 200:
                status, answered = wire.read_head()
        except BaseException:
            wire.socket.close()
            raise
        # Where the server answered early, it would take the next request for the rest of this one.
        return Answer(wire, status, answered, self._keep if is_sent else _drop)

    def close(self) -> None:
        """Close all connections that are not in use."""
        while self._idle:
            self._idle.pop().socket.close()

    def _take(self) -> Wire:
        while self._idle:
            try:
                wire = self._idle.pop()
            except IndexError:
                break
            is_fresh = time.monotonic() < wire.idle_since_s + _CHECKED_AFTER_S
            # Nothing is to come on an idle connection but its end.
            if is_fresh or not wait_for_read(wire.socket, timeout=0.0):
                return wire
            wire.socket.close()
        return Wire(self._connect())

    def _keep(self, wire: Wire) -> None:
        if len(self._idle) >= self._most_idle:
            wire.socket.close()
            return
        wire.idle_since_s = time.monotonic()
        self._idle.append(wire)


def _drop(wire: Wire) -> None:
    wire.socket.close()


class Wire:
    """A connection, and what was received on it and not yet looked at."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.idle_since_s = 0.0
        self._rest = b""

    def send_body(self, body: Iterable[bytes]) -> bool:
        """Send ``body``; False if the other side answered before it had all.

        Raises:
            OSError: the connection broke.
        """
        for block in body:
            if self._has_answer():
                return False
            try:
                self.socket.sendall(block)
            except TimeoutError:
                raise
            except OSError:
                # Who refuses a body says so, and closes.
                if not self._has_answer():
                    raise
                return False
        return True

    def read_head(self) -> tuple[int, dict[str, str]]:
        """Status and headers (names in lower case, the last of each) of the next answer.

        Raises:
            OSError: the connection broke.
            http.client.HTTPException: what came is no HTTP.
        """
        head = self._read_to(b"\r\n\r\n").decode("latin-1")
        first, *lines = head.split("\r\n")
        version, _, status = first.partition(" ")
        if version not in {"HTTP/1.1", "HTTP/1.0"} or not status[:3].isdigit():
            raise BadStatusLine(version)
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if version == "HTTP/1.0":
            headers.setdefault("connection", "close")
        return int(status[:3]), headers

    def read_line(self) -> str:
        """The next line, without its end.

        Raises:
            OSError: the connection broke.
        """
        return self._read_to(b"\r\n").decode("latin-1")

    def read_into(self, view: memoryview) -> int:
        """Put what comes next into ``view``; returned is how much that was, 0 at the connection's end.

        Raises:
            OSError: the connection broke.
        """
        if not self._rest:
            return self.socket.recv_into(view)
        count = min(len(self._rest), len(view))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def _has_answer(self) -> bool:
        """Whether some of an answer has come; it is not waited for."""
        if not self._rest and wait_for_read(self.socket, timeout=0.0):
            timeout_s = self.socket.gettimeout()
            self.socket.settimeout(0.0)
            # What can be read of TLS may be none of our bytes: a ticket for the next session.
            with suppress(BlockingIOError, ssl.SSLWantReadError):
                self._rest = self.socket.recv(_RECEIVED_BYTES)
            self.socket.settimeout(timeout_s)
        return bool(self._rest)

    def _read_to(self, end: bytes) -> bytes:
        received = self._rest
        while (at := received.find(end)) < 0:
            more = self.socket.recv(_RECEIVED_BYTES)
            if not more:
                raise ConnectionResetError("closed without an answer")
            received += more
            if len(received) > _LONGEST_HEAD_BYTES + _RECEIVED_BYTES:
                raise HTTPException("a head without end")
        self._rest = received[at + len(end) :]
        return received[:at]


class Answer:
    """What came: status, headers (names in lower case), and a body to be read.

    Attributes:
        status: of HTTP.
        headers: the last of each name.
    """

    def __init__(
        self, wire: Wire, status: int, headers: Mapping[str, str], keep: Callable[[Wire], None]
    ) -> None:
        self.status = status
        self.headers = headers
        self._wire = wire
        self._keep = keep
        length = headers.get("content-length", "")
        self._more_chunks = headers.get("transfer-encoding", "").lower() == "chunked"
        # Of the chunk, or of the whole body; None: up to the connection's end.
        self._left = 0 if self._more_chunks else int(length) if length.isdigit() else None
        self._is_first_chunk = True
        self._data: bytes | None = None
        self._is_closed = False

    def read(self, most: int) -> bytes:
        """The next bytes of the body: as many as asked for, fewer where it ends or breaks, none after that.

        Raises:
            OSError: the connection broke before the first of them.
            http.client.HTTPException: what came is no HTTP.
        """
        block = bytearray(most)
        view = memoryview(block)
        filled = 0
        while filled < most and (piece := self._piece(most - filled)):
            try:
                count = self._wire.read_into(view[filled : filled + piece])
            except OSError:
                if not filled:
                    raise
                # What has come is kept; the next read fails again.
                break
            if not count:
                break
            filled += count
            if self._left is not None:
                self._left -= count
        return bytes(view[:filled])

    @property
    def data(self) -> bytes:
        """The whole body, up to 64 KiB: messages are shorter. It can be looked at more than once."""
        if self._data is None:
            self._data = self.read(_DRAINED_BYTES)
        return self._data

    def close(self) -> None:
        """Done: the connection is kept if the body was read to its end, or nearly so."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            if self._more_chunks or (self._left is not None and 0 < self._left <= _DRAINED_BYTES):
                self.read(_DRAINED_BYTES)
        except (OSError, HTTPException):
            self._left = None
        is_whole = self._left == 0 and not self._more_chunks
        if is_whole and self.headers.get("connection", "").lower() != "close":
            self._keep(self._wire)
        else:
            self._wire.socket.close()

    def _piece(self, most: int) -> int:
        """How many bytes may be read in one go; 0 at the body's end."""
        if self._left == 0 and self._more_chunks:
            self._begin_chunk()
        return most if self._left is None else min(most, self._left)

    def _begin_chunk(self) -> None:
        if not self._is_first_chunk:
            self._wire.read_line()
        self._is_first_chunk = False
        size = self._wire.read_line().partition(";")[0].strip()
        try:
            self._left = int(size, 16)
        except ValueError:
            # Where the next chunk begins cannot be known any more.
            self._left, self._more_chunks = None, False
            raise HTTPException("a chunk without a size") from None
        if self._left == 0:
            self._more_chunks = False
            while self._wire.read_line():
                continue
