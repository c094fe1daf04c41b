"""Where the credentials come from."""

from __future__ import annotations

import importlib.util
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import google.auth
import google.auth.exceptions

from drivesync.errors import NotAllowedError
from drivesync.remotes.drive.authorization import GivenToken
from drivesync.remotes.drive.kept import LOGIN_COMMAND, login_path, read_login
from drivesync.remotes.drive.translate import COLAB_CELL, LOG_IN_HINT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivesync.config import Settings

SCOPES: Final = ("https://www.googleapis.com/auth/drive",)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where credentials came from.

    Attributes:
        kind: ``token``, ``key file``, ``login``, ``emulator``, ``colab``, ``machine`` or ``gcloud``.
        place: the same with its particulars, such as a file, in the user's words.
        remedy: what to do when these credentials are refused, as a sentence.
    """

    kind: str
    place: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Found:
    """Credentials, google-auth's own object or a ``GivenToken``, and where they came from."""

    credentials: Any = field(repr=False)
    origin: Origin


_TOKEN: Final = Origin(
    "token",
    "the environment variable GOOGLE_OAUTH_ACCESS_TOKEN",
    f"Set GOOGLE_OAUTH_ACCESS_TOKEN to a new token, or unset it and run `{LOGIN_COMMAND}`.",
)
_EMULATOR: Final = Origin("emulator", "the emulator, which takes any token", "Start the emulator again.")
_COLAB: Final = Origin(
    "colab",
    "Colab's auth.authenticate_user()",
    f"Run `{COLAB_CELL}` in a cell of its own and try again.",
)
_MACHINE: Final = Origin(
    "machine",
    "the service account of this virtual machine",
    f"Give the machine the scope {SCOPES[0]}, or run `{LOGIN_COMMAND}`.",
)
_GCLOUD: Final = Origin(
    "gcloud",
    "gcloud's application default credentials",
    f"Run `{LOGIN_COMMAND}`: gcloud's own client is not let into Drive.",
)


def find_credentials(settings: Settings) -> Any:
    """The credentials of ``locate_credentials``, without where they came from."""
    return locate_credentials(settings).credentials


def locate_credentials(settings: Settings) -> Found:
    """The first there is of: a given token, a given key file, the kept login, Application Default Credentials.

    What was named for this very command (GOOGLE_OAUTH_ACCESS_TOKEN, GOOGLE_APPLICATION_CREDENTIALS) goes before what
    is remembered from another day. To an emulator goes no secret of Google's: a given token, a login that was made
    there, or else any token.

    Raises:
        NotAllowedError: there are none, or they are damaged, with the cell or command that makes some.
    """
    if settings.access_token:
        return Found(GivenToken(settings.access_token), _TOKEN)
    key_file = "" if settings.emulator_url else os.environ.get("GOOGLE_APPLICATION_CREDENTIALS", "")
    if not key_file and (kept := read_login(settings)) is not None:
        place = f"the login kept in {login_path(settings)}"
        return Found(kept, Origin("login", place, f"Run `{LOGIN_COMMAND}` again."))
    if settings.emulator_url:
        return Found(GivenToken("emulator"), _EMULATOR)
    try:
        credentials, _project = google.auth.default(scopes=SCOPES)
    # A damaged key file shows as a ValueError.
    except (google.auth.exceptions.GoogleAuthError, ValueError, OSError) as error:
        if key_file:
            raise NotAllowedError(
                f"GOOGLE_APPLICATION_CREDENTIALS names {key_file}, which holds no credentials",
                hint=f"Set it to a key file, or unset it and run `{LOGIN_COMMAND}`.",
            ) from error
        raise NotAllowedError("no Google credentials were found", hint=LOG_IN_HINT) from error
    return Found(credentials, _default_origin(credentials, key_file))


@contextmanager
def advise(origin: Origin) -> Iterator[None]:
    """Where Google refuses credentials, say which ones they were, and what to do about just these.

    Raises:
        NotAllowedError: in place of one that gives general advice on logging in.
    """
    try:
        yield
    except NotAllowedError as error:
        if error.hint != LOG_IN_HINT:
            raise
        raise NotAllowedError(f"{error}; it came from {origin.place}", hint=origin.remedy) from error


def in_colab() -> bool:
    """Whether this runs on a Colab machine, in a cell or in a command that a cell started."""
    return "COLAB_RELEASE_TAG" in os.environ or importlib.util.find_spec("google.colab") is not None


def _default_origin(credentials: Any, key_file: str) -> Origin:
    if key_file:
        place = f"the key file {key_file}, named by GOOGLE_APPLICATION_CREDENTIALS"
        remedy = f"Set GOOGLE_APPLICATION_CREDENTIALS to a new key, or unset it and run `{LOGIN_COMMAND}`."
        return Origin("key file", place, remedy)
    if in_colab():
        return _COLAB
    # Importing the class to ask isinstance would cost every command a tenth of a second.
    if type(credentials).__module__.startswith("google.auth.compute_engine"):
        return _MACHINE
    return _GCLOUD
