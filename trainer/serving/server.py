"""The page on a port of this machine, from its binding to Ctrl-C."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn

from drivesync.errors import NotAllowedError, UsageError
from trainer.serving.gate import Gate, make_token
from trainer.serving.page import Page
from trainer.serving.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

HOST = "127.0.0.1"
"""The one address that is listened on; there is no option for another."""

_BACKLOG = 64
_LAST_ANSWERS_S = 3
"""How long, once it is being stopped, answers that are under way may take."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the page is; whoever knows it can see the page."""

    port: int
    token: str

    @property
    def path(self) -> str:
        """The page's path, with a slash at both ends."""
        return f"/{self.token}/"

    @property
    def url(self) -> str:
        """For a browser of this machine."""
        return f"http://{HOST}:{self.port}{self.path}"


class PageServer:
    """Listens from ``__enter__`` to ``__exit__``, and answers while ``run`` runs; who connects before that waits.

    Args:
        find_tree: see ``Standing``.
        port: to listen on; 0 takes a free one.
        names: by which a proxy asks, besides loopback's.
        in_colab: see ``Gate``.

    Raises:
        UsageError: on entering, if the port is taken.
        NotAllowedError: on entering, if it is none for this user.
    """

    def __init__(
        self,
        find_tree: Callable[[], Path],
        *,
        port: int = 0,
        names: frozenset[str] = frozenset(),
        in_colab: bool = False,
    ) -> None:
        self._find_tree = find_tree
        self._names = names
        self._in_colab = in_colab
        self.address = Address(port, make_token())
        self._socket: socket.socket | None = None

    def __enter__(self) -> PageServer:
        port = self.address.port
        try:
            self._socket = socket.create_server((HOST, port), backlog=_BACKLOG)
        except OSError as error:
            hint = "Name another with --port, or leave it out for one that is free."
            if error.errno == errno.EADDRINUSE:
                raise UsageError(f"port {port} is taken by another program", hint=hint) from error
            raise NotAllowedError(f"cannot listen on port {port}: {error.strerror}", hint=hint) from error
        self.address = Address(self._socket.getsockname()[1], self.address.token)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._socket is not None:
            self._socket.close()

    def run(self) -> None:
        """Answer until a signal comes, SIGINT or SIGTERM; it takes effect at the end, as it would have without this."""
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        page = Page(Standing(self._find_tree), lambda: server.should_exit)
        config = uvicorn.Config(
            Gate(page.app, self.address.token, self._names, self._in_colab),
            http="h11",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,  # a path holds the token
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=_LAST_ANSWERS_S,
        )
        server = uvicorn.Server(config)
        await server.serve(sockets=[self._socket] if self._socket else [])


def is_colab(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this is a machine of Colab's."""
    return "COLAB_RELEASE_TAG" in environ or "TBE_RUNTIME_ADDR" in environ
