"""TLS in front of the emulator, for clients that insist on ``https://www.googleapis.com``.

Two ways in, on one loopback port, told apart by the first byte::

    client with HTTPS_PROXY --> CONNECT host:443, 200 --> TLS as "host" ---.
                                                                           +--> relay --> emulator
    client of the address ----> TLS as "localhost" ------------------------'

The certificates are signed by an authority that lives as long as the front does; clients trust its file
``ca_pem``. Whatever host a client names, it reaches the emulator and nothing else, so a test's client cannot
get at the real Google by mistake.

The relay knows nothing of HTTP. What one side does, the other sees: a slow reader slows the writer, an
orderly end (FIN) becomes TLS's close_notify and a FIN, a FIN from a client needs no close_notify to count, a
reset becomes a reset. So a connection that the emulator cuts is cut for the client too.

Threads: one, which runs the event loop; it starts in ``__enter__`` and is joined in ``__exit__``.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import trustme

try:
    from uvloop import new_event_loop
except ImportError:  # the relay is only slower without it
    from asyncio import new_event_loop  # type: ignore[assignment]

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

_READ_BYTES = 256 * 1024
_WRITE_BUFFER_BYTES = 1024 * 1024
_HEAD_LIMIT_BYTES = 16 * 1024
_TLS_HANDSHAKE = 0x16  # the first byte of a ClientHello: RFC 8446, section 5.1, ContentType.handshake
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # struct linger of socket(7): on, for 0 seconds
_CONNECTED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class TlsFront:
    """Serves TLS on loopback and relays to one HTTP server, from a thread of its own.

    Attributes, there once it is entered:
        proxy_url: value for ``HTTPS_PROXY``; as ``HTTP_PROXY`` too, it refuses what is not TLS.
        url: the same port for a client that can be given an address: ``https://127.0.0.1:PORT``.
        ca_pem: file with the certificate to trust; gone after ``__exit__``.

    Args:
        upstream_url: ``http://HOST:PORT`` of the emulator.

    Raises:
        ValueError: ``upstream_url`` is not such an address.
    """

    proxy_url: str
    url: str
    ca_pem: Path

    def __init__(self, upstream_url: str) -> None:
        parts = urlsplit(upstream_url)
        if parts.scheme != "http" or parts.hostname is None or parts.port is None:
            raise ValueError(f"not of the form http://HOST:PORT: {upstream_url!r}")
        self._upstream_address = (parts.hostname, parts.port)

    def __enter__(self) -> Self:
        authority = trustme.CA()
        self._folder = tempfile.TemporaryDirectory(prefix="drivesync-tls-")
        self.ca_pem = Path(self._folder.name, "ca.pem")
        authority.cert_pem.write_to_path(str(self.ca_pem))
        # Bound here, not in the thread: clients may connect from now on and wait in the backlog.
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        self.proxy_url, self.url = f"http://{address}", f"https://{address}"
        self._loop = new_event_loop()
        self._stop = asyncio.Event()
        relay = _Relay(self._upstream_address, _Identities(authority).default)
        self._thread = threading.Thread(
            target=self._run, args=(relay, listener), name="drivesync-tls", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._folder.cleanup()

    def _run(self, relay: _Relay, listener: socket.socket) -> None:
        try:
            self._loop.run_until_complete(relay.serve(listener, until=self._stop))
        finally:
            self._loop.close()


class _Identities:
    """A certificate for each host that clients ask for by name, signed when first asked for."""

    def __init__(self, authority: trustme.CA) -> None:
        self._authority = authority
        self._by_host: dict[str, ssl.SSLContext] = {}
        self.default = self._issue("localhost", "127.0.0.1", "::1")
        self.default.sni_callback = self._choose

    def _choose(self, tls: ssl.SSLObject, host: str | None, _context: ssl.SSLContext) -> None:
        if host is None or host == "localhost":
            return
        if host not in self._by_host:
            self._by_host[host] = self._issue(host)
        tls.context = self._by_host[host]

    def _issue(self, *hosts: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        self._authority.issue_cert(*hosts).configure_cert(context)
        return context


class _Relay:
    """What all connections share: where to go, as whom to speak, and one buffer to read into.

    One buffer is enough: it is filled and emptied within one turn of the loop, since both directions make new
    bytes (one encrypts, the other decrypts).
    """

    def __init__(self, upstream_address: tuple[str, int], context: ssl.SSLContext) -> None:
        self.upstream_address = upstream_address
        self.context = context
        self.buffer = memoryview(bytearray(_READ_BYTES))
        self.legs: set[_Leg] = set()
        self.dials: set[asyncio.Task[None]] = set()

    async def serve(self, listener: socket.socket, *, until: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Client(self), sock=listener)
        await until.wait()
        server.close()
        for dial in self.dials:
            dial.cancel()
        await asyncio.gather(*self.dials, return_exceptions=True)
        for leg in self.legs:
            leg.transport.abort()
        await asyncio.gather(*(leg.lost for leg in self.legs))


class _Leg(asyncio.BufferedProtocol):
    """One of the two TCP connections of a relay; ``peer`` is the other, once there is one."""

    def __init__(self, relay: _Relay) -> None:
        self.relay = relay
        self.peer: _Leg | None = None
        self.lost = asyncio.get_running_loop().create_future()
        self.ended = False

    def take(self, data: memoryview) -> None:
        """Handle bytes that this leg received; ``data`` is reused after the call."""
        raise NotImplementedError

    def send(self, data: memoryview | bytes) -> None:
        """Send the plain bytes that the peer received."""
        raise NotImplementedError

    def send_end(self) -> None:
        """Say that no more bytes will be sent; more may still be received."""
        raise NotImplementedError

    def end(self) -> None:
        """The other side of this leg has sent its last byte: pass it on, and close when both have."""
        if self.ended:
            return
        self.ended = True
        if self.peer is None:
            self.transport.close()
            return
        self.peer.send_end()
        if self.peer.ended:
            self.transport.close()
            self.peer.transport.close()

    def cut(self) -> None:
        """Reset the connection, after what is still to be written."""
        if not self.transport.is_closing():
            linger = (socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self.transport.get_extra_info("socket").setsockopt(*linger)
            self.transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)
        self.relay.legs.add(self)

    def get_buffer(self, _sizehint: int) -> memoryview:
        return self.relay.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.take(self.relay.buffer[:nbytes])

    def eof_received(self) -> bool:
        self.end()
        return True  # keep the other direction open

    def pause_writing(self) -> None:
        if self.peer is not None:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.peer is not None:
            self.peer.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self.relay.legs.discard(self)
        self.lost.set_result(None)
        if self.peer is not None and error is not None:
            self.peer.cut()


class _Upstream(_Leg):
    """The leg to the emulator: plain bytes. It reads only when the client's handshake is done."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.pause_reading()

    def take(self, data: memoryview) -> None:
        if self.peer is not None:
            self.peer.send(data)

    def send(self, data: memoryview | bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)

    def send_end(self) -> None:
        if not self.transport.is_closing():
            self.transport.write_eof()


