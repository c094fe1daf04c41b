from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drivesync import daemon
from drivesync.daemon import JobLock, holder_of, launch, signal_holder
from drivesync.errors import LocalWriteError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HANG_S = 20.0


class BusyError(Exception):
    """Another process is at the job."""

    def __init__(self, pid: int | None) -> None:
        super().__init__(f"process {pid}" if pid else "nobody said")
        self.pid = pid


def job_of(place: Path) -> Path:
    return place / "state" / "job"


def lock(job: Path) -> JobLock:
    return JobLock(job, BusyError)


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + HANG_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def read_stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the third on: state, parent, group, session, terminal."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return ["X"]


HOLDER = """
import signal, sys
from pathlib import Path
from drivesync.daemon import JobLock
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
with JobLock(Path(sys.argv[1]) / "state" / "job", RuntimeError):
    print("held", flush=True)
    signal.pause()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that has the lock of ``tmp_path``."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_launched_is_detached(tmp_path: Path) -> None:
    log = tmp_path / "deep" / "log"
    script = "readlink /proc/self/fd/0; echo error >&2; echo ready; exec sleep 60"
    pid = launch(["sh", "-c", script], log)
    try:
        wait_for(lambda: "ready" in log.read_text())
        assert log.read_text() == "/dev/null\nerror\nready\n"
        _, parent, group, session, terminal = read_stat(pid)[:5]
        assert int(parent) != os.getpid()
        assert (int(group), int(session)) == (pid, pid)
        assert terminal == "0"
        for stream in (1, 2):
            assert Path(f"/proc/{pid}/fd/{stream}").readlink() == log
    finally:
        os.kill(pid, signal.SIGKILL)


def test_launched_survives_the_group_of_its_launcher(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from drivesync.daemon import launch;"
        "print(launch(['sleep', '60'], Path('log')), flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, stdout=subprocess.PIPE, start_new_session=True
    ) as cell:
        assert cell.stdout is not None
        pid = int(cell.stdout.readline())
        os.killpg(cell.pid, signal.SIGKILL)
        assert (
            cell.stdout.read() == b""
        )  # returns although the sleep lives: it does not hold the cell's output
    assert read_stat(pid)[0] in ("S", "R")
    os.kill(pid, signal.SIGKILL)


def test_launched_takes_arguments_as_they_are_and_appends_to_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    launch(["printf", "%s\n", "-c", "a b", "$x'"], log)
    wait_for(lambda: log.read_text() == "before\n-c\na b\n$x'\n")


@pytest.mark.parametrize(
    ("argv", "log"),
    [
        pytest.param(["/no/such/program"], "log", id="no such program"),
        pytest.param(["true"], "/dev/null/log", id="no place for the log"),
    ],
)
def test_what_cannot_be_launched(argv: list[str], log: str, tmp_path: Path) -> None:
    with pytest.raises(LocalWriteError, match="cannot start"):
        launch(argv, tmp_path / log)


def test_the_lock_is_held_inside_the_block_only(tmp_path: Path) -> None:
    assert holder_of(job_of(tmp_path)) is None
    with lock(job_of(tmp_path)):
        assert holder_of(job_of(tmp_path)) == os.getpid()
    assert holder_of(job_of(tmp_path)) is None
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["job.lock"]
    with lock(job_of(tmp_path)):
        assert holder_of(job_of(tmp_path)) == os.getpid()


def test_a_second_supervisor_learns_who_is_first(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    assert holder_of(job_of(tmp_path)) == holder.pid
    with pytest.raises(BusyError, match=f"process {holder.pid}") as caught, lock(job_of(tmp_path)):
        pytest.fail("both hold the lock")
    assert caught.value.pid == holder.pid
    assert holder_of(job_of(tmp_path)) == holder.pid


def test_a_killed_supervisor_is_no_obstacle(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    holder.kill()
    holder.wait()
    assert (tmp_path / "state" / "job.pid").exists()
    assert holder_of(job_of(tmp_path)) is None
    assert signal_holder(job_of(tmp_path), signal.SIGTERM) is None
    with lock(job_of(tmp_path)):
        assert holder_of(job_of(tmp_path)) == os.getpid()


def test_a_signal_arrives(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    assert signal_holder(job_of(tmp_path), signal.SIGTERM) == holder.pid
    assert holder.wait(HANG_S) == 7
    assert signal_holder(job_of(tmp_path), signal.SIGTERM) is None


def test_a_pid_that_went_to_another_program_is_not_signalled(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        pid_file = tmp_path / "state" / "job.pid"
        (tmp_path / "state" / "job.lock").touch()
        pid_file.write_text(f"{stranger.pid} {daemon._start_ticks(stranger.pid)}\n")
        assert signal_holder(job_of(tmp_path), signal.SIGKILL) is None  # nobody holds the lock
        with lock(job_of(tmp_path)):
            pid_file.write_text(f"{stranger.pid} 1\n")
            assert (
                signal_holder(job_of(tmp_path), signal.SIGKILL) is None
            )  # somebody does, but it is not the stranger
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.parametrize("content", ["", "7", "x y", "1 2 3", "\ud7ff"])
def test_a_pid_file_of_nonsense_is_no_pid(content: str, tmp_path: Path) -> None:
    with lock(job_of(tmp_path)):
        (tmp_path / "state" / "job.pid").write_text(content)
        assert holder_of(job_of(tmp_path)) is None


def test_children_do_not_inherit_the_lock(tmp_path: Path) -> None:
    held = lock(job_of(tmp_path))
    held.__enter__()
    with subprocess.Popen(["sleep", "60"], close_fds=False) as child:
        held.__exit__(None, None, None)
        with lock(job_of(tmp_path)):
            assert holder_of(job_of(tmp_path)) == os.getpid()
        child.kill()


def test_a_probe_at_the_wrong_moment_is_waited_out(tmp_path: Path) -> None:
    with lock(job_of(tmp_path)):
        pass
    with (tmp_path / "state" / "job.lock").open() as probe:
        fcntl.flock(probe, fcntl.LOCK_SH)
        releaser = threading.Timer(0.05, fcntl.flock, (probe, fcntl.LOCK_UN))
        releaser.start()
        with lock(job_of(tmp_path)):
            assert holder_of(job_of(tmp_path)) == os.getpid()
        releaser.join()


def test_a_holder_without_a_name_is_believed_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon, "_NAMELESS_HOLDER_S", 0.05)
    with lock(job_of(tmp_path)):
        (tmp_path / "state" / "job.pid").unlink()
        with pytest.raises(BusyError, match="nobody said") as caught, lock(job_of(tmp_path)):
            pytest.fail("both hold the lock")
    assert caught.value.pid is None


def test_a_tree_that_cannot_be_written_cannot_be_locked() -> None:
    with pytest.raises(LocalWriteError, match="cannot lock"), lock(Path("/dev/null/tree")):
        pytest.fail("locked")
