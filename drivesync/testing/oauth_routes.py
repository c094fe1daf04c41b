"""The authorization server over HTTP, under ``/emulator/oauth``: log in, refresh, revoke, and what is answered."""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from drivesync.testing.oauth import OAuthError, client_file, consent_from_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from drivesync.testing.server import DriveApp
    from drivesync.testing.wire import JsonObject


def oauth_routes(app: DriveApp) -> list[Route]:
    """The routes, whose addresses may stand in a client file.

    =========================  =======  =====================================================================
    /emulator/oauth            GET      what is answered (``oauth.Consent``), and how often it was ``refreshed``
                               POST     change the named answers
                               DELETE   the user takes back all grants
    /emulator/oauth/client     GET      a client file for ``drivesync login``
    /emulator/oauth/auth       GET      the authorization endpoint, for a browser
    /emulator/oauth/token      POST     the token endpoint
    /emulator/oauth/tokeninfo  POST     as https://oauth2.googleapis.com/tokeninfo
    /emulator/oauth/revoke     POST     as https://oauth2.googleapis.com/revoke
    =========================  =======  =====================================================================
    """
    oauth = _OAuth(app)
    return [
        Route("/emulator/oauth", oauth.consent, methods=["GET", "POST", "DELETE"]),
        Route("/emulator/oauth/client", oauth.client),
        Route("/emulator/oauth/auth", oauth.authorize),
        Route("/emulator/oauth/token", oauth.token, methods=["POST"]),
        Route("/emulator/oauth/tokeninfo", oauth.tokeninfo, methods=["POST"]),
        Route("/emulator/oauth/revoke", oauth.revoke, methods=["POST"]),
    ]


class _OAuth:
    def __init__(self, app: DriveApp) -> None:
        self._app = app

    async def consent(self, request: Request) -> Response:
        body = json.loads(await request.body() or b"{}")
        with self._app.lock:
            authority = self._app.authority
            if request.method == "DELETE":
                authority.revoke_all()
            elif request.method == "POST":
                authority.consent = consent_from_json(authority.consent, body)
            return JSONResponse({**dataclasses.asdict(authority.consent), "refreshed": authority.refreshed})

    async def client(self, request: Request) -> Response:
        return JSONResponse(client_file(f"{request.url.scheme}://{request.url.netloc}"))

    async def authorize(self, request: Request) -> Response:
        with self._app.lock:
            try:
                address = self._app.authority.authorize(request.query_params)
            except OAuthError as error:
                return _refusal(error)
        return RedirectResponse(address, status_code=302)

    async def token(self, request: Request) -> Response:
        form = await _read_form(request) | _read_basic(request)
        return self._answer(lambda: self._app.authority.give_token(form))

    async def tokeninfo(self, request: Request) -> Response:
        form = await _read_form(request)
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        token = form.get("access_token", "") or request.query_params.get("access_token", "") or bearer
        return self._answer(lambda: self._app.describe_token(token))

    async def revoke(self, request: Request) -> Response:
        form = await _read_form(request)
        token = form.get("token", "") or request.query_params.get("token", "")

        def revoke() -> JsonObject:
            self._app.authority.revoke(token)
            return {}

        return self._answer(revoke)

    def _answer(self, work: Callable[[], JsonObject]) -> Response:
        with self._app.lock:
            try:
                return JSONResponse(work())
            except OAuthError as error:
                return _refusal(error)


async def _read_form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode("latin-1"), keep_blank_values=True))


def _read_basic(request: Request) -> dict[str, str]:
    """A client may name itself in a header, too: RFC 6749, section 2.3.1, and so does Google's library."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return {}
    client_id, _, secret = base64.b64decode(encoded).decode("latin-1").partition(":")
    return {"client_id": unquote(client_id), "client_secret": unquote(secret)}


def _refusal(error: OAuthError) -> Response:
    answer = error.answer()
    return Response(bytes(answer.body), status_code=answer.status, media_type="application/json")
