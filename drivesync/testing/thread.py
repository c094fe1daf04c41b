"""The emulator's thread: an event loop that speaks HTTP through uvicorn's protocol, and stops when told.

Not ``uvicorn.Server``, which looks for the end ten times a second and then waits again: a test suite starts and stops
an emulator hundreds of times. Nor does it stop gently: what is under way is cut, as in an outage.
"""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.server import ServerState

from drivesync.testing.connection import ConnectionProtocol

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from drivesync.testing.server import DriveApp

try:
    import uvloop

    _new_loop: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
except ImportError:  # there is none for Windows
    _new_loop = asyncio.new_event_loop

_KEEP_ALIVE_S = 240
"""How long an idle connection stays open; Google's front ends keep them for about four minutes."""


class ServerThread:
    """Serves ``app`` on a socket that listens already, from ``start`` to ``stop``."""

    def __init__(self, app: DriveApp, listening: socket.socket) -> None:
        self._config = uvicorn.Config(
            app,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
        )
        self._socket = listening
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to serve; whoever connected before waits in the socket's queue."""
        self._config.load()
        self._loop = _new_loop()
        # A daemon: a process that ends without stopping its emulator is not to hang.
        self._thread = threading.Thread(
            target=self._run, args=(self._loop,), name="drive-emulator", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Cut all connections and end the thread; nothing if it was never started."""
        if self._loop is None or self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._loop.close()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(self._serve(loop))

    async def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        state = ServerState()
        protocol = partial(ConnectionProtocol, config=self._config, server_state=state, app_state={})
        server = await loop.create_server(protocol, sock=self._socket, backlog=1024)
        await self._stopping.wait()
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()
        tasks = list(state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
