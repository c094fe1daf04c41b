"""Pulls again and again, each time in a process of its own, which may be killed.

    python pulls.py REMOTE TREE

For each line on standard input, a number, one process pulls, and is killed as by SIGKILL after so many seconds; inf
leaves it alone. Its exit status is a line of standard output, -9 if it was killed.

A fork is cheap and holds no thread here, so this is a program of its own.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from importlib import import_module

from drivesync.cli import cli, run_command


def pull(remote: str, tree: str, life_s: float) -> int:
    """The exit status of a process that pulls, and does not live longer."""
    process = os.fork()
    if process == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os._exit(run_command(cli, ["pull", remote, tree]))
    if not math.isinf(life_s):
        time.sleep(life_s)
        os.kill(process, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def main(remote: str, tree: str) -> None:
    """See above."""
    # Loads what every process would else load for itself.
    for module in ("cli.pull", "remotes.drive"):
        import_module(f"drivesync.{module}")
    for line in sys.stdin:
        sys.stdout.write(f"{pull(remote, tree, float(line))}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
