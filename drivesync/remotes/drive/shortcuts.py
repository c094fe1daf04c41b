"""Shortcuts, followed to what they stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivesync.errors import NotAllowedError, NotFoundError
from drivesync.remotes.drive.entries import FIELDS, is_shortcut
from drivesync.remotes.drive.search import look_up

if TYPE_CHECKING:
    from drivesync.remotes.drive.client import DriveClient
    from drivesync.remotes.drive.entries import Json

_GONE = "it is a shortcut to something that is gone, or is not shared with you"


def target_id(shortcut: Json) -> str:
    """Of what ``shortcut`` stands for; empty where Drive does not say."""
    return str(shortcut.get("shortcutDetails", {}).get("targetId", ""))


def follow(client: DriveClient, shortcut: Json) -> Json | str:
    """What ``shortcut`` stands for; or, as a clause, why there is nothing to be had."""
    if not target_id(shortcut):
        return _GONE
    key = shortcut["shortcutDetails"].get("targetResourceKey", "")
    action = f"following the shortcut {shortcut['name']}"
    try:
        target = look_up(client, action, target_id(shortcut), key, fields=f"{FIELDS},trashed")
    except NotFoundError:
        return _GONE
    except NotAllowedError as error:
        # Where it is the credentials that do not do, every other request says so, too.
        return f"it is a shortcut, and {error}"
    if target.get("trashed"):
        return "it is a shortcut to something in Drive's trash"
    if is_shortcut(target):
        return "it is a shortcut to a shortcut"
    return {**target, "resourceKey": target.get("resourceKey", key)}
