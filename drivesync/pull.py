"""Pull: list, plan, execute. What arrives is compared with Drive's checksum before it gets its name."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from drivesync.disk import (
    check_tree,
    hash_file,
    local_errors,
    lock_state,
    look,
    looks_executable,
    make_state_folder,
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

_TRIES = 6
_CANCEL_EVERY_S = 0.2
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
        local = _look_and_hash(tree, listing, synced)
        plan = plan_pull(listing, local, synced)
        # Remember what turned out to be the remote's though no pull of ours brought it.
        index.record(*(local[file.path] for file in plan.keep if local[file.path] != synced.get(file.path)))
        reporter.begin("pull", len(plan.download), plan.download_bytes)
        fetch = _Fetch(remote, tree, local, reporter)
        downloaded, failed = _download_all(fetch, plan, index, workers, reporter)
        if not failed:
            write_tree_state(tree, TreeState(remote.name, complete=True))
    return PullResult(plan, tuple(downloaded), tuple(failed), time.monotonic() - started_s)


@contextmanager
def _alone(tree: Path) -> Iterator[None]:
    """Hold the tree against a second pull, and clear what a killed one left."""
    with lock_state(tree, "pull"):
        for part in make_state_folder(tree, "partial").iterdir():
            with local_errors(part):
                part.unlink()
        yield


def _look_and_hash(
    tree: Path, listing: list[RemoteFile | Skipped], synced: Mapping[str, LocalFile]
) -> dict[str, LocalFile]:
    """What is here of what is listed; hashed where only the content can tell whether it is the remote's."""
    sizes: dict[str, set[int]] = {}
    for entry in listing:
        if isinstance(entry, RemoteFile):
            sizes.setdefault(entry.path, set()).add(entry.size)
    local: dict[str, LocalFile] = {}
    for path, remote_sizes in sizes.items():
        here = look(tree, path)
        if here is None:
            continue
        known = synced.get(path)
        if known is not None and _is_same(known, here):
            here = known
        elif here.size in remote_sizes:
            # One that cannot be read stays without a checksum, and so is kept as it is.
            with suppress(LocalWriteError):
                here = hash_file(tree, here)
        local[path] = here
    return local


def _is_same(one: LocalFile | None, other: LocalFile | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.size, one.mtime_ns) == (other.size, other.mtime_ns)


def _download_all(
    fetch: _Fetch, plan: PullPlan, index: Index, workers: int, reporter: Reporter
) -> tuple[list[LocalFile], list[tuple[str, DrivesyncError]]]:
    downloaded: list[LocalFile] = []
    failed: list[tuple[str, DrivesyncError]] = []
    # The largest first, so that the longest transfer does not start last.
    queue = sorted(plan.download, key=lambda file: (-file.size, file.path))
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="pull") as pool:
        running = {pool.submit(fetch.download, file): file for file in queue}
        try:
            for done in as_completed(running):
                path = running[done].path
                try:
                    local = done.result()
                except (TransientError, DiskFullError):
                    raise
                except (
                    DamagedError,
                    LocalWriteError,
                    NotFoundError,
                    RemoteError,
                    UnfinishedError,
                ) as error:
                    failed.append((path, error))
                    reporter.note(str(error))
                else:
                    index.record(local)
                    downloaded.append(local)
                    reporter.advance(files=1)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            # Else a stop would wait until the files under way have come. A connection that is only being made cannot
            # be cut yet, so this is done until none is left.
            while busy := [future for future in running if not future.done()]:
                fetch.cancel()
                wait(busy, _CANCEL_EVERY_S)
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


class _Fetch:
    """Brings one file after the other; safe to use from several threads.

    Args:
        remote: entered.
        tree: where the files go.
        local: what was there when the pull was planned.
        reporter: hears how it goes.
    """

    def __init__(
        self, remote: Remote, tree: Path, local: Mapping[str, LocalFile], reporter: Reporter
    ) -> None:
        self._remote = remote
        self._tree = tree
        self._local = local
        self._reporter = reporter

    def cancel(self) -> None:
        """End what is under way."""
        self._remote.cancel()

    def download(self, file: RemoteFile) -> LocalFile:
        """Fetch ``file``, again if its bytes are not what Drive's checksum says, and put it in place.

        Raises:
            DamagedError: the bytes were wrong every time.
            UnfinishedError: the file was changed here meanwhile, and kept.
        """
        again = Retrying(
            retry=retry_if_exception_type(DamagedError), stop=stop_after_attempt(_TRIES), reraise=True
        )
        for attempt in again:
            with attempt:
                if attempt.retry_state.attempt_number > 1:
                    # It may have been changed on Drive while it was read.
                    file = self._remote.find(file.path) or file
                return self._download_once(file)
        raise AssertionError("tenacity ends with a result or an error")

    def _download_once(self, file: RemoteFile) -> LocalFile:
        key = hashlib.sha256(file.path.encode()).hexdigest()[:32]
        with stage(self._tree, key) as staged:
            sink = _HashingSink(staged, self._reporter)
            self._remote.read(file, sink)
            if (sink.size, sink.md5) != (file.size, file.md5):
                self._reporter.advance(size_bytes=-sink.size)
                raise DamagedError(
                    f"{file.path} came damaged: expected {file.size} bytes with md5 {file.md5}, "
                    f"got {sink.size} bytes with md5 {sink.md5}",
                    hint="Upload the file to Drive again if this goes on.",
                )
            if not _is_same(look(self._tree, file.path), self._local.get(file.path)):
                raise UnfinishedError(
                    f"{file.path} was changed here while it was being pulled, and kept as it is here",
                    hint="Run the same command again.",
                )
            written = staged.commit(file.path, file.modified_s, executable=looks_executable(sink.head))
        return replace(written, md5=file.md5)
