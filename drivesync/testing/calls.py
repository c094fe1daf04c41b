"""Which API call a request is. PURE.

A call's kind is the method's name in the discovery document, with a suffix where one method has forms that cost or
fail differently:

    files.list  files.get  files.get.media  files.export  files.generateIds  files.copy  files.delete
    files.emptyTrash  files.create  files.update                      metadata only
    files.create.media  files.create.multipart  files.create.resumable    and the same for files.update
    upload.chunk  upload.final  upload.status  upload.cancel          requests to a resumable session's URI
    changes.getStartPageToken  changes.list  about.get  drives.list  drives.get  drives.create
    revisions.list  revisions.get  revisions.get.media  revisions.update  revisions.delete  batch
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivesync.testing.wire import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

_API = r"(?:/drive/v3)"
_UPLOAD = r"(?:/(?:resumable/)?upload/drive/v3)"
_ID = r"([^/]+)"

_ROUTES: tuple[tuple[re.Pattern[str], dict[str, str]], ...] = tuple(
    (re.compile(pattern), methods)
    for pattern, methods in (
        (f"{_API}/files", {"GET": "files.list", "POST": "files.create"}),
        (f"{_API}/files/generateIds", {"GET": "files.generateIds"}),
        (f"{_API}/files/trash", {"DELETE": "files.emptyTrash"}),
        (f"{_API}/files/{_ID}", {"GET": "files.get", "PATCH": "files.update", "DELETE": "files.delete"}),
        (f"{_API}/files/{_ID}/copy", {"POST": "files.copy"}),
        (f"{_API}/files/{_ID}/export", {"GET": "files.export"}),
        (f"{_API}/files/{_ID}/revisions", {"GET": "revisions.list"}),
        (
            f"{_API}/files/{_ID}/revisions/{_ID}",
            {"GET": "revisions.get", "PATCH": "revisions.update", "DELETE": "revisions.delete"},
        ),
        (f"{_API}/changes/startPageToken", {"GET": "changes.getStartPageToken"}),
        (f"{_API}/changes", {"GET": "changes.list"}),
        (f"{_API}/about", {"GET": "about.get"}),
        (f"{_API}/drives", {"GET": "drives.list", "POST": "drives.create"}),
        (f"{_API}/drives/{_ID}", {"GET": "drives.get"}),
        (f"{_UPLOAD}/files", {"POST": "files.create", "PUT": "upload", "DELETE": "upload.cancel"}),
        (f"{_UPLOAD}/files/{_ID}", {"PATCH": "files.update", "PUT": "upload", "DELETE": "upload.cancel"}),
        # What a document's exportLinks lead to, on another host but with the same token.
        (f"/feeds/download/{_ID}", {"GET": "files.export"}),
        ("/batch(?:/drive/v3)?", {"POST": "batch"}),
    )
)
_CONTENT_RANGE = re.compile(r"bytes (?:\*|(\d+)-(\d+))/(\d+|\*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Call:
    """A request's kind and the ids in its path."""

    kind: str
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """A ``Content-Range``: the first byte sent, one past the last, and the whole size where it is known.

    ``start`` is None in a request that only asks for the status.
    """

    start: int | None
    end: int | None
    total_bytes: int | None


def classify(method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Call:
    """What is asked for.

    Raises:
        ApiError: 404 for an unknown path, 405 for a method that the path does not have, 400 for an unknown uploadType
            or an unreadable Content-Range.
    """
    for pattern, methods in _ROUTES:
        match = pattern.fullmatch(path)
        if match is None:
            continue
        if method == "POST" and "upload_id" in query and "PUT" in methods:
            # Drive takes the chunks of a session by POST as well: rclone's backend/drive/upload.go sends them so.
            method = "PUT"
        kind = methods.get(method)
        if kind is None:
            raise ApiError(405, "httpMethodNotAllowed", "Method Not Allowed")
        return Call(_refine(kind, path, query, headers), match.groups())
    raise ApiError(404, "notFound", f"The requested URL {path} was not found on this server.")


def parse_content_range(text: str) -> Span:
    """Read a ``Content-Range`` of an upload.

    Raises:
        ApiError: 400 where it is not one.
    """
    match = _CONTENT_RANGE.fullmatch(text.strip())
    if match is None or (match[1] and int(match[1]) > int(match[2])):
        raise ApiError(400, "badRequest", f"Failed to parse Content-Range header: {text}")
    start, last, total = match.groups()
    total_bytes = None if total == "*" else int(total)
    if start is None:
        return Span(None, None, total_bytes)
    if total_bytes is not None and int(last) >= total_bytes:
        raise ApiError(400, "badRequest", f"Content-Range ends beyond the whole: {text}")
    return Span(int(start), int(last) + 1, total_bytes)


def _refine(kind: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
    if kind == "upload":
        return _refine_upload(headers)
    if kind in {"files.get", "revisions.get"} and query.get("alt") == "media":
        return f"{kind}.media"
    if kind in {"files.create", "files.update"} and "/upload/" in path:
        form = query.get("uploadType", "")
        if form not in {"media", "multipart", "resumable"}:
            raise ApiError(400, "badRequest", f"Invalid upload type: {form}", location="uploadType")
        return f"{kind}.{form}"
    return kind


def _refine_upload(headers: Mapping[str, str]) -> str:
    if "content-range" not in headers:
        return "upload.final"
    span = parse_content_range(headers["content-range"])
    if span.start is None:
        # Nothing to send and nothing sent yet: this is how an empty file is finished.
        return "upload.status"
    return "upload.final" if span.end == span.total_bytes else "upload.chunk"
