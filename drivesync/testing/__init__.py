"""A Google Drive of one's own: an emulator of Drive API v3 for tests, demos and benchmarks.

    with DriveEmulator() as drive:
        drive.put("darknet/cfg/remote.cfg", b"[net]")
        subprocess.run([...], env={**os.environ, **drive.environment()})
        assert "backup/remote_last.weights" in drive.read_tree("darknet")

Or, for other processes: ``python -m drivesync.testing --seed DIR:PATH``. Nothing that ships imports this package; it
needs the extra ``emulator``.

    store    what the Drive holds (pure)          calls -> server   a request is classified, slowed, damaged, answered
    query    the q parameter (pure)               file_calls, upload_calls, account_calls   what each call does (pure)
    fields   partial answers (pure)               connection, exchange   bytes in and out of a socket
    faults   what goes wrong and costs (pure)     control           /emulator/... for other processes
"""

from __future__ import annotations

from drivesync.testing.costs import QUOTA_UNITS_PER_MINUTE, Costs
from drivesync.testing.emulator import TOKEN, DriveEmulator
from drivesync.testing.faults import (
    CorruptDownload,
    CorruptUpload,
    CutDownload,
    CutUpload,
    Delay,
    ErrorAnswer,
    ExpiredToken,
    ExpiredUpload,
    Fault,
    LostAnswer,
    OmittedParent,
)

__all__ = [
    "QUOTA_UNITS_PER_MINUTE",
    "TOKEN",
    "CorruptDownload",
    "CorruptUpload",
    "Costs",
    "CutDownload",
    "CutUpload",
    "Delay",
    "DriveEmulator",
    "ErrorAnswer",
    "ExpiredToken",
    "ExpiredUpload",
    "Fault",
    "LostAnswer",
    "OmittedParent",
]
