"""The batch endpoint: up to a hundred calls in one request, each answered on its own. PURE.

Form: https://developers.google.com/workspace/drive/api/guides/performance#batch-requests. Media cannot be batched.
"""

from __future__ import annotations

from email.message import Message
from email.parser import BytesParser
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from drivesync.testing.calls import classify
from drivesync.testing.service import Request
from drivesync.testing.wire import Answer, ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

_CALLS_ALLOWED: Final = 100
_BOUNDARY: Final = "batch_answers"


def run_batch(outer: Request, serve: Callable[[Request], Answer]) -> Answer:
    """Serve every part of a multipart/mixed body, in its order.

    Raises:
        ApiError: 400 for a body that is no batch, or has more than a hundred calls.
    """
    content_type = outer.headers.get("content-type", "")
    parsed = BytesParser().parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode("latin-1") + outer.body)
    parts = parsed.get_payload()
    if not isinstance(parts, list) or len(parts) > _CALLS_ALLOWED:
        raise ApiError(
            400, "badRequest", f"A batch takes 1 to {_CALLS_ALLOWED} calls in a multipart/mixed body."
        )
    answers = [
        _format_part(part, _serve_part(outer, part, serve)) for part in parts if isinstance(part, Message)
    ]
    body = b"".join([*answers, f"--{_BOUNDARY}--\r\n".encode()])
    return Answer(200, body, f"multipart/mixed; boundary={_BOUNDARY}")


def _serve_part(outer: Request, part: Message, serve: Callable[[Request], Answer]) -> Answer:
    try:
        return serve(_read_part(outer, part))
    except ApiError as error:
        return error.answer()


def _read_part(outer: Request, part: Message) -> Request:
    """The inner request, which inherits the outer one's credentials."""
    payload = part.get_payload(decode=True)
    head, _, rest = (payload if isinstance(payload, bytes) else b"").lstrip().partition(b"\n")
    words = head.decode("latin-1").split()
    if len(words) < 2:
        raise ApiError(400, "badRequest", "Failed to parse a part of the batch.")
    inner = BytesParser().parsebytes(rest)
    body = inner.get_payload(decode=True)
    url = urlsplit(words[1])
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    headers = {**outer.headers, **{name.lower(): str(value) for name, value in inner.items()}}
    call = classify(words[0], unquote(url.path), query, headers)
    return Request(call, query, headers, outer.base_url, body if isinstance(body, bytes) else b"")


def _format_part(part: Message, answer: Answer) -> bytes:
    content_id = part.get("Content-ID", "<0>")
    lines = [
        f"--{_BOUNDARY}",
        "Content-Type: application/http",
        f"Content-ID: <response-{content_id.strip('<>')}>",
        "",
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
        f"Content-Type: {answer.content_type}",
        f"Content-Length: {len(answer.body)}",
        *(f"{name}: {value}" for name, value in answer.headers),
        "",
        "",
    ]
    return "\r\n".join(lines).encode("latin-1") + bytes(answer.body) + b"\r\n"
