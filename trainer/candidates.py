"""The weights files of a run on this disk: those that training may go on from, and those that must not stay.

To tell whether a file is whole all of it has to be read: a tenth of a second for 256 MB that were just written, and
seconds for what only the disk still has. Between two starts of darknet few of a run's files change, so each is read
once, and again only when it is another one.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivesync.disk import local_errors
from drivesync.files import STATE_FOLDER
from trainer.checkpoint import find_weights, read_checkpoint, read_claim
from trainer.deciding.choice import is_resumable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    from trainer.config import Run
    from trainer.darknet.cfg import Network
    from trainer.darknet.weights import Checkpoint

ASIDE = ".rejected"


_SETTLED_S = 2.0
"""What was changed this long ago has another time if it is changed again: some disks count in steps of two seconds."""


@dataclass(frozen=True, slots=True)
class _Identity:
    """What no file has in common with another, nor with itself once it was written to.

    The time of its last change of any kind is set by the kernel alone; the modification time may be anybody's.
    """

    device: int
    inode: int
    size_bytes: int
    modified_ns: int
    changed_ns: int


class Candidates:
    """Finds a run's weights files, and reads each only once for as long as it stays as it is; used by one thread.

    Args:
        run: whose files.
        clock: Unix time in seconds, as the kernel has it.
        read: looks into a file.
    """

    def __init__(
        self,
        run: Run,
        *,
        clock: Callable[[], float] = time.time,
        read: Callable[[Path, Network], Checkpoint] = read_checkpoint,
    ) -> None:
        self._run = run
        self._clock = clock
        self._read = read
        self._known: dict[Path, tuple[_Identity, Checkpoint]] = {}

    def find(self) -> tuple[Checkpoint, ...]:
        """All weights files of the run, and the whole snapshots that are as far as no file to go on from is.

        A kill in mid-save leaves nothing of the file that was there; the snapshot taken of it is then the best. One
        that is not as far as the files may be the best from before a training diverged.

        Raises:
            TreeError: the network has layers whose size is not known.
        """
        before, self._known = self._known, {}
        backup = self._run.tree / self._run.backup
        paths = find_weights(backup, self._run.base) if backup.is_dir() else []
        files = [self._look(path, before) for path in paths]
        # What is there as a file, too, is not wanted twice.
        known = {file.seen for file in files if is_resumable(file, self._run.flavour)}
        snapshots = [self._look(path, before) for path in self._find_snapshots(known)]
        return (*files, *(snapshot for snapshot in snapshots if snapshot.verdict.whole))

    def _find_snapshots(self, known: Collection[int]) -> Iterator[Path]:
        """Those that were trained with another number of images if they are whole."""
        spool = self._run.tree / STATE_FOLDER / "spool"
        for place in sorted(spool.iterdir()) if spool.is_dir() else []:
            # One that is being taken has a suffix; one that is safe may be dropped by the pushing thread any moment.
            if place.suffix or not place.is_dir():
                continue
            with suppress(OSError):
                for path in find_weights(place, self._run.base):
                    if read_claim(path, self._run.network) not in {0, *known}:
                        yield path

    def _look(self, path: Path, before: dict[Path, tuple[_Identity, Checkpoint]]) -> Checkpoint:
        identity = _identify(path)
        known = before.get(path)
        if known is not None and known[0] == identity:
            self._known[path] = known
            return known[1]
        found, now_s = self._read(path, self._run.network), self._clock()
        if identity is not None and identity == _identify(path):
            changed_ns = max(identity.modified_ns, identity.changed_ns)
            if now_s - changed_ns / 1e9 >= _SETTLED_S:
                self._known[path] = identity, found
        return found


def _identify(path: Path) -> _Identity | None:
    """None where there is no such file, or it cannot be asked."""
    try:
        said = path.stat()
    except OSError:
        return None
    return _Identity(said.st_dev, said.st_ino, said.st_size, said.st_mtime_ns, said.st_ctime_ns)


def find_candidates(run: Run) -> tuple[Checkpoint, ...]:
    """See ``Candidates.find``, for who looks but once."""
    return Candidates(run).find()


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
