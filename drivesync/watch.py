"""Watch: a file of the tree was closed after writing -> callback.

watchdog tells of files as they are closed; a scan at the start and every half minute finds what its events
missed (a full queue in the kernel, a file system that sends none).
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from drivesync.background import BackgroundPusher
from drivesync.disk import local_errors
from drivesync.index import Index
from drivesync.push import Pusher, find_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from watchdog.observers.api import BaseObserver

    from drivesync.acceptance import Accept
    from drivesync.files import Receipt
    from drivesync.progress import Reporter
    from drivesync.remotes.base import Remote

SCAN_EVERY_S = 30.0


class Watch(FileSystemEventHandler):
    """Calls ``on_file(path)`` for each file of ``tree`` that matches ``patterns``, as long as the context lasts.

    Threads: watchdog's own, and one that scans. ``on_file`` is called from either, never from both at once; it may
    be called for a file that has not changed.

    Args:
        tree: the folder that paths are relative to.
        patterns: globs with one folder each (``backup/*.weights``); the folders are made if they are missing.
        on_file: gets the POSIX path relative to ``tree``.
        scan_every_s: seconds between two scans.
    """

    def __init__(
        self,
        tree: Path,
        patterns: Sequence[str],
        on_file: Callable[[str], object],
        *,
        scan_every_s: float = SCAN_EVERY_S,
    ) -> None:
        self._tree = tree.resolve()
        self._patterns = tuple(patterns)
        self._on_file = on_file
        self._scan_every_s = scan_every_s
        self._one_at_a_time = threading.Lock()
        self._closing = threading.Event()
        self._folders: dict[Path, PurePosixPath] = {}
        self._observer: BaseObserver | None = None
        self._scanner = threading.Thread(target=self._scan_for_ever, name="scan", daemon=True)

    def __enter__(self) -> Watch:
        """Start watching.

        Raises:
            LocalWriteError: a folder cannot be made.
        """
        for parent in sorted({PurePosixPath(pattern).parent for pattern in self._patterns}):
            folder = self._tree / parent
            with local_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)
                # watchdog does not look behind links, and backup may be one to a larger disk.
                self._folders[folder.resolve()] = parent
        # When the kernel's watches are used up (fs.inotify.max_user_watches), the scan alone has to do.
        with suppress(OSError):
            self._observer = self._observe()
        self._scanner.start()
        return self

    def _observe(self) -> BaseObserver:
        observer = Observer()
        for folder in self._folders:
            observer.schedule(self, str(folder))
        observer.start()
        return observer

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.set()
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
        """See watchdog: a file has got a new name."""
        self._offer(str(event.dest_path))

    def _offer(self, place: str) -> None:
        path = self._folders[Path(place).parent] / Path(place).name
        if any(path.match(pattern) for pattern in self._patterns):
            self._call(str(path))

    def _call(self, path: str) -> None:
        with self._one_at_a_time:
            if not self._closing.is_set():
                self._on_file(path)

    def _scan_for_ever(self) -> None:
        while not self._closing.is_set():
            # A mounted folder may fail to be listed now, and not half a minute later.
            with suppress(OSError):
                self.scan()
            self._closing.wait(self._scan_every_s)


@contextmanager
def keep_pushed(
    tree: Path,
    remote: Remote,
    patterns: Sequence[str],
    accept: Accept,
    *,
    reporter: Reporter,
    on_safe: Callable[[Receipt], None],
) -> Iterator[BackgroundPusher]:
    """Push whatever matches ``patterns`` as it is closed, for as long as the context lasts.

    At its end an upload under way is cut: wait for ``BackgroundPusher.wait_until_safe`` first. What is pending
    stays in the spool, for the next one.

    Args:
        tree: the local tree.
        remote: entered; of no more use afterwards.
        patterns: see ``Watch``.
        accept: judges each snapshot.
        reporter: hears how it goes.
        on_safe: told of each receipt, in the pushing thread.

    Raises:
        LocalWriteError: the tree cannot be written to.
    """
    with Index(tree) as index:
        pusher = Pusher(tree, remote, index, accept, reporter)
        background = BackgroundPusher(pusher, reporter, on_safe)
        with background, Watch(tree, patterns, background.offer):
            yield background
