"""Packing beside a training: in a thread of its own, which takes what nobody else wants, and ends when told to."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.filesize import decimal as format_size

from drivesync.errors import DrivesyncError
from drivesync.index import Index
from drivesync.packing.pace import CPU_SHARE, CpuShare, lower_priority
from drivesync.packing.pack import pack
from drivesync.packing.plan import PackingLimits
from drivesync.progress import Silence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from drivesync.packing.plan import PackingPlan
    from drivesync.progress import Reporter
    from drivesync.remotes.base import Remote

MANY_FILES = 500
"""A pull that brought more of them one by one is worth packing for; fewer take less than 20 seconds."""

_CANCEL_EVERY_S = 0.2


BESIDE = PackingLimits(least_files=MANY_FILES + 1)
"""What is packed beside a training: fewer new files come one by one soon enough."""


def has_many(tree: Path) -> bool:
    """Whether so many small files of ``tree`` came from its remote that packing might be worth while."""
    with Index(tree, leaves_traces=False) as index:
        small = sum(file.size <= BESIDE.most_file_bytes for file in index.read().values())
    return small > MANY_FILES


@contextmanager
def pack_in_background(
    open_remote: Callable[[], Remote],
    tree: Path,
    reporter: Reporter,
    *,
    limits: PackingLimits = BESIDE,
    cpu_share: float = CPU_SHARE,
) -> Iterator[Callable[[], None]]:
    """Within it ``tree`` can be packed while something else goes on; yields what begins that, once.

    Threads: one, from that call on, which is ended and joined where the context ends, whatever it does. It takes
    only what no other thread wants of a core, where the system can do that.

    Args:
        open_remote: makes a remote, not entered, which nobody else uses: it is cancelled at the end.
        tree: that was pulled.
        reporter: hears one line that says what is done, and one if it could not be; of its progress nothing.
        limits: see there.
        cpu_share: so much of a core is used at most.
    """
    packing = _Packing(open_remote, tree, reporter, limits, cpu_share)
    try:
        yield packing.start
    finally:
        packing.stop()


class _Packing:
    """See ``pack_in_background``."""

    def __init__(
        self,
        open_remote: Callable[[], Remote],
        tree: Path,
        reporter: Reporter,
        limits: PackingLimits,
        cpu_share: float,
    ) -> None:
        self._open_remote = open_remote
        self._tree = tree
        self._reporter = reporter
        self._limits = limits
        self._stop = threading.Event()
        self._pace = CpuShare(self._stop, cpu_share)
        self._remote: Remote | None = None
        self._thread = threading.Thread(target=self._run, name="pack", daemon=True)

    def start(self) -> None:
        """Begin, unless that was done before."""
        if self._thread.ident is None:
            self._thread.start()

    def stop(self) -> None:
        """End soon, and return then."""
        self._stop.set()
        # A connection that is just being made cannot be cut yet; so it is tried until the thread has ended.
        while self._thread.is_alive():
            if self._remote is not None:
                self._remote.cancel()
            self._thread.join(_CANCEL_EVERY_S)

    def _run(self) -> None:
        lower_priority()
        try:
            with self._open_remote() as remote:
                self._remote = remote
                lines = _Lines(self._reporter)
                pack(
                    remote,
                    self._tree,
                    reporter=lines,
                    limits=self._limits,
                    pace=self._pace,
                    on_plan=self._tell,
                )
        # Nobody waits for this thread, and a training must not end with it.
        except Exception as error:  # noqa: BLE001
            if not self._stop.is_set():
                self._reporter.note(f"the data set is not packed: {_describe(error)}")

    def _tell(self, plan: PackingPlan) -> None:
        if plan.new:
            self._reporter.note(
                f"packing {plan.new_files:,} small files ({format_size(plan.new_bytes)}) beside the training, so that "
                'later pulls bring them in seconds; packs = "off" in drivesync.toml keeps it from that'
            )


class _Lines(Silence):
    """Passes on lines only.

    Args:
        reporter: gets them.
    """

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter

    def note(self, line: str) -> None:
        """Pass ``line`` on."""
        self._reporter.note(line)


def _describe(error: Exception) -> str:
    return str(error) if isinstance(error, DrivesyncError) else f"an error in the program: {error!r}"
