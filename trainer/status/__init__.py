"""How a run stands: one value, which the supervisor writes to ``TREE/.trainer/status.json`` and others read."""

from __future__ import annotations

from trainer.status.file import StatusWriter, peek_status, read_status, status_path
from trainer.status.value import AWAY, DEAD, ENDED, GpuNote, RestartNote, Status, describe_age, to_json

__all__ = [
    "AWAY",
    "DEAD",
    "ENDED",
    "GpuNote",
    "RestartNote",
    "Status",
    "StatusWriter",
    "describe_age",
    "peek_status",
    "read_status",
    "status_path",
    "to_json",
]
