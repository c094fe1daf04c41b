"""A git repository as a remote to pull from: the newest commit of a branch, without its history.

One ``git fetch --depth 1`` brings everything into a bare repository in a temporary folder, from where it is read with
``git ls-tree`` and ``git cat-file``. git writes no file of the tree itself: no filter, no hook and no name in a commit
has any effect here.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from drivesync.disk import local_errors
from drivesync.errors import MovedError, NotFoundError, StaleMarkError, UsageError
from drivesync.files import Changes, RemoteFile
from drivesync.remotes.git.address import parse_address, pick_commit
from drivesync.remotes.git.blobs import BlobReaders
from drivesync.remotes.git.program import GitProgram
from drivesync.remotes.git.tree import (
    is_pointer,
    parse_blobs,
    parse_tree,
    possible_pointers,
    to_entries,
    to_pages,
)
from drivesync.remotes.hashing import HashSink
from drivesync.remotes.repeats import Repeats
from drivesync.remotes.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType
    from typing import BinaryIO

    from drivesync.config import Settings
    from drivesync.files import Entry, LeaseRecord, Page, Room
    from drivesync.remotes.base import Note, Sink

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What was fetched."""

    commit: str
    entries: tuple[Entry, ...]
    files: Mapping[str, RemoteFile]
    blobs: BlobReaders


