"""Google's errors, and those of the libraries under its client, as ours.

No address and no token gets into a message: an upload session's address is a secret, and messages reach logs.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from typing import TYPE_CHECKING, Final

import google.auth.exceptions
import httplib2
from googleapiclient.errors import Error as ClientError
from googleapiclient.errors import HttpError
from urllib3 import exceptions as urllib3_errors

from drivesync.errors import (
    DrivesyncError,
    NotAllowedError,
    NotFoundError,
    RateLimitedError,
    RemoteError,
    RemoteFullError,
    TransientError,
    UsedUpError,
)
from drivesync.remotes.drive.kept import LOGIN_COMMAND

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

COLAB_CELL: Final = "from google.colab import auth; auth.authenticate_user()"
LOG_IN_HINT: Final = (
    f"In Colab run `{COLAB_CELL}` in a cell of its own and try again; elsewhere run `{LOGIN_COMMAND}`, or set "
    "GOOGLE_OAUTH_ACCESS_TOKEN to a token, or GOOGLE_APPLICATION_CREDENTIALS to a key file."
)

# Reasons as listed in https://developers.google.com/workspace/drive/api/guides/handle-errors
_RATE = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})
_FORBIDDEN = frozenset(
    {
        "insufficientPermissions",
        "insufficientFilePermissions",
        "appNotAuthorizedToFile",
        "domainPolicy",
        "accessNotConfigured",
        "authError",
        "forbidden",
    }
)
_KINDS: Final[Mapping[str, type[RemoteError]]] = {
    "dailyLimitExceeded": UsedUpError,
    "storageQuotaExceeded": RemoteFullError,
}
_WHAT_TO_DO = {
    "storageQuotaExceeded": "Drive is full: free some space (its trash counts too) and run this again.",
    "teamDriveFileLimitExceeded": "The shared drive holds as many items as it can: remove some, or use another.",
    "numChildrenInNonRootLimitExceeded": "The folder holds as many items as it can: move some elsewhere.",
    "dailyLimitExceeded": "The project's daily limit is used up; it opens again at midnight Pacific time.",
    "downloadQuotaExceeded": "Drive lets this file down again in about a day; a copy of it works now.",
    "cannotDownloadAbusiveFile": "Drive takes this file for harmful; its owner can download it on the web.",
    "insufficientPermissions": "These credentials lack the scope https://www.googleapis.com/auth/drive.",
    "accessNotConfigured": "The Drive API is not enabled in the project that these credentials belong to.",
}


def translate_errors(action: str) -> _TranslatedErrors:
    """Within it only typed errors leave, each saying which ``action`` failed ("reading data/1.png").

    Raises:
        TransientError: a retry may help (429, 5xx, rate limit, lost connection).
        RemoteError: a retry will not help.
    """
    return _TranslatedErrors(action)


class _TranslatedErrors:
    # A class, since a generator takes twice as long to enter and leave, and each file goes through several of these.
    __slots__ = ("_action",)

    def __init__(self, action: str) -> None:
        self._action = action

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None and (translated := _translate(error, self._action)) is not None:
            raise translated from None


def _translate(error: BaseException, action: str) -> DrivesyncError | None:
    """``error`` as ours; None for one that is ours, or nobody's business here."""
    match error:
        case HttpError():
            return translate_answer(action, int(error.resp.status), error.resp, error.content)
        case google.auth.exceptions.GoogleAuthError():
            return _translate_login(error, action)
        case http.client.HTTPException() | urllib3_errors.HTTPError() | httplib2.HttpLib2Error() | OSError():
            return _translate_break(error, action)
        case json.JSONDecodeError() | UnicodeDecodeError():
            return TransientError(f"{action}: what came is no answer of Drive's")
        case ClientError():
            return RemoteError(f"{action}: Google's client gave up ({type(error).__name__})")
        case _:
            return None


def translate_answer(action: str, status: int, headers: Mapping[str, str], content: bytes) -> DrivesyncError:
    """The error that an answer of 400 or more stands for; ``headers`` have lower-case names."""
    reason, message = _read_body(content)
    said = f"{action}: Drive answered {status} {reason or message}".rstrip()
    hint = _WHAT_TO_DO.get(reason, "")
    if status == 429 or reason in _RATE:
        return RateLimitedError(said, retry_after_s=_retry_after_s(headers))
    if status >= 500 or status == 408:
        return TransientError(said, retry_after_s=_retry_after_s(headers))
    if status == 401 or reason in _FORBIDDEN:
        return NotAllowedError(said, hint=hint or LOG_IN_HINT)
    if status == 404:
        return NotFoundError(said)
    kind = _KINDS.get(reason, RemoteError)
    return kind(f"{said} ({message})" if reason and message else said, hint=hint)


def _translate_break(error: Exception, action: str) -> DrivesyncError:
    """What a broken connection, or one that could not be made, means; urllib3 wraps the error that tells."""
    inner = error
    while isinstance(inner, urllib3_errors.HTTPError):
        wrapped = [argument for argument in inner.args if isinstance(argument, Exception)]
        if not wrapped:
            break
        inner = wrapped[0]
    if isinstance(inner, ssl.SSLCertVerificationError):
        return RemoteError(
            f"{action}: the certificate is not valid: {inner.verify_message}",
            hint="Where a proxy signs certificates of its own, name the file of its authority in SSL_CERT_FILE.",
        )
    if isinstance(inner, (socket.gaierror, httplib2.ServerNotFoundError)):
        return TransientError(f"{action}: no connection to Google Drive (no such address)")
    via = " to the proxy" if isinstance(error, urllib3_errors.ProxyError) else ""
    return TransientError(f"{action}: the connection{via} broke ({_name(inner)})")


def _name(error: Exception) -> str:
    reason = getattr(error, "strerror", None)
    return str(reason) if reason else type(error).__name__


def _translate_login(error: google.auth.exceptions.GoogleAuthError, action: str) -> DrivesyncError:
    if isinstance(error, google.auth.exceptions.TransportError) or error.retryable:
        return TransientError(f"{action}: no answer from Google's log-in server")
    if isinstance(error, google.auth.exceptions.RefreshError):
        return NotAllowedError(f"{action}: the access token has expired or is not valid", hint=LOG_IN_HINT)
    return NotAllowedError(f"{action}: the credentials do not do ({type(error).__name__})", hint=LOG_IN_HINT)


def _read_body(content: bytes) -> tuple[str, str]:
    """Reason and message of ``{"error": {"errors": [{"reason"}], "message"}}``; empty where it is not so."""
    try:
        error = json.loads(content)["error"]
        reasons = [str(entry["reason"]) for entry in error.get("errors", [])]
        return (reasons[0] if reasons else ""), str(error.get("message", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", ""


def _retry_after_s(headers: Mapping[str, str]) -> float:
    text = str(headers.get("retry-after", ""))
    return min(float(text), 600.0) if text.isascii() and text.isdigit() else 0.0
