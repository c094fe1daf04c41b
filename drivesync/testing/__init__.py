"""A Google Drive of one's own: an emulator of Drive API v3 for tests, demos and benchmarks.

    with DriveEmulator() as drive:
        drive.put("darknet/cfg/remote.cfg", b"[net]")
        subprocess.run([...], env={**os.environ, **drive.environment()})
        assert "backup/remote_last.weights" in drive.read_tree("darknet")

Or, for other processes: ``python -m drivesync.testing --seed DIR:PATH``. Nothing that ships imports this package; it
needs the extra ``emulator``.

    emulator, thread            started and stopped; trees: what tests put in and read back by path
    server, control             one request from its classification to its answer; /emulator/... for other processes
    oauth, oauth_routes         PURE: who may use it; logging in, refreshing and revoking, over HTTP
    connection, exchange        bytes in and out of a socket: pace, damage, cuts
    calls, faults, costs        PURE: what a request is, what happens to it, what it costs
    file_calls, upload_calls, account_calls, batch_calls    PURE: what each call does
    store, entries, changes, revisions, metadata            PURE: what the Drive holds
    query, matching, fields, resources                      PURE: what is found, and what is said of it
    tls, relay                  the same emulator for clients that insist on https://www.googleapis.com
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
