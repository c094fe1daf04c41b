"""Resumable uploads that make one file, however often an answer is lost or a process killed.

    open a session --> PUT all that is left --> 200, the file
          ^                |       ^
          | 404, 410       | trouble: how much is there?
          '----------------'-------'

Protocol: https://developers.google.com/workspace/drive/api/guides/manage-uploads#resumable

A session's address is a secret: who has it may write to the file. It goes into the caller's note, and nowhere else.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from drivesync.errors import (
    DrivesyncError,
    RateLimitedError,
    RemoteError,
    TransientError,
)
from drivesync.remotes.drive.outgoing import CallerError
from drivesync.remotes.drive.pieces import Pieces, content_range, status_range, stored_bytes
from drivesync.remotes.drive.translate import translate_answer, translate_errors
from drivesync.remotes.drive.upload_requests import BINARY, UploadRequests

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivesync.remotes.base import Note
    from drivesync.remotes.drive.client import DriveClient
    from drivesync.remotes.drive.entries import Json
    from drivesync.remotes.drive.outgoing import Outgoing
    from drivesync.remotes.drive.upload_note import UploadNote

_SESSION_GONE = frozenset({404, 410})
_DAILY_HINT = "Drive takes 750 GB a day from one account; what is left goes up when the day is over."


@dataclass(frozen=True, slots=True)
class Upload:
    """What is to be written.

    Attributes:
        action: for messages.
        body: the file's metadata; what only a create may say is in ``place``.
        place: name and parents of a file that is to be made.
        make: the file is new.
        begun: what is known of it: ``file_id`` is to be made or updated; with ``uri`` or ``is_done`` an earlier process
            was so far.
        outgoing: the content.
        resource_key: of a file that is shared by a link.
    """

    action: str
    body: Mapping[str, Any]
    place: Mapping[str, Any]
    make: bool
    begun: UploadNote
    outgoing: Outgoing
    resource_key: str = field(default="", repr=False)


def send_upload(client: DriveClient, upload: Upload, note: Note | None) -> Json:
    """See that Drive holds the content, and return what it then says of the file: FIELDS, and ``trashed``.

    What the caller's source and last word raise passes as it is. It ends the session, unless it is a TransientError:
    then whoever comes with the same note goes on at the last byte.

    Raises:
        TransientError: still failing after all repeats.
        RemoteError: repeating would not help.
    """
    sending = _Sending(client, upload, note)
    try:
        return client.repeat(sending.attempt, sending.budget)
    except RateLimitedError as error:
        error.hint = error.hint or _DAILY_HINT
        raise
    except CallerError as stopped:
        problem = stopped.error
    if not isinstance(problem, TransientError):
        sending.abandon()
    raise problem


class _Sending:
    """One upload under way; ``attempt`` goes on where the one before failed.

    Attributes:
        budget: is refilled whenever more has arrived than ever before.
    """

    def __init__(self, client: DriveClient, upload: Upload, note: Note | None) -> None:
        self.budget = client.new_budget()
        self._client = client
        self._requests = UploadRequests(client, upload.action, self.budget, upload.resource_key)
        self._upload = upload
        self._action = upload.action
        self._outgoing = upload.outgoing
        self._size = upload.begun.size
        self._note = note
        # An empty file is complete with a session's first request: there is nothing to go on with.
        self._state = upload.begun if self._size else replace(upload.begun, uri="")
        self._make = upload.make
        self._pieces = Pieces()
        self._at = 0
        self._most = 0
        # Of an earlier process, whose session may be done, nobody knows whether its content is still the file's.
        self._is_inherited = bool(upload.begun.uri or upload.begun.is_done)
        self._may_be_there = self._is_inherited
        self._is_unsure = bool(upload.begun.uri)
        self._is_taken = False

    def attempt(self) -> Json:
        """Bring what is missing.

        Raises:
            CallerError: what the caller's own code raised.
            TransientError: something is still missing.
            RemoteError: another attempt would not help.
        """
        entry = self._resume() if self._state.uri and self._is_unsure else None
        if entry is None and not self._state.uri:
            entry = self._find_done()
            if entry is None:
                self._open()
        while entry is None:
            entry = self._send_piece()
        self._keep(replace(self._state, uri="", is_done=True))
        return entry

    def abandon(self) -> None:
        """Let the session go, so that nobody completes it any more."""
        self._write_note("")
        uri, self._state = self._state.uri, replace(self._state, uri="")
        if uri and not self._client.slowed_by:
            # Nobody has its address any more, so that this is only tidy.
            with suppress(DrivesyncError):
                self._requests.end(uri)

    def _resume(self) -> Json | None:
        """Ask how far it is; the file if it is done, and the same that is there now."""
        if not self._size:
            # There is no such question about an empty file; sending it once more makes no second one.
            return None
        headers = {"content-length": "0", "content-range": status_range(self._size)}
        status, answered, content = self._requests.put(self._state.uri, headers)
        if status in _SESSION_GONE or (status == 400 and self._is_inherited):
            self._forget_session()
            return None
        entry = self._read_answer(status, answered, content)
        if entry is not None and self._is_inherited:
            self._forget_session()
            return None
        self._is_inherited = False
        return entry

    def _find_done(self) -> Json | None:
        """The file, if it is complete without our having heard of it; else what is there is only noted."""
        if not self._may_be_there:
            return None
        entry = self._requests.look(self._state.file_id)
        self._may_be_there = self._is_inherited = False
        if entry is not None and not entry["trashed"]:
            is_same_size = int(entry.get("size", -1)) == self._size
            if is_same_size and entry.get("md5Checksum") == self._outgoing.md5():
                return entry
            self._make = False
        elif self._make and (entry is not None or self._is_taken):
            # Ids are used once, even by what is deleted.
            self._state = replace(self._state, file_id=self._client.ids.take())
            self._is_taken = False
        return None

    def _open(self) -> None:
        """Open a session."""
        if self._make:
            self._keep(self._state)
        made = {"id": self._state.file_id, **self._upload.place} if self._make else {}
        body = {**self._upload.body, **made}
        file_id = "" if self._make else self._state.file_id
        status, answered, content = self._requests.open(file_id, body, self._size)
        if status == 409 and self._make:
            self._meet_twin()
        if status >= 400:
            raise translate_answer(self._action, status, answered, content)
        uri = answered.get("location", "")
        if not uri.startswith(f"{self._client.base_url}/"):
            raise RemoteError(f"{self._action}: Drive opened an upload session in another place")
        self._at, self._is_unsure = 0, False
        self._keep(replace(self._state, uri=uri))

    def _send_piece(self) -> Json | None:
        """Send the next piece; the file if that was the last."""
        begun_at, end = self._at, self._pieces.end(self._at, self._size)
        headers = {"content-length": str(end - begun_at), "content-type": BINARY}
        if self._size:
            headers["content-range"] = content_range(begun_at, end, self._size)
        else:
            self._outgoing.release()
        self._is_unsure = True
        try:
            status, answered, content = self._requests.put(
                self._state.uri, headers, lambda: self._outgoing.blocks(begun_at, end)
            )
            entry = self._read_answer(status, answered, content)
        except RateLimitedError:
            raise
        except TransientError:
            if self._state.uri:
                self._pieces.shrink()
            raise
        if entry is None and self._at <= begun_at:
            raise TransientError(f"{self._action}: Drive kept nothing of what was sent")
        self._pieces.grow()
        return entry

    def _read_answer(self, status: int, headers: Mapping[str, str], content: bytes) -> Json | None:
        """The file that a session's answer brings; None where more is wanted, from ``_at`` on."""
        if status in {200, 201}:
            with translate_errors(self._action):
                entry: Json = json.loads(content)
            self._is_unsure = False
            return entry
        if status == 308:
            self._take_range(headers.get("range", ""))
            return None
        if status in _SESSION_GONE:
            self._forget_session()
            raise TransientError(f"{self._action}: the upload session has expired")
        if status == 409 and self._make:
            self._forget_session()
            self._meet_twin()
        raise translate_answer(self._action, status, headers, content)

    def _take_range(self, text: str) -> None:
        try:
            stored = stored_bytes(text)
        except ValueError:
            stored = self._size
        if stored >= self._size:
            raise TransientError(f"{self._action}: Drive does not say how much it has")
        self._at, self._is_unsure = stored, False
        if stored > self._most:
            self._most = stored
            self.budget.refill()

    def _meet_twin(self) -> None:
        """The id to be made is there already: an answer was lost, or the file was deleted."""
        self._may_be_there = self._is_taken = True
        raise TransientError(f"{self._action}: an answer of Drive's was lost")

    def _forget_session(self) -> None:
        self._state = replace(self._state, uri="")
        self._may_be_there = self._may_be_there or self._outgoing.is_released

    def _keep(self, state: UploadNote) -> None:
        """Remember ``state``, here and for a later process."""
        self._state = state
        self._write_note(state.to_text())

    def _write_note(self, text: str) -> None:
        if self._note is not None:
            self._note.write(text)
