"""A session as the user has it: commands in processes of their own, a Drive beside them, and a machine that can die."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from drivesync.testing.trees import find
from trainer.status import read_status
from trainer.testing import leave_chart, make_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from drivesync.testing import DriveEmulator
    from trainer.status import Status
    from trainer.testing import TreeInfo

WEIGHTS_BYTES = 27_592
"""What the real darknet writes for the network of these tests."""

PATIENCE_S = 60.0
POLL_S = 0.01
MARKER = "DRIVESYNC_TEST_SESSION"
"""In the environment of every process that a test starts, and of all that those start."""

_LOOKS = 50
"""For processes; somebody's may have no environment for good."""

# The real darknet, which stands still, and costs nothing, from a certain line of loss on. Only once, so that who goes
# on need not take care of it.
_HALTING = """\
#!/bin/bash
# tells which darknet it is: %f rate, %lf seconds, %d images
read -r iteration < "$0.halt" || exec "{darknet}" "$@"
exec "{darknet}" "$@" > >(
    while IFS= read -r line; do
        printf '%s\\n' "$line"
        if [[ $line == "$iteration: "*" avg, "* ]]; then
            : > "$0.halt"
            kill -STOP $$
            exec cat
        fi
    done
)
"""

_LOSS_LINE = re.compile(r" *(\d+): \S+, \S+ avg")
_HEADER = struct.Struct("<iiiQ")


