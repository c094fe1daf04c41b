"""HTTP: connections that are kept, the proxies and certificates of the environment, and a prompt end.

Everything goes this way: what Google's client sends by urllib3, files' bytes, in and out, by ``Streams``. What the
environment says of the network is heeded as by requests and curl: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY (an
emulator is asked directly, whatever they say), and SSL_CERT_FILE and SSL_CERT_DIR for an authority of one's own.
"""

from __future__ import annotations

import errno
import io
import socket
import ssl
import threading
import urllib.request
import weakref
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import certifi
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, make_headers, parse_url

from drivesync.errors import SettingsError
from drivesync.remotes.drive.streams import Answer, Streams, Wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MOST_CONNECTIONS = 64
"""So many are kept open to one host; more can be used, and are closed after each request."""

_CONNECT_S = 15.0
_READ_S = 60.0
_BLOCK_BYTES = 256 << 10
"""Sent in one step. The time-out is for a step, so that a slow line may take its time for a large body."""


class Transport:
    """Sends requests; safe to use from several threads.

    Args:
        base_url: where most requests go.
        by_proxy: heed the proxies that the environment names.

    Raises:
        SettingsError: the proxy is of a kind that cannot be used.
    """

    def __init__(self, base_url: str, *, by_proxy: bool) -> None:
        self.base_url = base_url
        self._proxies = urllib.request.getproxies() if by_proxy else {}
        self._sockets = _Sockets()
        self._tls = _tls_context(self._sockets)
        self._options: dict[str, Any] = {
            "maxsize": MOST_CONNECTIONS,
            "blocksize": _BLOCK_BYTES,
            "timeout": urllib3.Timeout(connect=_CONNECT_S, read=_READ_S),
            "ssl_context": self._tls,
        }
        self._pools: dict[str, HTTPConnectionPool] = {}
        self._lock = threading.Lock()
        self._proxy = self._proxy_of(base_url)
        self._streams = Streams(self._connect, urlsplit(base_url).netloc, MOST_CONNECTIONS)

    def request(
        self,
        method: str,
        url: str,
        *,
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        **_options: object,
    ) -> urllib3.BaseHTTPResponse:
        """Send one request, once. Redirections are answers like any others.

        Google's log-in passes options of its own, which mean nothing here.

        Raises:
            urllib3.exceptions.HTTPError: no answer came.
        """
        scheme, _, rest = url.partition("://")
        host, slash, path = rest.partition("/")
        return self._pool(f"{scheme}://{host}").urlopen(
            method,
            slash + path,
            body=io.BytesIO(body.encode() if isinstance(body, str) else body) if body else None,
            headers=headers,
            retries=False,
            redirect=False,
            assert_same_host=False,
        )

    def stream(self, path: str, headers: Mapping[str, str]) -> Answer:
        """Send a GET for ``path`` below ``base_url``; the answer's body is to be read, and closed.

        Raises:
            OSError: no answer came.
            http.client.HTTPException: what came is no HTTP.
        """
        return self._streams.get(path, headers)

    def send(self, method: str, path: str, headers: Mapping[str, str], body: Iterable[bytes]) -> Answer:
        """Send a request for ``path`` below ``base_url`` with a body that is streamed; see ``Streams.send``.

        Raises:
            OSError: no answer came.
            http.client.HTTPException: what came is no HTTP.
        """
        return self._streams.send(method, path, headers, body)

    def cut(self) -> None:
        """Break all connections, those just being made too, and make no others."""
        self._sockets.cut()

    def close(self) -> None:
        """Close all connections that are not in use."""
        self._sockets.cut()
        self._streams.close()
        with self._lock:
            for pool in self._pools.values():
                pool.close()

    def _pool(self, origin: str) -> HTTPConnectionPool:
        pool = self._pools.get(origin)
        if pool is None:
            with self._lock:
                pool = self._pools.setdefault(origin, self._make_pool(origin))
        return pool

    def _make_pool(self, origin: str) -> HTTPConnectionPool:
        manager: urllib3.PoolManager
        if proxy := self._proxy_of(origin):
            manager = urllib3.ProxyManager(proxy.url, proxy_headers=_login(proxy), **self._options)
        else:
            manager = urllib3.PoolManager(**self._options)
        manager.pool_classes_by_scheme = _pool_classes(self._sockets)
        return manager.connection_from_url(origin)

    def _proxy_of(self, origin: str) -> Url | None:
        """The proxy on the way to ``origin``."""
        parts = urlsplit(origin)
        text = self._proxies.get(parts.scheme) or self._proxies.get("all", "")
        if not text or urllib.request.proxy_bypass(parts.netloc):
            return None
        try:
            proxy = parse_url(text if "://" in text else f"http://{text}")
        except LocationParseError:
            proxy = Url()
        if proxy.scheme != "http" or not proxy.host:
            # Their user and password stay out of the message.
            raise SettingsError(
                f"the proxy that the environment names for {parts.scheme}:// cannot be used",
                hint=f"Set {parts.scheme.upper()}_PROXY to http://HOST:PORT, or unset it.",
            )
        return proxy

    def _connect(self) -> socket.socket:
        """A connection to ``base_url``, through the proxy if there is one, and with TLS if it is https."""
        parts = urlsplit(self.base_url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        first = (self._proxy.host or "", self._proxy.port or 80) if self._proxy else (host, port)
        connected = self._sockets.connect(*first, _CONNECT_S)
        try:
            if self._proxy:
                _open_tunnel(connected, f"{host}:{port}", _login(self._proxy))
            if parts.scheme == "https":
                connected = self._tls.wrap_socket(connected, server_hostname=host)
            connected.settimeout(_READ_S)
        except BaseException:
            connected.close()
            raise
        return connected


def _login(proxy: Url) -> dict[str, str]:
    """The header that carries the user and password of a proxy's address, if it has any."""
    return dict(make_headers(proxy_basic_auth=unquote(proxy.auth))) if proxy.auth else {}


def _open_tunnel(connected: socket.socket, address: str, headers: Mapping[str, str]) -> None:
    """Have a proxy connect to ``address`` (RFC 9110, 9.3.6)."""
    lines = [f"CONNECT {address} HTTP/1.1", f"host: {address}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    connected.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
    status, _headers = Wire(connected).read_head()
    if not 200 <= status < 300:
        raise ConnectionAbortedError(errno.ECONNABORTED, f"the proxy answered {status}")


class _Sockets:
    """All sockets that are open or being connected, so that another thread can break them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._is_cut = False

    def add(self, one: socket.socket) -> None:
        """From now on ``cut`` reaches this one.

        Raises:
            ConnectionAbortedError: it is too late for another.
        """
        with self._lock:
            if self._is_cut:
                raise ConnectionAbortedError(errno.ECONNABORTED, "stopped")
            self._open.add(one)

    def cut(self) -> None:
        """Break them, whatever other threads are doing with them."""
        with self._lock:
            self._is_cut = True
            # Closing would leave another thread in its read; SSLSocket's own shutdown would take its state away.
            for one in self._open:
                with suppress(OSError):
                    socket.socket.shutdown(one, socket.SHUT_RDWR)

    def connect(self, host: str, port: int, timeout_s: float | None) -> socket.socket:
        """A connection to the first of the host's addresses that takes one."""
        problem = OSError(errno.EADDRNOTAVAIL, "no address")
        for family, kind, protocol, _name, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            one = socket.socket(family, kind, protocol)
            try:
                self.add(one)
                one.settimeout(timeout_s)
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                one.connect(address)
                # A cut that came before this had nothing to break: the socket now looks connected, and never is.
                self.add(one)
            except OSError as error:
                one.close()
                problem = error
            else:
                return one
        raise problem


def _pool_classes(sockets: _Sockets) -> dict[str, Any]:
    """urllib3's pools, their connections made by ``sockets``."""

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return sockets.connect(self._dns_host, self.port, self.timeout)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return sockets.connect(self._dns_host, self.port, self.timeout)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _tls_context(sockets: _Sockets) -> ssl.SSLContext:
    """Python's defaults; the certificates of certifi where the system has none."""

    class Tracked(ssl.SSLSocket):
        # The plain socket under it is given up before the handshake begins, so this is the one to break.
        def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - ssl's signature
            sockets.add(self)
            super().do_handshake(block)

    context = ssl.create_default_context()
    places = ssl.get_default_verify_paths()
    if not places.cafile and not (places.capath and any(Path(places.capath).iterdir())):
        context.load_verify_locations(certifi.where())
    context.sslsocket_class = Tracked
    return context
