"""When a run was started over: what the remote has written down of that, and what a tree has taken part in.

    backup/remote_fresh.json   each time that the run ``backup/remote`` was started over, on the remote;
                               it comes here with a pull, and is not looked at here
    .trainer/fresh.json        which of them this tree has taken part in

Checkpoints have the same names before and after. So who would add those of a tree to what the remote holds has to
compare both first, whether he trains them or only pushes them.
"""

from __future__ import annotations

import calendar
import json
import math
import re
import time
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from drivesync.disk import local_errors, write_atomically
from trainer.curves.metrics import CHART_NAME, METRICS_NAME
from trainer.darknet.weights import name_of
from trainer.errors import TreeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

STARTS_FILE = ".trainer/fresh.json"
"""In a tree."""

_ASIDE = ".rejected"
_STAMP = re.compile(r"archive-(\d{8}-\d{6})(?:-\d+)?")
_STAMP_FORMAT = "%Y%m%d-%H%M%S"


@dataclass(frozen=True, slots=True)
class Start:
    """One time that a run was started over.

    Attributes:
        name: what the user called it.
        archive: where the older files go, relative to the tree; no two starts of a run have the same.
        complete: all of them are there, on the remote.
    """

    name: str
    archive: str
    complete: bool = False

    @property
    def at_s(self) -> float:
        """When it was, in Unix time by the clock of who did it; 0 where its archive has another name than ours have."""
        stamp = _STAMP.fullmatch(PurePosixPath(self.archive).name)
        try:
            return float(calendar.timegm(time.strptime(stamp[1], _STAMP_FORMAT))) if stamp else 0.0
        except ValueError:
            return 0.0


def name_archive(at_s: float) -> str:
    """The name of a folder for what there was of a run at ``at_s``, in Unix time."""
    return f"archive-{time.strftime(_STAMP_FORMAT, time.gmtime(at_s))}"


def name_record(run: str) -> str:
    """Where the remote has written down when ``run`` was started over, relative to the tree."""
    return f"{run}_fresh.json"


def is_of_run(name: str, base: str) -> bool:
    """Whether a start takes the file of this name out of the folder of the run whose names begin with ``base``."""
    name = name.removesuffix(_ASIDE)
    parsed = name_of(name)
    return name in {METRICS_NAME, CHART_NAME} or (parsed is not None and parsed.base == base)


def parse_record(content: bytes, source: str) -> tuple[Start, ...]:
    """What the remote has written down.

    Args:
        content: of the file.
        source: what messages call it.

    Raises:
        TreeError: it is none.
    """
    try:
        return _from_json(json.loads(content))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise TreeError(
            f"{source} does not say how often the run was started over",
            hint="Delete it there, if nobody has started the run over.",
        ) from error


def make_record(starts: Iterable[Start]) -> bytes:
    """The content of the file on the remote."""
    return json.dumps([asdict(start) for start in starts]).encode() + b"\n"


def read_here(tree: Path, run: str) -> tuple[Start, ...] | None:
    """What ``tree`` has taken part in; None if no session of ``run`` has been in it, as far as can be told."""
    try:
        return _from_json(_read_all(tree)[run])
    except (ValueError, TypeError, KeyError):
        return None


def write_here(tree: Path, run: str, starts: Iterable[Start]) -> None:
    """Say in ``tree`` that what it holds of ``run`` is from after all of ``starts``.

    Raises:
        LocalWriteError: the disk cannot take it.
    """
    path = tree / STARTS_FILE
    said = _read_all(tree) | {run: [asdict(start) for start in starts]}
    with local_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(said).encode() + b"\n")


def find_known(tree: Path, run: str, there: Iterable[Start]) -> tuple[Start, ...]:
    """Those starts after which all came that ``tree`` holds of ``run``.

    Where no session of the run has been, a pull has brought it; or two have, one before a start and one after. A pull
    leaves each file the time of its checkpoint, so that of the oldest tells.

    Args:
        tree: the local tree.
        run: as drivesync calls it.
        there: what the remote has written down.
    """
    here = read_here(tree, run)
    if here is not None:
        return here
    oldest_s = _find_oldest(tree, run)
    return tuple(start for start in there if start.complete and start.at_s <= oldest_s)


def refuse_outlived(tree: Path, run: str, read: Callable[[str], bytes | None]) -> str:
    """Say why what ``tree`` holds of ``run`` must not be added to what the remote holds; empty if it may.

    Args:
        tree: the local tree.
        run: as drivesync calls it.
        read: gives the content of a small file of the remote by its path; None if there is none.

    Raises:
        TreeError: what the remote has written down cannot be read.
    """
    path = name_record(run)
    content = read(path)
    there = () if content is None else parse_record(content, f"{path} on the remote")
    known = find_known(tree, run, there)
    for start in find_missing(there, known):
        return (
            f"this tree's checkpoints are from before the run was started over ({start.archive} on the remote has what "
            "there was). `trainer supervise` moves them out of the way here, too, and goes on with the new run"
        )
    for start in find_owed(known, there):
        return (
            f"the run was started over here without the remote ({start.archive} has what there was here), which still "
            "holds the run from before. `trainer supervise` moves that out of the way there, too"
        )
    return ""


def find_missing(starts: Iterable[Start], known: Iterable[Start]) -> list[Start]:
    """Those of ``starts`` that are not among ``known``, in their order."""
    archives = {start.archive for start in known}
    return [start for start in starts if start.archive not in archives]


def find_owed(here: Iterable[Start], there: Iterable[Start]) -> list[Start]:
    """Those that were made here without the remote, and that it has not heard of."""
    return [start for start in find_missing(here, there) if not start.complete]


def _find_oldest(tree: Path, run: str) -> float:
    """When the oldest file was last changed that ``tree`` holds of ``run``, in Unix time; infinite for none."""
    folder, base = tree / PurePosixPath(run).parent, PurePosixPath(run).name
    found = folder.iterdir() if folder.is_dir() else ()
    times_s = (path.stat().st_mtime for path in found if is_of_run(path.name, base) and path.is_file())
    return min(times_s, default=math.inf)


def _read_all(tree: Path) -> dict[str, list[dict[str, object]]]:
    """By run; nothing where the file is damaged."""
    try:
        said = json.loads((tree / STARTS_FILE).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _from_json(said: list[dict[str, object]]) -> tuple[Start, ...]:
    return tuple(
        Start(str(one["name"]), str(one["archive"]), complete=one["complete"] is True) for one in said
    )
