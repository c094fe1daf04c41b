"""What can go wrong in trainer; a branch of drivesync's tree, so one handler at the top sees them all.

    DrivesyncError
    ├── SettingsError 78
    │   └── TreeError       78  the darknet tree is wrong: a file is missing or cannot be read as what it is
    ├── NotFoundError 66
    │   └── NoDarknetError  66  no darknet program is to be found
    └── UnfinishedError 75
        ├── GaveUpError     75  darknet ended too often without getting any further
        └── StoppedError    75  stopped by a signal or by ``trainer stop``
"""

from __future__ import annotations

from drivesync.errors import NotFoundError, SettingsError, UnfinishedError


class TreeError(SettingsError):
    """The darknet tree is wrong: a file is missing or cannot be read as what it is."""


class NoDarknetError(NotFoundError):
    """No darknet program is to be found."""


class GaveUpError(UnfinishedError):
    """darknet ended too often without getting any further."""


class StoppedError(UnfinishedError):
    """Stopped by a signal or by ``trainer stop`` before the training was finished."""
