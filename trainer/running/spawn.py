"""How a child is started so that it ends with its parent, and so that what it prints comes at once.

::

    setpriv --pdeathsig KILL ▸ sh ▸ stdbuf -oL ▸ darknet      one pid, each execs the next

Why setpriv and not ``preexec_fn``: Python code between fork and exec can deadlock in a process with threads, and
Python 3.12 warns of it. setpriv (util-linux, essential on Debian and Ubuntu) sets the signal and execs. It cannot
see that its parent died before the signal was set, so a shell behind it compares its parent with the one meant.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tty
from dataclasses import dataclass
from io import FileIO
from typing import TYPE_CHECKING

from trainer.errors import NoDarknetError, TreeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Child:
    """A started process, and our ends of its streams."""

    process: subprocess.Popen[bytes]
    stdout: FileIO
    stderr: FileIO

    @property
    def pid(self) -> int:
        """Of the process, and the number of its group and its session."""
        return self.process.pid

    def close(self) -> None:
        """Close the streams."""
        self.stdout.close()
        self.stderr.close()


def spawn(argv: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> Child:
    """Start ``argv`` in a session of its own, with an empty stdin, to be killed when the calling *thread* ends.

    Its C library is made to write each line at once: by ``stdbuf``, or, where there is none, by a terminal for its
    stdout.

    Raises:
        OSError: the system cannot start another process.
    """
    has_stdbuf = shutil.which("stdbuf") is not None
    outer, inner = os.pipe() if has_stdbuf else _open_terminal()
    try:
        stderr, inner_stderr = os.pipe()
    except OSError:
        os.close(outer)
        os.close(inner)
        raise
    streams = FileIO(outer), FileIO(stderr)
    try:
        process = subprocess.Popen(
            command_line(argv, os.getpid()),
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=inner,
            stderr=inner_stderr,
            start_new_session=True,
        )
    except BaseException:
        for stream in streams:
            stream.close()
        raise
    finally:
        os.close(inner)
        os.close(inner_stderr)
    return Child(process, *streams)


def command_line(argv: Sequence[str], parent_pid: int) -> list[str]:
    """Put in front of ``argv`` what ties it to ``parent_pid`` and unbuffers it, each exec'ing the next."""
    command = list(argv)
    if stdbuf := shutil.which("stdbuf"):
        command = [stdbuf, "-oL", *command]
    if setpriv := shutil.which("setpriv"):
        shell = ["/bin/sh", "-c", '[ "$PPID" = "$0" ] || exit 1; exec "$@"', str(parent_pid)]
        command = [setpriv, "--pdeathsig", "KILL", *shell, *command]
    return command


def _open_terminal() -> tuple[int, int]:
    outer, inner = os.openpty()
    tty.setraw(inner)  # or each line would end with a carriage return, too
    return outer, inner


def check_startable(program: str, cwd: Path) -> None:
    """See that ``program`` can be started in ``cwd``.

    Raises:
        TreeError: ``cwd`` is no directory.
        NoDarknetError: the program does not exist or may not be executed.
    """
    if not cwd.is_dir():
        raise TreeError(f"{cwd} is not a directory")
    if "/" not in program:
        if shutil.which(program) is None:
            raise NoDarknetError(f"{program} is not on PATH")
        return
    path = cwd / program
    if not path.is_file():
        raise NoDarknetError(f"{path} does not exist")
    if not os.access(path, os.X_OK):
        raise NoDarknetError(f"{path} may not be executed", hint=f"Run: chmod +x '{path}'")
