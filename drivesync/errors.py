"""The error tree. Every error that leaves drivesync is one of these, and each knows its exit code.

    DrivesyncError
    ├── UsageError            64  the command was called wrongly
    ├── DamagedError          65  bytes are not what their checksum says
    ├── NotFoundError         66  the remote folder or the local tree does not exist
    ├── RemoteError           69  the remote answered with something a retry will not help
    │   ├── TransientError    69  a retry may help; raised to the user only after all retries
    │   │   └── RateLimitedError  the remote asks to be asked more slowly
    │   ├── UsedUpError       69  nothing more is to be had today
    │   ├── RemoteFullError   69  the remote has no room for the file
    │   ├── MovedError        69  the content has changed since it was listed
    │   └── StaleMarkError    69  what has changed can be told only by a new listing
    ├── LocalWriteError       73  the local disk cannot take the file (read-only, not allowed, in the way)
    │   └── DiskFullError     73  there is no room, for this file or any other
    ├── UnfinishedError       75  stopped before the end; run the same command again to go on
    ├── LeaseError            76  another session has the run
    ├── NotAllowedError       77  no credentials, an expired token, a missing scope
    └── SettingsError         78  a setting, or the tree itself, is wrong

The codes are those of BSD's sysexits.h, so shells and schedulers can tell them apart.
"""

from __future__ import annotations


class DrivesyncError(Exception):
    """Base of all errors that drivesync raises; ``str()`` is one line that says what happened and to what.

    Args:
        message: what happened, and to which file.
        hint: what to do next, as a sentence; empty where there is nothing to add.
    """

    exit_code = 70

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(DrivesyncError):
    """The command was called wrongly."""

    exit_code = 64


class DamagedError(DrivesyncError):
    """Bytes are not what their checksum says."""

    exit_code = 65


class NotFoundError(DrivesyncError):
    """The remote folder or the local tree does not exist."""

    exit_code = 66


class RemoteError(DrivesyncError):
    """The remote answered with something that a retry will not help."""

    exit_code = 69


class TransientError(RemoteError):
    """A retry may help: a lost connection, a server error, a short body.

    ``retry_after_s`` is what the server asked for, 0.0 where it did not ask.
    """

    def __init__(self, message: str, *, hint: str = "", retry_after_s: float = 0.0) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class RateLimitedError(TransientError):
    """The remote asks to be asked more slowly; this concerns all workers, not only the one that heard it."""


class UsedUpError(RemoteError):
    """The remote has given all that it gives in a day; this concerns whatever else is asked of it, too."""


class RemoteFullError(RemoteError):
    """The remote has no room for the file; what is smaller may still fit."""


class MovedError(RemoteError):
    """What a remote file holds has changed since it was listed: look at it again, and fetch it again."""


class StaleMarkError(RemoteError):
    """What has changed since a mark can be told only by a new listing."""


class LocalWriteError(DrivesyncError):
    """The local disk cannot take the file."""

    exit_code = 73


class DiskFullError(LocalWriteError):
    """There is no room on the local disk, for this file or any other."""


class UnfinishedError(DrivesyncError):
    """Stopped before the end; run the same command again to go on."""

    exit_code = 75


class LeaseError(DrivesyncError):
    """Another session has the run: it is the one that may push, and train."""

    exit_code = 76


class NotAllowedError(DrivesyncError):
    """No credentials, an expired token, or a missing scope."""

    exit_code = 77


class SettingsError(DrivesyncError):
    """A setting, or the tree itself, is wrong."""

    exit_code = 78