class GitRemote:
    """The git repository ``name`` as a remote; see ``git_address`` for how one is named.

    A file's id is its path, its revision the id of its blob, and its time that of the commit.

    Args:
        name: such as ``github:USER/REPO@REF``. A password in it is used, and neither shown nor kept.
        settings: see ``Settings``.
        on_wait: told a line when a request has to wait for long.

    Raises:
        UsageError: it names no repository.
    """

    # Each has a git of its own that unpacks, and Colab has two cores.
    workers = 4
    pull_only = True
    # What lies before has to be unpacked first.
    reads_ranges = False
    # Nothing is ever written, so nothing of it is proven.
    proves = False

    def __init__(
        self, name: str, settings: Settings, on_wait: Callable[[str], None] = lambda _line: None
    ) -> None:
        self._address = parse_address(name)
        self.name = self._address.shown
        self.usage = Usage()
        self._repeats = Repeats(settings, self.usage, on_wait)
        self._progress = ""
        self._lock = threading.Lock()
        self._git_lock = threading.Lock()
        self._snapshot: _Snapshot | None = None
        self._git: GitProgram | None = None
        self._stack = ExitStack()

    def __enter__(self) -> GitRemote:
        self._repeats.closing.clear()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cancel()
        with self._lock:
            self._stack.close()
            self._git = self._snapshot = None

    @property
    def slowed_by(self) -> str:
        """See ``Remote.slowed_by``."""
        progress = self._progress
        return f"git: {progress}" if progress else self._repeats.trouble

    def cancel(self) -> None:
        """See ``Remote.cancel``."""
        self._repeats.closing.set()
        git = self._git
        if git is not None:
            git.kill()

    def list(self) -> Iterator[Page]:
        """See ``Remote.list``; nothing is told before all of the commit is here."""
        yield from to_pages(self._fetched().entries)

    def mark(self) -> str:
        """See ``Remote.mark``: the commit's id."""
        return self._fetched().commit

    def changes(self, mark: str, folders: Mapping[str, str]) -> Changes:
        """See ``Remote.changes``; asks for the branch's newest commit, and fetches nothing."""
        del folders
        if not self._address.is_commit and self._ask_for_commit() != mark:
            raise StaleMarkError(f"there is a newer commit in {self.name}")
        if self._address.is_commit and self._address.ref != mark:
            raise StaleMarkError(f"another commit of {self.name} is wanted")
        return Changes(frozenset(), (), mark)

    def most_bytes(self) -> int | None:
        """See ``Remote.most_bytes``."""
        return None

    def find(self, path: str) -> RemoteFile | None:
        """See ``Remote.find``; unpacks the whole file for its checksum."""
        try:
            file = self._fetched().files.get(path)
        except NotFoundError:
            return None
        if file is None:
            return None
        sink = HashSink()
        self.read(file, sink)
        return sink.fill(file)

    def renew(self, file: RemoteFile) -> RemoteFile | None:
        """See ``Remote.renew``; unpacks the whole file for its checksum."""
        found = self.find(file.id)
        return None if found is None else replace(found, path=file.path)

    def read(self, file: RemoteFile, sink: Sink, first: int = 0, last: int | None = None) -> None:
        """See ``Remote.read``."""
        action = f"reading {file.path}"
        snapshot = self._fetched()
        now = snapshot.files.get(file.id)
        if now is None or now.revision_id != file.revision_id:
            raise MovedError(f"{action}: another commit of {self.name} was fetched meanwhile")
        written = 0
        end = file.size if last is None else min(last + 1, file.size)

        def read_on() -> None:
            nonlocal written
            at = 0
            with closing(snapshot.blobs.blocks(action, file.revision_id)) as blocks:
                for block in blocks:
                    wanted = block[max(first + written - at, 0) : max(end - at, 0)]
                    at += len(block)
                    if wanted:
                        sink.write(wanted)
                        written += len(wanted)

        self._call(action, read_on, kind="read")

    def write(
        self,
        path: str,
        source: BinaryIO,
        *,
        size: int,
        modified_s: float,
        properties: Mapping[str, str],
        executable: bool,
        replaces: RemoteFile | None,
        before_end: Callable[[], None] = lambda: None,
        note: Note | None = None,
    ) -> RemoteFile:
        """Never: git is pulled from only.

        Raises:
            UsageError: always.
        """
        del source, size, modified_s, properties, executable, replaces, before_end, note
        raise self._pulled_from_only(f"{path} cannot be pushed to")

    def delete(self, file: RemoteFile) -> None:
        """Never; see ``write``."""
        raise self._pulled_from_only(f"{file.path} cannot be deleted from")

    def move(self, file: RemoteFile, path: str) -> RemoteFile:
        """Never; see ``write``."""
        raise self._pulled_from_only(f"{file.path} cannot be moved to {path} in")

    def room(self) -> Room | None:
        """See ``Remote.room``; nobody asks how much fits where nothing is put."""
        return None

    def now_s(self) -> float:
        """See ``Remote.now_s``; git tells no time, so it is this machine's."""
        return time.time()

    def find_lease(self, run: str) -> LeaseRecord | None:
        """See ``Remote.find_lease``: nobody can have had it."""
        del run
        return None

    def claim_lease(self, run: str, after: LeaseRecord | None, holder: str, who: str) -> LeaseRecord | None:
        """Never; see ``write``."""
        del after, holder, who
        raise self._pulled_from_only(f"nobody can have the lease on {run} in")

    def renew_lease(self, record: LeaseRecord, *, release: bool = False) -> LeaseRecord:
        """Never; see ``write``."""
        del release
        raise self._pulled_from_only(f"nobody can have the lease on {record.run} in")

    def next_lease(self, record: LeaseRecord) -> LeaseRecord | None:
        """Never; see ``write``."""
        raise self._pulled_from_only(f"nobody can have the lease on {record.run} in")

    def _pulled_from_only(self, what: str) -> UsageError:
        return UsageError(
            f"{what} {self.name}: git is pulled from only",
            hint="Push to Drive: python -m drivesync push --remote darknet.",
        )

    def _fetched(self) -> _Snapshot:
        """The commit, fetched when it is wanted for the first time."""
        with self._lock:
            self._repeats.check(f"fetching {self.name}")
            if self._snapshot is None:
                self._snapshot = self._fetch()
            return self._snapshot

    def _fetch(self) -> _Snapshot:
        action, address = f"fetching {self.name}", self._address
        git = self._program()
        fetch = (
            "fetch",
            "--progress",
            "--depth=1",
            "--no-tags",
            "--no-recurse-submodules",
            address.url,
            address.ref,
        )
        self._call(action, lambda: git.run_long(action, *fetch), kind="fetch")
        told = git.run(action, "log", "-1", "--format=%H %ct", "FETCH_HEAD").split()
        commit, modified_s = told[0].decode("ascii"), float(told[1])
        tree = parse_tree(git.run(action, "ls-tree", "-r", "-t", "-z", "--long", commit))
        asked = "\n".join(possible_pointers(tree)).encode("ascii")
        blobs = parse_blobs(git.run(action, "cat-file", "--batch", given=asked)) if asked else ()
        entries = to_entries(tree, {id_ for id_, content in blobs if is_pointer(content)}, modified_s)
        files = {entry.id: entry for entry in entries if isinstance(entry, RemoteFile)}
        readers = BlobReaders(git)
        self._stack.callback(readers.close)
        return _Snapshot(commit, entries, files, readers)

    def _ask_for_commit(self) -> str:
        """The id of the branch's newest commit; empty if there is no such branch."""
        action, git = f"looking at {self.name}", self._program()
        address = self._address
        ask = ("ls-remote", address.url, address.ref, f"{address.ref}^{{}}")
        return pick_commit(self._call(action, lambda: git.run(action, *ask), kind="ls-remote"), address.ref)

    def _program(self) -> GitProgram:
        """git, in a repository that lasts until the remote is left."""
        with self._git_lock:
            if self._git is None:
                with local_errors(Path(tempfile.gettempdir())):
                    folder = Path(tempfile.mkdtemp(prefix="drivesync-git-"))
                self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
                git = GitProgram(folder, self._repeats.closing, self._say)
                git.make_repository()
                self._git = git
            return self._git

    def _call(self, action: str, work: Callable[[], Result], *, kind: str) -> Result:
        """``work()``, counted as ``kind``, repeated where that may help."""

        def attempt() -> Result:
            self.usage.count(kind)
            return work()

        return self._repeats.call(action, attempt)

    def _say(self, progress: str) -> None:
        self._progress = progress
