"""The weights files of a run on this disk: those that training may go on from, and those that must not stay."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from drivesync.disk import local_errors
from drivesync.files import STATE_FOLDER
from trainer.checkpoint import list_checkpoints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from trainer.config import Run
    from trainer.darknet.weights import Checkpoint

ASIDE = ".rejected"


def find_candidates(run: Run) -> tuple[Checkpoint, ...]:
    """All weights files of a run, and those snapshots of them that are further than the files themselves.

    A kill in mid-save leaves nothing of the file that was there; the snapshot taken of it is then the best.
    """
    files = list_checkpoints([run.tree / run.backup], run.base, run.network)
    spool = run.tree / STATE_FOLDER / "spool"
    places = sorted(spool.iterdir()) if spool.is_dir() else []
    snapshots: list[Checkpoint] = []
    for place in places:
        # One that is being taken has a suffix; one that is safe may be dropped by the pushing thread any moment.
        if not place.suffix:
            with suppress(FileNotFoundError):
                snapshots.extend(list_checkpoints([place], run.base, run.network))
    highest = find_highest(files)
    return (*files, *(snapshot for snapshot in snapshots if snapshot.iteration > highest))


def find_highest(candidates: Iterable[Checkpoint]) -> int:
    """The furthest iteration of a whole one; 0 if there is none."""
    return max((candidate.iteration for candidate in candidates if candidate.verdict.whole), default=0)


def set_aside(run: Run, checkpoints: Iterable[Checkpoint], tell: Callable[[str], None]) -> None:
    """Take files out of darknet's way, and out of everybody's sight, as ``NAME.rejected``; the newest of a name stays.

    Args:
        run: whose they are; what lies in its spool is left there.
        checkpoints: to be set aside.
        tell: hears a line for each.

    Raises:
        LocalWriteError: the disk cannot take it.
    """
    for checkpoint in checkpoints:
        if checkpoint.path.parent == run.tree / run.backup and checkpoint.size_bytes:
            aside = checkpoint.path.with_name(f"{checkpoint.path.name}{ASIDE}")
            with local_errors(aside):
                checkpoint.path.replace(aside)
            why = (
                checkpoint.verdict.reason
                or f"iteration {checkpoint.iteration} is from after the trouble began"
            )
            tell(f"set aside as {aside.relative_to(run.tree).as_posix()}: {why}")
