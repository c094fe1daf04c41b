"""What these tests share: a remote on an emulated Drive, a reporter that remembers, a tree that trains, commands."""

from __future__ import annotations

import _thread
import hashlib
import io
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drivesync.cli import cli, run_command
from drivesync.config import Settings
from drivesync.errors import MovedError, StaleMarkError, TransientError
from drivesync.files import RemoteFile, Role, Verdict
from drivesync.index import Index
from drivesync.progress import Silence
from drivesync.push import Pusher
from drivesync.remotes.drive.remote import DriveRemote
from drivesync.remotes.usage import Usage
from drivesync.testing import TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import BinaryIO

    from drivesync.acceptance import Accept
    from drivesync.files import Changes, LeaseRecord, Page, Room
    from drivesync.remotes.base import Sink
    from drivesync.testing import DriveEmulator

FIRST_WAIT_S = 0.001
CFG = """[net]
batch=1
subdivisions=1
width=8
height=8
channels=3
max_batches=100000

[convolutional]
filters=1
size=1
stride=1
pad=0
activation=linear
"""
_NUMBERS = 4
_HEADER_BYTES = 20


class Notes(Silence):
    """A reporter that keeps what it is told, and counts what is done."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.size_bytes = 0
        self.files = 0

    def advance(self, *, files: int = 0, size_bytes: int = 0) -> None:
        self.files += files
        self.size_bytes += size_bytes

    def note(self, line: str) -> None:
        self.lines.append(line)


@dataclass
class Tree:
    """A tree with a cfg of one layer, and weights files that fit it."""

    root: Path
    batch: int = field(default=1, init=False)

    def weights(self, iteration: int, value: float = 0.5) -> bytes:
        """What darknet would write after so many iterations; ``value`` tells two files of one iteration apart."""
        header = struct.pack("<iiiQ", 0, 2, 5, iteration * self.batch)
        return header + struct.pack(f"<{_NUMBERS}f", *[value] * _NUMBERS)

    def save(self, name: str, iteration: int, value: float = 0.5) -> bytes:
        """Write ``backup/NAME`` and return what is in it."""
        content = self.weights(iteration, value)
        (self.root / "backup" / name).write_bytes(content)
        return content


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it wrote."""

    status: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line on standard error that says what went wrong."""
        assert "Traceback" not in self.err
        assert TOKEN not in self.out + self.err
        lines = self.err.splitlines()
        assert lines
        assert lines[-1].startswith("drivesync: ")
        return lines[-1].removeprefix("drivesync: ")


class Scripted:
    """A remote in memory, which does what it is told.

    Attributes:
        pages: what ``list`` tells.
        reads: path, first and last byte of each call of ``read``, in the order in which they began.
        most_at_once: so many calls of ``read`` were under way at one moment.
        on_read: called as each ``read`` begins; what it returns comes instead of what is there.
        block_bytes: so much is written to a sink at once.
    """

    name = "scripted"
    pull_only = False
    proves = True

    def __init__(self, *, workers: int = 4) -> None:
        self.workers = workers
        self.reads_ranges = True
        self.usage = Usage()
        self.slowed_by = ""
        self.pages: list[Page] = []
        self.reads: list[tuple[str, int, int]] = []
        self.most_at_once = 0
        self.on_read: Callable[[RemoteFile, int, int], bytes | None] = lambda *_: None
        self.block_bytes = 1 << 20
        self.cancelled = threading.Event()
        self._lock = threading.Lock()
        self._at_once = 0
        self._held: dict[str, tuple[RemoteFile, bytes]] = {}

    def __enter__(self) -> Scripted:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def put(self, path: str, content: bytes, *, executable: bool | None = None) -> RemoteFile:
        """Have ``content`` at ``path``."""
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        file = RemoteFile(
            path, f"id of {path}", len(content), md5, 1.5, revision_id=md5[:8], executable=executable
        )
        self._held[file.id] = file, content
        return file

    def drop(self, file: RemoteFile) -> None:
        """Have it no more."""
        del self._held[file.id]

    def cancel(self) -> None:
        self.cancelled.set()

    def list(self) -> Iterator[Page]:
        yield from self.pages

    def mark(self) -> str:
        return ""

    def changes(self, mark: str, folders: Mapping[str, str]) -> Changes:
        raise StaleMarkError(f"{mark} {folders}")

    def most_bytes(self) -> int | None:
        return None

    def find(self, path: str) -> RemoteFile | None:
        return self._held.get(f"id of {path}", (None, b""))[0]

    def renew(self, file: RemoteFile) -> RemoteFile | None:
        return self._held.get(file.id, (None, b""))[0]

    def read(self, file: RemoteFile, sink: Sink, first: int = 0, last: int | None = None) -> None:
        end = file.size - 1 if last is None else last
        if self.cancelled.is_set():
            raise TransientError("stopped")
        with self._lock:
            self.reads.append((file.path, first, end))
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            told = self.on_read(file, first, end)
            content = self._content(file)[first : end + 1] if told is None else told
            for at in range(0, len(content), self.block_bytes):
                if self.cancelled.is_set():
                    raise TransientError("stopped")
                sink.write(content[at : at + self.block_bytes])
        finally:
            with self._lock:
                self._at_once -= 1

    def write(self, path: str, source: BinaryIO, **more: object) -> RemoteFile:
        raise AssertionError(f"a pull writes nothing to its remote: {path}, {source}, {more}")

    def delete(self, file: RemoteFile) -> None:
        raise AssertionError(f"a pull deletes nothing on its remote: {file}")

    def move(self, file: RemoteFile, path: str) -> RemoteFile:
        raise AssertionError(f"a pull moves nothing on its remote: {file}, {path}")

    def room(self) -> Room | None:
        return None

    def now_s(self) -> float:
        return time.time()

    def find_lease(self, run: str) -> LeaseRecord | None:
        raise AssertionError(f"a pull needs no lease: {run}")

    def claim_lease(self, run: str, after: LeaseRecord | None, holder: str, who: str) -> LeaseRecord | None:
        raise AssertionError(f"a pull needs no lease: {run}, {after}, {holder}, {who}")

    def renew_lease(self, record: LeaseRecord, *, release: bool = False) -> LeaseRecord:
        raise AssertionError(f"a pull needs no lease: {record}, {release}")

    def next_lease(self, record: LeaseRecord) -> LeaseRecord | None:
        raise AssertionError(f"a pull needs no lease: {record}")

    def _content(self, file: RemoteFile) -> bytes:
        content = self._held[file.id][1]
        if len(content) != file.size:
            raise MovedError(f"reading {file.path}: it is {len(content)} bytes long now")
        return content


@pytest.fixture
def scripted() -> Scripted:
    return Scripted()


_ROLES = {"last": Role.LAST, "best": Role.BEST, "final": Role.FINAL}


def accept_all(_tree: Path, path: str, snapshot: Path) -> Verdict:
    """A judge that takes role and run from the name, the iteration from the header, and weights for whole.

    The score of a best one is its first value. An iteration is as long as the measure that progress is told in.
    """
    base, _, last = Path(path).stem.rpartition("_")
    content = snapshot.read_bytes()
    if not path.endswith(".weights"):
        return Verdict(accepted=True)
    if len(content) < _HEADER_BYTES:
        return Verdict(accepted=False, reason="it is too short")
    role = Role.NUMBERED if last.isdigit() else _ROLES.get(last, Role.OTHER)
    iteration: int = struct.unpack_from("<iiiQ", content)[3]
    (value,) = struct.unpack_from("<f", content, _HEADER_BYTES)
    score = round(value, 3) if role is Role.BEST else None
    run = f"{Path(path).parent}/{base}" if role is not Role.OTHER else ""
    return Verdict(accepted=True, iteration=iteration, run=run, role=role, score=score, progress=iteration)


@pytest.fixture
def accept() -> Callable[[Path, str, Path], Verdict]:
    return accept_all


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    root = tmp_path / "tree"
    (root / "backup").mkdir(parents=True)
    (root / "cfg").mkdir()
    (root / "cfg" / "run.cfg").write_text(CFG)
    return Tree(root)


@pytest.fixture
def settings(drive_emulator: DriveEmulator) -> Settings:
    """Waits so short that no test feels them."""
    return Settings(
        emulator_url=drive_emulator.url,
        access_token=TOKEN,
        retries=4,
        retry_wait_s=FIRST_WAIT_S,
        settle_s=0.0,
    )


@pytest.fixture
def remote(settings: Settings) -> Iterator[DriveRemote]:
    """The folder ``darknet``, which may not be there yet."""
    with DriveRemote("darknet", settings, first_wait_s=FIRST_WAIT_S) as entered:
        yield entered


@pytest.fixture
def environment(drive_emulator: DriveEmulator) -> dict[str, str]:
    """Of a command that uses the emulator, gives up soon and inherits no credentials."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GOOGLE_", "DRIVE"))}
    impatient = {
        "DRIVESYNC_RETRIES": "3",
        "DRIVESYNC_RETRY_WAIT_S": str(FIRST_WAIT_S),
        "NO_GCE_CHECK": "true",
    }
    return kept | drive_emulator.environment() | impatient


