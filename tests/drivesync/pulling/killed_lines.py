"""Puts one file together again and again, killed before one more line of parts.py or part.py each time.

    python killed_lines.py FOLDER

For n = 1, 2, ...: a process works in the tree FOLDER/n until it is killed, as by SIGKILL, before the n-th line, and
another one goes on there to the end. The first n at which the first comes through ends the series. Standard output
gets one JSON object a line, ``{"status", "between", "rerun", "after", "left"}``: exit statuses, -9 for a killed
process; what the file held between the two and afterwards, null if it was not there; and what is left of its parts.

A fork is cheap and holds no thread here, so this is a program of its own.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drivesync.files import RemoteFile
from drivesync.pulling import part as one_part
from drivesync.pulling import parts

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

CONTENT = "0123456789"
_LIMIT = 2000


def assemble(tree: Path) -> None:
    """Have what is missing of the file arrive in two pieces, and put it in its place."""
    file = RemoteFile("data/a", "id", len(CONTENT), "md5", 1.0)
    opened = parts.Parts(tree)
    with opened.open(file, resumable=True) as part:
        for first, last in ((5, 9), (0, 4)):
            if (first, last) not in part.arrived:
                part.write_at(first, CONTENT[first : last + 1].encode())
                part.note_arrived(first, last)
        part.settle(file.modified_s, executable=True)
        opened.commit(file, part)


def run(tree: Path, line: int = 0) -> int:
    """The exit status of ``assemble`` in a process of its own, killed before its ``line``-th line; 0 for never."""
    process = os.fork()
    if process == 0:
        sys.settrace(_killer(line))
        assemble(tree)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _killer(line: int) -> Callable[[FrameType, str, Any], Any]:
    left = line
    watched = {parts.__file__, one_part.__file__}

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal left
        if frame.f_code.co_filename not in watched:
            return None
        if event == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


def main(folder: Path) -> None:
    """See above."""
    for line in range(1, _LIMIT):
        tree = folder / str(line)
        place = tree / "data" / "a"
        status = run(tree, line)
        between = place.read_text() if place.exists() else None
        rerun = run(tree)
        left = [part.name for part in (tree / ".drivesync" / "partial").iterdir()]
        said = {
            "status": status,
            "between": between,
            "rerun": rerun,
            "after": place.read_text(),
            "left": left,
        }
        sys.stdout.write(json.dumps(said) + "\n")
        if status == 0:
            return
    raise SystemExit(f"it has more than {_LIMIT} lines")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
