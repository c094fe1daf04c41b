"""Ballast: a file that is thrown away when the disk is full, so that what must be written then can be.

That is how far a push is, what the index knows, and the receipt: without room for those nothing would ever be safe.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from drivesync.disk import make_state_folder
from drivesync.files import STATE_FOLDER

if TYPE_CHECKING:
    from pathlib import Path

_BALLAST = "ballast"
_SIZE_BYTES = 1 << 20


def keep_ballast(tree: Path) -> None:
    """Have it, if the disk has room for it, and can set some aside.

    Raises:
        LocalWriteError: the state folder cannot be made.
    """
    path = make_state_folder(tree) / _BALLAST
    with suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o666)
        try:
            if os.fstat(descriptor).st_size < _SIZE_BYTES:
                os.posix_fallocate(descriptor, 0, _SIZE_BYTES)
        except OSError:
            # Half of it may have been set aside.
            path.unlink()
        finally:
            os.close(descriptor)


def drop_ballast(tree: Path) -> None:
    """Throw it away, if it is there."""
    with suppress(OSError):
        (tree / STATE_FOLDER / _BALLAST).unlink()
