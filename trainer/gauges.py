"""What a machine has to do and to spare while it trains: asked in threads, so that nobody waits for an answer.

Threads: ``gauges`` asks the graphics cards and the disk, ``room`` asks the remote. Each is left behind where what it
asks hangs: a dead mount keeps whoever asks for its room for good.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from drivesync.disk import free_bytes
from drivesync.errors import DrivesyncError
from trainer.machine.gpu_use import read_gpu_use
from trainer.status import GpuNote

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType
    from typing import Any

    from drivesync.remotes.base import Remote
    from trainer.machine.gpu_use import GpuUse

_LOOK_EVERY_S = 5.0
_ROOM_EVERY_S = 120.0
_JOIN_S = 0.5


@dataclass(frozen=True, slots=True)
class Reading:
    """What was answered last; None stands for what is not known.

    Attributes:
        gpus: the graphics cards.
        disk_free_bytes: what still fits on the disk that checkpoints are saved on.
        remote_free_bytes: what still fits on the remote.
    """

    gpus: tuple[GpuNote, ...] = ()
    disk_free_bytes: int | None = None
    remote_free_bytes: int | None = None


NO_READING = Reading()


class Gauges:
    """Asks, as long as the ``with`` block lasts.

    Args:
        folder: on the disk that checkpoints are saved on.
        remote: entered; None where nothing is pushed.
        ask_gpus: what the graphics cards do; does not raise.
    """

    def __init__(
        self,
        folder: Path,
        remote: Remote | None,
        ask_gpus: Callable[[], tuple[GpuUse, ...]] = read_gpu_use,
    ) -> None:
        self._folder = folder
        self._remote = remote
        self._ask_gpus = ask_gpus
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._reading = NO_READING
        jobs = [threading.Thread(target=self._look, name="gauges", daemon=True)]
        if remote is not None:
            jobs.append(threading.Thread(target=self._ask_remote, args=(remote,), name="room", daemon=True))
        self._threads = tuple(jobs)

    def __enter__(self) -> Gauges:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(_JOIN_S)

    @property
    def reading(self) -> Reading:
        """What was answered last; at once."""
        return self._reading

    def _look(self) -> None:
        while not self._over.is_set():
            self._take(gpus=tuple(map(_note, self._ask_gpus())))
            # The folder may be made yet, or its disk be gone.
            with suppress(OSError, DrivesyncError):
                self._take(disk_free_bytes=free_bytes(self._folder))
            self._over.wait(_LOOK_EVERY_S)

    def _ask_remote(self, remote: Remote) -> None:
        while not self._over.is_set():
            # Whatever keeps it from answering is met by the pushes as well, and told there; and this thread has to
            # live, also while its remote is closed.
            with suppress(Exception):
                room = remote.room()
                self._take(remote_free_bytes=room.free if room else None)
            self._over.wait(_ROOM_EVERY_S)

    def _take(self, **answers: Any) -> None:
        with self._lock:
            self._reading = replace(self._reading, **answers)


def _note(use: GpuUse) -> GpuNote:
    return GpuNote(use.name, use.used_bytes, use.total_bytes, use.busy_percent)
