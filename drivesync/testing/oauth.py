"""Who may use the Drive: an authorization server after Google's, with one user and one client. PURE.

    authorize      GET  the user's browser comes with a client's wish, and is sent back with a code, or with a refusal
    give_token     POST a code, or a refresh token, becomes an access token
    describe_token POST what an access token is good for
    revoke         POST a grant ends, with all its tokens

The forms are those of https://developers.google.com/identity/protocols/oauth2/native-app. The user consents at once.
An access token that was issued here expires and can be revoked; any other is good, as everywhere on this emulator.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from drivesync.testing.costs import check_options
from drivesync.testing.wire import Answer, answer_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from drivesync.testing.wire import JsonObject

CLIENT_ID: Final = "emulator.apps.googleusercontent.com"
CLIENT_SECRET: Final = "emulator-secret"  # noqa: S105 - of a client that exists only here
DRIVE_SCOPE: Final = "https://www.googleapis.com/auth/drive"

_CODE_LIFETIME_MS: Final = 600_000
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_READING: Final = (".list", ".get", ".get.media", ".export", "getStartPageToken", "batch")


class OAuthError(Exception):
    """A refusal in the words of RFC 6749, section 5.2, and of Google's token endpoint."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.error = error

    def answer(self) -> Answer:
        """The HTTP answer that carries this error."""
        return answer_json({"error": self.error, "error_description": str(self)}, status=self.status)


@dataclass(frozen=True, slots=True)
class Consent:
    """What the user, and Google, answer from now on.

    Attributes:
        denies: the user refuses.
        scopes: granted whatever is asked for, separated by spaces; empty for what is asked for.
        lifetime_s: how long an access token is good for.
        lasting: a refresh token comes with a first grant, and whenever consent is asked for again.
    """

    denies: bool = False
    scopes: str = ""
    lifetime_s: float = 3600.0
    lasting: bool = True


def consent_from_json(consent: Consent, body: Mapping[str, object]) -> Consent:
    """``consent`` with the named answers changed.

    Raises:
        ValueError: an unknown one, or a value of the wrong kind.
    """
    check_options(Consent, body)
    changes: dict[str, object] = dict(body)
    return replace(consent, **changes)  # type: ignore[arg-type]


@dataclass(slots=True)
class _Grant:
    """What one consent gave; revoked, all its tokens are refused."""

    scopes: str
    refresh_token: str = ""
    is_revoked: bool = False


@dataclass(frozen=True, slots=True)
class _Code:
    grant: _Grant
    redirect_uri: str
    challenge: str
    method: str
    ends_ms: int


@dataclass(frozen=True, slots=True)
class _Access:
    grant: _Grant
    ends_ms: float


