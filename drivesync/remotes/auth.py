"""Where the credentials come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import google.auth
import google.auth.exceptions
from google.oauth2.credentials import Credentials

from drivesync.errors import NotAllowedError
from drivesync.remotes.translate import LOG_IN_HINT

if TYPE_CHECKING:
    from drivesync.config import Settings

SCOPES = ("https://www.googleapis.com/auth/drive",)


def find_credentials(settings: Settings) -> Any:
    """GOOGLE_OAUTH_ACCESS_TOKEN; else, on the emulator, any token; else Application Default Credentials.

    Raises:
        NotAllowedError: there are none, with the cell or command that makes some.
    """
    if settings.access_token or settings.emulator_url:
        return Credentials(token=settings.access_token or "emulator")
    try:
        credentials, _project = google.auth.default(scopes=SCOPES)
    # A damaged key file shows as a ValueError.
    except (google.auth.exceptions.GoogleAuthError, ValueError, OSError) as error:
        raise NotAllowedError("no Google credentials were found", hint=LOG_IN_HINT) from error
    return credentials