@pytest.fixture
def drivesync(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ended]:
    """``drivesync("pull", "darknet", tree, NAME="value")`` runs the command here, in an empty folder.

    In this process, since starting one for each would take longer than all else.
    """

    def run(*arguments: str | Path, **more: str) -> Ended:
        out, err = io.StringIO(), io.StringIO()
        with monkeypatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name in os.environ.keys() - environment.keys():
                patch.delenv(name)
            for name, value in (environment | more).items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["drivesync"])
            patch.chdir(tmp_path)
            status = run_command(cli, [str(argument) for argument in arguments])
        return Ended(status, out.getvalue(), err.getvalue())

    return run


@pytest.fixture
def kill_everywhere(environment: dict[str, str], tmp_path: Path) -> Callable[..., list[Path]]:
    """``kill_everywhere("push", template)`` -> the trees in which the job was killed and then done again.

    See killed.py; each kill is in another place, and the last tree saw none.
    """

    def run(job: str, template: Path, **more: str) -> list[Path]:
        folder = tmp_path / "killed"
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("killed.py")), job, str(template), str(folder)],
            env=environment | more,
            capture_output=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        series = [json.loads(line) for line in done.stdout.splitlines()]
        assert [step["status"] for step in series] == [-9] * (len(series) - 1) + [0], done.stderr.decode()
        assert [step["rerun"] for step in series] == [0] * len(series), done.stderr.decode()
        return [folder / str(step["n"]) for step in series]

    return run


