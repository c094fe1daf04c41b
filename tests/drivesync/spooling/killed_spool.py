"""Does one thing with a spool again and again, killed before one more of its effects each time.

    python killed_spool.py FOLDER

For each of ``DEEDS`` and n = 1, 2, ...: a process does the deed in a spool that was prepared for it until it is killed,
as by SIGKILL, before the n-th call that may change the disk; then a spool is opened there, and the deed is done again
if it still has to be. The first n at which the deed comes through ends its series. Standard output gets one JSON
object a line, ``{"deed", "status", "before", "between", "after"}``: the exit status, -9 for a killed process, and
three times what ``describe`` sees.

A fork is cheap and holds no thread here, so this is a program of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from drivesync.disk import is_same, look
from drivesync.files import Receipt, Role, Verdict
from drivesync.spooling.shelf import Shelf
from drivesync.spooling.spool import Spool, read_receipts

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from drivesync.spooling.entries import Entry

_EFFECTS = frozenset({"copy_file_range", "fchmod", "fsync", "ftruncate", "ioctl", "mkdir", "open", "rename"})
_EFFECTS |= {"replace", "rmdir", "unlink", "utime", "write"}
_LIMIT = 300


def judge(_tree: Path, path: str, snapshot: Path) -> Verdict:
    """``last 300`` in a file is what darknet would call ``run_last.weights`` after 300 iterations."""
    kind, _, number = snapshot.read_text().partition(" ")
    if not number:
        return Verdict(accepted=not path.endswith(".weights"), reason="it is torn")
    return Verdict(accepted=True, iteration=int(number), run="run", role=Role(kind))


def save(tree: Path, name: str, content: str) -> None:
    """Save a file, some time ago."""
    place = tree / "backup" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(content)
    os.utime(place, ns=(0, 10**9 * len(content) + sum(content.encode())))


def take(spool: Spool, tree: Path, name: str) -> None:
    """Take a file, as a scan does: if it does not wait already."""
    path = f"backup/{name}"
    if not any(entry.path == path and is_same(entry.source, look(tree, path)) for entry in spool.pending()):
        spool.take(path, judge)


def find(spool: Spool, name: str) -> Entry | None:
    """What waits under a name."""
    return next((entry for entry in spool.pending() if entry.path == f"backup/{name}"), None)


def settle(spool: Spool, name: str) -> None:
    """Say that it is safe."""
    with spool.claim(lambda entry: entry.path == f"backup/{name}") as entry:
        if entry is not None:
            spool.settle(
                entry, Receipt(entry.path, entry.size, "", "", "id", "revision", 0.0, entry.iteration)
            )


def prepare(tree: Path) -> None:
    """One that is pushed and kept, three that wait, one that was refused; and others, saved since then."""
    with Spool(tree) as spool:
        save(tree, "run_last.weights", "last 200")
        take(spool, tree, "run_last.weights")
        settle(spool, "run_last.weights")
        for name, content in (
            ("run_100.weights", "numbered 100"),
            ("run_best.weights", "best 150"),
            ("chart.png", "curve"),
        ):
            save(tree, name, content)
            take(spool, tree, name)
            entry = find(spool, name)
            assert entry is not None
            spool.note_of(entry).write(f"session of {name}")
        save(tree, "run_50.weights", "old")
        take(spool, tree, "run_50.weights")
    save(tree, "run_last.weights", "last 300")
    save(tree, "run_best.weights", "best 175")
    save(tree, "run_final.weights", "final 400")
    save(tree, "chart.png", "curves")
    save(tree, "run_50.weights", "new")


def drop(spool: Spool, _tree: Path) -> None:
    """A pending one is not to be pushed after all."""
    entry = find(spool, "run_100.weights")
    if entry is not None:
        spool.drop(entry)


def queue_again(spool: Spool, _tree: Path) -> None:
    """The one that is kept is to be pushed again."""
    for entry in spool.entries():
        if entry.pushed:
            spool.queue_again(entry)


def note(spool: Spool, _tree: Path) -> None:
    """A push goes on to its next session."""
    entry = find(spool, "run_100.weights")
    assert entry is not None
    spool.note_of(entry).write("another session")


def settle_without_room(spool: Spool, tree: Path) -> None:
    """A newer chart is pushed from the tree's own file, for want of room."""

    # A receipt that is there is not earned again: the index knows that.
    if any(receipt.path == "backup/chart.png" for receipt in read_receipts(tree)):
        return
    with patch.object(Shelf, "free_bytes", return_value=0):
        take(spool, tree, "chart.png")
        with spool.claim(lambda entry: entry.direct) as entry:
            assert entry is not None
            spool.settle(entry, Receipt(entry.path, entry.size, "", "", "id", "revision", 0.0))


