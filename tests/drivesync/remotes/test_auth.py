"""Where the token comes from, and what is said where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drivesync.config import Settings
from drivesync.errors import NotAllowedError
from drivesync.remotes.auth import find_credentials

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _nobody_is_logged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)


def test_a_given_token_is_used() -> None:
    assert find_credentials(Settings(access_token="given")).token == "given"


def test_the_emulator_takes_any() -> None:
    assert find_credentials(Settings(emulator_url="http://127.0.0.1:1")).token


def test_without_any_the_way_to_one_is_said() -> None:
    with pytest.raises(NotAllowedError, match="no Google credentials were found") as caught:
        find_credentials(Settings())
    assert "authenticate_user" in caught.value.hint


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
    with pytest.raises(NotAllowedError):
        find_credentials(Settings())


def test_a_key_file_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "absent.json"))
    with pytest.raises(NotAllowedError):
        find_credentials(Settings())
