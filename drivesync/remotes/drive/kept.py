"""The login that ``drivesync login`` keeps, for nobody's eyes but the user's.

    ~/.config/drivesync/            0700; where platformdirs says
    ├── credentials.json      0600  the refresh token and the client it was given to, in Google's "authorized_user" form
    └── client.json           0600  the client file of the last login, so that the next one need not name it

For an emulator it is ``drivesync-emulator``: what is tried out there never touches the login at Google.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from platformdirs import user_config_path

from drivesync.disk import fsync_folder, local_errors
from drivesync.errors import NotAllowedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivesync.config import Settings

LOGIN_COMMAND: Final = "python -m drivesync login"

_NEEDED: Final = ("refresh_token", "client_id", "client_secret", "token_uri")
_KINDS: Final = {
    "service_account": "the key of a service account",
    "authorized_user": "a login, not a client",
    "external_account": "the settings of a workload identity",
    "installed": "a client file, not a login",
    "web": "the client file of a web application",
}


def config_folder(settings: Settings) -> Path:
    """Where this user's login is kept; it may not be there."""
    return user_config_path("drivesync-emulator" if settings.emulator_url else "drivesync", appauthor=False)


def login_path(settings: Settings) -> Path:
    """The file of the kept login; it may not be there."""
    return config_folder(settings) / "credentials.json"


def client_path(settings: Settings) -> Path:
    """The client file that the last login left behind; it may not be there."""
    return config_folder(settings) / "client.json"


def read_login(settings: Settings) -> Any | None:
    """The kept login as google-auth's credentials, its access token still to be asked for; None if there is none.

    One that was made on another emulator than today's is none.

    Raises:
        NotAllowedError: the file is torn, or something else.
        LocalWriteError: the file cannot be read.
    """
    path = login_path(settings)
    info = read_google_file(path)
    if info is None:
        return None
    if missing := [name for name in _NEEDED if not (isinstance(info.get(name), str) and info[name])]:
        is_other = info.get("type") != "authorized_user" and name_kind(info)
        what = is_other or f"it has no {' and no '.join(missing)}"
        raise NotAllowedError(
            f"{path} holds no login ({what})",
            hint=f"Run `{LOGIN_COMMAND}` again, which replaces it, or remove the file.",
        )
    if settings.emulator_url and not info["token_uri"].startswith(f"{settings.emulator_url}/"):
        return None
    from google.oauth2.credentials import Credentials  # noqa: PLC0415 - slow to import, and not needed by all

    # Not from_authorized_user_info, which would ask Google whatever token_uri says.
    return Credentials(
        token=None,
        refresh_token=info["refresh_token"],
        token_uri=info["token_uri"],
        client_id=info["client_id"],
        client_secret=info["client_secret"],
    )


def keep_login(settings: Settings, credentials: Any) -> Path:
    """Keep what can be refreshed of ``credentials``; the access token, soon stale, is not written down.

    Raises:
        LocalWriteError: the disk cannot take it; an earlier login stays.
    """
    path = login_path(settings)
    info = {name: getattr(credentials, name) for name in _NEEDED}
    write_private(path, json.dumps({"type": "authorized_user", **info}, indent=1).encode())
    return path


def forget_login(settings: Settings) -> Path | None:
    """Remove the kept login and say where it was; None if there was none. The client file stays.

    Raises:
        LocalWriteError: it cannot be removed.
    """
    path = login_path(settings)
    with local_errors(path, "remove"):
        try:
            path.unlink()
        except FileNotFoundError:
            return None
    return path


def read_google_file(path: Path) -> dict[str, Any] | None:
    """The JSON object in one of Google's files: a client, a key, a login; None if there is no file.

    Raises:
        NotAllowedError: it holds no JSON object.
        LocalWriteError: it cannot be read.
    """
    with local_errors(path, "read"):
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            return None
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise NotAllowedError(
            f"{path} is torn, or none of Google's JSON files",
            hint=f"Get it anew: `{LOGIN_COMMAND} CLIENT_FILE` makes a login, Google's console a client file.",
        )
    return content


def name_kind(content: Mapping[str, Any]) -> str:
    """What one of Google's files is, in the user's words; empty if it is none of them."""
    kind = str(content.get("type", "")) or next(
        (name for name in ("installed", "web") if name in content), ""
    )
    return _KINDS.get(kind, "")


def write_private(path: Path, content: bytes) -> None:
    """Replace ``path``, whole or not at all, by a file that only its owner can read, from the first byte on.

    Raises:
        LocalWriteError: the disk cannot take it; the old file stays.
    """
    folder = path.parent
    with local_errors(path):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        # Made 0600 under a name that nobody can have taken before.
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=f".{path.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    fsync_folder(folder)
