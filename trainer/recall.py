"""What a tree's own files tell of its run: before a session, between two, and after the last, here or elsewhere.

A supervisor writes how the run stands as it goes on (``status``); what it knew is gone with its machine. But metrics,
history and checkpoints lie in the tree, and come back with it.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from drivesync.config import DEFAULT_REMOTE
from drivesync.disk import look
from drivesync.errors import NotFoundError, UsageError
from drivesync.index import Index
from drivesync.remotes.places import LocalFolder, parse_place
from drivesync.spooling.receipts import read_receipts
from drivesync.spooling.spool import read_pending
from drivesync.tree import target_of
from trainer.checkpoint import find_cfg, find_weights, name_run, read_claim, read_network, read_recorded
from trainer.config import DEFAULT_BACKUP, DEFAULT_CFG
from trainer.curves.metrics import METRICS_NAME, read_metrics
from trainer.darknet.size import weights_size
from trainer.darknet.weights import Kind, name_of
from trainer.errors import TreeError
from trainer.learning.history import ATTEMPTS_FILE, read_attempts
from trainer.learning.outlook import Outlook
from trainer.life import describe_life
from trainer.status import AWAY, Status

if TYPE_CHECKING:
    from pathlib import Path

    from drivesync.files import Receipt
    from trainer.curves.metrics import Metrics
    from trainer.darknet.cfg import Network
    from trainer.learning.history import AttemptRecord

_NEVER_RESUMED = frozenset({Kind.EMA, Kind.PLAIN})


@dataclass(frozen=True, slots=True)
class _Left:
    """What there is of a run.

    Attributes:
        name: the folder of its checkpoints, and what their names begin with.
        network: by its cfg; None where that cannot be read.
        records: of its attempts, oldest first.
        metrics: None where there are none.
        images: that each of its checkpoints was trained with, by path, in no order.
    """

    tree: Path
    name: str
    network: Network | None
    records: tuple[AttemptRecord, ...]
    metrics: Metrics | None
    images: dict[str, int]

    def count(self, images: int) -> int:
        """As iterations of the cfg as it is."""
        return images // self.network.images_per_iteration if self.network else 0


def recall(tree: Path) -> dict[str, Any]:
    """Those fields of a ``Status`` that the files in ``tree`` tell; each is there, also where it is not known."""
    return _tell(_look(tree))


def recall_status(tree: Path) -> Status | None:
    """How the run stands that was trained in ``tree``, as far as its files tell; None where none was."""
    left = _look(tree)
    if left.metrics is None and not left.records and not left.images:
        return None
    return Status(
        AWAY, 0, 0.0, run=left.name, proven=_is_proven(tree), pending=len(read_pending(tree)), **_tell(left)
    )


class Recollection:
    """As ``recall_status``, for who asks often: the files are read when there is something new in them."""

    def __init__(self) -> None:
        self._known: tuple[object, ...] = ()
        self._status: Status | None = None

    def look(self, tree: Path) -> Status | None:
        """How the run in ``tree`` stands; None where none was trained."""
        name, _ = _name(tree)
        backup = tree / PurePosixPath(name).parent
        files = backup, backup / METRICS_NAME, tree / ATTEMPTS_FILE
        known = (tree, *map(_stamp, files))
        if known != self._known:
            self._known, self._status = known, recall_status(tree)
        return self._status


def _stamp(path: Path) -> tuple[int, int] | None:
    with suppress(OSError):
        found = path.stat()
        return found.st_size, found.st_mtime_ns
    return None


def _name(tree: Path) -> tuple[str, list[AttemptRecord]]:
    """The run that is trained in ``tree``, or was last; and the attempts of all runs."""
    records = read_attempts(tree)
    if cfg := read_recorded(tree, "cfg"):
        backup = read_recorded(tree, "backup") or DEFAULT_BACKUP
        return name_run(backup, PurePosixPath(cfg).stem), records
    if records:
        return records[-1].run, records
    return name_run(DEFAULT_BACKUP, PurePosixPath(DEFAULT_CFG).stem), records


def _look(tree: Path) -> _Left:
    name, records = _name(tree)
    folder, _, base = name.rpartition("/")
    network, metrics = None, None
    with suppress(TreeError):
        cfg = find_cfg(tree, base)
        network = read_network(cfg) if cfg else None
    with suppress(NotFoundError):
        metrics = read_metrics(tree / folder / METRICS_NAME)
    images = _measure(tree, tree / folder, base, network) if network else {}
    own = tuple(record for record in records if record.run == name)
    return _Left(tree, name, network, own, metrics, images)


def _measure(tree: Path, backup: Path, base: str, network: Network) -> dict[str, int]:
    """How far the checkpoints are, by their heads."""
    images = {}
    with suppress(OSError, TreeError):
        for path in find_weights(backup, base):
            name = name_of(path.name)
            if name is not None and name.kind not in _NEVER_RESUMED and (seen := read_claim(path, network)):
                images[path.relative_to(tree).as_posix()] = seen
    return images


def _tell(left: _Left) -> dict[str, Any]:
    network, metrics = left.network, left.metrics
    safe_iteration, safe_at_s = _find_safe(left)
    return {
        "iteration": max(map(left.count, left.images.values()), default=0) or None,
        "max_batches": network.max_batches if network else None,
        "checkpoint_bytes": weights_size(network) if network else None,
        "life": tuple(describe_life(left.records)),
        "safe_iteration": safe_iteration,
        "safe_at_s": safe_at_s,
        "ended_s": _find_end(left),
        **_tell_curve(metrics, network.max_batches if network else 0),
    }


def _tell_curve(metrics: Metrics | None, max_batches: int) -> dict[str, Any]:
    outlook, avg_loss = Outlook(max_batches), None
    if metrics is not None:
        losses = metrics.avg_loss.tolist()
        outlook.begin(1, [(one.iteration, one.value) for one in metrics.maps])
        outlook.recall(zip(metrics.iteration.tolist(), losses, strict=True))
        avg_loss = losses[-1] if losses and math.isfinite(losses[-1]) else None
    return {**outlook.tell(), "avg_loss": avg_loss, "per_minute": None, "left_s": None}


def _find_safe(left: _Left) -> tuple[int | None, float | None]:
    """The furthest iteration that the remote holds, and when it was pushed, in Unix time, where that is known."""
    remote = target_of(left.tree, DEFAULT_REMOTE)
    receipts = (one for one in read_receipts(left.tree) if one.remote == remote and _is_held(left, one))
    pushed = {_count(left, receipt): receipt.at_s for receipt in receipts}
    with Index(left.tree, leaves_traces=False) as index:
        synced = [
            left.count(images)
            for path, images in left.images.items()
            if index.holds(remote, look(left.tree, path))
        ]
    safe = max([*pushed, *synced], default=0)
    told = left.metrics.happenings if left.metrics else ()
    then = {one.iteration: one.unix_s for one in told if one.name == "pushed" and math.isfinite(one.unix_s)}
    return safe or None, pushed.get(safe, then.get(safe))


def _is_held(left: _Left, receipt: Receipt) -> bool:
    return receipt.run == left.name and receipt.iteration is not None and not receipt.deleted


def _count(left: _Left, receipt: Receipt) -> int:
    return (receipt.iteration or 0) if receipt.progress is None else left.count(receipt.progress)


def _find_end(left: _Left) -> float | None:
    """When it was trained last, in Unix time."""
    happenings = left.metrics.happenings if left.metrics else ()
    finished = [one.unix_s for one in happenings if one.name == "finished" and math.isfinite(one.unix_s)]
    if finished:
        return finished[-1]
    return left.records[-1].end.ended_s if left.records else None


def _is_proven(tree: Path) -> bool:
    """Whether what was pushed of it is proven to be there, by the kind of its remote."""
    with suppress(UsageError):
        return not isinstance(parse_place(target_of(tree, DEFAULT_REMOTE)), LocalFolder)
    return True
