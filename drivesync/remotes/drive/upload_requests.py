"""The requests of one upload, each sent once."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from googleapiclient.http import MediaIoBaseUpload

from drivesync.errors import NotFoundError
from drivesync.remotes.drive.entries import FIELDS
from drivesync.remotes.drive.line import Line, resource_keys_header
from drivesync.remotes.drive.search import EVERYWHERE
from drivesync.remotes.drive.translate import translate_errors
from drivesync.remotes.retrying import Budget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from drivesync.remotes.drive.client import DriveClient
    from drivesync.remotes.drive.entries import Json

    Reply = tuple[int, Mapping[str, str], bytes]

BINARY = "application/octet-stream"
_FIELDS = f"{FIELDS},trashed"


class UploadRequests:
    """Sends them; an answer is its status, its headers (names in lower case) and its body.

    All raise TransientError where no answer came, and what ``DriveClient.send`` raises.

    Args:
        client: opened.
        action: for messages.
        budget: of the upload.
        resource_key: of a file that is shared by a link.
    """

    def __init__(self, client: DriveClient, action: str, budget: Budget, resource_key: str) -> None:
        self._client = client
        self._action = action
        self._budget = budget
        self._resource_key = resource_key

    def look(self, file_id: str) -> Json | None:
        """What is said of the file: FIELDS, and ``trashed``; None if there is none."""
        request = self._client.files.get(fileId=file_id, fields=_FIELDS, **EVERYWHERE)
        request.headers |= self._keys(file_id)
        try:
            with translate_errors(self._action):
                entry: Json = request.execute(http=Line(self._client, self._action, "get", self._budget))
        except NotFoundError:
            return None
        return entry

    def open(self, file_id: str, body: Mapping[str, Any], size: int) -> Reply:
        """Open a session for ``size`` bytes, whose address is in the answer's ``location``.

        Args:
            file_id: of the file to be updated; empty for a new one, whose id is in ``body``.
            body: the metadata.
            size: of the content.
        """
        # Only this request is Google's: its client would hold whole pieces of the content in memory.
        media = MediaIoBaseUpload(io.BytesIO(), mimetype=BINARY, resumable=True)
        common = {"body": dict(body), "media_body": media, "fields": _FIELDS, **EVERYWHERE}
        files = self._client.files
        request = files.update(fileId=file_id, **common) if file_id else files.create(**common)
        content = request.body.encode()
        headers = {
            **request.headers,
            **self._keys(file_id),
            "content-length": str(len(content)),
            "x-upload-content-type": BINARY,
            "x-upload-content-length": str(size),
        }
        return self._send(request.method, request.uri, "edit", headers, lambda: (content,), self._budget)

    def put(self, uri: str, headers: Mapping[str, str], body: Callable[[], Iterable[bytes]] = tuple) -> Reply:
        """Send to a session; ``body`` is begun anew if the token was refused."""
        # What an upload costs is paid when its session is opened.
        return self._send("PUT", uri, "other", headers, body, self._budget)

    def end(self, uri: str) -> Reply:
        """End a session; Drive's answer is an odd 499."""
        return self._send("DELETE", uri, "other", {"content-length": "0"}, tuple, Budget(0))

    def _send(
        self,
        method: str,
        uri: str,
        kind: str,
        headers: Mapping[str, str],
        body: Callable[[], Iterable[bytes]],
        budget: Budget,
    ) -> Reply:
        path = uri.removeprefix(self._client.base_url)
        with translate_errors(self._action):
            response = self._client.send(
                self._action,
                kind,
                budget,
                {**headers, "accept-encoding": "identity"},
                lambda transport, authorized: transport.send(method, path, authorized, body()),
            )
            try:
                return response.status, response.headers, response.data
            finally:
                response.close()

    def _keys(self, file_id: str) -> dict[str, str]:
        return resource_keys_header({file_id: self._resource_key})
