"""Whose Drive it is, and what it can hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivesync.files import Room

if TYPE_CHECKING:
    from drivesync.remotes.drive.client import DriveClient


@dataclass(frozen=True, slots=True)
class Account:
    """A user of Drive.

    Attributes:
        name: as others see it.
        email: empty where Google does not tell.
        limit_bytes: what all of the account's storage can hold; None for no limit.
        used_bytes: of that, by Drive, its trash, Gmail and Photos together.
    """

    name: str
    email: str
    limit_bytes: int | None
    used_bytes: int

    @property
    def left_bytes(self) -> int | None:
        """What can still be stored; None for no limit."""
        return None if self.limit_bytes is None else max(0, self.limit_bytes - self.used_bytes)


def describe_account(client: DriveClient) -> Account:
    """Ask Drive whose it is: one request.

    Raises:
        NotAllowedError: the credentials do not do.
        RemoteError: there was no usable answer.
    """
    wish = client.about.get(fields="user(displayName,emailAddress),storageQuota(limit,usage)")
    answer = client.execute("asking whose Drive it is", "other", wish)
    user, quota = answer.get("user", {}), answer.get("storageQuota", {})
    return Account(
        name=str(user.get("displayName", "")),
        email=str(user.get("emailAddress", "")),
        limit_bytes=int(quota["limit"]) if "limit" in quota else None,
        used_bytes=int(quota.get("usage", 0)),
    )


def ask_room(client: DriveClient) -> Room:
    """What fits into the user's Drive: one request. Gmail and Photos take of the same room."""
    wish = client.about.get(fields="storageQuota(limit,usage,usageInDriveTrash)")
    quota = client.execute("asking how much room there is", "other", wish).get("storageQuota", {})
    return Room(
        limit=int(quota["limit"]) if "limit" in quota else None,
        used=int(quota.get("usage", 0)),
        trashed=int(quota.get("usageInDriveTrash", 0)),
    )
