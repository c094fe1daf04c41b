"""Google's errors as ours: which may pass, what to do about the others, and no secret in any of them."""

from __future__ import annotations

import http.client
import json
import socket
import ssl

import google.auth.exceptions
import httplib2
import pytest
import urllib3
from googleapiclient.errors import HttpError, ResumableUploadError, UnknownFileType

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
from drivesync.remotes.drive.translate import translate_errors

SECRET = "https://www.googleapis.com/upload/drive/v3/files?uploadType=resumable&upload_id=s3cret"


def body(reason: str, message: str = "Said so.") -> bytes:
    error = {
        "errors": [{"domain": "global", "reason": reason, "message": message}],
        "code": 0,
        "message": message,
    }
    return json.dumps({"error": error}).encode()


def translate(error: Exception) -> DrivesyncError:
    with pytest.raises(DrivesyncError) as caught, translate_errors("reading data/1.png"):
        raise error
    assert "s3cret" not in str(caught.value) + caught.value.hint
    assert str(caught.value).startswith("reading data/1.png: ")
    assert caught.value.__suppress_context__
    return caught.value


def answer(status: int, content: bytes, **headers: str) -> HttpError:
    return HttpError(httplib2.Response({"status": str(status)} | headers), content, uri=SECRET)


@pytest.mark.parametrize(
    ("status", "reason", "kind", "hint"),
    [
        (403, "rateLimitExceeded", RateLimitedError, ""),
        (403, "userRateLimitExceeded", RateLimitedError, ""),
        (429, "rateLimitExceeded", RateLimitedError, ""),
        (429, "somethingNew", RateLimitedError, ""),
        (408, "", TransientError, ""),
        (500, "backendError", TransientError, ""),
        (502, "", TransientError, ""),
        (503, "backendError", TransientError, ""),
        (504, "", TransientError, ""),
        (401, "authError", NotAllowedError, "authenticate_user"),
        (403, "insufficientPermissions", NotAllowedError, "scope"),
        (403, "insufficientFilePermissions", NotAllowedError, "authenticate_user"),
        (403, "appNotAuthorizedToFile", NotAllowedError, "authenticate_user"),
        (403, "accessNotConfigured", NotAllowedError, "not enabled"),
        (403, "domainPolicy", NotAllowedError, "authenticate_user"),
        (403, "dailyLimitExceeded", UsedUpError, "midnight"),
        (403, "downloadQuotaExceeded", RemoteError, "about a day"),
        (403, "storageQuotaExceeded", RemoteFullError, "free some space"),
        (403, "cannotDownloadAbusiveFile", RemoteError, "harmful"),
        (403, "teamDriveFileLimitExceeded", RemoteError, "as many items"),
        (403, "numChildrenInNonRootLimitExceeded", RemoteError, "as many items"),
        (400, "invalid", RemoteError, ""),
        (404, "notFound", NotFoundError, ""),
        (416, "requestedRangeNotSatisfiable", RemoteError, ""),
    ],
)
def test_what_drive_answers(status: int, reason: str, kind: type[DrivesyncError], hint: str) -> None:
    error = translate(answer(status, body(reason)))
    assert type(error) is kind
    assert f"Drive answered {status}" in str(error)
    assert reason in str(error)
    assert hint in error.hint


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html>502 Bad Gateway</html>", id="a proxy's page"),
        pytest.param(b"\xff\xfe\x00", id="no text"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'{"error": "text"}', id="a text"),
        pytest.param(b'{"error": {"errors": "text"}}', id="a text for a list"),
        pytest.param(b'{"error": {"errors": [], "message": "m"}}', id="no reason"),
        pytest.param(b'{"error": {"errors": [{}]}}', id="a reason without a name"),
        pytest.param(b'{"error": ', id="torn"),
    ],
)
def test_a_body_that_is_none_of_drives(content: bytes) -> None:
    assert type(translate(answer(503, content))) is TransientError
    assert type(translate(answer(400, content))) is RemoteError
    assert (
        type(translate(ResumableUploadError(httplib2.Response({"status": "401"}), content)))
        is NotAllowedError
    )


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("99999", 600.0),
        ("soon", 0.0),
        ("-1", 0.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after(status: int, text: str, wait_s: float) -> None:
    error = translate(answer(status, b"", **{"retry-after": text}))
    assert isinstance(error, TransientError)
    assert error.retry_after_s == wait_s


def wrong_certificate() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        pytest.param(ConnectionResetError(104, "Connection reset by peer"), TransientError, id="reset"),
        pytest.param(BrokenPipeError(32, "Broken pipe"), TransientError, id="broken pipe"),
        pytest.param(ConnectionRefusedError(111, "refused"), TransientError, id="refused"),
        pytest.param(TimeoutError("timed out"), TransientError, id="time-out"),
        pytest.param(socket.gaierror(-3, "Temporary failure"), TransientError, id="no name server"),
        pytest.param(http.client.IncompleteRead(b"half", 9), TransientError, id="half a body"),
        pytest.param(http.client.RemoteDisconnected("closed"), TransientError, id="closed without an answer"),
        pytest.param(httplib2.ServerNotFoundError(SECRET), TransientError, id="no such host"),
        pytest.param(httplib2.error.RelativeURIError(SECRET), TransientError, id="another of httplib2's"),
        pytest.param(ssl.SSLEOFError(8, "EOF occurred"), TransientError, id="TLS cut"),
        pytest.param(wrong_certificate(), RemoteError, id="a wrong certificate"),
        pytest.param(
            urllib3.exceptions.SSLError(wrong_certificate()), RemoteError, id="a wrong certificate, wrapped"
        ),
        pytest.param(
            urllib3.exceptions.ProtocolError(SECRET, ConnectionResetError(104, "Connection reset by peer")),
            TransientError,
            id="reset, wrapped",
        ),
        pytest.param(
            urllib3.exceptions.ProtocolError(SECRET, socket.gaierror(-3, "Temporary failure")),
            TransientError,
            id="no name server, wrapped",
        ),
        pytest.param(
            urllib3.exceptions.ProxyError(SECRET, OSError("Tunnel failed")), TransientError, id="no proxy"
        ),
        pytest.param(
            urllib3.exceptions.ReadTimeoutError(None, SECRET, SECRET),  # type: ignore[arg-type]  # of no interest
            TransientError,
            id="time-out, urllib3's own",
        ),
        pytest.param(json.JSONDecodeError("no", SECRET, 0), TransientError, id="an answer that is no JSON"),
        pytest.param(
            UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"), TransientError, id="an answer that is no text"
        ),
        pytest.param(google.auth.exceptions.TransportError(SECRET), TransientError, id="no log-in server"),
        pytest.param(
            google.auth.exceptions.RefreshError(SECRET, retryable=True),
            TransientError,
            id="log-in server ill",
        ),
        pytest.param(google.auth.exceptions.RefreshError(SECRET), NotAllowedError, id="token expired"),
        pytest.param(google.auth.exceptions.MalformedError(SECRET), NotAllowedError, id="bad credentials"),
        pytest.param(UnknownFileType(SECRET), RemoteError, id="the client gave up"),
    ],
)
def test_what_the_libraries_raise(error: Exception, kind: type[DrivesyncError]) -> None:
    translated = translate(error)
    assert type(translated) is kind
    assert ("authenticate_user" in translated.hint) == (kind is NotAllowedError)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "the connection broke (Connection refused)"),
        (http.client.RemoteDisconnected(SECRET), "the connection broke (RemoteDisconnected)"),
        (
            urllib3.exceptions.ProtocolError(SECRET, ConnectionResetError(104, "reset")),
            "the connection broke (reset)",
        ),
        (
            urllib3.exceptions.ProxyError(SECRET, ConnectionRefusedError(111, "refused")),
            "the connection to the proxy broke (refused)",
        ),
        (socket.gaierror(-3, SECRET), "no connection to Google Drive (no such address)"),
    ],
)
def test_what_is_said_of_a_connection(error: Exception, said: str) -> None:
    assert str(translate(error)) == f"reading data/1.png: {said}"


@pytest.mark.parametrize("error", [NotFoundError("ours"), KeyError("a bug"), KeyboardInterrupt()])
def test_other_errors_pass(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, translate_errors("reading"):
        raise error
    assert caught.value is error
