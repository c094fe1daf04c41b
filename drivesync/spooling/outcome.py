"""What becomes of a file that was to be taken: an entry of the spool, or the reason why it is none. No effects here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivesync.spooling.entries import Entry

if TYPE_CHECKING:
    from drivesync.spooling.snapshot import Judged


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that was not taken, and why.

    Attributes:
        path: relative to the tree.
        reason: as a clause.
        moved: it was being written to meanwhile.
        kept: where the copy is that was refused, relative to the tree; empty if there is none.
        again: it is as it was when it was refused before.
    """

    path: str
    reason: str
    moved: bool = False
    kept: str = ""
    again: bool = False


def tell_outcome(sequence: int, path: str, judged: Judged | None) -> Entry | Refused:
    """Tell what becomes of ``path`` by what its judge said; None says that it was written to meanwhile."""
    if judged is None:
        return Refused(path, "it is being written to", moved=True)
    seen, verdict = judged.seen, judged.verdict
    if not verdict.accepted:
        return Refused(path, verdict.reason)
    return Entry(
        sequence,
        path,
        seen.size,
        seen.mtime_ns,
        iteration=verdict.iteration,
        run=verdict.run,
        role=verdict.role,
        score=verdict.score,
        progress=verdict.progress,
    )
