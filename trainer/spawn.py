"""How a child is started so that it ends with its parent.

Why setpriv and not ``preexec_fn``: Python code between fork and exec can deadlock in a process with threads, and
Python 3.12 warns of it. setpriv (util-linux, essential on Debian and Ubuntu) sets the signal and execs. It cannot
see that its parent died before the signal was set, so a shell behind it compares its parent with the one meant.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from trainer.errors import NoDarknetError, TreeError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def command_line(argv: Sequence[str], parent_pid: int) -> list[str]:
    """Put in front of ``argv`` what ties it to ``parent_pid`` and unbuffers it, each exec'ing the next."""
    command = list(argv)
    if stdbuf := shutil.which("stdbuf"):
        command = [stdbuf, "-oL", *command]
    if setpriv := shutil.which("setpriv"):
        shell = ["/bin/sh", "-c", '[ "$PPID" = "$0" ] || exit 1; exec "$@"', str(parent_pid)]
        command = [setpriv, "--pdeathsig", "KILL", *shell, *command]
    return command


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
