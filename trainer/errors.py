"""What can go wrong in trainer; a branch of drivesync's tree, so one handler at the top sees them all.

DrivesyncError
├── SettingsError 78
│   └── TreeError       78  the darknet tree is wrong: a file is missing or cannot be read as what it is
├── NotFoundError 66
│   └── NoDarknetError  66  no darknet program is to be found
├── UsageError 64
│   └── AlreadyRunningError 64  another supervisor has the tree
└── UnfinishedError 75
    ├── GaveUpError     75  darknet ended too often without getting any further
    └── StoppedError    75  stopped by a signal or by ``trainer stop``
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivesync.errors import NotFoundError, SettingsError, UnfinishedError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


class TreeError(SettingsError):
    """The darknet tree is wrong: a file is missing or cannot be read as what it is."""


class NoDarknetError(NotFoundError):
    """No darknet program is to be found."""


class AlreadyRunningError(UsageError):
    """Another supervisor has the tree.

    ``pid`` is its process; ``None`` if it held the lock but had not yet said who it is.
    """

    def __init__(self, tree: Path, pid: int | None) -> None:
        super().__init__(
            f"a supervisor{f' (process {pid})' if pid else ''} trains {tree} already",
            hint="See: trainer status. To end it: trainer stop.",
        )
        self.pid = pid


class GaveUpError(UnfinishedError):
    """darknet ended too often without getting any further."""


class StoppedError(UnfinishedError):
    """Stopped by a signal or by ``trainer stop`` before the training was finished."""
