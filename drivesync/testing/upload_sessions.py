"""Resumable uploads that are under way. PURE: the clock and the source of ids are handed in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from drivesync.testing.entries import Digester
from drivesync.testing.wire import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

UPLOAD_LIFETIME_MS = 7 * 24 * 3600 * 1000
"""A resumable session URI expires after one week."""


@dataclass(slots=True)
class UploadSession:
    """A resumable upload in progress.

    ``data`` holds what is stored for good, always whole steps until the last byte is there. ``writer`` counts the
    requests that wrote: a request that is no longer the newest must not append, for its client has gone on without it.
    """

    id: str
    request: object
    mime_type: str
    created_ms: int
    total_bytes: int | None = None
    data: bytearray = field(default_factory=bytearray)
    digester: Digester = field(default_factory=Digester)
    writer: int = 0
    finished_id: str = ""

    def append(self, piece: bytes | bytearray) -> None:
        """Store ``piece`` for good."""
        self.digester.update(piece)
        self.data += piece


class UploadSessions:
    """The sessions of one account, open or finished; arguments as for ``Store``."""

    def __init__(self, *, now_ms: Callable[[], int], new_id: Callable[[], str]) -> None:
        self._now_ms = now_ms
        self._new_id = new_id
        self._sessions: dict[str, UploadSession] = {}

    def start(self, request: object, mime_type: str, total_bytes: int | None) -> UploadSession:
        """Open a session for ``request``, which is kept for the session's end."""
        session = UploadSession(self._new_id(), request, mime_type, self._now_ms(), total_bytes)
        self._sessions[session.id] = session
        return session

    def get(self, upload_id: str) -> UploadSession:
        """An open session, or one that has been finished.

        Raises:
            ApiError: 404 where there was none, 410 where it is over a week old.
        """
        session = self._sessions.get(upload_id)
        if session is None:
            raise ApiError(404, "notFound", "Upload session not found.", location="upload_id")
        if self._now_ms() - session.created_ms > UPLOAD_LIFETIME_MS:
            raise ApiError(410, "uploadExpired", "The upload session has expired.", location="upload_id")
        return session

    def forget(self, upload_id: str) -> None:
        """Let a session end, if there is such a one."""
        self._sessions.pop(upload_id, None)

    def all(self) -> tuple[UploadSession, ...]:
        """Every session, in the order in which they were opened."""
        return tuple(self._sessions.values())