class _Client(_Leg):
    """The leg to a client: an opening (CONNECT, or nothing), then TLS."""

    def __init__(self, relay: _Relay) -> None:
        super().__init__(relay)
        self._opening = bytearray()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = relay.context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._is_greeted = False

    def take(self, data: memoryview) -> None:
        if self.peer is not None:
            self._incoming.write(data)
            self._decrypt(self.peer)
            return
        self._opening += data
        if self._opening[0] == _TLS_HANDSHAKE:
            self._dial(answer=b"")
            return
        end = self._opening.find(b"\r\n\r\n")
        if end < 0:
            if len(self._opening) > _HEAD_LIMIT_BYTES:
                self._refuse("431 Request Header Fields Too Large")
        elif refusal := _refusal_of(bytes(self._opening[:end])):
            self._refuse(refusal)
        else:
            del self._opening[: end + 4]
            self._dial(answer=_CONNECTED)

    def send(self, data: memoryview | bytes) -> None:
        while data:
            data = data[self._tls.write(data) :]
        self._flush()

    def send_end(self) -> None:
        with suppress(ssl.SSLWantReadError):  # for the client's close_notify, which may come later or never
            self._tls.unwrap()
        self._flush()
        if not self.transport.is_closing():
            self.transport.write_eof()

    def _refuse(self, status: str) -> None:
        self.transport.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        self.transport.close()

    def _dial(self, answer: bytes) -> None:
        self.transport.pause_reading()
        dial = asyncio.get_running_loop().create_task(self._connect(answer))
        self.relay.dials.add(dial)
        dial.add_done_callback(self.relay.dials.discard)

    async def _connect(self, answer: bytes) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, peer = await loop.create_connection(
                lambda: _Upstream(self.relay), *self.relay.upstream_address
            )
        except OSError:
            if answer:
                self._refuse("502 Bad Gateway")
            else:
                self.cut()
            return
        self.peer, peer.peer = peer, self
        self.transport.write(answer)
        self._incoming.write(self._opening)
        self._opening.clear()
        self._decrypt(peer)
        self.transport.resume_reading()

    def _decrypt(self, peer: _Leg) -> None:
        plain = []
        try:
            if not self._is_greeted:
                self._tls.do_handshake()
                self._is_greeted = True
                peer.transport.resume_reading()
            while chunk := self._tls.read(_READ_BYTES):
                plain.append(chunk)
            is_ended = True
        except ssl.SSLWantReadError:
            is_ended = False
        except ssl.SSLError:  # a client that does not trust us, or bytes that are not TLS
            self._flush()
            self.cut()
            peer.cut()
            return
        self._flush()
        if plain:
            peer.send(b"".join(plain))
        if is_ended:
            self.end()

    def _flush(self) -> None:
        if self._outgoing.pending and not self.transport.is_closing():
            self.transport.write(self._outgoing.read())


def _refusal_of(head: bytes) -> str:
    """The status line to refuse a request with, empty where it is ``CONNECT host:443``."""
    method, _, rest = head.partition(b" ")
    if method != b"CONNECT":
        return "405 Method Not Allowed"
    if not rest.partition(b" ")[0].endswith(b":443"):
        return "403 Forbidden"
    return ""
