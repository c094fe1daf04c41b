"""Who one is to Drive: as Google says it, whatever the credentials say of themselves."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from google.oauth2.credentials import Credentials

from drivesync.config import Settings
from drivesync.errors import NotAllowedError, TransientError
from drivesync.remotes.drive.account import Account
from drivesync.remotes.drive.auth import Origin
from drivesync.remotes.drive.kept import keep_login, write_private
from drivesync.remotes.login.whoami import Identity, ask_account, find_limits, identify
from drivesync.testing import ErrorAnswer, ExpiredToken, Fault
from drivesync.testing.oauth import CLIENT_ID, CLIENT_SECRET

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.testing import DriveEmulator

_DRIVE = "https://www.googleapis.com/auth/drive"


@pytest.fixture
def emulated(drive_emulator: DriveEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Nothing but the emulator is named."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return Settings(emulator_url=drive_emulator.url, retries=0)


@pytest.fixture
def log_in(emulated: Settings, drive_emulator: DriveEmulator) -> Callable[..., Path]:
    """``log_in(scopes=...)`` -> the kept login of a user who granted these, whatever was asked for."""

    def keep(scopes: str = _DRIVE) -> Path:
        landing = "http://127.0.0.1:1/"
        client = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "redirect_uri": landing}
        wish = {"response_type": "code", "scope": scopes, "access_type": "offline", "prompt": "consent"}
        with drive_emulator.locked():
            authority = drive_emulator.app.authority
            query = parse_qs(urlsplit(authority.authorize(client | wish)).query)
            form = {"grant_type": "authorization_code", "code": query["code"][0]}
            tokens = authority.give_token(client | form)
        token_uri = f"{drive_emulator.url}/emulator/oauth/token"
        return keep_login(
            emulated,
            Credentials(
                token=None,
                refresh_token=tokens["refresh_token"],
                token_uri=token_uri,
                client_id=CLIENT_ID,
                client_secret=CLIENT_SECRET,
            ),
        )

    return keep


def _identify(settings: Settings) -> Identity:
    return identify(settings, pytest.fail)


@pytest.mark.parametrize(
    ("scopes", "said"),
    [
        pytest.param([_DRIVE, "openid"], None, id="drive does for all"),
        pytest.param([f"{_DRIVE}.readonly"], "can pull but not push", id="readonly"),
        pytest.param([f"{_DRIVE}.file"], "only what this program itself", id="file"),
        pytest.param([f"{_DRIVE}.file", f"{_DRIVE}.readonly"], "push over nothing", id="both"),
        pytest.param([f"{_DRIVE}.metadata.readonly"], "neither pull nor push", id="names, no bytes"),
        pytest.param(["https://www.googleapis.com/auth/cloud-platform"], "neither", id="gcloud's own"),
        pytest.param([], "neither", id="none"),
    ],
)
def test_what_scopes_cannot_do_is_said(scopes: list[str], said: str | None) -> None:
    limits = find_limits(scopes)
    assert len(limits) == (said is not None)
    assert said is None or said in limits[0]


def test_a_token_from_the_environment(settings: Settings, drive_emulator: DriveEmulator) -> None:
    drive_emulator.store.storage_limit_bytes = 1000
    drive_emulator.put("a", bytes(300))
    identity = _identify(settings)
    assert (identity.account.limit_bytes, identity.account.used_bytes) == (1000, 300)
    assert identity.account.left_bytes == 700
    assert "@" in identity.account.email
    assert (identity.scopes, identity.limits) == ((_DRIVE,), ())
    assert identity.origin.place == "the environment variable GOOGLE_OAUTH_ACCESS_TOKEN"


@pytest.mark.parametrize(
    ("limit_bytes", "left_bytes"),
    [pytest.param(None, None, id="no limit"), pytest.param(100, 0, id="over the limit")],
)
def test_storage(
    settings: Settings, drive_emulator: DriveEmulator, limit_bytes: int | None, left_bytes: int | None
) -> None:
    drive_emulator.put("a", bytes(300))
    drive_emulator.store.storage_limit_bytes = limit_bytes
    assert ask_account(settings, pytest.fail).left_bytes == left_bytes


def test_scopes_are_those_that_were_granted(
    emulated: Settings, log_in: Callable[..., Path], drive_emulator: DriveEmulator
) -> None:
    log_in(scopes=f"{_DRIVE}.readonly")
    identity = _identify(emulated)
    assert identity.scopes == (f"{_DRIVE}.readonly",)
    assert "push needs drive" in identity.limits[0]
    assert identity.origin.kind == "login"
    assert drive_emulator.app.authority.refreshed == 1


@pytest.mark.parametrize(
    ("account", "storage"),
    [
        pytest.param(Account("Ann", "ann@x.test", 3000, 1000), "1.0 kB used, 2.0 kB left", id="a limit"),
        pytest.param(Account("Ann", "ann@x.test", None, 1000), "1.0 kB used, no limit", id="no limit"),
    ],
)
def test_as_lines(account: Account, storage: str) -> None:
    origin = Origin("login", "the login kept in F", "")
    assert Identity(account, (f"{_DRIVE}.file",), ("Beware.",), origin).lines() == (
        "account:      Ann <ann@x.test>",
        f"storage:      {storage}",
        "scopes:       drive.file",
        "credentials:  the login kept in F",
        "Beware.",
    )


def test_as_json(settings: Settings) -> None:
    told = json.loads(json.dumps(_identify(settings).to_json()))
    assert told.keys() == {
        "name", "email", "limit_bytes", "used_bytes", "left_bytes", "scopes", "limits", "origin"
    }  # fmt: skip
    assert told["origin"]["kind"] == "token"


def test_a_login_that_was_taken_back(
    emulated: Settings, log_in: Callable[..., Path], drive_emulator: DriveEmulator
) -> None:
    log_in()
    drive_emulator.app.authority.revoke_all()
    with pytest.raises(NotAllowedError, match="it came from the login kept in ") as caught:
        _identify(emulated)
    assert caught.value.exit_code == 77
    assert caught.value.hint == "Run `python -m drivesync login` again."


def test_a_given_token_that_is_refused(settings: Settings, drive_emulator: DriveEmulator) -> None:
    drive_emulator.inject(Fault(ExpiredToken(), times=None))
    with pytest.raises(NotAllowedError, match="GOOGLE_OAUTH_ACCESS_TOKEN") as caught:
        _identify(settings)
    assert "unset it" in caught.value.hint
    assert settings.access_token not in str(caught.value)


def test_a_project_without_drive_is_not_blamed_on_the_login(
    settings: Settings, drive_emulator: DriveEmulator
) -> None:
    drive_emulator.inject(Fault(ErrorAnswer(403, "accessNotConfigured")))
    with pytest.raises(NotAllowedError) as caught:
        _identify(settings)
    assert "not enabled" in caught.value.hint


def test_nobody_there(settings: Settings) -> None:
    with pytest.raises(TransientError):
        identify(replace(settings, emulator_url="http://127.0.0.1:9", retries=0), lambda _line: None)


def test_a_login_server_that_is_not_there(
    emulated: Settings, log_in: Callable[..., Path], drive_emulator: DriveEmulator
) -> None:
    path = log_in()
    kept = json.loads(path.read_text())
    kept["token_uri"] = f"{drive_emulator.url}/emulator/oauth/nothing"
    write_private(path, json.dumps(kept).encode())
    with pytest.raises(NotAllowedError, match="refreshing the access token"):
        _identify(emulated)


def test_an_account_without_a_limit() -> None:
    assert Account("me", "", None, 5).left_bytes is None
