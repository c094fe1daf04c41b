"""The authorization server gives, refuses, expires and takes back as Google's does."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from drivesync.testing.oauth import (
    CLIENT_ID,
    CLIENT_SECRET,
    DRIVE_SCOPE,
    Authority,
    Consent,
    OAuthError,
    consent_from_json,
)

if TYPE_CHECKING:
    from drivesync.testing import DriveEmulator

Call = Callable[..., tuple[int, Mapping[str, str], bytes]]

_LANDING = "http://127.0.0.1:1234/"
_VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
_CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
"""Both of RFC 7636, appendix B."""
_WISH = {
    "client_id": CLIENT_ID,
    "redirect_uri": _LANDING,
    "response_type": "code",
    "scope": DRIVE_SCOPE,
    "state": "abc",
    "access_type": "offline",
    "code_challenge": _CHALLENGE,
    "code_challenge_method": "S256",
}
_CLIENT = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
_FORM = {
    **_CLIENT,
    "grant_type": "authorization_code",
    "redirect_uri": _LANDING,
    "code_verifier": _VERIFIER,
}
_FORM_TYPE = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": ""}


class Clock:
    """Milliseconds that pass when told."""

    now_ms = 0

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def authority(clock: Clock) -> Authority:
    numbers = iter(range(1, 1000))
    return Authority(now_ms=clock, new_id=lambda: f"id{next(numbers)}")


def _ask(authority: Authority, **more: str) -> dict[str, str]:
    """What stands in the address that the browser is sent to."""
    query = urlsplit(authority.authorize({**_WISH, **more})).query
    return {name: values[0] for name, values in parse_qs(query).items()}


def _log_in(authority: Authority, **more: str) -> dict[str, str]:
    tokens = authority.give_token({**_FORM, "code": _ask(authority, **more)["code"]})
    return {name: str(value) for name, value in tokens.items()}


def _refresh(authority: Authority, refresh_token: str) -> dict[str, object]:
    return authority.give_token({**_CLIENT, "grant_type": "refresh_token", "refresh_token": refresh_token})


def test_a_code_becomes_tokens_once(authority: Authority) -> None:
    landed = _ask(authority)
    assert landed["state"] == "abc"
    tokens = authority.give_token({**_FORM, "code": landed["code"]})
    assert (tokens["scope"], tokens["expires_in"]) == (DRIVE_SCOPE, 3600)
    assert {"access_token", "refresh_token"} <= tokens.keys()
    with pytest.raises(OAuthError, match="Malformed auth code"):
        authority.give_token({**_FORM, "code": landed["code"]})


@pytest.mark.parametrize(
    ("change", "error"),
    [
        pytest.param({"code_verifier": "x" * 43}, "invalid_grant", id="another's verifier"),
        pytest.param({"code_verifier": ""}, "invalid_grant", id="no verifier"),
        pytest.param({"redirect_uri": "http://127.0.0.1:1/"}, "redirect_uri_mismatch", id="another landing"),
        pytest.param({"code": "4/made-up"}, "invalid_grant", id="no such code"),
        pytest.param({"client_secret": "guessed"}, "invalid_client", id="another secret"),
        pytest.param({"grant_type": "password"}, "unsupported_grant_type", id="another way"),
    ],
)
def test_a_code_is_not_taken_from_anybody(authority: Authority, change: dict[str, str], error: str) -> None:
    with pytest.raises(OAuthError) as caught:
        authority.give_token({**_FORM, "code": _ask(authority)["code"], **change})
    assert caught.value.error == error


def test_a_code_is_good_for_ten_minutes(authority: Authority, clock: Clock) -> None:
    code = _ask(authority)["code"]
    clock.now_ms = 600_000
    with pytest.raises(OAuthError, match="Malformed auth code"):
        authority.give_token({**_FORM, "code": code})


@pytest.mark.parametrize(
    ("change", "error"),
    [
        pytest.param({"client_id": "nobody"}, "invalid_client", id="unknown client"),
        pytest.param({"redirect_uri": "https://evil.test/"}, "redirect_uri_mismatch", id="not loopback"),
        pytest.param({"response_type": "token"}, "invalid_request", id="another flow"),
        pytest.param({"scope": ""}, "invalid_request", id="no scope"),
    ],
)
def test_a_wish_that_is_not_asked_of_the_user(
    authority: Authority, change: dict[str, str], error: str
) -> None:
    with pytest.raises(OAuthError) as caught:
        authority.authorize({**_WISH, **change})
    assert caught.value.error == error


def test_a_user_who_refuses(authority: Authority) -> None:
    authority.consent = Consent(denies=True)
    assert _ask(authority) == {"error": "access_denied", "state": "abc"}


def test_a_refresh_token_comes_with_the_first_grant_and_when_consent_is_asked_for(
    authority: Authority,
) -> None:
    assert "refresh_token" not in _log_in(authority, access_type="online")
    assert "refresh_token" not in _log_in(authority)
    assert "refresh_token" in _log_in(authority, prompt="consent")
    authority.consent = Consent(lasting=False)
    assert "refresh_token" not in _log_in(authority, prompt="consent")


def test_a_token_expires_and_is_refreshed(authority: Authority, clock: Clock) -> None:
    authority.consent = Consent(lifetime_s=1.5)
    tokens = _log_in(authority)
    clock.now_ms = 1_499
    assert not authority.refuses(tokens["access_token"])
    clock.now_ms = 1_500
    assert authority.refuses(tokens["access_token"])
    fresh = str(_refresh(authority, tokens["refresh_token"])["access_token"])
    assert not authority.refuses(fresh)
    assert authority.refreshed == 1


@pytest.mark.parametrize("by", ["access_token", "refresh_token"])
def test_what_is_revoked_is_refused(authority: Authority, by: str) -> None:
    tokens = _log_in(authority)
    authority.revoke(tokens[by])
    assert authority.refuses(tokens["access_token"])
    with pytest.raises(OAuthError, match="expired or revoked") as caught:
        _refresh(authority, tokens["refresh_token"])
    assert (caught.value.status, caught.value.error) == (400, "invalid_grant")
    with pytest.raises(OAuthError):
        authority.revoke(tokens[by])


def test_the_user_takes_everything_back(authority: Authority) -> None:
    lasting, brief = _log_in(authority), _log_in(authority, access_type="online")
    authority.revoke_all()
    assert authority.refuses(lasting["access_token"])
    assert authority.refuses(brief["access_token"])


@pytest.mark.parametrize(
    ("scopes", "kind", "is_allowed"),
    [
        pytest.param(DRIVE_SCOPE, "files.delete", True, id="drive does for all"),
        pytest.param(f"{DRIVE_SCOPE}.readonly", "files.get.media", True, id="readonly reads"),
        pytest.param(f"{DRIVE_SCOPE}.readonly", "changes.getStartPageToken", True, id="readonly follows"),
        pytest.param(f"{DRIVE_SCOPE}.readonly", "files.update.resumable", False, id="readonly writes not"),
        pytest.param("openid", "files.list", False, id="no scope of Drive"),
    ],
)
def test_scopes(authority: Authority, scopes: str, kind: str, *, is_allowed: bool) -> None:
    authority.consent = Consent(scopes=scopes)
    assert authority.allows(_log_in(authority)["access_token"], kind) is is_allowed
    assert authority.allows("any other token", kind)


def test_what_is_said_of_a_token(authority: Authority, clock: Clock) -> None:
    clock.now_ms = 5_000
    token = _log_in(authority)["access_token"]
    clock.now_ms = 15_000
    said = authority.describe_token(token)
    assert (said["scope"], said["expires_in"], said["exp"]) == (DRIVE_SCOPE, "3590", "3605")
    assert authority.describe_token("any other token")["scope"] == DRIVE_SCOPE
    authority.revoke(token)
    with pytest.raises(OAuthError, match="Invalid Value"):
        authority.describe_token(token)


@pytest.mark.parametrize("body", [{"denies": 1}, {"lifetime_s": "long"}, {"scope": "drive"}])
def test_an_answer_that_is_none(body: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(body))):
        consent_from_json(Consent(), body)


def test_answers_are_changed_one_by_one() -> None:
    consent = Consent(scopes="a")
    assert consent_from_json(consent, {"denies": True}) == replace(consent, denies=True)


def test_over_http(call: Call, drive_emulator: DriveEmulator) -> None:
    def post(path: str, form: Mapping[str, str]) -> tuple[int, dict[str, str]]:
        body = urlencode(form).encode()
        status, _, answer = call("POST", f"/emulator/oauth/{path}", body, headers=_FORM_TYPE)
        return status, json.loads(answer)

    assert json.loads(call("GET", "/emulator/oauth/client")[2]) == drive_emulator.client_file()
    status, headers, _ = call("GET", f"/emulator/oauth/auth?{urlencode(_WISH)}")
    code = parse_qs(urlsplit(headers["location"]).query)["code"][0]
    assert (status, headers["location"].startswith(_LANDING)) == (302, True)

    status, tokens = post("token", {**_FORM, "code": code})
    assert status == 200
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert call("GET", "/drive/v3/files", headers=bearer)[0] == 200
    assert json.loads(call("POST", "/emulator/oauth/tokeninfo", headers=bearer)[2])["scope"] == DRIVE_SCOPE
    assert post("tokeninfo", {"access_token": tokens["access_token"]})[1]["access_type"] == "offline"

    assert post("revoke", {"token": tokens["refresh_token"]}) == (200, {})
    assert call("GET", "/drive/v3/files", headers=bearer)[0] == 401
    refresh = {**_CLIENT, "grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert post("token", refresh) == (
        400,
        {"error": "invalid_grant", "error_description": "Token has been expired or revoked."},
    )
    basic = {"Authorization": f"Basic {base64.b64encode(b'someone:else').decode()}"}
    status, _, answer = call("POST", "/emulator/oauth/token", urlencode(refresh).encode(), headers=basic)
    assert (status, json.loads(answer)["error"]) == (401, "invalid_client")
    assert post("tokeninfo", {"access_token": tokens["access_token"]})[0] == 400
    assert call("GET", "/emulator/oauth/auth")[0] == 401


def test_a_token_without_the_scope_cannot_write(
    drive_emulator: DriveEmulator, reason: Callable[..., tuple[int, str]], call: Call
) -> None:
    call("POST", "/emulator/oauth", json.dumps({"scopes": f"{DRIVE_SCOPE}.readonly"}).encode())
    token = _log_in(drive_emulator.app.authority)["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert call("GET", "/drive/v3/files", headers=bearer)[0] == 200
    assert reason("POST", "/drive/v3/files", headers=bearer) == (403, "insufficientPermissions")


def test_what_is_answered_can_be_asked_changed_and_reset(call: Call, drive_emulator: DriveEmulator) -> None:
    assert call("POST", "/emulator/oauth", b'{"denies": 3}')[0] == 400
    changed = json.loads(call("POST", "/emulator/oauth", b'{"denies": true, "lifetime_s": 2}')[2])
    assert changed == {"denies": True, "scopes": "", "lifetime_s": 2, "lasting": True, "refreshed": 0}
    drive_emulator.reset()
    assert not json.loads(call("GET", "/emulator/oauth")[2])["denies"]
    token = _log_in(drive_emulator.app.authority)["access_token"]
    call("DELETE", "/emulator/oauth")
    assert drive_emulator.app.authority.refuses(token)
