"""Where a tree is kept: the protocol in ``base``, and one module for each kind of place."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from drivesync.errors import UsageError
from drivesync.files import refuse_name

with warnings.catch_warnings():
    # Google's packages complain of the age of Python, to people who did not choose it: it came with their Debian.
    warnings.filterwarnings("ignore", message="You are using a .*Python version", category=FutureWarning)
    from drivesync.remotes.drive import DriveRemote

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivesync.config import Settings
    from drivesync.remotes.base import Remote


def open_remote(name: str, settings: Settings, on_wait: Callable[[str], None]) -> Remote:
    """The remote that a user calls ``name``: a folder path below My Drive. Enter it to use it.

    Args:
        name: such as ``darknet`` or ``work/darknet``.
        settings: see ``Settings``.
        on_wait: told a line when a request has to wait for long.

    Raises:
        UsageError: it names no folder.
    """
    path = name.strip("/")
    if any(refuse_name(part) for part in path.split("/")):
        raise UsageError(
            f"{name!r} names no folder in My Drive",
            hint="REMOTE is a folder path below My Drive, such as darknet or work/darknet.",
        )
    return DriveRemote(path, settings, on_wait, first_wait_s=settings.retry_wait_s)
