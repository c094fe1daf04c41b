"""The emulator as an object: started in a thread of its own, reachable from this process and from others."""

from __future__ import annotations

import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from drivesync.testing import trees
from drivesync.testing.costs import Costs
from drivesync.testing.ids import seeded_ids
from drivesync.testing.oauth import client_file
from drivesync.testing.server import DriveApp
from drivesync.testing.store import FREE_STORAGE_BYTES, Store
from drivesync.testing.thread import ServerThread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

    from drivesync.testing.counters import Counters
    from drivesync.testing.faults import Fault

HOST = "127.0.0.1"
TOKEN = "emulator-token"  # noqa: S105 - any token does
"""The bearer token that ``environment`` names."""


def wall_clock_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class DriveEmulator:
    """Google Drive v3 on loopback: ``with DriveEmulator() as drive: ...``.

    One thread runs the server's event loop, from ``__enter__`` to ``__exit__``. It can be entered again: the port and
    what the Drive holds stay, so an outage is the time between.

    Args:
        port: 0 takes a free one.
        costs: what every request costs at first.
        faults: what goes wrong from the start.
        seed: of ids and of all chance in faults.
        now_ms: the clock for what is stamped and what expires, milliseconds since 1970.
        storage_limit_bytes: what My Drive holds; None for no limit.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        costs: Costs | None = None,
        faults: Iterable[Fault] = (),
        seed: int = 0,
        now_ms: Callable[[], int] = wall_clock_ms,
        storage_limit_bytes: int | None = FREE_STORAGE_BYTES,
    ) -> None:
        self.store = Store(now_ms=now_ms, new_id=seeded_ids(seed), storage_limit_bytes=storage_limit_bytes)
        self.app = DriveApp(self.store, costs=costs or Costs(), seed=seed)
        for fault in faults:
            self.app.faults.inject(fault)
        self._port = port
        self._thread: ServerThread | None = None
        self._socket: socket.socket | None = None

    def __enter__(self) -> DriveEmulator:
        self._socket = socket.create_server((HOST, self._port), backlog=1024)
        self._port = self._socket.getsockname()[1]
        self._thread = ServerThread(self.app, self._socket)
        self._thread.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._thread is not None:
            self._thread.stop()
        if self._socket is not None:
            self._socket.close()
        self._thread = self._socket = None

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://{HOST}:{self._port}"

    def environment(self) -> dict[str, str]:
        """What a child process needs in its environment to use this emulator, whose listings never lag."""
        return {
            "DRIVE_EMULATOR_HOST": self.url,
            "GOOGLE_OAUTH_ACCESS_TOKEN": TOKEN,
            "DRIVESYNC_SETTLE_S": "0",
        }

    def client_file(self) -> dict[str, object]:
        """What to write to a file, as JSON, for logging in to this emulator."""
        return client_file(self.url)

    @contextmanager
    def locked(self) -> Iterator[Store]:
        """The store, while no request is served: for more than one step at a time."""
        with self.app.lock:
            yield self.store

    def inject(self, *faults: Fault) -> None:
        """Arm faults, behind those that are armed already."""
        with self.app.lock:
            for fault in faults:
                self.app.faults.inject(fault)

    def set_costs(self, costs: Costs) -> None:
        """Change what requests cost from now on."""
        self.app.set_costs(costs)

    def counters(self) -> Counters:
        """Totals by kind of call, still counting."""
        return self.app.counters

    def reset(self) -> None:
        """No faults, no costs, counters at zero; what the Drive holds stays."""
        self.app.reset_conditions()

    def seed(self, directory: Path, path: str) -> None:
        """Copy a directory from disk to ``path`` below My Drive."""
        with self.locked() as store:
            trees.seed_tree(store, directory, path)

    def put(self, path: str, data: bytes) -> str:
        """Make the file at ``path``, or give it a new revision; returns its id."""
        with self.locked() as store:
            return trees.put_file(store, path, data).id

    def read_tree(self, path: str) -> dict[str, bytes]:
        """Every file below ``path``: relative path -> content."""
        with self.locked() as store:
            return trees.read_tree(store, path)
