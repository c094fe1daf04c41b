"""Tells people by a webhook how a run has ended, without ever keeping the training waiting.

::

    send(notice) ──▸ the last 16 ──▸ thread ``notify`` ──▸ POST, as JSON

    {"event": "finished", "run": "backup/remote", "tree": "darknet", "iteration": 6000, "max_batches": 6000,
     "safe_iteration": 6000, "message": "...", "at": "2026-11-23T14:28:14+00:00", "text": "...", "content": "..."}

``text`` is what Slack, Mattermost and others show of it, ``content`` what Discord shows. Whoever knows the address can
post there, so it is a secret: it stands in no message here, and neither does anything that a library says of it. The
standard library sends, since it logs nothing; urllib3 would log the address.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timezone
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request

from tenacity import Retrying, retry_if_result, stop_after_attempt, stop_any, stop_when_event_set
from tenacity.wait import wait_exponential

from drivesync.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from tenacity import RetryCallState

NoticeEvent = Literal["finished", "gave up", "diverged", "lost lease"]

_TIMEOUT_S = 5.0
_TRIES = 4
_LONGEST_PAUSE_S = 30.0
_DRAIN_S = 15.0
_WAITING_MAX = 16
_SHOWN_CHARACTERS = 1900
"""Discord refuses a ``content`` of more than 2,000."""

_AGENT = "darknet-drivesync"
"""Discord's front refuses what calls itself Python-urllib."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that people want to be told.

    Attributes:
        event: what has happened.
        run: what is trained.
        tree: the name of the folder that it is trained in.
        message: a sentence about it, with the reason where there is one.
        at_s: when, in Unix time.
        iteration: the last one that was trained; None if there was none.
        max_batches: the iterations that the cfg asks for; None where that is not known yet.
        safe_iteration: the furthest one that Drive holds, verified; None for none.
    """

    event: NoticeEvent
    run: str
    tree: str
    message: str
    at_s: float
    iteration: int | None = None
    max_batches: int | None = None
    safe_iteration: int | None = None


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of a request: ``trouble`` is a clause, empty where it was taken."""

    trouble: str = ""
    may_pass: bool = False
    retry_after_s: float = 0.0