DEEDS: dict[str, Callable[[Spool, Path], None]] = {
    "take the first of a name": lambda spool, tree: take(spool, tree, "run_final.weights"),
    "take one that replaces a pushed one": lambda spool, tree: take(spool, tree, "run_last.weights"),
    "take one that replaces a pending one": lambda spool, tree: take(spool, tree, "run_best.weights"),
    "refuse": lambda spool, tree: take(spool, tree, "run_50.weights"),
    "settle": lambda spool, _tree: settle(spool, "run_100.weights"),
    "settle without room": settle_without_room,
    "drop": drop,
    "queue again": queue_again,
    "note": note,
}


def describe(tree: Path) -> dict[str, Any]:
    """What the next process finds, and people; and what should not be there."""
    with Spool(tree) as spool:
        entries = {}
        for entry in spool.entries():
            with spool.open(entry) as file:
                content = file.read().decode()
            mark = "pushed" if entry.pushed else "dropped" if entry.dropped else "pending"
            noted = spool.note_of(entry)
            assert content not in entries
            entries[content] = [entry.path, entry.role.value, mark, noted.read()]
        folder = tree / ".drivesync" / "spool"
        modes = {oct(place.stat().st_mode & 0o777) for place in folder.rglob("session")}
        kept = {place.name: place.read_text() for place in sorted((folder / "rejected").rglob("*.*"))}
        return {
            "entries": entries,
            "receipts": [receipt.path for receipt in read_receipts(tree)],
            "rejected": {name: text.rpartition(":")[2].strip() for name, text in kept.items()},
            "modes": sorted(modes),
            "strays": sorted(
                place.name
                for place in folder.iterdir()
                if not place.name.isdigit() and place.name != "rejected"
            ),
        }


def run(deed: Callable[[Spool, Path], None], tree: Path, effect: int) -> int:
    """The exit status of ``deed`` in a process of its own, killed before its ``effect``-th effect; 0 for never."""
    process = os.fork()
    if process == 0:
        status = 99
        try:
            with Spool(tree) as spool:
                sys.setprofile(_killer(effect))
                deed(spool, tree)
                sys.setprofile(None)
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _killer(effect: int) -> Callable[[FrameType, str, Any], None]:
    left = effect

    def hear(_frame: FrameType, event: str, function: Any) -> None:
        nonlocal left
        if event == "c_call" and function.__name__ in _EFFECTS:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return hear


def main(folder: Path) -> None:
    """See above."""
    template = folder / "template"
    prepare(template)
    before = describe(template)
    for number, (name, deed) in enumerate(DEEDS.items()):
        for effect in range(1, _LIMIT):
            tree = folder / f"{number}-{effect}"
            shutil.copytree(template, tree)
            status = run(deed, tree, effect)
            between = describe(tree)
            with Spool(tree) as spool:
                deed(spool, tree)
            step = {
                "deed": name,
                "status": status,
                "before": before,
                "between": between,
                "after": describe(tree),
            }
            sys.stdout.write(json.dumps(step) + "\n")
            shutil.rmtree(tree)
            if status == 0:
                break
        else:
            raise SystemExit(f"{name} has more than {_LIMIT} effects")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
