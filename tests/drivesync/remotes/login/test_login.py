"""Logging in end to end: Google's own flow, a browser that follows where it is sent, an authorization server."""

from __future__ import annotations

import io
import json
import os
import stat
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import urllib3

from drivesync.config import Settings
from drivesync.errors import (
    NotAllowedError,
    SettingsError,
    TransientError,
    UnfinishedError,
    UsageError,
)
from drivesync.files import RemoteFile
from drivesync.remotes.drive.auth import SCOPES, locate_credentials
from drivesync.remotes.drive.kept import client_path, login_path
from drivesync.remotes.drive.remote import DriveRemote
from drivesync.remotes.login.login import find_browser, find_terminal, login, logout
from drivesync.testing import ErrorAnswer, ExpiredToken, Fault
from drivesync.testing.oauth import CLIENT_SECRET, Consent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from drivesync.remotes.login.login import LoggedIn
    from drivesync.testing import DriveEmulator


_DESKTOP = {
    "client_id": "me",
    "client_secret": CLIENT_SECRET,
    "auth_uri": "https://accounts.google.com/o/oauth2/auth",
    "token_uri": "https://oauth2.googleapis.com/token",
}


class Browser:
    """Follows where it is sent, in a thread of its own as a user's does; ``landed`` is the address of the last page."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self._threads: list[threading.Thread] = []

    def __call__(self, address: str) -> None:
        self.opened.append(address)
        thread = threading.Thread(target=self._browse, args=(address,))
        self._threads.append(thread)
        thread.start()

    def close(self) -> None:
        for thread in self._threads:
            thread.join()

    @staticmethod
    def _browse(address: str) -> None:
        with urllib3.PoolManager(retries=urllib3.Retry(redirect=3, connect=0, read=0)) as http:
            http.request("GET", address)


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("COLAB_RELEASE_TAG", "GOOGLE_APPLICATION_CREDENTIALS", "OAUTHLIB_INSECURE_TRANSPORT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def emulated(drive_emulator: DriveEmulator) -> Settings:
    """Nothing but the emulator is named."""
    return Settings(emulator_url=drive_emulator.url, retries=2, retry_wait_s=0.001)


@pytest.fixture
def browser() -> Iterator[Browser]:
    with ExitStack() as stack:
        opened = Browser()
        stack.callback(opened.close)
        yield opened


@pytest.fixture
def client_file(drive_emulator: DriveEmulator, tmp_path: Path) -> Path:
    path = tmp_path / "downloaded.json"
    path.write_text(json.dumps(drive_emulator.client_file()))
    return path


@pytest.fixture
def log_in(emulated: Settings, client_file: Path, browser: Browser) -> Callable[..., LoggedIn]:
    """``log_in()`` as a user with a browser does; what is said is not looked at."""

    def run(client: Path | None = client_file, **options: Any) -> LoggedIn:
        more: dict[str, Any] = {"open_browser": browser, "typed": None, "timeout_s": 20.0, **options}
        return login(emulated, client, lambda _line: None, **more)

    return run


def _files(remote: DriveRemote) -> list[RemoteFile]:
    entries = [entry for page in remote.list() for entry in page.entries]
    return [entry for entry in entries if isinstance(entry, RemoteFile)]


def _read(settings: Settings) -> list[str]:
    """What a listing shows, with the credentials that are found."""
    with DriveRemote("darknet", settings, first_wait_s=0.001) as remote:
        return [file.path for file in _files(remote)]


def test_logged_in_for_this_command_and_the_next(
    log_in: Callable[..., LoggedIn], emulated: Settings, drive_emulator: DriveEmulator, browser: Browser
) -> None:
    drive_emulator.put("darknet/cfg/a.cfg", b"x")
    done = log_in()
    assert done.account.email in str(done)
    assert str(done.path) in str(done)
    assert locate_credentials(emulated).origin.kind == "login"
    assert _read(emulated) == ["cfg/a.cfg"]
    for part in ("access_type=offline", "prompt=consent", "code_challenge_method=S256"):
        assert part in browser.opened[0]


def test_what_is_kept_is_for_nobody_else_and_the_client_is_remembered(
    log_in: Callable[..., LoggedIn], emulated: Settings
) -> None:
    with pytest.raises(SettingsError, match="none is remembered") as caught:
        log_in(None)
    assert "Desktop app" in caught.value.hint
    log_in()
    for path in (login_path(emulated), client_path(emulated)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(login_path(emulated).parent.stat().st_mode) == 0o700
    logout(emulated)
    log_in(None)
    assert login_path(emulated).exists()


def test_a_token_that_expires_at_work_is_renewed_unnoticed(
    log_in: Callable[..., LoggedIn], emulated: Settings, drive_emulator: DriveEmulator
) -> None:
    drive_emulator.put("darknet/a.cfg", b"x")
    log_in()
    drive_emulator.inject(*(Fault(ExpiredToken(), call=call) for call in ("files.list", "files.get.media")))
    content = bytearray()

    class Sink:
        def write(self, block: bytes) -> None:
            content.extend(block)

    with DriveRemote("darknet", emulated, first_wait_s=0.001) as remote:
        (file,) = _files(remote)
        remote.read(file, Sink())
    assert content == b"x"
    # To begin with, and once for each that was refused.
    assert drive_emulator.app.authority.refreshed == 3


def test_access_that_was_taken_back_gives_77(
    log_in: Callable[..., LoggedIn], emulated: Settings, drive_emulator: DriveEmulator
) -> None:
    log_in()
    drive_emulator.app.authority.revoke_all()
    with pytest.raises(NotAllowedError) as caught:
        _read(emulated)
    assert caught.value.exit_code == 77
    assert caught.value.hint


def test_without_a_browser_the_address_is_pasted(emulated: Settings, client_file: Path) -> None:
    reading, writing = os.pipe()
    lines: list[str] = []

    def hear(line: str) -> None:
        """The user, who opens the address on another machine and copies where it ends."""
        lines.append(line)
        if "on another machine" in line:
            address = lines[0].split()[-1]
            with urllib3.PoolManager() as http:
                landed = http.request("GET", address, redirect=False).headers["location"]
            os.write(writing, f"{landed}\n".encode())

    try:
        done = login(emulated, client_file, hear, open_browser=None, typed=reading, timeout_s=20)
    finally:
        os.close(reading)
        os.close(writing)
    assert done.account.email
    assert len(lines) == 2


@pytest.mark.parametrize(
    ("consent", "said"),
    [
        pytest.param(Consent(denies=True), "access was denied", id="denied"),
        pytest.param(Consent(scopes=f"{SCOPES[0]}.readonly"), "no access to Drive", id="not ticked"),
        pytest.param(Consent(lasting=False), "no token that lasts", id="no refresh token"),
    ],
)
def test_a_user_who_does_not_allow_it(
    log_in: Callable[..., LoggedIn],
    emulated: Settings,
    drive_emulator: DriveEmulator,
    consent: Consent,
    said: str,
) -> None:
    drive_emulator.app.authority.consent = consent
    with pytest.raises(NotAllowedError, match=said) as caught:
        log_in()
    assert caught.value.hint
    assert not login_path(emulated).exists()


def test_more_scopes_than_were_asked_for_do(
    log_in: Callable[..., LoggedIn], drive_emulator: DriveEmulator
) -> None:
    drive_emulator.app.authority.consent = Consent(scopes=f"openid {SCOPES[0]}")
    assert log_in().account.email


def test_nobody_answers(log_in: Callable[..., LoggedIn], emulated: Settings) -> None:
    with pytest.raises(UnfinishedError, match="nobody gave an answer"):
        log_in(open_browser=None, timeout_s=0.0)
    assert not login_path(emulated).exists()


def test_a_code_that_is_not_taken(log_in: Callable[..., LoggedIn], client_file: Path) -> None:
    client = json.loads(client_file.read_text())
    client["installed"]["client_secret"] = "of another day"
    client_file.write_text(json.dumps(client))
    with pytest.raises(NotAllowedError, match="invalid_client") as caught:
        log_in()
    assert "of another day" not in str(caught.value)
    assert not {"OAUTHLIB_INSECURE_TRANSPORT", "OAUTHLIB_RELAX_TOKEN_SCOPE"} & os.environ.keys()


def test_a_log_in_server_that_says_something_else(log_in: Callable[..., LoggedIn], client_file: Path) -> None:
    client = json.loads(client_file.read_text())
    client["installed"]["token_uri"] += "s"
    client_file.write_text(json.dumps(client))
    with pytest.raises(TransientError, match="no answer from Google's log-in server"):
        log_in()


def test_a_log_in_server_that_is_not_there(
    client_file: Path, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    away = {"auth_uri": "https://127.0.0.1:9/auth", "token_uri": "https://127.0.0.1:9/token"}
    client_file.write_text(json.dumps({"installed": _DESKTOP | away}))

    def answer(address: str) -> None:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        browser(f"{asked['redirect_uri']}?{urlencode({'state': asked['state'], 'code': '4/x'})}")

    with pytest.raises(TransientError, match="no answer from Google's log-in server"):
        login(Settings(), client_file, lambda _line: None, open_browser=answer, typed=None, timeout_s=20)
    assert not login_path(Settings()).exists()


def test_a_project_without_drive_keeps_the_login_for_when_it_has(
    log_in: Callable[..., LoggedIn], emulated: Settings, drive_emulator: DriveEmulator
) -> None:
    drive_emulator.inject(Fault(ErrorAnswer(403, "accessNotConfigured")))
    with pytest.raises(NotAllowedError) as caught:
        log_in()
    assert "not enabled" in caught.value.hint
    assert login_path(emulated).exists()


@pytest.mark.parametrize(
    ("content", "said", "hint"),
    [
        pytest.param(None, "there is no client file", "Desktop app", id="missing"),
        pytest.param("{", "torn", "Desktop app", id="torn"),
        pytest.param({"web": _DESKTOP}, "the client file of a web application", "Desktop app", id="web"),
        pytest.param(
            {"type": "service_account"}, "the key of a service account", "GOOGLE_APPLICATION", id="key"
        ),
        pytest.param({"type": "authorized_user"}, "a login, not a client", "Desktop app", id="login"),
        pytest.param({"a": 1}, "something else", "Desktop app", id="other JSON"),
        pytest.param({"installed": []}, "not a client of the type", "Desktop app", id="a list"),
        pytest.param(
            {"installed": _DESKTOP | {"client_secret": 3}}, "no client_secret", "Desktop app", id="no secret"
        ),
        pytest.param(
            {"installed": _DESKTOP | {"token_uri": "http://h/"}}, "not https", "Desktop app", id="plain http"
        ),
    ],
)
def test_what_is_no_client_file_is_named(tmp_path: Path, content: Any, said: str, hint: str) -> None:
    path = tmp_path / "client.json"
    if content is not None:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(SettingsError, match=said) as caught:
        login(Settings(), path, pytest.fail, open_browser=pytest.fail, typed=None)
    assert str(path) in str(caught.value)
    assert hint in caught.value.hint
    assert CLIENT_SECRET not in str(caught.value) + caught.value.hint


def test_google_is_not_asked_for_an_emulator(emulated: Settings, tmp_path: Path) -> None:
    path = tmp_path / "client.json"
    path.write_text(json.dumps({"installed": _DESKTOP}))
    with pytest.raises(SettingsError, match="no client of the emulator") as caught:
        login(emulated, path, pytest.fail, open_browser=pytest.fail, typed=None)
    assert f"{emulated.emulator_url}/emulator/oauth/client" in caught.value.hint


def test_in_colab_a_cell_logs_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab_20261101")
    with pytest.raises(UsageError) as caught:
        login(Settings(), None, pytest.fail, open_browser=pytest.fail, typed=None)
    assert "from google.colab import auth; auth.authenticate_user()" in caught.value.hint


def test_logged_out(log_in: Callable[..., LoggedIn], emulated: Settings) -> None:
    assert logout(emulated) == "nobody is logged in"
    log_in()
    assert str(login_path(emulated)) in logout(emulated)
    assert not login_path(emulated).exists()
    assert client_path(emulated).exists()


@pytest.mark.parametrize("shown_by", ["DISPLAY", "WAYLAND_DISPLAY", "BROWSER", ""])
def test_no_text_browser_is_started(monkeypatch: pytest.MonkeyPatch, shown_by: str) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    if shown_by:
        monkeypatch.setenv(shown_by, "x")
    assert (find_browser() is not None) is bool(shown_by)


def test_only_at_a_terminal_can_anything_be_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    leader, follower = os.openpty()
    with os.fdopen(leader), os.fdopen(follower) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        assert find_terminal() == terminal.fileno()
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert find_terminal() is None
    monkeypatch.setattr("sys.stdin", None)
    assert find_terminal() is None
