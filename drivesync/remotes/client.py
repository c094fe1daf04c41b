"""Google's client, tamed: one resource, one connection per thread, and one way through which every request goes."""

from __future__ import annotations

import errno
import json
import socket
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import google_auth_httplib2
from googleapiclient.discovery import build_from_document
from googleapiclient.discovery_cache import get_static_doc
from googleapiclient.errors import HttpError
from googleapiclient.http import build_http

from drivesync.errors import RateLimitedError, TransientError
from drivesync.remotes.auth import find_credentials
from drivesync.remotes.pacing import Pacer, retry_policy, wait_for
from drivesync.remotes.translate import translate_errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivesync.config import Settings

Result = TypeVar("Result")

_LEAST_PAUSE_S = 1.0


class DriveClient:
    """Sends requests to Drive; safe to use from several threads.

    Args:
        settings: where to send them, and with which token.
        on_wait: told a line when a request has to wait for long.
        first_wait_s: the first pause before a repeat, in seconds.
    """

    def __init__(
        self, settings: Settings, on_wait: Callable[[str], None], *, first_wait_s: float = 1.0
    ) -> None:
        self._settings = settings
        self._on_wait = on_wait
        self._first_wait_s = first_wait_s
        self._closing = threading.Event()
        # A pause that Drive asked for may be minutes long, and must not hold up the end.
        self._pacer = Pacer(sleep=partial(wait_for, self._closing))
        self._local = threading.local()
        self._lock = threading.Lock()
        self._connections: list[Any] = []
        self._credentials: Any = None
        self._service: Any = None
        self._files: Any = None

    def open(self) -> None:
        """Find the credentials and build the resource; no request is sent.

        Raises:
            NotAllowedError: there are no credentials.
        """
        self._closing.clear()
        self._credentials = find_credentials(self._settings)
        document = json.loads(get_static_doc("drive", "v3"))
        if self._settings.emulator_url:
            # Patched here and not by client_options, since media uploads would keep Google's address.
            document["rootUrl"] = f"{self._settings.emulator_url}/"
        self._service = build_from_document(document, http=self._connection())
        # Making the resource costs milliseconds each time; it may be shared, connections may not.
        self._files = self._service.files()

    def cancel(self) -> None:
        """End all waiting and cut all connections, so that calls in other threads fail soon."""
        self._closing.set()
        with self._lock:
            for connection in self._connections:
                for line in tuple(connection.http.connections.values()):
                    # httplib2 would answer a cut by connecting and sending again.
                    line.connect = _refuse_connection
                    # Closing alone would leave another thread in its read; the line may be closed already.
                    with suppress(OSError, AttributeError):
                        line.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close all connections and end all waiting."""
        self._closing.set()
        with self._lock:
            connections, self._connections = self._connections, []
        for connection in connections:
            connection.close()
        self._local = threading.local()

    @property
    def files(self) -> Any:
        """The ``files`` resource, for making requests."""
        return self._files

    def call(self, action: str, send: Callable[[Any], Result]) -> Result:
        """``send(connection)``, paced, repeated where that may help, its errors translated.

        Raises:
            TransientError: still failing after all repeats.
            RemoteError: repeating would not help.
        """

        def attempt() -> Result:
            self._pacer.wait()
            if self._closing.is_set():
                raise TransientError(f"{action}: stopped")
            try:
                with translate_errors(action):
                    result = send(self._connection())
            except RateLimitedError as error:
                self._pacer.slow_down(max(error.retry_after_s, _LEAST_PAUSE_S * self._first_wait_s))
                raise
            self._pacer.speed_up()
            return result

        retry = retry_policy(self._settings.retries, self._first_wait_s, self._closing, self._on_wait)
        return retry(attempt)

    def execute(self, action: str, request: Any) -> dict[str, Any]:
        """Send one of Google's request objects and return its answer."""
        answer: dict[str, Any] = self.call(action, lambda connection: request.execute(http=connection))
        return answer

    def fetch_range(self, action: str, uri: str, first: int, last: int) -> bytes:
        """Bytes ``first`` to ``last`` of the media at ``uri``, both included."""

        def send(connection: Any) -> bytes:
            headers = {"range": f"bytes={first}-{last}", "accept-encoding": "identity"}
            response, content = connection.request(uri, headers=headers)
            if response.status not in {200, 206}:
                raise HttpError(response, content)
            body = bytes(content)
            if response.status == 200:
                # The range was passed over, and the whole file sent.
                body = body[first : last + 1]
            if len(body) != last - first + 1:
                raise ConnectionError(f"{len(body)} bytes came instead of {last - first + 1}")
            return body

        return self.call(action, send)

    def _connection(self) -> Any:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            http = build_http()
            if self._settings.emulator_url:
                http.proxy_info = None
            connection = google_auth_httplib2.AuthorizedHttp(self._credentials, http=http)
            self._local.connection = connection
            with self._lock:
                self._connections.append(connection)
        return connection


def _refuse_connection() -> None:
    raise ConnectionAbortedError(errno.ECONNABORTED, "stopped")
