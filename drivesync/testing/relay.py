"""Relays connections between clients that speak TLS and one server that does not.

It knows nothing of HTTP but CONNECT. What one side does, the other sees: a slow reader slows the writer, an
orderly end (FIN) becomes TLS's close_notify and a FIN, a FIN from a client needs no close_notify to count, a
reset becomes a reset.

The life of a client's connection::

    opening   CONNECT host:443 (answered), or a ClientHello at once
    dialling  to the server; the client's further bytes wait in the kernel
    greeting  TLS handshake; the server's bytes wait in the kernel
    relaying  until both sides have sent their last byte, or one is cut
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import cast

_READ_BYTES = 256 * 1024
_WRITE_BUFFER_BYTES = 1024 * 1024
_HEAD_LIMIT_BYTES = 16 * 1024
_TLS_HANDSHAKE = 0x16  # the first byte of a ClientHello: RFC 8446, section 5.1, ContentType.handshake
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # struct linger of socket(7): on, for 0 seconds
_CONNECTED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Relay:
    """What all connections share.

    Args:
        upstream_address: host and port of the one server that every connection goes to.
        context: as whom to speak TLS.
    """

    def __init__(self, upstream_address: tuple[str, int], context: ssl.SSLContext) -> None:
        self.upstream_address = upstream_address
        self.context = context
        # One is enough for all: it is filled and emptied within one turn of the loop, since both directions
        # make new bytes (one encrypts, the other decrypts).
        self.buffer = memoryview(bytearray(_READ_BYTES))
        self.legs: set[_Leg] = set()
        self.dials: set[asyncio.Task[None]] = set()

    async def serve(self, listener: socket.socket, *, until: asyncio.Event) -> None:
        """Accept on ``listener``, which is closed in the end; whatever is open then is cut."""
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


class _Leg(asyncio.BufferedProtocol, ABC):
    """One of the two TCP connections of a relay; ``peer`` is the other, once there is one."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.peer: _Leg | None = None
        self.lost = asyncio.get_running_loop().create_future()
        self.ended = False

    @abstractmethod
    def take(self, data: memoryview) -> None:
        """Handle bytes that this leg received; ``data`` is reused after the call."""

    @abstractmethod
    def send(self, data: memoryview | bytes) -> None:
        """Send the plain bytes that the peer received."""

    @abstractmethod
    def send_end(self) -> None:
        """Say that no more bytes will be sent; more may still be received."""

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

    def __init__(self, relay: Relay) -> None:
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
