"""A login is kept for its owner alone, whole or not at all, and told from everything else."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest
from google.oauth2.credentials import Credentials

from drivesync.config import Settings
from drivesync.errors import LocalWriteError, NotAllowedError
from drivesync.remotes.drive.kept import (
    config_folder,
    forget_login,
    keep_login,
    login_path,
    name_kind,
    read_login,
    write_private,
)

if TYPE_CHECKING:
    from pathlib import Path

_LOGIN = {
    "type": "authorized_user",
    "refresh_token": "1//s3cret",
    "client_id": "me",
    "client_secret": "s3cret too",
    "token_uri": "https://oauth2.googleapis.com/token",
}


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def _credentials(**changes: str) -> Any:
    info = {name: value for name, value in _LOGIN.items() if name != "type"} | changes
    return Credentials(token="ya29.brief", **info)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_login_comes_back_without_its_access_token() -> None:
    path = keep_login(Settings(), _credentials())
    kept = read_login(Settings())
    assert kept is not None
    assert (kept.refresh_token, kept.client_id, kept.client_secret) == ("1//s3cret", "me", "s3cret too")
    assert (kept.token_uri, kept.token, kept.valid) == (_LOGIN["token_uri"], None, False)
    assert json.loads(path.read_text()) == _LOGIN


def test_nobody_else_can_read_it_whatever_the_umask_says() -> None:
    config_folder(Settings()).mkdir(parents=True, mode=0o777)
    before = os.umask(0)
    try:
        path = keep_login(Settings(), _credentials())
    finally:
        os.umask(before)
    assert (_mode(path), _mode(path.parent)) == (0o600, 0o700)


def test_it_is_never_readable_by_others_not_for_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def look(descriptor: int) -> None:
        seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))

    monkeypatch.setattr(os, "fsync", look)
    write_private(tmp_path / "new" / "file", b"x")
    assert seen[0] == 0o600
    assert _mode(tmp_path / "new" / "file") == 0o600


def test_a_disk_that_fails_leaves_the_old_login(monkeypatch: pytest.MonkeyPatch) -> None:
    path = keep_login(Settings(), _credentials())

    def fail(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(LocalWriteError, match="Input/output"):
        keep_login(Settings(), _credentials(refresh_token="1//other"))
    assert json.loads(path.read_text()) == _LOGIN
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_nothing_kept_is_no_error() -> None:
    assert read_login(Settings()) is None
    assert forget_login(Settings()) is None


def test_forgotten() -> None:
    path = keep_login(Settings(), _credentials())
    assert forget_login(Settings()) == path
    assert not path.exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param("", "torn", id="empty"),
        pytest.param('{"type": "authorized_user", "refresh_tok', "torn", id="torn"),
        pytest.param("[]", "torn", id="a list"),
        pytest.param(b"\xff\xfe", "torn", id="no text"),
        pytest.param({"installed": {}}, "a client file, not a login", id="client"),
        pytest.param({"type": "service_account"}, "the key of a service account", id="key"),
        pytest.param(_LOGIN | {"refresh_token": ""}, "it has no refresh_token", id="no refresh token"),
        pytest.param(_LOGIN | {"type": "x", "token_uri": 3}, "no token_uri", id="no address"),
    ],
)
def test_what_is_no_login_is_named(content: Any, said: str) -> None:
    path = login_path(Settings())
    raw = (
        content
        if isinstance(content, bytes)
        else content
        if isinstance(content, str)
        else json.dumps(content)
    )
    write_private(path, raw if isinstance(raw, bytes) else raw.encode())
    with pytest.raises(NotAllowedError, match=said) as caught:
        read_login(Settings())
    assert str(path) in str(caught.value)
    assert "login" in caught.value.hint
    assert "s3cret" not in str(caught.value) + caught.value.hint


def test_a_folder_in_its_place() -> None:
    login_path(Settings()).mkdir(parents=True)
    with pytest.raises(LocalWriteError, match="cannot read"):
        read_login(Settings())


def test_an_emulator_has_a_login_of_its_own_for_as_long_as_it_lives() -> None:
    today = Settings(emulator_url="http://127.0.0.1:1")
    keep_login(Settings(), _credentials())
    assert read_login(today) is None
    keep_login(today, _credentials(token_uri="http://127.0.0.1:1/emulator/oauth/token"))
    assert read_login(today) is not None
    assert read_login(Settings(emulator_url="http://127.0.0.1:12")) is None
    kept = read_login(Settings())
    assert kept is not None
    assert kept.token_uri == _LOGIN["token_uri"]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({"type": "authorized_user"}, "a login, not a client"),
        ({"web": {}}, "the client file of a web application"),
        ({"type": "new"}, ""),
        ({}, ""),
    ],
)
def test_kinds(content: dict[str, Any], kind: str) -> None:
    assert name_kind(content) == kind
