"""Where the token comes from, and what is said where there is none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import google.auth.compute_engine
import pytest

from drivesync.config import Settings
from drivesync.errors import NotAllowedError
from drivesync.remotes.drive.auth import Origin, advise, find_credentials, locate_credentials
from drivesync.remotes.drive.authorization import GivenToken
from drivesync.remotes.drive.kept import login_path, write_private
from drivesync.remotes.drive.translate import LOG_IN_HINT

if TYPE_CHECKING:
    from pathlib import Path


_LOGIN = {
    "type": "authorized_user",
    "refresh_token": "1//kept",
    "client_id": "me",
    "client_secret": "mine",
    "token_uri": "https://oauth2.googleapis.com/token",
}


@pytest.fixture(autouse=True)
def _nobody_is_logged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)


@pytest.fixture
def kept() -> Path:
    """Someone has logged in."""
    path = login_path(Settings())
    write_private(path, json.dumps(_LOGIN).encode())
    return path


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another login, named for this very command."""
    key = tmp_path / "key.json"
    key.write_text(json.dumps(_LOGIN | {"refresh_token": "1//named"}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
    return key


def test_a_given_token_goes_before_all(kept: Path, key_file: Path) -> None:
    found = locate_credentials(Settings(access_token="given"))
    assert (found.credentials.token, found.origin.kind) == ("given", "token")
    assert kept.exists()
    assert key_file.exists()


def test_a_named_key_file_goes_before_what_is_remembered(kept: Path, key_file: Path) -> None:
    found = locate_credentials(Settings())
    assert (found.credentials.refresh_token, found.origin.kind) == ("1//named", "key file")
    assert str(key_file) in found.origin.place
    assert kept.exists()


def test_what_is_remembered_goes_before_what_gcloud_left(kept: Path, tmp_path: Path) -> None:
    (tmp_path / "application_default_credentials.json").write_text(json.dumps(_LOGIN))
    found = locate_credentials(Settings())
    assert (found.credentials.refresh_token, found.origin.kind) == ("1//kept", "login")
    assert str(kept) in found.origin.place


@pytest.mark.parametrize(
    ("tag", "kind", "remedy"),
    [
        ("", "gcloud", "Run `python -m drivesync login`"),
        (
            "release-colab_20261101",
            "colab",
            "Run `from google.colab import auth; auth.authenticate_user()` in a cell",
        ),
    ],
)
def test_what_gcloud_or_a_colab_cell_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tag: str, kind: str, remedy: str
) -> None:
    if tag:
        monkeypatch.setenv("COLAB_RELEASE_TAG", tag)
    (tmp_path / "application_default_credentials.json").write_text(json.dumps(_LOGIN))
    origin = locate_credentials(Settings()).origin
    assert origin.kind == kind
    assert origin.remedy.startswith(remedy)


def test_a_virtual_machine_of_google(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = google.auth.compute_engine.Credentials()
    monkeypatch.setattr(google.auth, "default", lambda **_options: (machine, None))
    assert locate_credentials(Settings()).origin.kind == "machine"


def test_to_an_emulator_goes_no_secret_of_google(kept: Path, key_file: Path) -> None:
    settings = Settings(emulator_url="http://127.0.0.1:1")
    found = locate_credentials(settings)
    assert isinstance(found.credentials, GivenToken)
    assert found.credentials.token == "emulator"
    assert found.origin.kind == "emulator"
    assert kept.exists()
    assert key_file.exists()


def test_a_torn_login_is_not_passed_over(kept: Path) -> None:
    kept.write_text("{")
    with pytest.raises(NotAllowedError, match="torn") as caught:
        find_credentials(Settings())
    assert "python -m drivesync login" in caught.value.hint


def test_secrets_are_not_shown(kept: Path) -> None:
    found = locate_credentials(Settings())
    assert "1//kept" not in repr(found) + repr(found.credentials)
    assert kept.exists()


def test_advice_is_about_the_credentials_that_were_refused() -> None:
    origin = Origin("token", "a variable", "Set it anew.")
    with pytest.raises(NotAllowedError, match="refused; it came from a variable") as caught, advise(origin):
        raise NotAllowedError("refused", hint=LOG_IN_HINT)
    assert caught.value.hint == "Set it anew."
    with pytest.raises(NotAllowedError, match=r"^no scope$") as caught, advise(origin):
        raise NotAllowedError("no scope", hint="Ask for it.")
    assert caught.value.hint == "Ask for it."


def test_without_any_the_way_to_one_is_said() -> None:
    with pytest.raises(NotAllowedError, match="no Google credentials were found") as caught:
        find_credentials(Settings())
    assert "In Colab run `from google.colab import auth; auth.authenticate_user()`" in caught.value.hint
    assert "elsewhere run `python -m drivesync login`" in caught.value.hint


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        '{"type": "unheard of"}',
        '{"type": "service_account", "private_key": "torn", "client_email": "a"}',
    ],
)
def test_a_damaged_key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    key = tmp_path / "key.json"
    key.write_text(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
    with pytest.raises(NotAllowedError, match="GOOGLE_APPLICATION_CREDENTIALS names"):
        find_credentials(Settings())


def test_a_key_file_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "absent.json"))
    with pytest.raises(NotAllowedError):
        find_credentials(Settings())
