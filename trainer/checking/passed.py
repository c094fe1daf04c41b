"""Remembers that a tree passed its check, for as long as nothing that was looked at changes.

Kept in ``TREE/.trainer/checked.json``: a digest of what was asked for, of the darknet, and of each file's path, size
and time; and when it passed. What a training or a build writes does not count.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from importlib.metadata import version
from typing import TYPE_CHECKING

from drivesync.disk import local_errors, write_atomically
from drivesync.files import LocalFile
from drivesync.mirroring.scan import scan
from trainer.checking.check import find_flavour
from trainer.config import DEFAULT_BACKUP, STATE_FOLDER

if TYPE_CHECKING:
    from pathlib import Path

    from drivesync.errors import LocalWriteError
    from trainer.config import Wishes

PASSED_FILE = f"{STATE_FOLDER}/checked.json"

_WRITTEN = re.compile(
    rf"(?:{DEFAULT_BACKUP}|{re.escape(STATE_FOLDER)}|\.git|obj|build)(?:/|\Z)"
    r"|(?:darknet|.*\.(?:a|o|so|log)|bad(?:_label)?\.list|(?:chart|predictions).*\.(?:png|jpg))\Z"
)
"""What a build or a training writes."""


def digest_tree(wishes: Wishes) -> str:
    """What a check would look at, all its files' sizes and times, in 64 hex digits.

    Raises:
        LocalWriteError: the tree cannot be read.
    """
    tree = wishes.tree.resolve()
    flavour = find_flavour(wishes)
    asked = (wishes.data, wishes.cfg, wishes.weights, wishes.extra, flavour and flavour.name)
    unread: list[str] = []

    def note(path: str, error: LocalWriteError) -> None:
        unread.append(f"{path}: {error}")

    rows = [
        (seen.path, seen.size, seen.mtime_ns) if isinstance(seen, LocalFile) else (seen.path, seen.reason)
        for seen in scan(tree, note)
        if not _WRITTEN.match(seen.path)
    ]
    whole = json.dumps([version("darknet-drivesync"), asked, sorted(rows, key=str), sorted(unread)])
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()


def find_passed(tree: Path, digest: str) -> float | None:
    """When the tree passed its check as it is now, in Unix time; None if it has not, or nobody can tell."""
    try:
        noted = json.loads((tree / PASSED_FILE).read_bytes())
        at_s = float(noted["at_s"]) if noted["digest"] == digest else math.nan
    except (OSError, ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None
    return at_s if math.isfinite(at_s) else None


def note_passed(tree: Path, digest: str, at_s: float) -> None:
    """Remember that the tree passed, as it was when ``digest_tree`` looked at it.

    Args:
        tree: where.
        digest: from before the check.
        at_s: Unix time.

    Raises:
        LocalWriteError: the disk cannot take it.
    """
    path = tree / PASSED_FILE
    with local_errors(path):
        path.parent.mkdir(exist_ok=True)
    write_atomically(path, json.dumps({"digest": digest, "at_s": at_s}).encode() + b"\n")
