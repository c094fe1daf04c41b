"""Whether the disk holds the checkpoints to come, and the tree where that is not here yet.

darknet checks no write: on a full disk it goes on, and what it saves is cut short.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.filesize import decimal as format_size

from drivesync.config import read_tree_settings
from drivesync.disk import free_bytes
from drivesync.errors import DrivesyncError
from trainer.checkpoint import read_network
from trainer.config import DEFAULT_BACKUP, DEFAULT_CFG, DEFAULT_DATA
from trainer.darknet.data import parse_data
from trainer.darknet.program import Flavour
from trainer.darknet.size import weights_size
from trainer.doctoring.lines import bad, good, warning

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from trainer.config import Wishes
    from trainer.darknet.cfg import Network
    from trainer.doctoring.lines import Line

_TOPIC = "disk"
_REMEDY = "Free some space, or train on a larger disk."

_SNAPSHOTS = 2
"""What waits to be pushed at any time where Drive keeps up: a copy of a numbered file, and one of the newest state."""

_FREQUENT_BELOW = 10_000
"""AlexeyAB's and hank-ai's save a numbered file each 1000 iterations if max_batches is less, else each 10000."""

_ORIGINALS_FREQUENT = 1_000
"""The original saves one each 100 iterations below this, and then each 10000."""


@dataclass(frozen=True, slots=True)
class Savings:
    """What a training saves.

    Attributes:
        size_bytes: of one weights file.
        numbered: so many stay beside each other, from the first iteration to the last.
        rewritten: so many others there are: the newest, the best, the final one.
    """

    size_bytes: int
    numbered: int
    rewritten: int

    @property
    def on_disk_bytes(self) -> int:
        """What all of it takes, with the copies that wait to be pushed."""
        return self.size_bytes * (self.numbered + self.rewritten + _SNAPSHOTS)

    @property
    def least_bytes(self) -> int:
        """What a training cannot do without: the newest, the final one, and a copy."""
        return self.size_bytes * 3

    def on_remote_bytes(self, keep_numbered: int | None) -> int:
        """What a remote holds at the end, where it keeps the newest so many numbered ones; all where None."""
        kept = self.numbered if keep_numbered is None else min(keep_numbered, self.numbered)
        return self.size_bytes * (kept + self.rewritten)


def count_savings(network: Network, flavour: Flavour, every: int | None = None) -> Savings:
    """What a training of this network from its beginning to its end leaves in the directory for weights.

    Args:
        network: the parsed cfg.
        flavour: of the darknet that trains.
        every: iterations between two numbered files where the .data file says so, which AlexeyAB's alone reads.

    Raises:
        TreeError: the network has layers whose size is not known.
    """
    end = network.max_batches
    if flavour is Flavour.PJ:
        # _N, .backup and _final; it knows no best.
        numbered = min(end, _ORIGINALS_FREQUENT - 1) // 100 + end // 10_000
        return Savings(weights_size(network, flavour=flavour), numbered, 2)
    if every is None or every < 1 or flavour is not Flavour.AX:
        every = 1_000 if end < _FREQUENT_BELOW else 10_000
    return Savings(weights_size(network, flavour=flavour), end // every, 3)


def read_savings(wishes: Wishes, flavour: Flavour) -> Savings | None:
    """The same for a tree; None where there is no cfg that says it."""
    every = None
    with suppress(DrivesyncError, OSError):
        data = (wishes.tree / (wishes.data or DEFAULT_DATA)).read_text("utf-8", "replace")
        every = parse_data(data).saveweights
    try:
        return count_savings(read_network(wishes.tree / (wishes.cfg or DEFAULT_CFG)), flavour, every)
    except DrivesyncError:
        return None


def judge_disk(tree: Path, savings: Savings | None) -> Line:
    """Whether there is room where ``tree`` lies, or would lie.

    Args:
        tree: need not be there.
        savings: None where nobody knows.

    Raises:
        LocalWriteError: nobody can say.
    """
    free = free_bytes(tree)
    said = f"{format_size(free)} free"
    if savings is None:
        return good(_TOPIC, f"{said}; how much checkpoints will take, there is no cfg yet to tell")
    here = sum(path.stat().st_size for path in (tree / DEFAULT_BACKUP).glob("*.weights") if path.is_file())
    needed = max(savings.on_disk_bytes - here, savings.least_bytes)
    said += (
        f"; checkpoints of {format_size(savings.size_bytes)} each, up to {format_size(needed)} more to come"
    )
    if free < savings.least_bytes:
        return bad(_TOPIC, f"{said}: the next one would be cut short", _REMEDY)
    if free < needed:
        return warning(_TOPIC, f"{said}: they do not all fit", _REMEDY)
    return good(_TOPIC, said)


def judge_storage(free: int | None, savings: Savings | None, keep_numbered: int | None) -> Line:
    """Whether the remote has room for what is pushed there.

    Args:
        free: bytes; None where nobody can tell, or there is no limit.
        savings: None where nobody knows.
        keep_numbered: so many numbered checkpoints stay there; None for all.
    """
    topic = "storage"
    if free is None:
        return good(topic, "no limit is told")
    said = f"{format_size(free)} left"
    if savings is None:
        return good(topic, said)
    needed = savings.on_remote_bytes(keep_numbered)
    said += f", checkpoints to come take up to {format_size(needed)}"
    remedy = (
        "Empty Drive's trash, delete what is not needed, or set keep_numbered in the tree's drivesync.toml."
    )
    if free < savings.size_bytes:
        return bad(topic, f"{said}: not one more fits", remedy)
    if free < needed:
        return warning(topic, f"{said}: they do not all fit", remedy)
    return good(topic, said)


def read_keep_numbered(tree: Path, environ: Mapping[str, str]) -> int | None:
    """How many numbered checkpoints are to stay on the remote; None for all, and where the settings are wrong."""
    try:
        return read_tree_settings(tree, environ).keep_numbered
    except DrivesyncError:
        return None
