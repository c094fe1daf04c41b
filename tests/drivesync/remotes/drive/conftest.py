"""A login at the emulator, whose tokens can be renewed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from google.oauth2.credentials import Credentials

from drivesync.remotes.drive.kept import keep_login
from drivesync.testing.oauth import CLIENT_ID, CLIENT_SECRET, DRIVE_SCOPE

if TYPE_CHECKING:
    from pathlib import Path

    from drivesync.config import Settings
    from tests.drivesync.remotes.conftest import Drive

REDIRECT = "http://127.0.0.1:1/"


@pytest.fixture
def refreshable(
    settings: Settings, drive: Drive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """Settings under which a login is found that was made at the emulator."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with drive.emulator.locked():
        authority = drive.emulator.app.authority
        wish = {"client_id": CLIENT_ID, "redirect_uri": REDIRECT, "response_type": "code"}
        address = authority.authorize({**wish, "scope": DRIVE_SCOPE, "access_type": "offline"})
        code = address.partition("code=")[2].partition("&")[0].replace("%2F", "/")
        client = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        form = {**client, "grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT}
        granted = authority.give_token(form)
    login = Credentials(
        token=None,
        refresh_token=granted["refresh_token"],
        token_uri=f"{drive.emulator.url}/emulator/oauth/token",
        **client,
    )
    found = replace(settings, access_token="")
    keep_login(found, login)
    return found
