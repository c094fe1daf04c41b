"""Uploads: content in one request (media, multipart), and the resumable protocol. PURE.

The protocol is https://developers.google.com/workspace/drive/api/guides/manage-uploads#resumable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivesync.testing.calls import Span, parse_content_range
from drivesync.testing.entries import BLOB_TYPE, UPLOAD_STEP_BYTES, Content, Entry
from drivesync.testing.file_calls import DEFAULT_FILE, check_parent, moved_parents
from drivesync.testing.metadata import Metadata, parse_metadata
from drivesync.testing.resources import file_resource
from drivesync.testing.schema import shape_of
from drivesync.testing.service import Request, Service, parse_json
from drivesync.testing.wire import Answer, ApiError, answer_json

if TYPE_CHECKING:
    from drivesync.testing.fields import Mask
    from drivesync.testing.upload_sessions import UploadSession


@dataclass(frozen=True, slots=True)
class _Upload:
    """What is to be done when the content is there; ``file_id`` is empty for a create."""

    file_id: str
    metadata: Metadata
    mask: Mask
    add_parents: tuple[str, ...]
    remove_parents: tuple[str, ...]
    drive_id: str


def upload_media(service: Service, request: Request) -> Answer:
    """uploadType=media: the body is the content."""
    upload = _read_upload(service, request, b"")
    content_type = request.headers.get("content-type", BLOB_TYPE)
    return _finish(service, upload, Content.of(request.spoil(request.body)), content_type)


def upload_multipart(service: Service, request: Request) -> Answer:
    """uploadType=multipart: metadata and content as the two parts of one body."""
    metadata, content_type, data = split_related(request.headers.get("content-type", ""), request.body)
    upload = _read_upload(service, request, metadata)
    return _finish(service, upload, Content.of(request.spoil(data)), content_type)


def start_upload(service: Service, request: Request) -> Answer:
    """uploadType=resumable: the metadata, answered with the URI to which the content goes."""
    upload = _read_upload(service, request, request.body)
    if upload.metadata.id is not None:
        service.store.ids.check_new(upload.metadata.id)
    total = request.headers.get("x-upload-content-length")
    total_bytes = int(total) if total is not None and total.isdecimal() else None
    service.store.check_storage(_growth_bytes(service, upload, total_bytes or 0), drive_id=upload.drive_id)
    mime_type = request.headers.get("x-upload-content-type", "")
    session = service.store.uploads.start(upload, mime_type, total_bytes)
    path = "/upload/drive/v3/files" + (f"/{upload.file_id}" if upload.file_id else "")
    location = f"{request.base_url}{path}?uploadType=resumable&upload_id={session.id}"
    headers = (("Location", location), ("X-GUploader-UploadID", session.id))
    return Answer(200, b"", headers=headers)


def cancel_upload(service: Service, request: Request) -> Answer:
    """DELETE on the session: it is forgotten, and the answer is Google's odd 499."""
    session = service.store.uploads.get(request.query.get("upload_id", ""))
    service.store.uploads.forget(session.id)
    return Answer(499)


class ChunkWriter:
    """Takes the bytes of one PUT to a resumable session as they arrive.

    What arrives is stored in steps of 256 KiB, so that a request that is cut leaves a usable part behind; the rest of
    it is lost, as with Drive.

    Raises:
        ApiError: 404 or 410 without a session, 400 for a chunk that does not fit.
    """

    def __init__(self, service: Service, request: Request) -> None:
        self._service = service
        self._session = service.store.uploads.get(request.query.get("upload_id", ""))
        self._session.writer += 1
        self._writer = self._session.writer
        self._tail = bytearray()
        self._received_bytes = 0
        self._span = _read_span(request, self._session)
        self._skip_bytes = 0
        if self._span.total_bytes is not None and not self._session.finished_id:
            self._session.total_bytes = self._span.total_bytes
        # A status query brings nothing, and a finished upload wants no more.
        self.takes_bytes = self._span.start is not None and not self._session.finished_id
        if self._span.start is not None and self.takes_bytes:
            self._check_start(self._span.start)

    def write(self, piece: bytes) -> bool:
        """Take the next bytes; False where a newer request has taken over, so that the rest is in vain."""
        if self._session.writer != self._writer:
            return False
        self._received_bytes += len(piece)
        skipped = min(self._skip_bytes, len(piece))
        self._skip_bytes -= skipped
        self._tail += piece[skipped:]
        whole = len(self._tail) - len(self._tail) % UPLOAD_STEP_BYTES
        if whole:
            self._session.append(self._tail[:whole])
            del self._tail[:whole]
        return True

    def finish(self) -> Answer:
        """Answer a request whose body is complete: 308 with what is stored, or the finished file.

        Raises:
            ApiError: 400 for a body of another length than was said, or that is not a multiple of 256 KiB.
        """
        session = self._session
        if session.finished_id:
            upload = _request_of(session)
            return _answer_entry(self._service, upload, self._service.store.get(session.finished_id))
        if self._span.start is not None:
            self._take_tail(self._span.start)
        if session.total_bytes is None or len(session.data) < session.total_bytes:
            return incomplete(session)
        upload = _request_of(session)
        content = session.digester.content(session.data)
        answer = _finish(self._service, upload, content, session.mime_type or BLOB_TYPE, session)
        session.data, session.digester = bytearray(), type(session.digester)()
        return answer

    def _check_start(self, start: int) -> None:
        stored = len(self._session.data)
        if start > stored:
            raise ApiError(400, "badRequest", f"Chunk starts at {start}, but only {stored} bytes are stored.")
        # A client that did not hear that bytes are stored sends them again.
        self._skip_bytes = stored - start

    def _take_tail(self, start: int) -> None:
        session = self._session
        end, received = self._span.end, self._received_bytes
        if end is not None and received != end - start:
            raise ApiError(400, "badRequest", f"Expected {end - start} bytes, received {received}.")
        is_last = end is None or end == session.total_bytes
        if end is None:
            if session.total_bytes not in {None, start + received}:
                raise ApiError(
                    400, "badRequest", f"Expected {session.total_bytes} bytes, received {received}."
                )
            session.total_bytes = start + received
        if is_last:
            session.append(self._tail)
        elif received % UPLOAD_STEP_BYTES:
            message = f"Chunks but the last must be multiples of {UPLOAD_STEP_BYTES} bytes."
            raise ApiError(400, "badRequest", message)


