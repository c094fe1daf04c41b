"""Pull: list, plan, execute. What arrives is compared with Drive's checksum before it gets its name."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from drivesync.disk import (
    check_tree,
    hash_file,
    local_errors,
    looks_executable,
    make_state_folder,
    scan,
    stage,
)
from drivesync.errors import (
    DamagedError,
    DiskFullError,
    DrivesyncError,
    LocalWriteError,
    NotFoundError,
    RemoteError,
    TransientError,
    UnfinishedError,
)
from drivesync.files import LocalFile, RemoteFile, Skipped
from drivesync.index import Index
from drivesync.plan import PullPlan, plan_pull
from drivesync.tree import TreeState, read_tree_state, write_tree_state

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from drivesync.disk import Staged
    from drivesync.progress import Reporter
    from drivesync.remotes.base import Remote

_TRIES = 3
_HEAD_BYTES = 4


@dataclass(frozen=True, slots=True)
class PullResult:
    """What a pull did.

    Attributes:
        plan: what it set out to do.
        downloaded: files that arrived, sorted by path.
        failed: files that did not, each with its error; all others arrived.
        seconds: how long it took.
    """

    plan: PullPlan
    downloaded: tuple[LocalFile, ...]
    failed: tuple[tuple[str, DrivesyncError], ...]
    seconds: float

    @property
    def downloaded_bytes(self) -> int:
        """Bytes that arrived and are in place."""
        return sum(file.size for file in self.downloaded)

    def raise_failure(self) -> None:
        """Raise the worst of what failed, if anything did: damaged data before all else."""
        if self.failed:
            path, error = min(self.failed, key=lambda entry: not isinstance(entry[1], DamagedError))
            raise type(error)(
                f"{len(self.failed)} file(s) did not arrive; the first is {path}: {error}", hint=error.hint
            )


def pull(remote: Remote, tree: Path, *, workers: int, reporter: Reporter) -> PullResult:
    """Bring everything that ``remote`` holds to ``tree``; delete nothing, overwrite no local change.

    Args:
        remote: entered.
        tree: made if it is not there.
        workers: files at once.
        reporter: hears how it goes.

    Returns:
        What was done. A file that cannot be had is in ``failed``, and the others arrive nevertheless.

    Raises:
        NotFoundError: the remote folder does not exist.
        TransientError: Drive cannot be reached after all repeats; what has arrived stays.
        DiskFullError: the tree does not fit; what has arrived stays.
        UnfinishedError: another pull is at work in this tree.
    """
    started_s = time.monotonic()
    check_tree(tree)
    # Listed before anything is made, so that a mistyped remote leaves no trace.
    listing = list(remote.list())
    with _alone(tree), Index(tree) as index:
        before = read_tree_state(tree)
        was_complete = before is not None and before.complete and before.remote == remote.name
        write_tree_state(tree, TreeState(remote.name, complete=was_complete))
        synced = index.read()
        plan = plan_pull(listing, _scan_and_hash(tree, listing, synced), synced)
        _adopt(plan, tree, index, synced)
        reporter.begin("pull", len(plan.download), plan.download_bytes)
        downloaded, failed = _download_all(remote, tree, plan, index, workers, reporter)
        if not failed:
            write_tree_state(tree, TreeState(remote.name, complete=True))
    return PullResult(plan, tuple(downloaded), tuple(failed), time.monotonic() - started_s)


@contextmanager
def _alone(tree: Path) -> Iterator[None]:
    """Hold the tree against a second pull, and clear what a killed one left."""
    lock = FileLock(make_state_folder(tree) / "pull.lock")
    try:
        with lock.acquire(timeout=0):
            for part in make_state_folder(tree, "partial").iterdir():
                with local_errors(part):
                    part.unlink()
            yield
    except Timeout:
        raise UnfinishedError(
            f"another pull is at work in {tree}", hint="Wait for it to end, or stop it, and run this again."
        ) from None


def _scan_and_hash(
    tree: Path, listing: list[RemoteFile | Skipped], synced: Mapping[str, LocalFile]
) -> dict[str, LocalFile]:
    """The local files; hashed where only the content can tell whether a file is the remote's."""
    sizes: dict[str, set[int]] = {}
    for entry in listing:
        if isinstance(entry, RemoteFile):
            sizes.setdefault(entry.path, set()).add(entry.size)
    local = scan(tree)
    for path, file in local.items():
        known = synced.get(path)
        if known is not None and (known.size, known.mtime_ns) == (file.size, file.mtime_ns):
            local[path] = known
        elif file.size in sizes.get(path, ()):
            local[path] = hash_file(tree, file)
    return local


