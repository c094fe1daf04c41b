"""Objects that make would take for fresh, by their times alone, and that are not.

make compares an object with its sources, and with nothing else: one that was compiled for a CPU stays when GPU=1 is
asked for, as does one for another GPU, one of another compiler, and one that came through Drive from who knows where.
So an object stays only if this machine's own record knows it, as it is now, and was made of the same inputs.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivesync.disk import local_errors
from trainer.building.record import State

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from trainer.building.record import BuildRecord

_ARCHIVE = "libdarknet.a"
"""What the original links its program with: ``ar`` adds objects to it, and takes none away."""


@dataclass(frozen=True, slots=True)
class Stale:
    """What has to go before make is asked.

    Attributes:
        objects: in the order of their names.
        why: what is wrong with them, and with whatever else is left of that build, as a clause ("they were compiled
            with other switches"); empty if nothing is.
    """

    objects: tuple[Path, ...] = ()
    why: str = ""


def find_objects(tree: Path, folder: Path) -> tuple[Path, ...]:
    """Everything in ``folder`` that a compiler has written, by name, and the archive of it; nothing where is none."""
    found = [*sorted(folder.rglob("*.o")), tree / _ARCHIVE]
    return tuple(path for path in found if path.is_file() or path.is_symlink())


def stamp_objects(tree: Path, folder: Path) -> dict[str, tuple[int, int]]:
    """Size in bytes and mtime in ns of what ``find_objects`` finds, by its path in ``tree``."""
    stamps = {}
    for path in find_objects(tree, folder):
        status = path.lstat()
        stamps[path.relative_to(tree).as_posix()] = (status.st_size, status.st_mtime_ns)
    return stamps


def find_stale(
    tree: Path, folder: Path, record: BuildRecord | None, inputs: str, *, clean: bool = False
) -> Stale:
    """Which objects in ``folder`` make must not see.

    Args:
        tree: the darknet tree.
        folder: where its objects lie, in it.
        record: what was built there last; None if nobody knows.
        inputs: of what is to be built now, see ``BuildRecord``.
        clean: all of them have to go.
    """
    stamps = stamp_objects(tree, folder)
    if clean:
        why = "all is to be compiled anew"
    elif record is None:
        why = "nobody knows on which machine, and with which switches, they were compiled"
    elif record.state is State.BUILDING:
        why = "the build that they are of was killed"
    elif record.inputs != inputs:
        why = "they were compiled with other switches, sources or tools"
    else:
        stamps = {path: stamp for path, stamp in stamps.items() if record.objects.get(path) != stamp}
        why = "they are not those that were compiled here" if stamps else ""
    return Stale(tuple(tree / path for path in stamps), why)


def remove(paths: Iterable[Path]) -> None:
    """Remove files and folders; what is gone already is no error.

    Raises:
        LocalWriteError: the disk does not let one go.
    """
    for path in paths:
        with local_errors(path, "remove"):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
