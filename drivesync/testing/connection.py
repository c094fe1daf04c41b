"""The connection under a request, so that faults can cut it and costs can slow it.

ASGI hides the transport; a subclass of uvicorn's protocol puts it into each request's scope.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    from collections.abc import Callable

SCOPE_KEY = "drivesync.connection"

_CREDIT_S = 0.02
"""How far a sender may run ahead after it slept too long: timers are late by milliseconds, the rate is to hold."""


class Pace:
    """Holds one direction of a connection to a bandwidth."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._free_at_s = 0.0

    async def wait(self, size_bytes: int, bandwidth_bytes_per_s: float) -> None:
        """Sleep for as long as so many bytes take behind those before them."""
        now_s = self._clock()
        self._free_at_s = max(self._free_at_s, now_s - _CREDIT_S) + size_bytes / bandwidth_bytes_per_s
        if self._free_at_s > now_s:
            await asyncio.sleep(self._free_at_s - now_s)


class Connection:
    """One client's connection, for as many requests as it carries.

    Attributes:
        is_lost: the client has gone, and gets nothing any more.
    """

    def __init__(self, transport: asyncio.Transport, clock: Callable[[], float]) -> None:
        self._transport = transport
        self.is_lost = False
        self.up = Pace(clock)
        self.down = Pace(clock)

    def close(self) -> None:
        """Send what is buffered, then end the connection in order."""
        self._transport.close()

    def reset(self) -> None:
        """Drop what is buffered and end the connection at once: the client gets an RST, whatever it is doing."""
        at_once = struct.pack("ii", 1, 0)
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        self._transport.abort()


class ConnectionProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with the connection in the scope of each request."""

    _connection: Connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        self._connection = Connection(transport, self.loop.time)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended, whoever ended it."""
        self._connection.is_lost = True
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A request begins: uvicorn has just made its scope."""
        super().on_message_begin()
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]
        scope["extensions"] = {SCOPE_KEY: self._connection}