def wait_for(condition: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    """Look again and again until ``condition`` holds."""
    give_up_s = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < give_up_s, f"waited {patience_s} s for {what}"
        time.sleep(POLL_S)


def read_iteration(weights: bytes, tree: TreeInfo) -> int | None:
    """How far the training in a weights file is; None if it is not whole. Shares no code with the packages."""
    if len(weights) != WEIGHTS_BYTES:
        return None
    major, minor, _revision, seen = _HEADER.unpack_from(weights)
    numbers = np.frombuffer(weights, "<f4", offset=_HEADER.size)
    if (major, minor) != (0, 2) or seen > tree.batch * tree.max_batches or not np.isfinite(numbers).all():
        return None
    return int(seen // tree.batch)


def read_attempts(log: str) -> list[list[int]]:
    """The iterations that darknet printed, run by run, by its log; it begins each by the cfg's name."""
    attempts: list[list[int]] = []
    for line in log.splitlines():
        # What it writes to its other stream may stand before it, without an end of its line.
        if line == "remote" or line.endswith(" remote"):
            attempts.append([])
        elif match := _LOSS_LINE.match(line):
            attempts[-1].append(int(match[1]))
    return attempts


@dataclass
class Session:
    """What runs on one machine, and its tree; ``drive`` outlives it."""

    home: Path
    drive: DriveEmulator
    seed: TreeInfo
    name: str = field(default_factory=lambda: uuid.uuid4().hex)
    variables: dict[str, str] = field(default_factory=dict)
    tree: Path = field(init=False)

    def __post_init__(self) -> None:
        self.tree = self.home / "darknet"

    @property
    def _programs(self) -> Path:
        return self.home / "bin"

    @property
    def environment(self) -> dict[str, str]:
        direct = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        path = os.pathsep.join([str(self._programs), str(Path(sys.executable).parent), os.environ["PATH"]])
        marked = {"PATH": path, MARKER: self.name}
        impatient = {"DRIVESYNC_RETRIES": "1", "DRIVESYNC_RETRY_WAIT_S": "0.1", "DRIVESYNC_SETTLE_S": "0.05"}
        return {**direct, **self.drive.environment(), **marked, **impatient, **self.variables}

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start ``python -m COMMAND``, with both outputs in one pipe."""
        return self._start(sys.executable, "-m", *command)

    @contextlib.contextmanager
    def running(self, *command: str) -> Iterator[subprocess.Popen[str]]:
        """Have ``python -m COMMAND`` run, and end with the block: where that fails, nobody would wait for anything."""
        with self.start(*command) as process:
            try:
                yield process
            finally:
                process.kill()

    @contextlib.contextmanager
    def running_cells(self) -> Iterator[None]:
        """Have run what the user's notebook does after a lost session; with the block the machine stops."""
        script = 'python -m drivesync pull darknet "$0" && python -m trainer supervise --background "$0"'
        with self._start("sh", "-c", script, str(self.tree)):
            try:
                yield
            finally:
                self.kill_everything()

    def _start(self, *command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *command: str, status: int | None = 0) -> str:
        """Run ``python -m COMMAND`` to its end and return what it printed; ``status`` None allows any."""
        with self.running(*command) as process:
            said, _ = process.communicate(timeout=PATIENCE_S)
        assert status in {None, process.returncode}, f"{command} ended with {process.returncode}:\n{said}"
        return said

    def copy_tree(self) -> None:
        """Have the tree without a pull, as somebody who made it here."""
        shutil.copytree(self.seed.root, self.tree)

    def set_max_batches(self, max_batches: int) -> None:
        """Have the tree trained for longer, or not so long."""
        cfg = self.tree / self.seed.cfg
        cfg.write_text(re.sub(r"max_batches=\d+", f"max_batches={max_batches}", cfg.read_text()))
        self.seed = replace(self.seed, max_batches=max_batches)

    def pull(self) -> str:
        return self.run("drivesync", "pull", "darknet", str(self.tree))

    def supervise(self, *more: str, status: int = 0) -> str:
        return self.run("trainer", "supervise", str(self.tree), *more, status=status)

    def supervise_in_background(self, *more: str, status: int = 0) -> str:
        return self.supervise("--background", *more, status=status)

    @property
    def status(self) -> Status:
        status = read_status(self.tree)
        assert status is not None
        return status

    def wait_for_state(self, state: str) -> Status:
        """Wait until the run has come to ``state``; another end fails."""
        ends = {"finished", "stopped", "gave up", "failed", "dead"}

        def reached() -> bool:
            status = self.status
            assert status.state == state or status.state not in ends, (
                f"{status}\n{self.log('supervisor.log')}"
            )
            return status.state == state

        wait_for(reached, state)
        return self.status

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        wait_for(condition, what)

    def wait_until_gone(self) -> None:
        self.wait_until(lambda: not self.processes(), "the end of all processes")

    def finish(self) -> Status:
        """Wait for the end of the training, and of its supervisor."""
        status = self.wait_for_state("finished")
        self.wait_until_gone()
        return status

    def log(self, name: str) -> str:
        path = self.tree / ".trainer" / name
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def attempts(self) -> list[list[int]]:
        """The iterations of each run of darknet in this tree, by its own log."""
        return read_attempts(self.log("darknet.log"))

    @property
    def loaded(self) -> list[str]:
        """The weights files that darknet loaded in this tree, by its own log."""
        return re.findall(r"Loading weights from (.*?)\.\.\.", self.log("darknet.log"))

    @property
    def iterations(self) -> list[int]:
        """All iterations that darknet printed in this tree, in order."""
        return [iteration for attempt in self.attempts for iteration in attempt]

    def wait_for_iteration(self, iteration: int) -> None:
        wait_for(lambda: self.iterations[-1:] >= [iteration], f"iteration {iteration}")

    def halt_darknet_at(self, iteration: int) -> None:
        """Have the next darknet that comes to this iteration stand still there, until ``let_darknet_go_on``."""
        self._programs.mkdir(exist_ok=True)
        program = self._programs / "darknet"
        program.with_suffix(".halt").write_text(f"{iteration}\n")
        program.write_text(_HALTING.format(darknet=shutil.which("darknet")))
        program.chmod(0o755)

    def wait_for_halt(self) -> int:
        """Wait until darknet stands still; returned is its pid."""
        self.wait_until(lambda: any(map(_is_halted, self.processes("darknet"))), "darknet to stand still")
        (darknet,) = self.processes("darknet")
        return darknet

    def let_darknet_go_on(self) -> None:
        """Wait until darknet stands still, and end that."""
        os.kill(self.wait_for_halt(), signal.SIGCONT)

    def processes(self, program: str = "") -> list[int]:
        """This session's processes that are alive; only those that run a program, where one is named."""
        for _ in range(_LOOKS):
            found, is_sure = self._look(program)
            if is_sure:
                break
            time.sleep(POLL_S)
        return found

    def _look(self, program: str) -> tuple[list[int], bool]:
        """What is found, and whether that is all: a process whose program is being loaded shows no environment."""
        found, is_sure = [], True
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                with contextlib.suppress(OSError):  # gone meanwhile
                    variables = (entry / "environ").read_bytes()
                    marked = f"{MARKER}={self.name}".encode() in variables.split(b"\0")
                    if not (marked or not variables):
                        continue
                    running = (entry / "exe").readlink().name  # neither a zombie nor the kernel's own
                    if marked and program in {"", running}:
                        found.append(int(entry.name))
                    elif not variables:
                        is_sure = False
        return found, is_sure

    def kill(self, pids: Sequence[int]) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_everything(self) -> None:
        """SIGKILL every process of the session, those too that are being started meanwhile."""
        while pids := self.processes():
            self.kill(pids)

    def lose(self) -> None:
        """What Colab does: everything stops at once, and the disk is gone; it takes minutes to get another machine."""
        self.kill_everything()
        shutil.rmtree(self.tree, ignore_errors=True)
        self.pass_time(600)

    def pass_time(self, seconds: int) -> None:
        """Let Drive's clock go on."""
        with self.drive.locked() as store:
            before = store.now_ms
            store.now_ms = lambda: before() + 1000 * seconds

    def weights_on_drive(self) -> dict[str, bytes]:
        files = self.drive.read_tree("darknet/backup")
        return {name: data for name, data in files.items() if name.endswith((".weights", ".backup"))}

    def iterations_on_drive(self) -> dict[str, int | None]:
        """How far each checkpoint is that Drive holds; None for one that is not whole. Asks no tool of ours."""
        return {name: read_iteration(data, self.seed) for name, data in self.weights_on_drive().items()}

    def safe_iteration(self) -> int:
        """The furthest whole checkpoint on Drive; 0 if it holds none."""
        return max((iteration or 0 for iteration in self.iterations_on_drive().values()), default=0)

    def names_on_drive(self) -> Counter[str]:
        """How many files of each name Drive holds in ``backup``."""
        with self.drive.locked() as store:
            folder = find(store, "darknet/backup")
            children = store.children(folder.id) if folder else ()
            return Counter(child.name for child in children if child.trashed_ms is None)


def _is_halted(pid: int) -> bool:
    with contextlib.suppress(OSError):  # gone meanwhile
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1] == b"T"
    return False


@pytest.fixture
def new_session(tmp_path: Path, drive_emulator: DriveEmulator) -> Iterator[Callable[..., Session]]:
    """Makes sessions on one Drive that holds a small tree; all their processes end with the test."""
    made: list[Session] = []

    def make(home: str = "home", *, max_batches: int, batch: int = 2, charts: bool = False) -> Session:
        seed = make_tree(
            tmp_path / "seed",
            images=8,
            negatives=1,
            size_px=32,
            batch=batch,
            max_batches=max_batches,
        )
        if not charts:
            leave_chart(seed.root)
        drive_emulator.seed(seed.root, "darknet")
        (tmp_path / home).mkdir()
        made.append(Session(tmp_path / home, drive_emulator, seed))
        return made[-1]

    yield make
    for session in made:
        session.kill_everything()
