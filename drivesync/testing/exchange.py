"""One HTTP request and its answer, moved at the pace and with the damage that was asked for."""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from drivesync.testing.connection import SCOPE_KEY, Connection
from drivesync.testing.counters import CallCount
from drivesync.testing.faults import CorruptDownload, CutDownload, CutUpload, Effect, LostAnswer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.types import Receive, Scope, Send

    from drivesync.testing.wire import Answer

_PIECE_BYTES: Final = 256 * 1024


class DroppedError(Exception):
    """The connection is gone, by the client's will or a fault's: there is nobody left to answer."""


class Exchange:
    """A request in flight.

    ``effect`` is the fault that strikes it, ``count`` the totals to which it is added; both are set once it is known
    what kind of call it is. ``now_ms`` is the server's clock, milliseconds since 1970, which an answer's Date tells as
    it is when the answer goes out.
    """

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        bandwidth_bytes_per_s: float | None,
        now_ms: Callable[[], int],
    ) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[str, str] = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        self.query: dict[str, str] = dict(
            parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        )
        self.effect: Effect | None = None
        self.count = CallCount()
        self._scheme: str = scope["scheme"]
        self._port = str(scope["server"][1])
        self._connection: Connection = scope["extensions"][SCOPE_KEY]
        self._receive = receive
        self._send = send
        self._bandwidth_bytes_per_s = bandwidth_bytes_per_s
        self._now_ms = now_ms

    @property
    def base_url(self) -> str:
        """Scheme and host under which the client reached this server.

        A client that calls it by another port than its own, or by none, as one that was made to believe that this is
        googleapis.com, is served through something that ends TLS, which leaves no trace here; only https can have
        been meant.
        """
        host = self.headers.get("host", "")
        scheme = self._scheme if host.rpartition(":")[2] == self._port else "https"
        return f"{scheme}://{host}"

    @property
    def has_body(self) -> bool:
        """Whether the request announces a body."""
        return self.headers.get("content-length", "0") != "0" or "transfer-encoding" in self.headers

    def override_method(self, form: bytes) -> None:
        """Take the method that x-http-method-override names, and the query from the form in the body.

        This is how googleapiclient sends a GET whose URL would be longer than 2,048 characters.
        """
        self.method = self.headers["x-http-method-override"].upper()
        self.query |= dict(parse_qsl(form.decode("latin-1"), keep_blank_values=True))

    async def pieces(self) -> AsyncIterator[bytes]:
        """The request's body as it arrives.

        Raises:
            DroppedError: the client went away, or a fault cut the connection.
        """
        more = True
        received_bytes = 0
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise DroppedError
            piece: bytes = message.get("body", b"")
            more = message.get("more_body", False)
            if self._bandwidth_bytes_per_s and piece:
                await self._connection.up.wait(len(piece), self._bandwidth_bytes_per_s)
            if isinstance(self.effect, CutUpload) and received_bytes + len(piece) > self.effect.after_bytes:
                piece = piece[: self.effect.after_bytes - received_bytes]
                self.count.bytes_up += len(piece)
                yield piece
                await self.cut()
            received_bytes += len(piece)
            self.count.bytes_up += len(piece)
            yield piece
        if isinstance(self.effect, CutUpload):
            await self.cut()

    async def read_body(self) -> bytes:
        """The whole body.

        Raises:
            DroppedError: see ``pieces``.
        """
        if not self.has_body:
            return b""
        return b"".join([piece async for piece in self.pieces()])

    async def respond(self, answer: Answer, flip_at: Callable[[int], int]) -> None:
        """Send ``answer``, or what the fault makes of it; ``flip_at`` chooses which byte below its argument to flip."""
        self.count.errors += answer.status >= 400
        if isinstance(self.effect, LostAnswer):
            self._connection.close()
            await self._gone()
            return
        body = memoryview(answer.body)
        size = len(body)
        if isinstance(self.effect, CorruptDownload) and size:
            body = _flip(body, self.effect.flips, flip_at)
        headers = [
            (b"date", formatdate(self._now_ms() // 1000, usegmt=True).encode()),
            (b"content-type", answer.content_type.encode("latin-1")),
            (b"content-length", str(size).encode()),
            *((name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers),
        ]
        await self._send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": headers if answer.status != 204 else headers[:1],
            }
        )
        if isinstance(self.effect, CutDownload):
            await self._send_pieces(body[: max(0, min(self.effect.after_bytes, size - 1))], is_last=False)
            self._connection.close()
            await self._gone()
            return
        await self._send_pieces(body, is_last=True)

    async def cut(self) -> None:
        """Reset the connection.

        Raises:
            DroppedError: always.
        """
        self._connection.reset()
        await self._gone()
        raise DroppedError

    async def _gone(self) -> None:
        """Wait for the end of the connection: uvicorn takes a request that ends before it for a mistake."""
        while (await self._receive())["type"] != "http.disconnect":
            continue

    async def _send_pieces(self, body: memoryview, *, is_last: bool) -> None:
        size = len(body)
        at = 0
        while True:
            piece = body[at : at + _PIECE_BYTES]
            at += len(piece)
            if self._bandwidth_bytes_per_s and piece:
                await self._connection.down.wait(len(piece), self._bandwidth_bytes_per_s)
            more = at < size or not is_last
            await self._send({"type": "http.response.body", "body": piece, "more_body": more})
            if self._connection.is_lost:
                # uvicorn takes what is sent to nobody, and says nothing.
                return
            self.count.bytes_down += len(piece)
            if at >= size:
                return
            if not self._bandwidth_bytes_per_s:
                # A large body must not keep other requests waiting.
                await asyncio.sleep(0)


def _flip(body: memoryview, flips: int, flip_at: Callable[[int], int]) -> memoryview:
    damaged = bytearray(body)
    for _ in range(flips):
        damaged[flip_at(len(damaged))] ^= 0xFF
    return memoryview(damaged)
