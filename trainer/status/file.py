"""The file of a run's status: written by the supervisor, in one step and seldom, read by everybody else."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from drivesync.disk import local_errors, write_atomically
from drivesync.errors import DamagedError, DiskFullError, LocalWriteError
from trainer.background import running_pid
from trainer.status.value import DEAD, ENDED, from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trainer.status.value import Status

_EVERY_S = 1.0


class StatusWriter:
    """Keeps the status file, at most one write a second but for changes of state; used from several threads.

    What cannot be written is left out: a full disk is no reason to stop training.
    """

    def __init__(self, tree: Path, status: Status, clock: Callable[[], float] = time.time) -> None:
        self._path = status_path(tree)
        self._clock = clock
        self._lock = threading.Lock()
        self.value = status

    def update(self, **changes: Any) -> None:
        """Change the status, and write it if it is time."""
        with self._lock:
            before, now_s = self.value, self._clock()
            self.value = replace(before, **changes)
            # Either way: the clock of a new machine is set while we run.
            if self.value.state != before.state or abs(now_s - before.updated_s) >= _EVERY_S:
                self._write(now_s)

    def flush(self) -> None:
        """Write the status now."""
        with self._lock:
            self._write(self._clock())

    def _write(self, now_s: float) -> None:
        self.value = replace(self.value, updated_s=now_s)
        content = json.dumps(to_json(self.value), allow_nan=False).encode() + b"\n"
        with suppress(LocalWriteError), local_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                write_atomically(self._path, content)
            except DiskFullError:
                # What a full disk has brought to an end shall not be taken for what has died without a word; and there
                # is room where the last status lies.
                if self.value.state in ENDED:
                    with self._path.open("r+b") as file:
                        file.write(content)
                        file.truncate()


def status_path(tree: Path) -> Path:
    """Where the status lies."""
    return tree / ".trainer" / "status.json"


def read_status(tree: Path) -> Status | None:
    """The status as it is now; None if no supervisor ever ran there, or if the file was lost.

    Raises:
        DamagedError: it is there, and cannot be read.
    """
    path = status_path(tree)
    try:
        status = from_json(json.loads(path.read_bytes()))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not what a supervisor writes"
        raise DamagedError(
            f"{path} cannot be read: {reason}",
            hint="Remove it: the next session writes another, and of the training nothing is lost with it.",
        ) from error
    if status.state not in ENDED and running_pid(tree) is None:
        message = "The supervisor is gone without a word; `trainer supervise` goes on where it stopped."
        return replace(status, state=DEAD, message=message)
    return status


def peek_status(tree: Path) -> Status | None:
    """As ``read_status``, for who can do without: what cannot be read is none."""
    with suppress(DamagedError):
        return read_status(tree)
    return None
