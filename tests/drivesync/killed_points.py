"""Pushes again and again, each time in a process of its own, which may be killed at a point that has a name.

    python killed_points.py

For each line on standard input, a JSON object ``{"tree", "remote", "point", "nth"}``, one process pushes the tree's
``backup/*.weights``, and is killed, as by SIGKILL, when it comes to that point for the nth time; an empty one leaves it
alone. Its exit status is a line of standard output, -9 if it was killed.

A fork is cheap and holds no thread here, so this is a program of its own.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drivesync.config import Settings
from drivesync.files import Role, Verdict
from drivesync.index import Index
from drivesync.progress import Silence
from drivesync.push import Pusher, push
from drivesync.pushing.landing import Landing
from drivesync.remotes.drive.outgoing import Outgoing
from drivesync.remotes.drive.remote import DriveRemote
from drivesync.remotes.drive.upload import _Sending
from drivesync.spooling import spool
from drivesync.spooling.notes import FileNote
from drivesync.spooling.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_HALF_BYTES = 800_000


@dataclass(frozen=True)
class Point:
    """Before or after a call of ``name``, a function of ``owner``, whose arguments are as wanted."""

    owner: Any
    name: str
    after: bool = False
    wanted: Callable[..., bool] = lambda *_: True


def _opened(_note: object, text: str) -> bool:
    return '"uri": "http' in text


def _done(_note: object, text: str) -> bool:
    return '"is_done": true' in text


def _is_final(_sending: object, status: int, *_rest: object) -> bool:
    return status == 200


POINTS = {
    "before the snapshot": Point(spool.Spool, "take"),
    "after the snapshot": Point(spool.Spool, "take", after=True),
    "before the session is opened": Point(_Sending, "_open"),
    "the session is open, and not noted": Point(FileNote, "write", wanted=_opened),
    "the session is noted": Point(FileNote, "write", after=True, wanted=_opened),
    "before the first byte": Point(_Sending, "_send_piece"),
    "half of the bytes are sent": Point(Outgoing, "blocks"),
    "before it is asked whether the last byte may go": Point(Outgoing, "release"),
    "before the last byte": Point(Outgoing, "release", after=True),
    "Drive has all, and its answer is not heard": Point(_Sending, "_read_answer", wanted=_is_final),
    "the answer is heard": Point(FileNote, "write", wanted=_done),
    "that it is done is noted": Point(FileNote, "write", after=True, wanted=_done),
    "it is compared": Point(Landing, "_note"),
    "before the index": Point(Index, "record"),
    "after the index": Point(Index, "record", after=True),
    "before the receipt": Point(spool, "append_receipt"),
    "after the receipt": Point(spool, "append_receipt", after=True),
    "before it is settled": Point(Shelf, "mark"),
    "it is settled": Point(Shelf, "mark", after=True),
}


def kill_at(point: Point, nth: int) -> None:
    """Let this process die when it comes to ``point`` for the nth time."""
    called: Callable[..., Any] = getattr(point.owner, point.name)
    left = nth

    def die_in_time(*arguments: object) -> None:
        nonlocal left
        left -= point.wanted(*arguments)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def call(*arguments: object, **more: object) -> object:
        if not point.after:
            die_in_time(*arguments)
        result = called(*arguments, **more)
        if point.after:
            die_in_time(*arguments)
        return result

    def blocks(*arguments: object) -> Iterator[bytes]:
        sent = 0
        for block in called(*arguments):
            if sent > _HALF_BYTES:
                die_in_time(*arguments)
                sent = 0
            sent += len(block)
            yield block

    setattr(point.owner, point.name, blocks if point.name == "blocks" else call)


def accept(_tree: Path, path: str, snapshot: Path) -> Verdict:
    """A judge that takes the iteration from the header."""
    (iteration,) = struct.unpack_from("<Q", snapshot.read_bytes(), 12)
    role = Role.LAST if path.endswith("_last.weights") else Role.NUMBERED
    return Verdict(accepted=True, iteration=iteration, run="run", role=role)


def push_all(tree: Path, name: str) -> None:
    """Push what there is."""
    settings = Settings.from_environment(os.environ)
    with DriveRemote(name, settings, first_wait_s=0.001) as remote, Index(tree) as index:
        push(Pusher(tree, remote, index, accept, Silence()), tree, ("backup/*.weights",))


def run(tree: str, remote: str, point: str, nth: int) -> int:
    """The exit status of a process that pushes."""
    process = os.fork()
    if process == 0:
        if point:
            kill_at(POINTS[point], nth)
        try:
            push_all(Path(tree), remote)
        except BaseException as error:  # noqa: BLE001 - it must not go on as its parent does
            sys.stderr.write(f"{error!r}\n")
            os._exit(99)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def main() -> None:
    """See above."""
    for line in sys.stdin:
        sys.stdout.write(f"{run(**json.loads(line))}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
