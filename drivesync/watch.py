"""Watch: a file of the tree was closed after writing, or moved there -> callback.

watchdog tells of files as they are closed; a scan at the start, every half minute, and when a folder has come finds
what its events missed (a full queue in the kernel, a file system that sends none).
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers.inotify import InotifyObserver

from drivesync.disk import local_errors
from drivesync.errors import DrivesyncError
from drivesync.files import STATE_FOLDER
from drivesync.index import Index
from drivesync.patterns import fixed_folder, is_deep, matches
from drivesync.push import find_files
from drivesync.pushing.background import BackgroundPusher
from drivesync.pushing.pusher import Pusher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from drivesync.acceptance import Accept
    from drivesync.errors import LeaseError
    from drivesync.files import Receipt
    from drivesync.leasing.leases import Leases
    from drivesync.progress import Reporter
    from drivesync.remotes.base import Remote

SCAN_EVERY_S = 30.0


class Watch(FileSystemEventHandler):
    """Calls ``on_file(path)`` for each file of ``tree`` that matches ``patterns``, as long as the context lasts.

    Threads: watchdog's own, and one that scans. ``on_file`` is called from either, never from both at once; it may
    be called for a file that has not changed.

    Args:
        tree: the folder that paths are relative to.
        patterns: globs (``backup/*.weights``, ``runs/**/*.pt``); what stands before the first wildcard is made if it
            is missing.
        on_file: gets the POSIX path relative to ``tree``.
        scan_every_s: seconds between two scans.
        tell: is given a line when a scan cannot be done, once for each reason; the next one is tried nevertheless.
    """

    def __init__(
        self,
        tree: Path,
        patterns: Sequence[str],
        on_file: Callable[[str], object],
        *,
        scan_every_s: float = SCAN_EVERY_S,
        tell: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self._tree = tree.resolve()
        self._is_deep = any(is_deep(pattern) for pattern in patterns)
        self._patterns = tuple(patterns)
        self._on_file = on_file
        self._scan_every_s = scan_every_s
        self._tell = tell
        self._one_at_a_time = threading.Lock()
        self._closing = threading.Event()
        self._scan_due = threading.Event()
        self._folders: dict[Path, PurePosixPath] = {}
        self._observer: InotifyObserver | None = None
        self._scanner = threading.Thread(target=self._scan_for_ever, name="scan", daemon=True)

    def __enter__(self) -> Watch:
        """Start watching.

        Raises:
            LocalWriteError: a folder cannot be made.
        """
        deep: dict[Path, bool] = {}
        for pattern in self._patterns:
            parent = fixed_folder(pattern)
            folder = self._tree / parent
            with local_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)
                # watchdog does not look behind links, and backup may be one to a larger disk.
                real = folder.resolve()
            self._folders[real] = parent
            deep[real] = deep.get(real, False) or is_deep(pattern)
        # When the kernel's watches are used up (fs.inotify.max_user_watches), the scan alone has to do.
        with suppress(OSError):
            self._observer = self._observe(deep)
        self._scanner.start()
        return self

    def _observe(self, folders: dict[Path, bool]) -> InotifyObserver:
        # Of what is moved in from elsewhere it else tells as of what is opened to be written: both are new.
        observer = InotifyObserver(generate_full_events=True)
        for folder, is_deep_one in folders.items():
            observer.schedule(self, str(folder), recursive=is_deep_one)
        observer.start()
        return observer

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._scan_due.set()
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
        self._scanner.join()

    def scan(self) -> None:
        """Call ``on_file`` for every file there is."""
        for path in find_files(self._tree, self._patterns):
            self._call(path)

    def on_closed(self, event: FileSystemEvent) -> None:
        """See watchdog: a file that was open for writing has been closed."""
        self._offer(str(event.src_path))

    def on_moved(self, event: FileSystemEvent) -> None:
        """See watchdog: a file or folder has got a new name, or come from elsewhere."""
        if event.is_directory:
            self._scan_soon()
        elif event.dest_path:
            self._offer(str(event.dest_path))

    def on_created(self, event: FileSystemEvent) -> None:
        """See watchdog: of a new folder it may have missed the first files."""
        if event.is_directory:
            self._scan_soon()

    def _scan_soon(self) -> None:
        if self._is_deep:
            self._scan_due.set()

    def _offer(self, place: str) -> None:
        for path in self._paths_of(Path(place)):
            if any(matches(path, pattern) for pattern in self._patterns):
                self._call(path)
                return

    def _paths_of(self, place: Path) -> Iterator[str]:
        """What ``place`` is called in the tree, by each of the watched folders that it lies in."""
        for folder, parent in self._folders.items():
            if place.is_relative_to(folder):
                path = parent / place.relative_to(folder)
                if path.parts[0] != STATE_FOLDER:
                    yield str(path)

    def _call(self, path: str) -> None:
        with self._one_at_a_time:
            if not self._closing.is_set():
                self._on_file(path)

    def _scan_for_ever(self) -> None:
        told = ""
        while not self._closing.is_set():
            self._scan_due.clear()
            said = ""
            # A mounted folder may fail to be listed now, and not half a minute later; and a thread that ends unseen
            # leaves what its events missed where it is.
            try:
                self.scan()
            except Exception as error:  # noqa: BLE001
                said = f"{self._tree} cannot be looked through, and will be again: {error}"
            if said not in {"", told}:
                self._tell(said)
            told = said
            self._scan_due.wait(self._scan_every_s)


@contextmanager
def keep_pushed(
    tree: Path,
    remote: Remote,
    patterns: Sequence[str],
    accept: Accept,
    *,
    reporter: Reporter,
    on_safe: Callable[[Receipt], None],
    on_lost: Callable[[LeaseError], None] = lambda _error: None,
    leases: Leases | None = None,
    keep_numbered: int | None = None,
) -> Iterator[BackgroundPusher]:
    """Push whatever matches ``patterns`` as it is closed, for as long as the context lasts.

    At its end an upload under way is cut: wait for ``BackgroundPusher.wait_until_safe`` first. What is pending
    stays in the spool, for the next one.

    Args:
        tree: the local tree.
        remote: entered; its connections are cut at the end, and new ones made.
        patterns: see ``Watch``.
        accept: judges each snapshot.
        reporter: hears how it goes.
        on_safe: told of each receipt, in the pushing thread.
        on_lost: told once for each run that another session has, in the pushing thread.
        leases: entered; each run's is taken when its first file is pushed. None pushes without.
        keep_numbered: so many numbered checkpoints of each run stay on the remote; None for all.

    Raises:
        LocalWriteError: the tree cannot be written to.
    """
    with Index(tree) as index:
        pusher = Pusher(tree, remote, index, accept, reporter, leases=leases, keep_numbered=keep_numbered)
        background = BackgroundPusher(pusher, reporter, on_safe, on_lost=on_lost)
        try:
            with background, Watch(tree, patterns, background.offer, tell=reporter.note):
                yield background
        finally:
            _reopen(remote)


def _reopen(remote: Remote) -> None:
    """Pushing ends by cutting its connections; whoever comes after it, to give back a lease, needs new ones."""
    with suppress(DrivesyncError):
        remote.__exit__(None, None, None)
        remote.__enter__()
