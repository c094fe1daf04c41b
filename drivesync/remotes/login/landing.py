"""Where a browser lands after Google has asked its user: a page on loopback, or an address that the user pastes.

Google's ``run_local_server`` serves the first request that comes, whatever it is: a browser's connection made in
advance or its search for an icon ends the login. Here it goes on until the answer to *this* login has come.
"""

from __future__ import annotations

import os
import re
import select
import socketserver
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, unquote, urlsplit

from drivesync.errors import UnfinishedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_SILENT_S: Final = 1.0
"""A browser opens connections that it may not use; others wait behind them, for so long."""
_CODE: Final = re.compile(r"4/[\w/.~-]{10,512}", re.ASCII)
"""What Google's codes look like."""
_PAGE: Final = "<!doctype html><meta charset=utf-8><title>drivesync</title><p style='margin:3em'>"
_DONE: Final = "drivesync has its answer. You may close this page and go back to the terminal."
_OTHER: Final = "This is not the answer to the login that is under way."


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: ``code``, or Google's word for why there is none."""

    code: str = field(default="", repr=False)
    error: str = ""


def read_reply(address: str, state: str) -> Reply | None:
    """The reply in the address that a browser landed on; None if it belongs to no login, or to another one.

    ``state`` is what this login sent along.
    """
    query = parse_qs(urlsplit(address).query)
    code, error = (query.get(name, [""])[0] for name in ("code", "error"))
    if query.get("state") != [state] or not (code or error):
        return None
    return Reply(code=code) if code else Reply(error="".join(re.findall(r"[\w-]", error))[:64])


def read_pasted(line: str, state: str) -> Reply | None:
    """Like ``read_reply``, of what a user pasted: that address, or the bare code out of it."""
    text = line.strip()
    try:
        reply = read_reply(text, state)
    except ValueError:
        return None
    code = unquote(text)
    return reply or (Reply(code=code) if _CODE.fullmatch(code) else None)


class Landing:
    """A page on loopback, from ``__enter__`` to ``__exit__``.

    Args:
        typed: the file descriptor to read pasted addresses from; None for none.
    """

    def __init__(self, typed: int | None = None) -> None:
        self._typed = typed
        self._line = b""
        self._server = _Server()

    def __enter__(self) -> Landing:
        self._server.server_bind()
        self._server.server_activate()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.server_close()

    @property
    def address(self) -> str:
        """Where to send the browser: ``http://127.0.0.1:PORT/``.

        The number and not the name, as RFC 8252, section 8.3, advises: a name may lead elsewhere.
        """
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def wait(
        self,
        state: str,
        tell: Callable[[str], None],
        timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> Reply:
        """The first reply that belongs to the login with ``state``, by browser or by hand.

        Raises:
            UnfinishedError: none came within ``timeout_s`` seconds.
        """
        self._server.state = state
        ends_s = clock() + timeout_s
        while (left_s := ends_s - clock()) > 0:
            sources = [self._server.fileno(), *([] if self._typed is None else [self._typed])]
            ready, _, _ = select.select(sources, [], [], left_s)
            if self._server.fileno() in ready:
                self._server.handle_request()
            if self._typed in ready:
                self._read_typed(state, tell)
            if self._server.reply is not None:
                return self._server.reply
        raise UnfinishedError(
            f"nobody gave an answer within {timeout_s:g} seconds", hint="Run the same command again."
        )

    def _read_typed(self, state: str, tell: Callable[[str], None]) -> None:
        """Take what was pasted; a line that is none of ours is said to be, and the next one waited for."""
        assert self._typed is not None  # noqa: S101 - for the type checker
        piece = os.read(self._typed, 65_536)
        *lines, self._line = (self._line + (piece or b"\n")).split(b"\n")
        if not piece:
            self._typed = None
        for line in filter(bytes.strip, lines):
            self._server.reply = read_pasted(line.decode(errors="replace"), state)
            if self._server.reply is not None:
                return
            tell(f"That is not the address that this login ends on; it begins with {self.address}?")


class _Server(socketserver.TCPServer):
    """Serves one connection at a time; ``reply`` is set when the one that counts has come."""

    # handle_request is called when a connection is there, which may be gone again.
    timeout = 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Page, bind_and_activate=False)
        self.state = ""
        self.reply: Reply | None = None

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that hangs up is no error of this program, and no traceback on its terminal."""


class _Page(BaseHTTPRequestHandler):
    timeout = _SILENT_S
    server: _Server

    def do_GET(self) -> None:
        """Take the reply, and say so to who looks at the page."""
        reply = read_reply(self.path, self.server.state)
        if reply is not None:
            self.server.reply = reply
        body = f"{_PAGE}{_DONE if reply else _OTHER}".encode()
        self.send_response(200 if reply else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        # The address of this page holds the code.
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """The request's line holds the code, and is not for a log."""