class Authority:
    """Grants, codes and tokens of one account; arguments as for ``Store``."""

    def __init__(self, *, now_ms: Callable[[], int], new_id: Callable[[], str]) -> None:
        self.consent = Consent()
        self.refreshed = 0
        self._now_ms = now_ms
        self._new_id = new_id
        self._has_consented = False
        self._codes: dict[str, _Code] = {}
        self._grants: dict[str, _Grant] = {}
        self._accesses: dict[str, _Access] = {}

    def authorize(self, query: Mapping[str, str]) -> str:
        """Where the user's browser is sent to.

        Raises:
            OAuthError: the wish is such that Google shows an error page instead.
        """
        redirect_uri = query.get("redirect_uri", "")
        if query.get("client_id") != CLIENT_ID:
            raise OAuthError(401, "invalid_client", "The OAuth client was not found.")
        if urlsplit(redirect_uri).hostname not in _LOOPBACK:
            raise OAuthError(400, "redirect_uri_mismatch", "Only a loopback address will do for this client.")
        if query.get("response_type") != "code" or not query.get("scope"):
            raise OAuthError(400, "invalid_request", "Required parameter is missing: response_type or scope")
        answer = {"state": query["state"]} if "state" in query else {}
        if self.consent.denies:
            return _with_query(redirect_uri, {"error": "access_denied", **answer})
        grant = _Grant(self.consent.scopes or query["scope"])
        is_asked_again = "consent" in query.get("prompt", "") or not self._has_consented
        if query.get("access_type") == "offline" and is_asked_again and self.consent.lasting:
            grant.refresh_token = f"1//{self._new_id()}"
            self._grants[grant.refresh_token] = grant
        self._has_consented = True
        code = f"4/{self._new_id()}"
        self._codes[code] = _Code(
            grant,
            redirect_uri,
            query.get("code_challenge", ""),
            query.get("code_challenge_method", "plain"),
            self._now_ms() + _CODE_LIFETIME_MS,
        )
        return _with_query(redirect_uri, {"code": code, "scope": grant.scopes, **answer})

    def give_token(self, form: Mapping[str, str]) -> JsonObject:
        """An access token, and with it the refresh token where a new grant has one.

        Raises:
            OAuthError: 401 for an unknown client, 400 for a code or token that is not good, or no more.
        """
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            raise OAuthError(401, "invalid_client", "The provided client secret is invalid.")
        kind = form.get("grant_type", "")
        if kind == "authorization_code":
            grant = self._redeem(form)
            return self._issue(grant) | (
                {"refresh_token": grant.refresh_token} if grant.refresh_token else {}
            )
        if kind == "refresh_token":
            kept = self._grants.get(form.get("refresh_token", ""))
            if kept is None or kept.is_revoked:
                raise OAuthError(400, "invalid_grant", "Token has been expired or revoked.")
            self.refreshed += 1
            return self._issue(kept)
        raise OAuthError(400, "unsupported_grant_type", f"Invalid grant_type: {kind}")

    def describe_token(self, token: str) -> JsonObject:
        """What tokeninfo says of an access token.

        Raises:
            OAuthError: 400, it is not good, or no more.
        """
        if not token or self.refuses(token):
            raise OAuthError(400, "invalid_token", "Invalid Value")
        access = self._accesses.get(token)
        left_s = (access.ends_ms - self._now_ms()) / 1000 if access else self.consent.lifetime_s
        return {
            "azp": CLIENT_ID,
            "aud": CLIENT_ID,
            "scope": access.grant.scopes if access else DRIVE_SCOPE,
            "exp": str(int(self._now_ms() / 1000 + left_s)),
            "expires_in": str(int(left_s)),
            "access_type": "offline" if access and access.grant.refresh_token else "online",
        }

    def revoke(self, token: str) -> None:
        """End the grant that a refresh or access token belongs to.

        Raises:
            OAuthError: 400, there is no such token.
        """
        access = self._accesses.get(token)
        grant = access.grant if access else self._grants.get(token)
        if grant is None or grant.is_revoked:
            raise OAuthError(400, "invalid_token", "Token expired or revoked")
        grant.is_revoked = True

    def revoke_all(self) -> None:
        """The user takes back whatever was granted so far."""
        for grant in (*self._grants.values(), *(access.grant for access in self._accesses.values())):
            grant.is_revoked = True

    def refuses(self, token: str) -> bool:
        """Whether an access token was issued here and is no longer good."""
        access = self._accesses.get(token)
        return access is not None and (access.grant.is_revoked or self._now_ms() >= access.ends_ms)

    def allows(self, token: str, kind: str) -> bool:
        """Whether the scopes of a token do for a call: ``drive`` for all, ``drive.readonly`` for those that read."""
        access = self._accesses.get(token)
        if access is None:
            return True
        scopes = access.grant.scopes.split()
        return DRIVE_SCOPE in scopes or (f"{DRIVE_SCOPE}.readonly" in scopes and kind.endswith(_READING))

    def _redeem(self, form: Mapping[str, str]) -> _Grant:
        """The grant that a code stands for; a code is good once."""
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or self._now_ms() >= code.ends_ms:
            raise OAuthError(400, "invalid_grant", "Malformed auth code.")
        if form.get("redirect_uri") != code.redirect_uri:
            raise OAuthError(400, "redirect_uri_mismatch", "Bad Request")
        if code.challenge and _challenge(form.get("code_verifier", ""), code.method) != code.challenge:
            raise OAuthError(400, "invalid_grant", "Invalid code verifier.")
        return code.grant

    def _issue(self, grant: _Grant) -> JsonObject:
        token = f"ya29.{self._new_id()}"
        lifetime_s = self.consent.lifetime_s
        self._accesses[token] = _Access(grant, self._now_ms() + lifetime_s * 1000)
        return {
            "access_token": token,
            "expires_in": int(lifetime_s),
            "scope": grant.scopes,
            "token_type": "Bearer",
        }


def client_file(base_url: str) -> JsonObject:
    """What Google's console lets one download for a client of the type Desktop app, for this emulator."""
    return {
        "installed": {
            "client_id": CLIENT_ID,
            "project_id": "emulator",
            "auth_uri": f"{base_url}/emulator/oauth/auth",
            "token_uri": f"{base_url}/emulator/oauth/token",
            "client_secret": CLIENT_SECRET,
            "redirect_uris": ["http://localhost"],
        }
    }


def _challenge(verifier: str, method: str) -> str:
    """Of RFC 7636, section 4.6."""
    if method == "plain":
        return verifier
    digest = hashlib.sha256(verifier.encode("ascii", "replace")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _with_query(address: str, more: Mapping[str, str]) -> str:
    parts = urlsplit(address)
    return parts._replace(query=urlencode([*parse_qsl(parts.query), *more.items()])).geturl()
