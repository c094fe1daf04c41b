"""What sessions have learned of a run: ``TREE/.trainer/learned.json``, which goes to Drive with it.

    {"subdivisions": 32, "rate_factor": 0.5, "iteration_s": 1.9, "push_s": 7.5, "cfg": "3f8a..."}

It holds for the cfg that it was learned with. The card that a later session gets may have more memory or be faster:
more subdivisions than it needs cost it a little speed and change nothing in what is learned from the images, and the
times are measured anew.
"""

from __future__ import annotations

import json
import math
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, TypeGuard

from drivesync.disk import local_errors, write_atomically
from drivesync.errors import LocalWriteError

if TYPE_CHECKING:
    from pathlib import Path

    from trainer.darknet.cfg import Network

LEARNED_FILE = ".trainer/learned.json"
"""In a tree."""

_MAX_BYTES = 4096
_MAX_SUBDIVISIONS = 1 << 16
_LEAST_RATE_FACTOR = 1e-9
_LONGEST_S = 86_400.0
_NET_OPTIONS = ("batch", "subdivisions", "learning_rate", "width", "height", "channels", "time_steps")


@dataclass(frozen=True, slots=True)
class Learned:
    """What sessions have learned of a run.

    Attributes:
        subdivisions: with which the graphics card has memory enough; None for those of the cfg.
        rate_factor: what the cfg's learning rate is multiplied by, so that training does not diverge.
        iteration_s: how long an iteration takes; None if that is not known.
        push_s: how long it takes until a checkpoint is safe; None likewise.
        cfg: which cfg this was learned with, see ``fingerprint``; empty for none.
    """

    subdivisions: int | None = None
    rate_factor: float = 1.0
    iteration_s: float | None = None
    push_s: float | None = None
    cfg: str = ""

    def fit(self, network: Network) -> Learned:
        """What of it holds for a cfg: everything, or nothing.

        A user who edits the batch, the subdivisions, the learning rate, the size of the input or a layer gets what he
        wrote; to edit ``max_batches`` or the steps is to go on. Nor do subdivisions hold which would make an iteration
        one of other images, whoever may have written them.
        """
        cfg = fingerprint(network)
        divided = replace(network, subdivisions=self.subdivisions or network.subdivisions)
        if self.cfg == cfg and divided.images_per_iteration == network.images_per_iteration:
            return self
        return Learned(cfg=cfg)

    def with_changes(self, *, subdivisions: int | None, rate_factor: float) -> Learned:
        """Likewise, after an attempt with other subdivisions or another learning rate; None leaves the former."""
        return replace(self, subdivisions=subdivisions or self.subdivisions, rate_factor=rate_factor)

    def with_times(self, *, iteration_s: float | None = None, push_s: float | None = None) -> Learned:
        """Likewise, with what was measured; None, and what is no time, leaves what was known."""
        return replace(
            self,
            iteration_s=iteration_s if _is_time(iteration_s) else self.iteration_s,
            push_s=push_s if _is_time(push_s) else self.push_s,
        )


NOTHING_LEARNED = Learned()


def fingerprint(network: Network) -> str:
    """Tells one cfg from another by what decides on memory, speed and learning."""
    net = network.net.options
    said = {
        "net": {key: net[key] for key in _NET_OPTIONS if key in net},
        "layers": [(layer.kind, dict(layer.options)) for layer in network.layers],
    }
    return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def read_learned(tree: Path) -> Learned:
    """What the sessions before have learned; nothing where the file is missing, torn, or not what this one writes."""
    try:
        with (tree / LEARNED_FILE).open("rb") as file:
            said = json.loads(file.read(_MAX_BYTES))
        learned = Learned(**said)
    except (OSError, ValueError, TypeError, RecursionError):
        return NOTHING_LEARNED
    return learned if _is_sane(learned) else NOTHING_LEARNED


def write_learned(tree: Path, learned: Learned) -> None:
    """Keep it for the next session; where the disk cannot take it, that one learns it again."""
    path = tree / LEARNED_FILE
    with suppress(LocalWriteError), local_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(asdict(learned), allow_nan=False).encode() + b"\n")


def _is_sane(learned: Learned) -> bool:
    subdivisions = learned.subdivisions
    return (
        (subdivisions is None or (type(subdivisions) is int and 1 <= subdivisions <= _MAX_SUBDIVISIONS))
        and _is_number(learned.rate_factor)
        and _LEAST_RATE_FACTOR <= learned.rate_factor <= 1.0
        and all(time is None or _is_time(time) for time in (learned.iteration_s, learned.push_s))
        and isinstance(learned.cfg, str)
    )


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_time(value: object) -> TypeGuard[float]:
    return _is_number(value) and 0.0 < value <= _LONGEST_S
