"""Where a tree is kept: the protocol in ``base``, and for each kind of place what opens it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from drivesync.remotes.places import GitRepository, LocalFolder, parse_place

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivesync.config import Settings
    from drivesync.remotes.base import Remote

# Imported within the functions, each kind of remote: Google's client alone takes most of a second.
# ruff: noqa: PLC0415


def open_remote(name: str, settings: Settings, on_wait: Callable[[str], None]) -> Remote:
    """The remote that a user calls ``name``; enter it to use it.

    Args:
        name: see ``places``.
        settings: see ``Settings``.
        on_wait: told a line when a request has to wait for long.

    Raises:
        UsageError: it names nothing.
    """
    place = parse_place(name)
    if isinstance(place, LocalFolder):
        from drivesync.remotes.folder.remote import FolderRemote

        return FolderRemote(name, settings, on_wait)
    if isinstance(place, GitRepository):
        from drivesync.remotes.git.remote import GitRemote

        return GitRemote(name, settings, on_wait)
    with warnings.catch_warnings():
        # Google's packages complain of the age of Python, to people who did not choose it: it came with their Debian.
        warnings.filterwarnings("ignore", message="You are using a .*Python version", category=FutureWarning)
        from drivesync.remotes.drive.remote import DriveRemote
    return DriveRemote(name, settings, on_wait, first_wait_s=settings.retry_wait_s)


def is_pull_only(name: str) -> bool:
    """Whether nothing can be pushed to the remote ``name``.

    Raises:
        UsageError: it names nothing.
    """
    return isinstance(parse_place(name), GitRepository)
