"""One turn's record on Drive: the requests that make, read, change and delete it; see ``leases`` for what they mean."""

from __future__ import annotations

import math
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from googleapiclient.errors import HttpError

from drivesync.errors import NotFoundError
from drivesync.files import STATE_FOLDER, LeaseRecord
from drivesync.remotes.drive.entries import from_time
from drivesync.remotes.drive.search import EVERYWHERE
from drivesync.turns import lease_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivesync.remotes.drive.client import DriveClient
    from drivesync.remotes.drive.entries import Json
    from drivesync.remotes.drive.folders import Folders
    from drivesync.remotes.drive.line import Line

FIELDS = "id,name,createdTime,trashed,properties"
RELEASED = "released"

_PROPERTY_BYTES = 124
"""Of a key and its value together: https://developers.google.com/workspace/drive/api/guides/properties"""

_TYPE = "application/octet-stream"
_EXISTS = 409


class LeaseRecords:
    """The records of one tree's leases; safe to use from several threads.

    Args:
        client: opened before the first call.
        folders: of the tree.
    """

    def __init__(self, client: DriveClient, folders: Folders) -> None:
        self._client = client
        self._folders = folders

    def make(self, file_id: str, run: str, said: dict[str, str]) -> LeaseRecord | None:
        """Make a record; that of another session if it was faster, None if what it made is gone already."""
        body = {
            "id": file_id,
            "name": name_of(run),
            "mimeType": _TYPE,
            "parents": [self._folders.make(STATE_FOLDER).id],
            "properties": said | {"next": self._client.ids.take()},
        }
        request = self._client.files.create(body=body, fields=FIELDS, **EVERYWHERE)

        def create(line: Line) -> Json | None:
            try:
                made: Json = request.execute(http=line)
            except HttpError as error:
                if error.resp.status != _EXISTS:
                    raise
                return None
            return made

        try:
            entry = self._client.call(f"claiming {run}", "edit", create) or self.look(file_id)
        except NotFoundError:
            # The folder that was remembered.
            self._folders.forget()
            return None
        return None if entry is None or entry["trashed"] else read_record(entry, run)

    def look(self, file_id: str, dates: list[float] | None = None) -> Json | None:
        """The record with this id; None if it is not there, or was thrown into the trash.

        ``dates`` is added to: when Drive answered.
        """
        request = self._client.files.get(fileId=file_id, fields=FIELDS, **EVERYWHERE)
        if dates is not None:
            request.add_response_callback(lambda answer: dates.append(_read_date(answer)))
        try:
            entry = self._client.execute("looking at a lease", "get", request)
        except NotFoundError:
            return None
        return None if entry["trashed"] else entry

    def change(self, record: LeaseRecord, said: dict[str, str]) -> LeaseRecord:
        """Have the record say this, too; returned is what it is then.

        Raises:
            NotFoundError: it is gone.
        """
        request = self._client.files.update(
            fileId=record.id, body={"properties": said}, fields=FIELDS, **EVERYWHERE
        )
        entry = self._client.execute(f"renewing the lease on {record.run}", "edit", request)
        if entry["trashed"]:
            raise gone(record)
        return read_record(entry, record.run)

    def delete(self, file_id: str) -> None:
        """Remove a record for good; that it is gone already is no error."""
        request = self._client.files.delete(fileId=file_id, **EVERYWHERE)
        with suppress(NotFoundError):
            self._client.execute("deleting an old lease", "edit", request)


def _read_date(answer: Mapping[str, str]) -> float:
    """When Drive gave ``answer``, in whole seconds of Unix time; no number if it does not say."""
    try:
        return parsedate_to_datetime(answer["date"]).timestamp()
    except (KeyError, ValueError):
        return math.nan


def name_of(run: str) -> str:
    """What all records of ``run`` are called."""
    return f"lease-{lease_key(run)}"


def gone(record: LeaseRecord) -> NotFoundError:
    """The error of who looks for ``record`` in vain."""
    return NotFoundError(f"the record of turn {record.epoch} of {record.run} is gone")


def say(epoch: int, previous: str, holder: str, who: str) -> dict[str, str]:
    """The properties of a new record, but for the next one's id."""
    return {
        "epoch": str(epoch),
        "holder": holder,
        "who": _cut(who, _PROPERTY_BYTES - len("who")),
    } | ({"previous": previous} if previous else {})


def _cut(text: str, most_bytes: int) -> str:
    return text.encode(errors="replace")[:most_bytes].decode(errors="ignore")


def read_record(entry: Json, run: str) -> LeaseRecord:
    """What Drive tells of a record, as a value."""
    said = entry["properties"]
    since_s = from_time(entry["createdTime"])
    return LeaseRecord(
        run=run,
        epoch=int(said["epoch"]),
        id=entry["id"],
        next_id=said["next"],
        holder=said["holder"],
        who=said["who"],
        since_s=since_s,
        renewed_s=max(since_s, float(said.get("renewed", since_s))),
        released=RELEASED in said,
    )
