"""The one way to Drive: every request is paced, counted, authorized, and repeated where that may help.

    Google's client --> Line --.
                               +--> DriveClient.send ---> Transport (urllib3, Streams)
    media.py, upload.py -------'

Google's client makes the requests for metadata, and reads their answers; it is handed a ``Line`` where it would use
httplib2, so that there is one set of connections, proxies, certificates and tokens.
"""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from googleapiclient.discovery import build_from_document

from drivesync.errors import NotAllowedError, RateLimitedError, RemoteError, TransientError
from drivesync.remotes.drive.auth import advise, locate_credentials
from drivesync.remotes.drive.authorization import Authorization
from drivesync.remotes.drive.clock import ServerClock
from drivesync.remotes.drive.description import describe_drive
from drivesync.remotes.drive.ids import Ids
from drivesync.remotes.drive.line import Line, resource_keys_header
from drivesync.remotes.drive.media import MediaRead
from drivesync.remotes.drive.pacing import Pacer
from drivesync.remotes.drive.translate import translate_answer, translate_errors
from drivesync.remotes.drive.transport import Transport
from drivesync.remotes.retrying import Budget, Spokesman, retry_policy
from drivesync.remotes.usage import Usage, units_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from urllib3 import BaseHTTPResponse

    from drivesync.config import Settings
    from drivesync.remotes.base import Sink
    from drivesync.remotes.drive.streams import Answer

Result = TypeVar("Result")
Response = TypeVar("Response", "Answer", "BaseHTTPResponse")

_GOOGLE_URL = "https://www.googleapis.com"
_MEDIA = "alt=media&acknowledgeAbuse=false&supportsAllDrives=true"
_MAY_BE_RATE = frozenset({403, 429})


