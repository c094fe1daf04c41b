"""The best mAP that darknet has told of, and the weights file that it is of: ``TREE/.trainer/best.json``.

darknet prints the number and then writes ``_best.weights``, which does not hold it. So whoever reads darknet's output
leaves it here, and whoever judges the file, in this process or in another, finds it by the file's iteration.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from drivesync.disk import local_errors, look, write_atomically
from drivesync.errors import LocalWriteError
from trainer.darknet.output import MeanAveragePrecision, NewBest, Progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trainer.darknet.output import Event

_FILE = ".trainer/best.json"
_ON_ITS_WAY_S = 1.0
"""What darknet prints before it opens a file is here so long after it has closed it, at the latest."""
_LOOK_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class Best:
    """What darknet called its best.

    Attributes:
        path: of the weights file, relative to the tree.
        iteration: that its header tells.
        score: mAP, from 0 to 1.
        mtime_ns: of the one file that is meant; 0 while the darknet that said it has not been started again, and may
            not have written it yet.
    """

    path: str
    iteration: int
    score: float
    mtime_ns: int = 0


class ScoreKeeper:
    """Hears what darknet says, and leaves word of its best; used by one thread. Nothing here raises.

    Args:
        tree: the darknet tree.
        path: of its ``_best`` file, relative to the tree.
    """

    def __init__(self, tree: Path, path: str) -> None:
        self._tree = tree
        self._path = path
        self._iteration = 0
        self._score = 0.0

    def begin(self) -> None:
        """Darknet is about to be started: what is known is of the file as it lies there, and of no other.

        A stretch may be trained again, and the same iteration then has other weights, and another score.
        """
        best = _read(self._tree)
        here = look(self._tree, self._path)
        if best is not None and not best.mtime_ns:
            if here is not None and best.path == self._path:
                _write(self._tree, replace(best, mtime_ns=here.mtime_ns))
            else:
                forget_best(self._tree)

    def hear(self, event: Event) -> None:
        """Take in what darknet says."""
        if isinstance(event, Progress):
            self._iteration = event.iteration
        elif isinstance(event, MeanAveragePrecision):
            self._score = event.value
        elif isinstance(event, NewBest):
            _write(self._tree, Best(self._path, self._iteration, self._score))


def find_score(
    tree: Path, path: str, iteration: int, *, clock: Callable[[], float] = time.time
) -> float | None:
    """The score of the weights file that lies at ``path`` and whose header tells ``iteration``; None if unknown.

    For a file that was written just now darknet's word may still be on its way, so it is waited for a moment.
    """
    while True:
        here, best = look(tree, path), _read(tree)
        if here is None:
            return None
        if best is not None and (best.path, best.iteration) == (path, iteration):
            return best.score if best.mtime_ns in {0, here.mtime_ns} else None
        if not 0 <= clock() - here.mtime_ns / 1e9 < _ON_ITS_WAY_S:
            return None
        time.sleep(_LOOK_EVERY_S)


def forget_best(tree: Path) -> None:
    """What was known is of a file that lies there no more."""
    with suppress(OSError):
        (tree / _FILE).unlink()


def _read(tree: Path) -> Best | None:
    try:
        said = json.loads((tree / _FILE).read_bytes())
        best = Best(**said)
    except (OSError, ValueError, TypeError):
        return None
    numbers = (best.iteration, best.score, best.mtime_ns)
    return best if all(isinstance(number, int | float) for number in numbers) else None


def _write(tree: Path, best: Best) -> None:
    path = tree / _FILE
    # On a full disk the score stays unknown, and training goes on.
    with suppress(LocalWriteError), local_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(asdict(best)).encode() + b"\n")
