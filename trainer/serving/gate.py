"""Who may see the page: whoever knows its token. All others get one and the same answer.

The server listens on loopback only, but any program of this machine can connect to it, any page that is open in a
browser here can send requests to it, and Colab's proxy hands it requests from outside. So:

- The first part of the path is a token of 256 random bits. It is the secret: without it the answer is 404, for
  whatever there is. It is compared in constant time, and never logged.
- The ``Host`` is to be this machine's own name for itself; on a Colab machine also one of Colab's proxies, which go by
  other names with each session; elsewhere those that the user has named. A page that has its own name point here (DNS
  rebinding) does not know the token, and is refused before that matters.
- Nothing permits other origins to read an answer. What is answered is kept in no cache, sends no referrer, loads
  nothing from elsewhere, and is framed by nobody but Colab.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN_BYTES = 32

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
# https://8000-m-s-abc-d.us-east1-0.prod.colab.dev and https://abc-8000-colab.googleusercontent.com, as
# google.colab.kernel.proxyPort answers, now and in older sessions.
_COLAB_PROXY = re.compile(r"[a-z0-9.-]+\.prod\.colab\.dev|[a-z0-9-]+-colab\.googleusercontent\.com")
_COLAB_FRAMES = "https://colab.research.google.com https://*.googleusercontent.com https://*.prod.colab.dev"
_PORT = re.compile(r":\d*$")


@dataclass(frozen=True, slots=True)
class Gate:
    """An application that is behind a token.

    Attributes:
        app: is asked for what comes after the token.
        token: the first part of every path.
        names: by which a proxy asks, besides loopback's.
        in_colab: whether Colab's proxies may ask, and its pages show the page in a frame.
    """

    app: ASGIApp
    token: str
    names: frozenset[str] = frozenset()
    in_colab: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers())
            await send(message)

        given, slash, rest = scope["path"].removeprefix("/").partition("/")
        is_known = secrets.compare_digest(given.encode(errors="replace"), self.token.encode())
        if not (is_known and self._is_expected(Headers(scope=scope).get("host", ""))):
            # Without our headers, by which the page could be told.
            await PlainTextResponse("Not Found", 404)(scope, receive, send)
        elif not slash:
            # What the page loads lies below it. Relative, since a proxy may put a path of its own before ours.
            await RedirectResponse(f"{self.token}/")(scope, receive, send_guarded)
        else:
            await self.app({**scope, "path": f"/{rest}", "root_path": ""}, receive, send_guarded)

    def _is_expected(self, host: str) -> bool:
        name = _PORT.sub("", host.lower())
        is_proxy = self.in_colab and _COLAB_PROXY.fullmatch(name) is not None
        return name in _LOOPBACK or name in self.names or is_proxy

    def _headers(self) -> dict[str, str]:
        frames = _COLAB_FRAMES if self.in_colab else "'none'"
        return {
            # The card brings its style along, and a picture as data.
            "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:; "
            f"style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors {frames}",
            "Cache-Control": "no-store",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }


def make_token() -> str:
    """A new token, of letters, digits, dashes and underscores."""
    return secrets.token_urlsafe(TOKEN_BYTES)
