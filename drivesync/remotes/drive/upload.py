"""Resumable uploads that make one file, however often an answer is lost.

Protocol: https://developers.google.com/workspace/drive/api/guides/manage-uploads#resumable
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from googleapiclient.errors import HttpError
from googleapiclient.http import MediaIoBaseUpload

from drivesync.errors import TransientError

if TYPE_CHECKING:
    from typing import BinaryIO

    from drivesync.remotes.drive.client import DriveClient, Line

_CHUNK_BYTES = 32 << 20
_BINARY = "application/octet-stream"
_SESSION_GONE = frozenset({404, 410})
_EXISTS = 409


@dataclass(frozen=True, slots=True)
class Upload:
    """One content on its way to Drive.

    Attributes:
        file_id: of the file to make or to update.
        body: its metadata.
        source: seekable, ``size`` bytes.
        make: the file is new, and ``body`` holds its id.
    """

    file_id: str
    body: dict[str, Any]
    source: BinaryIO
    size: int
    make: bool


class _Chunks(MediaIoBaseUpload):  # type: ignore[misc]  # Google's client is untyped
    """Hands out bytes rather than a stream: a request that is sent again, with a new token, begins at its start."""

    def __init__(self, upload: Upload) -> None:
        super().__init__(upload.source, mimetype=_BINARY, chunksize=_CHUNK_BYTES, resumable=True)

    def has_stream(self) -> bool:
        return False


def send_upload(client: DriveClient, upload: Upload, *, fields: str, action: str) -> dict[str, Any]:
    """Send the content and return what Drive then says of the file, limited to ``fields``.

    Raises:
        TransientError: still failing after all repeats.
        RemoteError: repeating would not help.
    """
    request = _make_request(client, upload, make=upload.make, fields=fields)
    answer: dict[str, Any] | None = None
    while answer is None:
        request, answer = client.call(action, "edit", partial(_step, client, upload, request, fields))
    return answer


def _step(
    client: DriveClient, upload: Upload, request: Any, fields: str, line: Line
) -> tuple[Any, dict[str, Any] | None]:
    """Send the next chunk; returned is the request to go on with, and Drive's answer if it was the last."""
    try:
        # num_retries must stay 0: the client's own retries send headers without a body, and hang. After an
        # error the next call asks Drive how much has arrived, and goes on there.
        _progress, answer = request.next_chunk(http=line, num_retries=0)
    except HttpError as error:
        if error.resp.status == _EXISTS and upload.make:
            # An earlier answer was lost: the file with our id is there. Its content is sent as an update.
            return _make_request(client, upload, make=False, fields=fields), None
        if error.resp.status in _SESSION_GONE and request.resumable_uri is not None:
            _forget_session(request)
            raise TransientError("the upload session has expired") from None
        raise
    return request, answer


def _make_request(client: DriveClient, upload: Upload, *, make: bool, fields: str) -> Any:
    media = _Chunks(upload)
    common = {"media_body": media, "fields": fields, "supportsAllDrives": True}
    if make:
        return client.files.create(body=upload.body, **common)
    # Where a file lies and what it is called do not change with its content.
    body = {key: value for key, value in upload.body.items() if key not in {"id", "name", "parents"}}
    return client.files.update(fileId=upload.file_id, body=body, **common)


def _forget_session(request: Any) -> None:
    request.resumable_uri = None
    request.resumable_progress = 0


def make_once(client: DriveClient, request: Any, action: str) -> None:
    """Send a create that carries an id of ours; that it exists already means that an answer was lost."""

    def send(line: Line) -> None:
        try:
            request.execute(http=line)
        except HttpError as error:
            if error.resp.status != _EXISTS:
                raise

    client.call(action, "edit", send)
