"""One process to a job, in the background of a cell.

::

    JOB.lock   held by flock as long as the process lives; the kernel lets go of it, always
    JOB.pid    "PID START" of the holder, START in clock ticks since boot; may be stale

The lock is the truth and the pid only says whom to signal: a pid counts if the lock is held *and* the process of that
number began when the file says. So a pid that went to another program is never signalled.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from drivesync.errors import LocalWriteError, NotAllowedError
from drivesync.holder import read_life

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

# Who holds the lock without a valid pid is a probe or is about to write its pid: neither takes longer than this.
_NAMELESS_HOLDER_S = 1.0
_RETRY_S = 0.02

# The program between launches and is gone at once, so that the child is nobody's zombie: the system adopts it.
_LAUNCHER = """
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=2, stderr=2, start_new_session=True)
print(child.pid, flush=True)
os._exit(0)
"""


def launch(argv: Sequence[str], log: Path) -> int:
    """Start ``argv`` so that it outlives this process, its terminal and its notebook cell.

    It has a session of its own, an empty stdin, and both outputs appended to ``log``; nothing of it refers back to
    us, so a cell's ``!command`` returns.

    Returns:
        Its pid, which is also its session's and its process group's number.

    Raises:
        LocalWriteError: ``log`` cannot be written, or the system does not start another process.
    """
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            launcher = subprocess.run(
                [sys.executable, "-I", "-S", "-c", _LAUNCHER, *argv],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=output,
                check=True,
            )
    except OSError as error:
        raise LocalWriteError(f"cannot start in the background with log {log}: {error.strerror}") from error
    except subprocess.CalledProcessError as error:
        raise LocalWriteError(f"cannot start {argv[0]} in the background", hint=f"{log} says why.") from error
    return int(launcher.stdout)


class JobLock:
    """Be the one process that does ``job`` as long as the ``with`` block lasts.

    The lock is let go of by the kernel when this process ends, however that comes, and is not handed down to
    programs that it starts.

    Args:
        job: a path without suffix; the two files lie there.
        busy: makes the error of who finds another process at it, whose pid it is given; None if that is not known yet.

    Raises:
        LocalWriteError: on entering, if the place cannot be written or its file system has no locks.
    """

    def __init__(self, job: Path, busy: Callable[[int | None], Exception]) -> None:
        self._job = job
        self._busy = busy
        self._descriptor = -1

    def __enter__(self) -> JobLock:
        try:
            self._acquire()
        except OSError as error:
            raise LocalWriteError(f"cannot lock {_lock_path(self._job)}: {error.strerror}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):  # a stale pid file is no obstacle
            _pid_path(self._job).unlink()
        os.close(self._descriptor)

    def _acquire(self) -> None:
        _lock_path(self._job).parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(_lock_path(self._job), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self._wait_for_lock()
            _pid_path(self._job).write_text(f"{os.getpid()} {_start_ticks(os.getpid())}\n")
        except BaseException:
            os.close(self._descriptor)
            raise

    def _wait_for_lock(self) -> None:
        give_up_at = time.monotonic() + _NAMELESS_HOLDER_S
        while not _try_lock(self._descriptor, fcntl.LOCK_EX):
            holder = _read_live_pid(self._job)
            if holder is not None or time.monotonic() >= give_up_at:
                raise self._busy(holder)
            time.sleep(_RETRY_S)


def holder_of(job: Path) -> int | None:
    """The pid of the process that is at ``job`` now; ``None`` if there is none.

    ``None`` also in the instant in which a process has the lock but has not yet written its pid.
    """
    with _probe(job) as held:
        return _read_live_pid(job) if held else None


def signal_holder(job: Path, sig: signal.Signals) -> int | None:
    """Send ``sig`` to the process that is at ``job``.

    Returns:
        The pid that got it; ``None`` if there is none, or if it ended just now.

    Raises:
        NotAllowedError: the process is another user's.
    """
    pid = holder_of(job)
    if pid is not None:
        try:
            os.kill(pid, sig)
        except ProcessLookupError:
            return None
        except PermissionError as error:
            raise NotAllowedError(f"process {pid}, which has {_lock_path(job)}, is another user's") from error
    return pid


def is_alive(pid: int) -> bool:
    """Whether a process runs; where nobody reaps, the dead stay, and count as such."""
    life = read_life(pid)
    return life is not None and life[0] not in "ZX"


@contextlib.contextmanager
def _probe(job: Path) -> Iterator[bool]:
    """Whether somebody holds the lock. A shared lock is tried, so that probes do not see one another."""
    try:
        descriptor = os.open(_lock_path(job), os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        yield False
        return
    except PermissionError as error:
        raise NotAllowedError(f"{_lock_path(job)} may not be read") from error
    try:
        yield not _try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read_live_pid(job: Path) -> int | None:
    try:
        pid, start_ticks = map(int, _pid_path(job).read_text().split())
    except (OSError, ValueError):
        return None
    return pid if _start_ticks(pid) == start_ticks else None


def _start_ticks(pid: int) -> int | None:
    life = read_life(pid)
    return None if life is None else life[1]


def _lock_path(job: Path) -> Path:
    return job.with_name(f"{job.name}.lock")


def _pid_path(job: Path) -> Path:
    return job.with_name(f"{job.name}.pid")
