"""Does a job again and again, killed before one more of its effects on the disk each time.

    python killed.py JOB TEMPLATE FOLDER

For n = 1, 2, ...: FOLDER/n becomes a copy of TEMPLATE, and a process does the job there until it is killed, as by
SIGKILL, before it makes, opens for writing, renames or removes its n-th file or folder; those in the spool do not
count (killed_spool.py). The first n at which the job comes through ends the series. Standard output gets one JSON
object a line: ``{"n", "status", "rerun"}``, the second being -9 for a killed process, the third the exit status of
the same job done again, and not killed.

A fork is cheap and holds no thread here, so this is a program of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from drivesync.acceptance import find_accept
from drivesync.cli import cli, run_command

if TYPE_CHECKING:
    from collections.abc import Callable

_EFFECTS = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.utime", "os.chmod", "os.truncate"}
_SPOOL = "/.drivesync/spool/"
_LIMIT = 500


def kill_before(effect: int) -> None:
    """Let this process die before its ``effect``-th effect."""
    left = effect

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if _has_effect(event, arguments):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hear)


def _has_effect(event: str, arguments: tuple[object, ...]) -> bool:
    if event == "open" and not _writes(arguments):
        return False
    if event == "os.mkdir" and Path(str(arguments[0])).is_dir():
        return False
    return event in _EFFECTS | {"open"} and _SPOOL not in str(arguments[0])


def _writes(arguments: tuple[object, ...]) -> bool:
    flags = arguments[2]
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def run(job: Callable[[], int], effect: int = 0) -> int:
    """The exit status of ``job`` in a process of its own; negative if a signal ended it."""
    process = os.fork()
    if process == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if effect:
            kill_before(effect)
        try:
            status = job()
        except BaseException as error:  # noqa: BLE001 - it must not go on as its parent does
            sys.stderr.write(f"{error!r}\n")
            status = 99
        os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def push(tree: Path) -> int:
    """``drivesync push`` to a folder of the tree's own; who was killed has not given its leases back."""
    return run_command(cli, ["push", "--take-over", str(tree), f"pushed-{tree.name}"])


def pull(tree: Path) -> int:
    """``drivesync pull`` of what REMOTE in the environment names."""
    return run_command(cli, ["pull", os.environ["REMOTE"], str(tree)])


def main(name: str, template: Path, folder: Path) -> None:
    """See above."""
    # Loads what every process would else load for itself.
    find_accept()
    for module in ("cli.pull", "cli.push", "leasing.leases", "remotes.drive.remote", "remotes.folder.remote"):
        import_module(f"drivesync.{module}")
    job = {"push": push, "pull": pull}[name]
    for effect in range(1, _LIMIT):
        tree = folder / str(effect)
        shutil.copytree(template, tree)
        status = run(lambda: job(tree), effect)  # noqa: B023 - it runs at once
        rerun = run(lambda: job(tree))  # noqa: B023
        sys.stdout.write(json.dumps({"n": effect, "status": status, "rerun": rerun}) + "\n")
        if status == 0:
            return
    raise SystemExit(f"{name} has more than {_LIMIT} effects")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
