"""A run that was trained on in two places: which of both trainings goes on, and where the other one's files go.

A machine that trained without the remote, or died before its last save was there, comes back, and another may have gone
on with the run meanwhile. A pull leaves alone what was changed here. Darknet would go on from that, however far the
remote is, and all that it saves until it has caught up would be refused there.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from drivesync.disk import local_errors, look
from drivesync.index import Index
from drivesync.pushing.inspection import Inspection
from drivesync.pushing.standing import Standing, read_record, tells_enough
from trainer.candidates import ASIDE, find_candidates
from trainer.curves.metrics import CHART_NAME, METRICS_NAME
from trainer.curves.tensorboard import EVENTS_PATH
from trainer.darknet.weights import name_of
from trainer.learning.history import ATTEMPTS_FILE
from trainer.learning.learned import LEARNED_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from drivesync.acceptance import Accept
    from drivesync.files import RemoteFile
    from drivesync.remotes.base import Remote
    from trainer.config import Run


@dataclass(frozen=True, slots=True)
class _Reach:
    """How far a training is; of two the one with more images is further."""

    seen: int = 0
    iteration: int = 0


def settle_fork(
    run: Run, conflicts: Collection[str], remote: Remote, accept: Accept, tell: Callable[[str], None]
) -> tuple[str, ...]:
    """Of two trainings of a run have the further one go on, and say which; what is here of the other is set aside.

    Args:
        run: what is trained.
        conflicts: what a pull has left as it is here, though the remote has another.
        remote: entered.
        accept: judges checkpoints of which no record says how far they are.
        tell: hears a line.

    Returns:
        What is to be had from the remote now, since nothing is in its place any more; empty where what is here goes on.

    Raises:
        LocalWriteError: the disk cannot take it.
        DrivesyncError: the remote cannot tell.
    """
    ours = [path for path in conflicts if _is_checkpoint(run, path) or path in _papers(run)]
    there = [file for path in ours if (file := remote.find(path)) is not None]
    if not there:
        return ()
    here_reach, there_reach = _compare(run, there, remote, accept)
    is_behind = here_reach.seen < there_reach.seen
    is_fork = any(_is_checkpoint(run, file.path) for file in there)
    if not is_fork:
        # Nothing but what is told of the training differs, and the one who trained last told last.
        is_behind = is_behind and all(_is_newer(run, file) for file in there)
    if not is_behind:
        if is_fork and here_reach.seen:
            tell(
                f"of {run.name} this machine holds iteration {here_reach.iteration}, and {remote.name} "
                f"{_name_reach(there_reach)}: going on from what is here, which takes the other's place"
            )
        return ()
    aside = [_set_aside(run, file.path) for file in there]
    tell(
        f"of {run.name} {remote.name} holds iteration {there_reach.iteration}, and this machine "
        f"{_name_reach(here_reach)}: going on from the further one; what was here is kept as {', '.join(aside)}"
    )
    return tuple(file.path for file in there)


def _compare(
    run: Run, conflicting: Sequence[RemoteFile], remote: Remote, accept: Accept
) -> tuple[_Reach, _Reach]:
    """How far the training is that only this disk has, and how far the remote's."""
    here, there = [_Reach()], [_Reach()]
    with Index(run.tree) as index:
        for candidate in find_candidates(run):
            if candidate.verdict.whole:
                path = candidate.path.relative_to(run.tree).as_posix()
                is_held = index.holds(remote.name, look(run.tree, path))
                (there if is_held else here).append(_Reach(candidate.seen, candidate.iteration))
    inspection = Inspection(run.tree, remote, accept)
    images = run.network.images_per_iteration
    for file in conflicting:
        if _is_checkpoint(run, file.path):
            standing = _look_into(file, inspection)
            iteration = standing.iteration or 0
            seen = iteration * images if standing.progress is None else standing.progress
            there.append(_Reach(seen, seen // images if images else iteration))
    return max(here, key=_seen), max(there, key=_seen)


def _look_into(file: RemoteFile, inspection: Inspection) -> Standing:
    """How far the remote's is: as it was recorded, or as it shows itself."""
    known = read_record(file)
    if known is not None and tells_enough(known, Standing(progress=0)):
        return known
    found = inspection.look_into(file.path, file)
    return replace(known, progress=found.progress) if known else found


def _set_aside(run: Run, path: str) -> str:
    """Take a file out of the way, and out of a push's sight; nothing is written over."""
    place = run.tree / path
    names = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
    aside = next(
        there for name in names if not (there := place.with_name(f"{place.name}{name}{ASIDE}")).exists()
    )
    with local_errors(aside):
        place.replace(aside)
    return aside.relative_to(run.tree).as_posix()


def _is_checkpoint(run: Run, path: str) -> bool:
    parsed = name_of(PurePosixPath(path).name)
    is_there = PurePosixPath(path).parent == PurePosixPath(run.backup)
    return is_there and parsed is not None and parsed.base == run.base


def _papers(run: Run) -> set[str]:
    """What is told of a run's training, as ``checkpoint`` knows it to be the run's."""
    beside = (f"{run.backup}/{name}" for name in (METRICS_NAME, CHART_NAME, EVENTS_PATH))
    return {*beside, ATTEMPTS_FILE, LEARNED_FILE}


def _is_newer(run: Run, file: RemoteFile) -> bool:
    here = look(run.tree, file.path)
    return here is None or file.modified_s > here.mtime_ns / 1e9


def _name_reach(reach: _Reach) -> str:
    return f"iteration {reach.iteration}" if reach.seen else "none that is whole"


def _seen(reach: _Reach) -> int:
    return reach.seen