class DriveClient:
    """Sends requests to Drive; safe to use from several threads.

    Attributes:
        usage: what Drive has been asked for so far.
        clock: Drive's, as far as its answers tell.
        ids: for what is to be made.
        files, changes, about, drives: Google's resources, for making requests; there once it is open.

    Args:
        settings: where to send them, and with which token.
        on_wait: told a line when a request has to wait for long.
        first_wait_s: the first pause before a repeat, in seconds.
    """

    files: Any
    changes: Any
    about: Any
    drives: Any

    def __init__(
        self, settings: Settings, on_wait: Callable[[str], None], *, first_wait_s: float = 1.0
    ) -> None:
        self.usage = Usage()
        self.clock = ServerClock()
        self.ids = Ids(self)
        self._settings = settings
        self._on_wait = Spokesman(on_wait)
        self._first_wait_s = first_wait_s
        self._closing = threading.Event()
        self._pacer = Pacer(first_wait_s)

    def open(self) -> None:
        """Find the credentials and make the resources; no request is sent.

        Raises:
            NotAllowedError: there are no credentials.
            SettingsError: the environment names a proxy that cannot be used.
        """
        found = locate_credentials(self._settings)
        self._closing.clear()
        self.ids.forget()
        self._pacer = Pacer(self._first_wait_s)
        self._transport = Transport(
            self._settings.emulator_url or _GOOGLE_URL, by_proxy=not self._settings.emulator_url
        )
        self._authorization = Authorization(found.credentials, self._transport)
        self._origin = found.origin
        document = json.loads(describe_drive())
        # Patched here and not by client_options, since media uploads would keep Google's address.
        document["rootUrl"] = f"{self._transport.base_url}/"
        service = build_from_document(document, http=Line(self, "asking Drive", "other", Budget(0)))
        # Making a resource costs milliseconds each time; it may be shared.
        self.files, self.changes = service.files(), service.changes()
        self.about, self.drives = service.about(), service.drives()

    def cancel(self) -> None:
        """End all waiting and cut all connections, so that calls in other threads fail soon."""
        self._closing.set()
        self._pacer.stop()
        self._transport.cut()

    def close(self) -> None:
        """End all waiting and close all connections."""
        self._closing.set()
        self._pacer.stop()
        self._transport.close()

    @property
    def slowed_by(self) -> str:
        """What holds requests back at this moment, in the user's words; empty if nothing does."""
        return "Drive's rate limit" if self._pacer.is_holding else ""

    @property
    def base_url(self) -> str:
        """Where all requests go, without a slash at its end."""
        return self._transport.base_url

    def now_s(self) -> float:
        """Unix time by Drive's clock; asked for only where no answer has told it yet.

        Raises:
            RemoteError: it cannot be told.
        """
        if not self.clock.is_known:
            action = "asking what time it is"
            self.execute(action, "other", self.about.get(fields="kind"))
            if not self.clock.is_known:
                raise RemoteError(f"{action}: Drive does not say")
        return self.clock.read(time.monotonic())

    def new_budget(self) -> Budget:
        """For one request, or for a row of them that count as one."""
        return Budget(self._settings.retries)

    def call(self, action: str, kind: str, send: Callable[[Line], Result]) -> Result:
        """``send(line)``, repeated where that may help, its errors translated.

        Args:
            action: for messages, such as "reading data/1.png".
            kind: of the requests that are sent, one of usage.py's.
            send: sends one of Google's requests over the line (``request.execute(http=line)``).

        Raises:
            TransientError: still failing after all repeats.
            RemoteError: repeating would not help.
        """
        budget = self.new_budget()
        line = Line(self, action, kind, budget)

        def attempt() -> Result:
            with translate_errors(action):
                return send(line)

        return self.repeat(attempt, budget)

    def execute(
        self, action: str, kind: str, request: Any, *, resource_keys: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Send one of Google's request objects and return its answer.

        Args:
            action: for messages.
            kind: one of usage.py's.
            request: such as ``client.files.get(fileId=...)``.
            resource_keys: of files that are shared by a link, by id.

        Raises:
            TransientError: still failing after all repeats.
            RemoteError: repeating would not help.
        """
        if resource_keys:
            request.headers |= resource_keys_header(resource_keys)
        answer: dict[str, Any] = self.call(action, kind, lambda line: request.execute(http=line))
        return answer

    def read_media(
        self,
        action: str,
        file_id: str,
        first: int,
        last: int,
        sink: Sink,
        *,
        resource_key: str = "",
        size_bytes: int | None = None,
    ) -> None:
        """Write bytes ``first`` to ``last``, both included, of a file's content to ``sink``.

        A try goes on at the very byte where the one before broke, and one that brought something starts the count
        of repeats anew.

        Args:
            action: for messages.
            file_id: of the file.
            first: from 0.
            last: at least ``first``: of an empty file there is nothing to ask for.
            sink: is written to from this thread; its own errors pass.
            resource_key: of a file that is shared by a link.
            size_bytes: of the whole file, where it is known.

        Raises:
            MovedError: the file is not as long as thought, so its content is another one.
            TransientError: still failing after all repeats.
            RemoteError: repeating would not help.
        """
        path = f"/drive/v3/files/{quote(file_id, safe='')}?{_MEDIA}"
        headers = {"accept-encoding": "identity"}
        if resource_key:
            headers |= resource_keys_header({file_id: resource_key})
        budget = self.new_budget()

        def send(headers: Mapping[str, str]) -> Answer:
            return self.send(
                action,
                "download",
                budget,
                headers,
                lambda transport, headers: transport.stream(path, headers),
            )

        read = MediaRead(action, send, headers, sink, first, last, size_bytes, budget)
        self.repeat(read.attempt, budget)

    def repeat(self, attempt: Callable[[], Result], budget: Budget) -> Result:
        """``attempt()``, until it succeeds, fails for good, or the budget is used up.

        Raises:
            TransientError: still failing after all repeats.
        """

        def counted() -> Result:
            try:
                return attempt()
            except TransientError as error:
                budget.spend(error)
                raise
            except NotAllowedError:
                with advise(self._origin):
                    raise

        try:
            # The policy costs more than all else of a small file, so it is asked only where it has to be.
            return counted()
        except TransientError as error:
            first = [error]

        def again() -> Result:
            if first:
                raise first.pop()
            return counted()

        retry = retry_policy(budget, self._first_wait_s, self._closing, self._on_wait, self.usage.count_retry)
        return retry(again)

    def send(
        self,
        action: str,
        kind: str,
        budget: Budget,
        headers: Mapping[str, str],
        go: Callable[[Transport, Mapping[str, str]], Response],
    ) -> Response:
        """Send one request in its turn, and with a token that holds.

        Args:
            action: for messages.
            kind: one of usage.py's.
            budget: of the request.
            headers: the request's own.
            go: sends it with these headers.

        Raises:
            RateLimitedError: Drive asks to be asked more slowly.
        """
        units = units_of(kind)
        is_renewed = False
        while True:
            authorized, token = self._authorization.apply(headers)
            sent_s = self._wait_for_turn(action, units, budget)
            if self._closing.is_set():
                raise TransientError(f"{action}: stopped")
            self.usage.count(kind)
            response = go(self._transport, authorized)
            self._read_clock(response.headers, sent_s)
            status = response.status
            if status in _MAY_BE_RATE:
                error = translate_answer(action, status, response.headers, response.data)
                if isinstance(error, RateLimitedError):
                    self._pacer.refused(sent_s, units, error.retry_after_s)
                    response.close()
                    raise error
            if status < 500:
                self._pacer.taken(units)
            if status != 401 or is_renewed:
                return response
            response.close()
            self._authorization.renew(token)
            self.usage.count_retry()
            is_renewed = True

    def _read_clock(self, headers: Mapping[str, str], sent_s: float) -> None:
        now_s = time.monotonic()
        if self.clock.wants_more(now_s) and (date := headers.get("date")):
            self.clock.observe(date, sent_s, now_s)

    def _wait_for_turn(self, action: str, units: int, budget: Budget) -> float:
        try:
            return self._pacer.wait(action, units, budget.since_s)
        except RateLimitedError:
            budget.end()
            raise
