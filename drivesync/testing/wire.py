"""What goes back over the wire: an answer, or an error in Google's own form. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TypeAlias

JsonObject: TypeAlias = "dict[str, object]"

JSON_TYPE = "application/json; charset=UTF-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """One complete HTTP answer; ``body`` is never changed after it was handed over."""

    status: int = 200
    body: bytes | bytearray | memoryview = b""
    content_type: str = JSON_TYPE
    headers: tuple[tuple[str, str], ...] = ()


class ApiError(Exception):
    """A refusal in Drive's words.

    The body's form and the reasons are those of
    https://developers.google.com/workspace/drive/api/guides/handle-errors.

    Args:
        status: HTTP status.
        reason: the machine-readable reason, such as ``notFound``.
        message: one sentence for people.
        location: the parameter or header that is at fault, empty where there is none.
        location_type: ``parameter`` or ``header``.
        domain: ``global``, or ``usageLimits`` for quotas.
        headers: further headers of the answer, such as Retry-After.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        location: str = "",
        location_type: str = "parameter",
        domain: str = "global",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.location = location
        self.location_type = location_type
        self.domain = domain
        self.headers = headers

    def answer(self) -> Answer:
        """The HTTP answer that carries this error."""
        detail: JsonObject = {"message": self.message, "domain": self.domain, "reason": self.reason}
        if self.location:
            detail |= {"location": self.location, "locationType": self.location_type}
        error: JsonObject = {"errors": [detail], "code": self.status, "message": self.message}
        return Answer(self.status, encode({"error": error}), headers=self.headers)


def encode(value: object) -> bytes:
    """Compact JSON; names stay readable, since Drive does not escape unicode either."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def answer_json(value: object, *, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """An answer whose body is ``value`` as JSON."""
    return Answer(status, encode(value), headers=headers)


def not_found(kind: str, identity: str) -> ApiError:
    """Drive's 404 for a file, revision or drive that is not there, or that the caller may not see."""
    location = {"File": "fileId", "Revision": "revisionId", "Shared drive": "driveId"}[kind]
    return ApiError(404, "notFound", f"{kind} not found: {identity}.", location=location)


def invalid(message: str, *, location: str = "") -> ApiError:
    """Drive's 400 for a value that it cannot read."""
    return ApiError(400, "invalid", message, location=location)


def not_writable(message: str) -> ApiError:
    """Drive's 403 for a field that may not be set in this call."""
    return ApiError(403, "fieldNotWritable", message)
