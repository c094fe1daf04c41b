"""The page on a port of this machine, until a signal ends it."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import uvicorn

from drivesync.errors import NotAllowedError, UsageError
from trainer.serving.gate import Gate, make_token
from trainer.serving.page import Page
from trainer.serving.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HOST = "127.0.0.1"
"""The one address that is listened on; there is no option for another."""

_BACKLOG = 64
_LAST_ANSWERS_S = 3
"""How long, once it is being stopped, answers that are under way may take."""


@dataclass(frozen=True, slots=True)
class Site:
    """A page and where it is; whoever knows the address can look.

    Attributes:
        tree: what is shown, as the user named it.
        port: that is listened on.
        names: by which a proxy asks, besides loopback's; in lower case.
        in_colab: see ``Gate``.
        token: what makes the address a secret.
    """

    tree: Path
    port: int
    names: tuple[str, ...] = ()
    in_colab: bool = False
    token: str = field(default_factory=make_token)

    @property
    def path(self) -> str:
        """The address's path, with a slash at both ends."""
        return f"/{self.token}/"

    @property
    def url(self) -> str:
        """The address for a browser of this machine."""
        return f"http://{HOST}:{self.port}{self.path}"


def listen(port: int = 0) -> socket.socket:
    """Listen on loopback, on a free port where it is 0; who connects before anybody serves there waits.

    Raises:
        UsageError: the port is taken.
        NotAllowedError: this user may not listen on it.
    """
    try:
        return socket.create_server((HOST, port), backlog=_BACKLOG)
    except OSError as error:
        hint = "Name another with --port, or leave it out for one that is free."
        if error.errno == errno.EADDRINUSE:
            raise UsageError(f"port {port} is taken by another program", hint=hint) from error
        raise NotAllowedError(f"cannot listen on port {port}: {error.strerror}", hint=hint) from error


def serve(site: Site, listening: socket.socket) -> None:
    """Answer until SIGINT or SIGTERM comes, which takes effect at the end as it would have without this."""
    asyncio.run(_serve(site, listening))


async def _serve(site: Site, listening: socket.socket) -> None:
    page = Page(Standing(site.tree), lambda: server.should_exit)
    config = uvicorn.Config(
        Gate(page.app, site.token, frozenset(site.names), site.in_colab),
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
    await server.serve(sockets=[listening])


def is_colab(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this is a machine of Colab's."""
    return "COLAB_RELEASE_TAG" in environ or "TBE_RUNTIME_ADDR" in environ
