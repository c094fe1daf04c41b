"""Pulls again and again, each time in a process of its own, which may be killed.

    python pulls.py REMOTE TREE

For each line on standard input, a number, one process pulls, and is killed as by SIGKILL after so many seconds; inf
leaves it alone. A line of standard output says its exit status, -9 if it was killed, and how many bytes of files it
took. What a connection's buffers held when it died is not among them: that may be megabytes on a busy machine.

A fork is cheap and holds no thread here, so this is a program of its own.
"""

from __future__ import annotations

import math
import mmap
import os
import signal
import struct
import sys
import threading
import time
from importlib import import_module

from drivesync.cli import cli, run_command
from drivesync.pulling.assembly import PartSink

COUNT = struct.Struct("<Q")


def count_taken(shared: mmap.mmap) -> None:
    """Keep in ``shared`` how many bytes this process has been given to write."""
    taken, write = threading.Lock(), PartSink.write

    def counted(sink: PartSink, block: bytes) -> None:
        with taken:
            COUNT.pack_into(shared, 0, COUNT.unpack_from(shared)[0] + len(block))
        write(sink, block)

    PartSink.write = counted  # type: ignore[method-assign, assignment]


def pull(remote: str, tree: str, life_s: float) -> tuple[int, int]:
    """The exit status of a process that pulls, and does not live longer; and how many bytes it took."""
    shared = mmap.mmap(-1, COUNT.size)
    process = os.fork()
    if process == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        count_taken(shared)
        os._exit(run_command(cli, ["pull", remote, tree]))
    if not math.isinf(life_s):
        time.sleep(life_s)
        os.kill(process, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    with shared:
        return status, COUNT.unpack_from(shared)[0]


def main(remote: str, tree: str) -> None:
    """See above."""
    # Loads what every process would else load for itself.
    for module in ("cli.pull", "remotes.drive"):
        import_module(f"drivesync.{module}")
    for line in sys.stdin:
        status, taken_bytes = pull(remote, tree, float(line))
        sys.stdout.write(f"{status} {taken_bytes}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