def _adopt(plan: PullPlan, tree: Path, index: Index, synced: Mapping[str, LocalFile]) -> None:
    """Remember files that turned out to be the remote's though no pull of ours brought them."""
    local = scan(tree) if any(file.path not in synced for file in plan.keep) else {}
    index.record(
        *(
            replace(local[file.path], md5=file.md5)
            for file in plan.keep
            if file.path not in synced and file.path in local
        )
    )


def _download_all(
    remote: Remote, tree: Path, plan: PullPlan, index: Index, workers: int, reporter: Reporter
) -> tuple[list[LocalFile], list[tuple[str, DrivesyncError]]]:
    downloaded: list[LocalFile] = []
    failed: list[tuple[str, DrivesyncError]] = []
    # The largest first, so that the longest transfer does not start last.
    queue = sorted(plan.download, key=lambda file: (-file.size, file.path))
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="pull") as pool:
        running = {pool.submit(_download, remote, tree, file, reporter): file for file in queue}
        try:
            for done in as_completed(running):
                path = running[done].path
                try:
                    local = done.result()
                except (TransientError, DiskFullError):
                    raise
                except (DamagedError, LocalWriteError, RemoteError, NotFoundError) as error:
                    failed.append((path, error))
                    reporter.note(str(error))
                else:
                    index.record(local)
                    downloaded.append(local)
                    reporter.advance(files=1)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return sorted(downloaded, key=lambda file: file.path), sorted(failed, key=lambda entry: entry[0])


class _HashingSink:
    """Hashes what it stages."""

    def __init__(self, staged: Staged, reporter: Reporter) -> None:
        self._staged = staged
        self._reporter = reporter
        self._md5 = hashlib.md5(usedforsecurity=False)
        self.size = 0
        self.head = b""

    @property
    def md5(self) -> str:
        return self._md5.hexdigest()

    def write(self, block: bytes) -> None:
        self._staged.write(block)
        self._md5.update(block)
        self.head = self.head or block[:_HEAD_BYTES]
        self.size += len(block)
        self._reporter.advance(size_bytes=len(block))


def _download(remote: Remote, tree: Path, file: RemoteFile, reporter: Reporter) -> LocalFile:
    """Fetch one file, again if its bytes are not what Drive's checksum says, and put it in place.

    Raises:
        DamagedError: three times the bytes were wrong.
    """
    again = Retrying(
        retry=retry_if_exception_type(DamagedError), stop=stop_after_attempt(_TRIES), reraise=True
    )
    for attempt in again:
        with attempt:
            if attempt.retry_state.attempt_number > 1:
                # It may have been changed on Drive while it was read.
                file = remote.find(file.path) or file
            return _download_once(remote, tree, file, reporter)
    raise AssertionError("tenacity ends with a result or an error")


def _download_once(remote: Remote, tree: Path, file: RemoteFile, reporter: Reporter) -> LocalFile:
    key = hashlib.sha256(file.path.encode()).hexdigest()[:32]
    with stage(tree, key) as staged:
        sink = _HashingSink(staged, reporter)
        remote.read(file, sink)
        if (sink.size, sink.md5) != (file.size, file.md5):
            reporter.advance(size_bytes=-sink.size)
            raise DamagedError(
                f"{file.path} came damaged: expected {file.size} bytes with md5 {file.md5}, "
                f"got {sink.size} bytes with md5 {sink.md5}",
                hint="Upload the file to Drive again if this goes on.",
            )
        written = staged.commit(file.path, file.modified_s, executable=looks_executable(sink.head))
    return replace(written, md5=file.md5)