@pytest.fixture
def wait_for() -> Callable[[Callable[[], object]], None]:
    """``wait_for(condition)`` looks again and again until it holds."""

    def wait(condition: Callable[[], object]) -> None:
        give_up_s = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < give_up_s, "it did not come to pass in 20 s"
            time.sleep(0.005)

    return wait


@pytest.fixture
def interrupt_soon() -> Iterator[Callable[[], None]]:
    """``interrupt_soon()`` has KeyboardInterrupt raised here a moment later, by a signal that ends no wait.

    So it is with one that comes just before the wait begins.
    """
    before = signal.signal(signal.SIGUSR1, signal.default_int_handler)
    timer = threading.Timer(0.05, _thread.interrupt_main, [signal.SIGUSR1])
    yield timer.start
    timer.join()
    signal.signal(signal.SIGUSR1, before)


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """Every thread that a test starts ends with it."""
    before = set(threading.enumerate())
    yield
    give_up_s = time.monotonic() + 20
    # watchdog keeps one thread for all observers that there will ever be.
    while left := {
        thread for thread in set(threading.enumerate()) - before if type(thread).__name__ != "InotifyFD"
    }:
        assert time.monotonic() < give_up_s, f"still running: {left}"
        time.sleep(0.01)


@pytest.fixture
def index(tree: Tree) -> Iterator[Index]:
    with Index(tree.root) as opened:
        yield opened


@pytest.fixture
def pusher(tree: Tree, remote: DriveRemote, index: Index, accept: Accept, notes: Notes) -> Pusher:
    return Pusher(tree.root, remote, index, accept, notes, clock=lambda: 1234.5)
