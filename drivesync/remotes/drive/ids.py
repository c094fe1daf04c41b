"""Ids that Drive gives out before there is anything with them: a create that is repeated makes no twin.

https://developers.google.com/workspace/drive/api/guides/create-file#use-pre-generated-ids
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from googleapiclient.errors import HttpError

if TYPE_CHECKING:
    from drivesync.remotes.drive.client import DriveClient
    from drivesync.remotes.drive.line import Line

_ASKED_FOR = 100
_EXISTS = 409


class Ids:
    """Ids for new files and folders, asked for many at a time; safe to use from several threads.

    Args:
        client: opened before the first call.
    """

    def __init__(self, client: DriveClient) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._ready: deque[str] = deque()

    def take(self) -> str:
        """One that nobody else has; a request is sent only where none is left."""
        # Whoever finds none while another asks waits for that one's answer.
        with self._lock:
            if not self._ready:
                self._ready.extend(self._ask())
            return self._ready.popleft()

    def forget(self) -> None:
        """Ask anew from now on: another account may be there."""
        with self._lock:
            self._ready.clear()

    def _ask(self) -> list[str]:
        request = self._client.files.generateIds(count=_ASKED_FOR, space="drive", type="files", fields="ids")
        return [str(given) for given in self._client.execute("asking for file ids", "other", request)["ids"]]


def make_once(client: DriveClient, request: Any, action: str) -> None:
    """Send a create that carries an id of ours; that it exists already means that an answer was lost."""

    def send(line: Line) -> None:
        try:
            request.execute(http=line)
        except HttpError as error:
            if error.resp.status != _EXISTS:
                raise

    client.call(action, "edit", send)