def incomplete(session: UploadSession) -> Answer:
    """308: the upload is to be resumed behind what ``Range`` names; without one, from the start."""
    stored = len(session.data)
    headers = (("Range", f"bytes=0-{stored - 1}"),) if stored else ()
    return Answer(308, b"", headers=(*headers, ("X-GUploader-UploadID", session.id)))


def split_related(content_type: str, body: bytes) -> tuple[bytes, str, bytes]:
    """The two parts of a multipart/related body: metadata, and the content with its type.

    Raises:
        ApiError: 400 where it is not such a body.
    """
    boundary = _boundary(content_type)
    first = body.find(boundary)
    # Python's email package, which googleapiclient uses, ends lines with a bare LF. Content may end with a CR, so only
    # the line of the first boundary can tell.
    end_of_line = b"\r\n" if body.startswith(b"\r\n", first + len(boundary)) else b"\n"
    second = body.find(end_of_line + boundary, first + len(boundary))
    last = body.rfind(end_of_line + boundary)
    if first < 0 or second < 0 or last <= second:
        raise ApiError(400, "badRequest", "Malformed multipart body.")
    _, metadata = _split_part(body[first + len(boundary) : second], end_of_line)
    headers, data = _split_part(body[second + len(end_of_line) + len(boundary) : last], end_of_line)
    return metadata, headers.get("content-type", BLOB_TYPE), data


def _boundary(content_type: str) -> bytes:
    for option in content_type.split(";")[1:]:
        name, _, value = option.strip().partition("=")
        if name.lower() == "boundary" and value:
            return b"--" + value.strip().strip('"').encode("latin-1")
    raise ApiError(400, "badRequest", "Missing boundary in the multipart content type.")


def _split_part(part: bytes, end_of_line: bytes) -> tuple[dict[str, str], bytes]:
    """Headers and body of a part, which starts behind its boundary."""
    head, gap, body = part.partition(end_of_line * 2)
    if not gap:
        raise ApiError(400, "badRequest", "Malformed multipart body.")
    lines = head.decode("latin-1").splitlines()
    pairs = (line.partition(":") for line in lines if ":" in line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}, body


def _read_upload(service: Service, request: Request, metadata: bytes) -> _Upload:
    """The request that the content belongs to, checked as far as it can be without the content."""
    creating = not request.call.ids
    parsed = parse_metadata(parse_json(metadata), creating=creating)
    mask = request.mask(DEFAULT_FILE, shape_of("File"))
    add, remove = moved_parents(request)
    if creating:
        check_parent(service, request, parsed)
        parent = service.store.get(parsed.parents[0] if parsed.parents else "root")
        return _Upload("", parsed, mask, (), (), parent.drive_id)
    entry = service.own_entry(request)
    return _Upload(entry.id, parsed, mask, add, remove, entry.drive_id)


def _read_span(request: Request, session: UploadSession) -> Span:
    """Which bytes a PUT brings; without a Content-Range it is the whole content."""
    text = request.headers.get("content-range")
    span = parse_content_range(text) if text is not None else Span(0, None, None)
    if span.start is None and span.total_bytes == 0 and not session.data:
        return Span(0, 0, 0)
    return span


def _request_of(session: UploadSession) -> _Upload:
    if not isinstance(session.request, _Upload):
        raise TypeError("a session holds the upload that it was started for")
    return session.request


def _growth_bytes(service: Service, upload: _Upload, total_bytes: int) -> int:
    """How much more storage the upload takes; an update gives the old content's place back."""
    entry = service.store.entries.get(upload.file_id)
    if entry is None or entry.head is None or entry.head.keep_forever:
        return total_bytes
    return total_bytes - entry.head.content.size_bytes


def _finish(
    service: Service,
    upload: _Upload,
    content: Content,
    content_type: str,
    session: UploadSession | None = None,
) -> Answer:
    store = service.store
    if upload.file_id:
        entry = store.update(
            upload.file_id,
            upload.metadata,
            content,
            content_type=content_type,
            add_parents=upload.add_parents,
            remove_parents=upload.remove_parents,
        )
    else:
        entry = store.create(upload.metadata, content, content_type=content_type)
    if session is not None:
        session.finished_id = entry.id
    return _answer_entry(service, upload, entry)


def _answer_entry(service: Service, upload: _Upload, entry: Entry) -> Answer:
    return answer_json(file_resource(service.store, entry, upload.mask))