class Notifier:
    """Posts notices to one address as long as the ``with`` block lasts; :meth:`send` may be called from any thread.

    A server that is down or busy is asked again a few times; what it refuses is not sent again. When the block is left
    what still waits is sent within ``drain_s``, and the rest is given up. Nothing here raises once it is made, and
    what could not be delivered is reported in a line.

    Args:
        url: where to; http or https.
        report: hears, in the thread ``notify``, what could not be delivered; without the address.
        timeout_s: how long each step of a request may take.
        drain_s: how long leaving the block may take.
        sleep: waits so many seconds before a further try; by default that ends with the block.

    Raises:
        UsageError: the address is none that can be posted to.
    """

    def __init__(
        self,
        url: str,
        report: Callable[[str], None],
        *,
        timeout_s: float = _TIMEOUT_S,
        drain_s: float = _DRAIN_S,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        check_address(url)
        self._url = url
        self._report = report
        self._timeout_s = timeout_s
        self._drain_s = drain_s
        self._over = threading.Event()
        self._sleep = sleep or self._over.wait
        self._thread = threading.Thread(target=self._run, name="notify", daemon=True)
        self._changed = threading.Condition()  # guards what follows
        self._waiting: deque[Notice] = deque(maxlen=_WAITING_MAX)
        self._closing = False

    def __enter__(self) -> Notifier:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(self._drain_s)
        if self._thread.is_alive():
            self._over.set()
            self._report(f"the webhook did not take its last notice within {self._drain_s:g} s")

    def send(self, notice: Notice) -> None:
        """Have a notice posted, and return at once; of more than 16 that wait the oldest is given up."""
        with self._changed:
            self._waiting.append(notice)
            self._changed.notify_all()

    def _run(self) -> None:
        while (notice := self._next()) is not None:
            outcome: _Outcome = Retrying(
                retry=retry_if_result(lambda outcome: outcome.may_pass),
                stop=stop_any(stop_after_attempt(_TRIES), stop_when_event_set(self._over)),
                wait=_choose_pause,
                sleep=self._pause,
                retry_error_callback=_last_outcome,
            )(self._post, notice)
            if outcome.trouble and not self._over.is_set():
                self._report(f"the webhook was not told of {notice.event!r}: {outcome.trouble}")

    def _next(self) -> Notice | None:
        """The oldest notice that waits, as soon as there is one; None when it is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            return self._waiting.popleft() if self._waiting and not self._over.is_set() else None

    def _pause(self, seconds: float) -> None:
        self._sleep(seconds)

    def _post(self, notice: Notice) -> _Outcome:
        headers = {"Content-Type": "application/json", "User-Agent": _AGENT}
        request = Request(self._url, to_json(notice), headers, method="POST")  # noqa: S310 - its scheme was checked
        try:
            # Its answer is of no interest, and need not end.
            with _make_opener().open(request, timeout=self._timeout_s) as answer:
                return _judge(answer)
        except Exception as error:  # noqa: BLE001 - if it got out of the thread, the log would have the address
            inner = error.reason if isinstance(error, URLError) else error
            return _Outcome(_explain(inner), may_pass=not isinstance(inner, ssl.SSLCertVerificationError))


def check_address(url: str) -> None:
    """See that notices can be posted to ``url``.

    Raises:
        UsageError: they cannot; the message does not quote it.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    # As they stand, these would be refused in the midst of a request, by an error that quotes them.
    if not usable or parts.username is not None or not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError(
            "the address to notify cannot be posted to",
            hint="Give it as it was copied from the service: https://host/path, without a user's name.",
        )


def to_json(notice: Notice) -> bytes:
    """What is posted."""
    said: dict[str, object] = {
        "event": notice.event,
        "run": notice.run,
        "tree": notice.tree,
        "iteration": notice.iteration,
        "max_batches": notice.max_batches,
        "safe_iteration": notice.safe_iteration,
        "message": notice.message,
        "at": datetime.fromtimestamp(notice.at_s, timezone.utc).isoformat(timespec="seconds"),
    }
    text = _describe(notice)
    # A path or a line of darknet's must ping nobody: Slack reads <!channel> as a command, Discord @everyone.
    said["text"] = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    said["content"] = text
    said["allowed_mentions"] = {"parse": []}
    # Names of files may hold what is no text; a service would refuse all of it.
    return json.dumps(said, ensure_ascii=False).encode("utf-8", "replace")


def _describe(notice: Notice) -> str:
    """The notice as a line for people."""
    where = "" if notice.iteration is None else f" at iteration {notice.iteration:,}"
    goal = f" of {notice.max_batches:,}" if where and notice.max_batches else ""
    safe = "" if notice.safe_iteration is None else f", safe on Drive up to {notice.safe_iteration:,}"
    text = f"{notice.run} in {notice.tree}: {notice.event}{where}{goal}{safe}. {notice.message}"
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 3]}..."


def _make_opener() -> OpenerDirector:
    """Sends by http and https alone, heeds the environment's proxies, and follows no redirection.

    urllib would follow one of a POST by a GET, without what was to be posted.
    """
    opener = OpenerDirector()
    for handler in (ProxyHandler(), HTTPHandler(), HTTPSHandler()):
        opener.add_handler(handler)
    return opener


def _judge(answer: http.client.HTTPResponse) -> _Outcome:
    status = answer.status
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return _Outcome()
    passing = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
    may_pass = status in passing or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    said = answer.headers.get("Retry-After", "")
    # The other form, a date, is not worth reading: the pauses grow anyway.
    retry_after_s = float(said) if said.isascii() and said.isdecimal() else 0.0
    return _Outcome(f"it answered {status}", may_pass, min(retry_after_s, _LONGEST_PAUSE_S))


def _explain(error: object) -> str:
    """Why no answer came, in words that quote neither the address nor its host."""
    match error:
        case TimeoutError():
            return "it did not answer in time"
        case socket.gaierror():
            return "its host is not known"
        case ssl.SSLError():
            return "no secure connection could be made"
        case OSError(errno=int(number)):
            return os.strerror(number)
    return "it gave no answer that is HTTP"


def _choose_pause(state: RetryCallState) -> float:
    return max(
        wait_exponential(multiplier=1, max=_LONGEST_PAUSE_S)(state), _last_outcome(state).retry_after_s
    )


def _last_outcome(state: RetryCallState) -> _Outcome:
    outcome: object = state.outcome.result() if state.outcome else None
    return outcome if isinstance(outcome, _Outcome) else _Outcome()
