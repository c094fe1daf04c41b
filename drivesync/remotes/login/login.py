"""Logging in from a terminal: the user's own client asks Google, and Google asks the user in a browser.

The flow is the one for installed programs, https://developers.google.com/identity/protocols/oauth2/native-app, with
PKCE. Google's library makes the requests; where the browser lands is in ``landing``, what is kept in ``kept``.
"""

from __future__ import annotations

import json
import os
import sys
import webbrowser
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from drivesync.errors import NotAllowedError, SettingsError, TransientError, UsageError
from drivesync.remotes.drive.auth import SCOPES, in_colab
from drivesync.remotes.drive.kept import (
    LOGIN_COMMAND,
    client_path,
    forget_login,
    keep_login,
    name_kind,
    read_google_file,
    write_private,
)
from drivesync.remotes.drive.translate import COLAB_CELL
from drivesync.remotes.login.landing import Landing
from drivesync.remotes.login.whoami import ask_account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from drivesync.config import Settings
    from drivesync.remotes.drive.account import Account

TIMEOUT_S: Final = 300.0
"""How long a user may take to find the right account and say yes."""

_ANSWER_S: Final = 60.0
_CONNECTIONS: Final = "https://myaccount.google.com/connections"
_HOW_TO_GET_A_CLIENT: Final = (
    "At https://console.cloud.google.com/apis/credentials make an OAuth client ID of the type Desktop app in a "
    f"project with the Drive API enabled, download its JSON file, and run `{LOGIN_COMMAND} CLIENT_FILE`."
)


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A login that is kept; ``str()`` says so to the user."""

    account: Account
    path: Path

    def __str__(self) -> str:
        who = f"{self.account.name} <{self.account.email}>" if self.account.email else self.account.name
        return f"logged in as {who}; the login is kept in {self.path}, which only you can read"


def login(
    settings: Settings,
    client_file: Path | None,
    tell: Callable[[str], None],
    *,
    open_browser: Callable[[str], object] | None,
    typed: int | None,
    timeout_s: float = TIMEOUT_S,
) -> LoggedIn:
    """Log in, and keep the login for later commands.

    Args:
        settings: see ``Settings``.
        client_file: Google's JSON file of a client of the type Desktop app; None for that of the last login.
        tell: told lines that the user has to read now.
        open_browser: shows an address; None where the user has to open it. See ``find_browser``.
        typed: the file descriptor on which the user may paste the address that the browser ended on, as one on
            another machine has to be helped; None for none. See ``find_terminal``.
        timeout_s: how long to wait for the user.

    Raises:
        UsageError: in Colab, where a cell does this.
        SettingsError: the client file does not do.
        NotAllowedError: the user or Google refused.
        UnfinishedError: nobody answered.
        TransientError: Google could not be reached.
        LocalWriteError: the login cannot be kept.
    """
    if in_colab() and not settings.emulator_url:
        raise UsageError(
            "in Colab a cell logs in, not a command", hint=f"Run `{COLAB_CELL}` in a cell of its own."
        )
    client = _read_client(client_file or client_path(settings), settings, is_named=client_file is not None)
    credentials = _ask_google(client, tell, open_browser, typed, timeout_s)
    path = keep_login(settings, credentials)
    write_private(client_path(settings), json.dumps(client).encode())
    return LoggedIn(ask_account(replace(settings, access_token=credentials.token), tell), path)


def logout(settings: Settings) -> str:
    """Forget the kept login, and say what was done.

    Raises:
        LocalWriteError: it cannot be removed.
    """
    path = forget_login(settings)
    if path is None:
        return "nobody is logged in"
    return f"logged out: {path} is removed; to take the access itself back, see {_CONNECTIONS}"


def find_browser() -> Callable[[str], object] | None:
    """What shows an address in a window; None on a machine without windows, where a text browser would help nobody."""
    has_windows = sys.platform == "darwin" or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    )
    return webbrowser.open if has_windows else None


def find_terminal() -> int | None:
    """The file descriptor on which a user can type; None where nobody sits at a terminal."""
    return sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else None


def _ask_google(
    client: dict[str, Any],
    tell: Callable[[str], None],
    open_browser: Callable[[str], object] | None,
    typed: int | None,
    timeout_s: float,
) -> Any:
    # Imported here, since it costs every other command a quarter of a second.
    from google_auth_oauthlib.flow import InstalledAppFlow  # noqa: PLC0415

    with Landing(typed) as landing:
        flow = InstalledAppFlow.from_client_config(
            client, SCOPES, redirect_uri=landing.address, autogenerate_code_verifier=True
        )
        # A refresh token comes for sure only where the user is asked.
        with _library_options(flow):
            address, state = flow.authorization_url(access_type="offline", prompt="consent")
        tell(f"Allow access to your Drive at this address:\n\n  {address}\n")
        if typed is not None:
            tell(
                "Is that browser on another machine? It will end on a page that it cannot open: paste the address "
                "of that page here."
            )
        if open_browser is not None:
            open_browser(address)
        reply = landing.wait(state, tell, timeout_s)
    if not reply.code:
        said = "access was denied" if reply.error == "access_denied" else f"Google refuses: {reply.error}"
        raise NotAllowedError(
            said, hint="Run the same command again and allow access, with the right account."
        )
    return _redeem(flow, reply.code)


def _redeem(flow: Any, code: str) -> Any:
    """Turn the code into credentials that last."""
    from oauthlib.oauth2 import MissingTokenError, OAuth2Error  # type: ignore[import-untyped]  # noqa: PLC0415
    from requests.exceptions import RequestException  # noqa: PLC0415

    try:
        with _library_options(flow):
            answer = flow.fetch_token(code=code, timeout=_ANSWER_S)
    except (MissingTokenError, RequestException, ValueError):
        raise TransientError("no answer from Google's log-in server") from None
    except OAuth2Error as error:
        hint = "Run the same command again; if that does not help, download the client file anew."
        raise NotAllowedError(f"Google does not take the code: {error.error}", hint=hint) from None
    finally:
        flow.oauth2session.close()
    scopes = answer.get("scope") or SCOPES
    if not set(SCOPES) <= set(scopes.split() if isinstance(scopes, str) else scopes):
        hint = "Run the same command again, and leave the access to Drive ticked."
        raise NotAllowedError("Google gave no access to Drive", hint=hint)
    if not answer.get("refresh_token"):
        hint = f"Remove this client at {_CONNECTIONS} and run the same command again."
        raise NotAllowedError("Google gave no token that lasts", hint=hint)
    return flow.credentials


@contextmanager
def _library_options(flow: Any) -> Iterator[None]:
    """Set oauthlib's two switches, which are variables of the environment, for one call.

    It takes other scopes than were asked for as an error without a type; they are looked at here. And it refuses to
    speak plain http, also to an emulator on loopback, which is all that a client file may name (``_check_address``).
    """
    options = {"OAUTHLIB_RELAX_TOKEN_SCOPE": "1"}
    if flow.client_config["token_uri"].startswith("http://"):
        options["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
    before = {name: os.environ.get(name) for name in options}
    os.environ.update(options)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _read_client(path: Path, settings: Settings, *, is_named: bool) -> dict[str, Any]:
    """The content of a client file that does for this flow.

    Raises:
        SettingsError: it is not there, or something else, with what to do.
    """
    try:
        content = read_google_file(path)
    except NotAllowedError as error:
        raise SettingsError(str(error), hint=_HOW_TO_GET_A_CLIENT) from None
    if content is None:
        said = (
            f"there is no client file {path}"
            if is_named
            else "no client file was named, and none is remembered"
        )
        raise SettingsError(said, hint=_HOW_TO_GET_A_CLIENT)
    client = content.get("installed")
    if not isinstance(client, dict):
        hint = _HOW_TO_GET_A_CLIENT
        if content.get("type") == "service_account":
            hint = f"That needs no login: set GOOGLE_APPLICATION_CREDENTIALS to {path}."
        what = name_kind(content) or "something else"
        raise SettingsError(f"{path} is {what}, not a client of the type Desktop app", hint=hint)
    needed = ("client_id", "client_secret", "auth_uri", "token_uri")
    if missing := [name for name in needed if not (isinstance(client.get(name), str) and client[name])]:
        raise SettingsError(f"{path} has no {' and no '.join(missing)}", hint=_HOW_TO_GET_A_CLIENT)
    for name in ("auth_uri", "token_uri"):
        _check_address(path, client[name], settings)
    return {"installed": client}


def _check_address(path: Path, address: str, settings: Settings) -> None:
    """See that a secret goes to Google over TLS, or to the emulator that is in use."""
    if settings.emulator_url:
        if not address.startswith(f"{settings.emulator_url}/"):
            hint = f"Get one by `curl {settings.emulator_url}/emulator/oauth/client`, or unset DRIVE_EMULATOR_HOST."
            raise SettingsError(f"{path} is no client of the emulator at {settings.emulator_url}", hint=hint)
    elif urlsplit(address).scheme != "https":
        raise SettingsError(f"{path} names {address}, which is not https", hint=_HOW_TO_GET_A_CLIENT)
