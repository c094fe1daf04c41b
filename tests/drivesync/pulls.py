"""Pulls again and again, each time in a process of its own, which may be killed.

    python pulls.py REMOTE TREE

For each line on standard input, two numbers, one process pulls, and is killed as by SIGKILL so many seconds after it
took so many bytes of files; inf bytes leave it alone. A line of standard output says its exit status, -9 if it was
killed, and how many bytes of files it took. What a connection's buffers held when it died is not among them: that may
be megabytes on a busy machine.

Ranges and notes of them are a quarter as long here, so that a quarter of the bytes shows the same.

A fork is cheap and holds no thread here, so this is a program of its own.
"""

from __future__ import annotations

import mmap
import os
import signal
import struct
import sys
import threading
import time
from importlib import import_module
from typing import TYPE_CHECKING

from drivesync.cli import cli, run_command
from drivesync.pulling import assembly

if TYPE_CHECKING:
    from drivesync.pulling.assembly import PartSink

LOOK_EVERY_S = 0.001
COUNT = struct.Struct("<Q")


def count_taken(shared: mmap.mmap) -> None:
    """Keep in ``shared`` how many bytes this process has been given to write."""
    taken, write = threading.Lock(), assembly.PartSink.write

    def counted(sink: PartSink, block: bytes) -> None:
        with taken:
            COUNT.pack_into(shared, 0, COUNT.unpack_from(shared)[0] + len(block))
        write(sink, block)

    assembly.PartSink.write = counted  # type: ignore[method-assign, assignment]


def shorten_ranges() -> None:
    """See above."""
    assembly.NOTE_EVERY_BYTES //= 4
    assembly._LEAST_RANGE_BYTES //= 4
    assembly._MOST_RANGE_BYTES //= 4


def end(process: int, shared: mmap.mmap, taken_bytes: float, life_s: float) -> int:
    """Kill a process so long after it took so many bytes, if it has not ended by then; its exit status."""
    ended = status = 0
    while not ended and COUNT.unpack_from(shared)[0] < taken_bytes:
        time.sleep(LOOK_EVERY_S)
        ended, status = os.waitpid(process, os.WNOHANG)
    if not ended:
        time.sleep(life_s)
        os.kill(process, signal.SIGKILL)
        status = os.waitpid(process, 0)[1]
    return os.waitstatus_to_exitcode(status)


def pull(remote: str, tree: str, taken_bytes: float, life_s: float) -> tuple[int, int]:
    """The exit status of a process that pulls until it is killed as ``end`` says; and how many bytes it took."""
    shared = mmap.mmap(-1, COUNT.size)
    process = os.fork()
    if process == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        count_taken(shared)
        os._exit(run_command(cli, ["pull", remote, tree]))
    with shared:
        status = end(process, shared, taken_bytes, life_s)
        return status, COUNT.unpack_from(shared)[0]


def main(remote: str, tree: str) -> None:
    """See above."""
    # Loads what every process would else load for itself.
    for module in ("cli.pull", "remotes.drive.remote"):
        import_module(f"drivesync.{module}")
    shorten_ranges()
    for line in sys.stdin:
        status, taken_bytes = pull(remote, tree, *map(float, line.split()))
        sys.stdout.write(f"{status} {taken_bytes}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
