"""Pushes a whole tree again and again, each time in a process of its own, which may be killed.

    python pushes.py REMOTE TREE

For each line on standard input, a number, one process pushes, as fast as it goes, and is killed as by SIGKILL after so
many seconds; inf leaves it alone. Its exit status is a line of standard output, -9 if it was killed.

A fork is cheap and holds no thread here, so this is a program of its own.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import time
import traceback
from pathlib import Path

from drivesync.config import Settings
from drivesync.mirror import push_all
from drivesync.mirroring.write_rate import WriteRate
from drivesync.progress import Silence
from drivesync.remotes import open_remote


def push(remote: str, tree: Path) -> int:
    """Push it all; 1 for any error."""
    try:
        with open_remote(remote, Settings.from_environment(os.environ), lambda _line: None) as entered:
            push_all(entered, tree, reporter=Silence(), rate=WriteRate(math.inf, 1)).raise_failure()
    except BaseException:  # noqa: BLE001 - it must not go on as its parent does
        traceback.print_exc()
        return 1
    return 0


def run(remote: str, tree: Path, life_s: float) -> int:
    """The exit status of a process that pushes, and does not live longer."""
    process = os.fork()
    if process == 0:
        os._exit(push(remote, tree))
    if not math.isinf(life_s):
        time.sleep(life_s)
        os.kill(process, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def main(remote: str, tree: Path) -> None:
    """See above."""
    # Loads what every process would else load for itself.
    open_remote(remote, Settings.from_environment(os.environ), lambda _line: None)
    for line in sys.stdin:
        sys.stdout.write(f"{run(remote, tree, float(line))}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
