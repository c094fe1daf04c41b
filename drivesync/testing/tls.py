"""TLS in front of the emulator, for clients that insist on ``https://www.googleapis.com``.

Two ways in, on one loopback port, told apart by the first byte::

    client with HTTPS_PROXY --> CONNECT host:443, 200 --> TLS as "host" ---.
                                                                           +--> relay --> emulator
    client of the address ----> TLS as "localhost" ------------------------'

The certificates are signed by an authority that lives as long as the front does; clients trust its file
``ca_pem``. Whatever host a client names, it reaches the emulator and nothing else, so a test's client cannot
get at the real Google by mistake.

What one side of the relay does, the other sees (relay.py), so a connection that the emulator cuts is cut for
the client too.

Threads: one, which runs the event loop; it starts in ``__enter__`` and is joined in ``__exit__``.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import trustme

from drivesync.testing.relay import Relay

try:
    from uvloop import new_event_loop
except ImportError:  # the relay is only slower without it
    from asyncio import new_event_loop  # type: ignore[assignment]

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self


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
        relay = Relay(self._upstream_address, _Identities(authority).default)
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

    def _run(self, relay: Relay, listener: socket.socket) -> None:
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
