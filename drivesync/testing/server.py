"""The Drive API over HTTP: an ASGI app around a ``Service``.

Each request passes: method override -> what call is it -> latency -> faults -> token -> rates -> body -> the call,
under the lock -> answer. Routing is one table (``calls``), not a framework's router, since fault rules, costs and
counters need to know the call before anything else happens; it is also what keeps small downloads cheap.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Final, TypeAlias

from drivesync.testing import account_calls, file_calls, upload_calls
from drivesync.testing.batch_calls import run_batch
from drivesync.testing.calls import Call, classify
from drivesync.testing.control import control_app
from drivesync.testing.costs import Costs, Meter, unit_cost
from drivesync.testing.counters import Counters
from drivesync.testing.exchange import DroppedError, Exchange
from drivesync.testing.faults import ErrorAnswer, ExpiredToken, ExpiredUpload, Faults
from drivesync.testing.oauth import Authority, Consent, OAuthError
from drivesync.testing.service import Request, Service
from drivesync.testing.striking import applies, make_spoiler
from drivesync.testing.wire import Answer, ApiError, JsonObject

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send

    from drivesync.testing.store import Store

_Handler: TypeAlias = "Callable[[Service, Request], Answer]"

_HANDLERS: Final[dict[str, _Handler]] = {
    "files.list": file_calls.list_files,
    "files.get": file_calls.get_file,
    "files.get.media": file_calls.download_file,
    "files.export": file_calls.export_file,
    "files.create": file_calls.create_file,
    "files.update": file_calls.update_file,
    "files.copy": file_calls.copy_file,
    "files.delete": file_calls.delete_file,
    "files.emptyTrash": file_calls.empty_trash,
    "files.generateIds": file_calls.generate_ids,
    "files.create.media": upload_calls.upload_media,
    "files.create.multipart": upload_calls.upload_multipart,
    "files.create.resumable": upload_calls.start_upload,
    "files.update.media": upload_calls.upload_media,
    "files.update.multipart": upload_calls.upload_multipart,
    "files.update.resumable": upload_calls.start_upload,
    "upload.cancel": upload_calls.cancel_upload,
    "changes.getStartPageToken": account_calls.get_start_page_token,
    "changes.list": account_calls.list_changes,
    "about.get": account_calls.get_about,
    "drives.list": account_calls.list_drives,
    "drives.get": account_calls.get_drive,
    "drives.create": account_calls.create_drive,
    "revisions.list": account_calls.list_revisions,
    "revisions.get": account_calls.get_revision,
    "revisions.get.media": account_calls.download_revision,
    "revisions.update": account_calls.update_revision,
    "revisions.delete": account_calls.delete_revision,
}
_CHALLENGE: Final = ("WWW-Authenticate", 'Bearer realm="https://accounts.google.com/", error="invalid_token"')
_SESSION_CALLS: Final = frozenset({"upload.chunk", "upload.final", "upload.status"})


class DriveApp:
    """The server's state and its entry point for ASGI.

    ``lock`` guards ``store``, ``authority``, ``faults``, ``counters`` and the costs between the server's thread and
    tests.
    """

    def __init__(
        self, store: Store, *, costs: Costs, seed: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.lock = threading.RLock()
        self.store = store
        self.faults = Faults(seed)
        self.counters = Counters()
        self.refused_tokens: set[str] = set()
        self.authority = Authority(now_ms=store.now_ms, new_id=store.new_id)
        self._service = Service(store, self.faults)
        self._clock = clock
        self._control = control_app(self)
        self.set_costs(costs)

    @property
    def costs(self) -> Costs:
        """What requests cost now."""
        return self._costs

    def set_costs(self, costs: Costs) -> None:
        """Change what requests cost; rates start with a full allowance."""
        with self.lock:
            self._costs = costs
            self._meter = Meter(costs, self._clock())

    def reset_conditions(self) -> None:
        """Back to a healthy, fast Drive with counters at zero; what it holds, and has granted, stays."""
        with self.lock:
            self.faults.clear()
            self.counters.reset()
            self.refused_tokens.clear()
            self.authority.consent = Consent()
            self.set_costs(Costs())

    def describe_token(self, token: str) -> JsonObject:
        """What tokeninfo says of an access token.

        Raises:
            OAuthError: 400, it is not good, or no more.
        """
        with self.lock:
            if token in self.refused_tokens:
                raise OAuthError(400, "invalid_token", "Invalid Value")
            return self.authority.describe_token(token)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["path"].startswith("/emulator/"):
            await self._control(scope, receive, send)
            return
        exchange = Exchange(
            scope,
            receive,
            send,
            bandwidth_bytes_per_s=self._costs.bandwidth_bytes_per_s,
            now_ms=self.store.now_ms,
        )
        try:
            try:
                answer = await self._answer(exchange)
            except ApiError as error:
                answer = error.answer()
            await exchange.respond(answer, self.faults.random.randrange)
        except (DroppedError, asyncio.CancelledError):
            # There is nobody to answer: the connection was cut, or the server stops and has cut them all.
            return

    async def _answer(self, exchange: Exchange) -> Answer:
        form: bytes | None = None
        if "x-http-method-override" in exchange.headers:
            form = await exchange.read_body()
            exchange.override_method(form)
        call = classify(exchange.method, exchange.path, exchange.query, exchange.headers)
        count = self.counters[call.kind]
        count.add(exchange.count)
        exchange.count = count
        count.requests += 1
        delay_s = self._costs.latency_s + self.faults.draw_delay(call.kind)
        if delay_s:
            await asyncio.sleep(delay_s)
        with self.lock:
            self._strike(exchange, call)
            self._check_token(exchange, call)
            self._charge(call.kind)
        if call.kind in _SESSION_CALLS:
            return await self._receive_chunk(exchange, self._request(exchange, call, b""))
        body = await exchange.read_body() if form is None else b""
        request = self._request(exchange, call, body)
        with self.lock:
            if call.kind == "batch":
                return run_batch(request, self._serve_part)
            return _HANDLERS[call.kind](self._service, request)

    def _serve_part(self, request: Request) -> Answer:
        """One call out of a batch; it counts and is charged like any other."""
        kind = request.call.kind
        if kind not in _HANDLERS or "media" in kind or "upload" in kind:
            raise ApiError(400, "badRequest", "Media and batches cannot be part of a batch.")
        self.counters[kind].requests += 1
        self._charge(kind)
        return _HANDLERS[kind](self._service, request)

    def _request(self, exchange: Exchange, call: Call, body: bytes) -> Request:
        spoil = make_spoiler(exchange.effect, self.faults.random)
        return Request(call, exchange.query, exchange.headers, exchange.base_url, body, spoil)

    def _strike(self, exchange: Exchange, call: Call) -> None:
        """Draw the fault that strikes this request, and do what it does before the request is looked at."""
        effect = self.faults.draw(call.kind, lambda effect: applies(effect, exchange, call))
        if effect is None:
            return
        exchange.effect = effect
        exchange.count.injected += 1
        if isinstance(effect, ExpiredToken):
            self.refused_tokens.add(_token(exchange))
        elif isinstance(effect, ExpiredUpload):
            self.store.uploads.forget(exchange.query.get("upload_id", ""))
            raise ApiError(effect.status, "notFound", "The upload session has expired.", location="upload_id")
        elif isinstance(effect, ErrorAnswer):
            raise _injected_error(effect)

    def _check_token(self, exchange: Exchange, call: Call) -> None:
        token = _token(exchange)
        if call.kind.startswith("upload.") and not exchange.headers.get("authorization"):
            # The session's URI is itself the secret.
            return
        if not token:
            message = (
                "Method doesn't allow unregistered callers (callers without established identity). "
                "Please use API Key or other form of API consumer identity to call this API."
            )
            raise ApiError(403, "forbidden", message)
        if token in self.refused_tokens or self.authority.refuses(token):
            raise ApiError(
                401,
                "authError",
                "Invalid Credentials",
                location="Authorization",
                location_type="header",
                headers=(_CHALLENGE,),
            )
        if not self.authority.allows(token, call.kind):
            message = "Request had insufficient authentication scopes."
            raise ApiError(403, "insufficientPermissions", message)

    def _charge(self, kind: str) -> None:
        units, count = unit_cost(kind), self.counters[kind]
        try:
            self._meter.charge(units, self._clock())
        except ApiError:
            count.rate_limited += 1
            raise
        count.units += units

    async def _receive_chunk(self, exchange: Exchange, request: Request) -> Answer:
        with self.lock:
            writer = upload_calls.ChunkWriter(self._service, request)
        if exchange.has_body:
            spoil = request.spoil
            async for piece in exchange.pieces():
                with self.lock:
                    is_current = not writer.takes_bytes or writer.write(spoil(piece))
                if not is_current:
                    await exchange.cut()
                if piece:
                    spoil = bytes
        with self.lock:
            return writer.finish()


def _token(exchange: Exchange) -> str:
    scheme, _, token = exchange.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return exchange.query.get("access_token", "") or exchange.query.get("oauth_token", "")


def _injected_error(effect: ErrorAnswer) -> ApiError:
    headers: tuple[tuple[str, str], ...] = (_CHALLENGE,) if effect.status == 401 else ()
    if effect.retry_after_s is not None:
        headers += (("Retry-After", str(effect.retry_after_s)),)
    is_quota = effect.reason.lower().endswith(("limitexceeded", "quotaexceeded"))
    message = effect.message or f"Injected {effect.reason}"
    domain = "usageLimits" if is_quota else "global"
    return ApiError(effect.status, effect.reason, message, domain=domain, headers=headers)
