"""What was refused, for people to look at: the newest of each name, in ``TREE/.drivesync/spool/rejected/``.

    rejected/backup/remote_last.weights.rejected        the copy that was judged
    rejected/backup/remote_last.weights.rejected.txt    why it was refused, and when

It is in nobody's way: all of it together has a bounded room, and it goes when a snapshot needs that.
"""

from __future__ import annotations

import shutil
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from drivesync.disk import local_errors, make_state_folder
from drivesync.errors import LocalWriteError
from drivesync.files import STATE_FOLDER

if TYPE_CHECKING:
    from pathlib import Path

_FOLDER = "spool/rejected"
_SUFFIX = ".rejected"
_MOST_BYTES = 1 << 30
"""A training gone wrong saves one bad checkpoint after the other, each under a name of its own."""


def keep_rejected(tree: Path, path: str, snapshot: Path, reason: str, now_s: float) -> str:
    """Move ``snapshot`` to where people may look at it, in place of the one of that name before it.

    Args:
        tree: the local tree.
        path: of the file that was refused.
        snapshot: its copy, in a folder of its own in the spool, where it stays if it cannot be kept.
        reason: why it was refused.
        now_s: Unix time.

    Returns:
        Where it is, relative to the tree; empty if it is not kept.
    """
    kept = tree / STATE_FOLDER / _FOLDER / f"{path}{_SUFFIX}"
    when = datetime.fromtimestamp(now_s, timezone.utc).isoformat(timespec="seconds")
    try:
        make_state_folder(tree, kept.parent.relative_to(tree / STATE_FOLDER).as_posix())
        with local_errors(kept):
            size = snapshot.stat().st_size
            if size > _MOST_BYTES:
                return ""
            said = _reason_of(snapshot)
            said.write_text(f"{path}, {size} bytes, refused {when}: {reason}\n", "utf-8")
            # Never the new one with the old one's reason.
            _reason_of(kept).unlink(missing_ok=True)
            snapshot.replace(kept)
            said.replace(_reason_of(kept))
            _keep_newest(tree)
    except LocalWriteError:
        return ""
    return kept.relative_to(tree).as_posix()


def clear_rejected(tree: Path) -> bool:
    """Give back the room that they take; False if there were none, or they stay."""
    folder = tree / STATE_FOLDER / _FOLDER
    if not folder.exists():
        return False
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def _keep_newest(tree: Path) -> None:
    """Remove the oldest, until the others have room."""
    left = _MOST_BYTES
    found = [(kept.stat(), kept) for kept in (tree / STATE_FOLDER / _FOLDER).rglob(f"*{_SUFFIX}")]
    for status, kept in sorted(found, key=lambda each: -each[0].st_mtime_ns):
        left -= status.st_size
        if left < 0:
            kept.unlink()
            _reason_of(kept).unlink(missing_ok=True)


def _reason_of(kept: Path) -> Path:
    return kept.with_name(f"{kept.name}.txt")
