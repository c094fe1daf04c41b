"""PURE: how a run stands, as a value and as JSON."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from trainer.learning.typed import READERS, read_tuple, read_value

if TYPE_CHECKING:
    from trainer.learning.typed import Readers

ENDED = frozenset({"finished", "stopped", "gave up", "failed"})
WORKING = frozenset({"training", "restarting", "pushing"})
"""A supervisor that is at this writes its status every second, and saves."""

BEGINNING = frozenset({"starting", "waiting", "pulling"})
"""A supervisor that is at this has not looked yet at what the remote holds."""

DEAD = "dead"
"""What only a reader can say: the supervisor is gone without having ended."""

AWAY = "away"
"""What only a reader can say: the run has been trained, elsewhere or before, and no session has begun here."""

_FEW = 5


@dataclass(frozen=True, slots=True)
class RestartNote:
    """Why darknet was started again; ``at_s`` is Unix time."""

    at_s: float
    iteration: int
    reason: str
    resumed_from: int


@dataclass(frozen=True, slots=True)
class GpuNote:
    """How much a graphics card has to do; None stands for what it does not tell."""

    name: str
    used_bytes: int | None = None
    total_bytes: int | None = None
    busy_percent: float | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """How a run stands. Times are Unix times in seconds; None stands for what is not known or has not happened.

    Attributes:
        state: "starting", "waiting" (for another session to end), "pulling", "training", "restarting", "pushing",
            "finished", "stopped", "gave up", "failed"; and what only a reader can say: "dead", the supervisor is gone
            without having ended, and "away", there is a run, and none of its sessions has begun here.
        pid: of the supervisor.
        started_s: when this session began.
        updated_s: when this was written.
        iteration: the last one that darknet has done.
        max_batches: the iterations that the cfg asks for.
        avg_loss: darknet's moving average; None also where it is not finite.
        smooth_loss: the same, smoothed over many iterations; None while there is no trend to tell.
        earlier_loss: what that was at ``earlier_iteration``, some way back.
        map_last, map_last_iteration: the last mAP, from 0 to 1, and when darknet has computed it.
        map_best, map_best_iteration: the same of the highest one, over all sessions.
        per_minute: iterations a minute, saves and mAP passes included, over the last few minutes.
        left_s: how long the rest will take at that pace, as of ``updated_s``.
        resumed_from: the checkpoint's iteration with which this session began; 0 for none.
        pushing: whether checkpoints are pushed anywhere at all.
        safe_iteration: the furthest one that Drive holds, verified.
        safe_at_s: when that was pushed.
        pushed: files that this session has pushed and verified.
        pending: files that are not on Drive yet.
        waiting: the first of them, in words, the most valuable first.
        trouble: why nothing can be pushed at the moment; empty if it can.
        trouble_since_s: since when.
        remedy: what the user can do about the trouble; empty where it is hoped to pass by itself.
        attempts: how often this session has started darknet.
        restarted: how often it has started darknet again, or is about to.
        restarts: why, for the last ones of these.
        message: what the user should know; the reason where the run has ended.
        exit_code: of the supervisor, where it has ended.
        ended_s: when the training ended, where that is not when this was written.
        run: what is trained, by the name under which one session at a time may push it; empty where nothing is pushed.
        epoch: how many turns of sessions the run has had, this one's included; None where this one has none.
        holder: which other session has the run; empty for none.
        ending: how the last attempt ended: an ``Ending``'s name in lower case; empty while none has.
        changes: what darknet runs with other than the user's cfg says; empty for nothing.
        proven: what was pushed is proven to be there; False where it is only written and read back.
        warning: what the user should know as long as it is trained like this; empty for nothing.
        gpus: the machine's graphics cards.
        disk_free_bytes: what still fits on the disk that the checkpoints are saved on.
        remote_free_bytes: what still fits on the remote.
        checkpoint_bytes: the size of a checkpoint.
        life: how the run has come to where it is, over all of its sessions, in a few lines.
    """

    state: str
    pid: int
    started_s: float
    updated_s: float = 0.0
    iteration: int | None = None
    max_batches: int | None = None
    avg_loss: float | None = None
    smooth_loss: float | None = None
    earlier_loss: float | None = None
    earlier_iteration: int | None = None
    map_last: float | None = None
    map_last_iteration: int | None = None
    map_best: float | None = None
    map_best_iteration: int | None = None
    per_minute: float | None = None
    left_s: float | None = None
    resumed_from: int | None = None
    pushing: bool = True
    safe_iteration: int | None = None
    safe_at_s: float | None = None
    pushed: int = 0
    pending: int = 0
    waiting: tuple[str, ...] = ()
    trouble: str = ""
    trouble_since_s: float | None = None
    remedy: str = ""
    attempts: int = 0
    restarted: int = 0
    restarts: tuple[RestartNote, ...] = ()
    message: str = ""
    exit_code: int | None = None
    ended_s: float | None = None
    run: str = ""
    epoch: int | None = None
    holder: str = ""
    ending: str = ""
    changes: str = ""
    warning: str = ""
    proven: bool = True
    gpus: tuple[GpuNote, ...] = ()
    disk_free_bytes: int | None = None
    remote_free_bytes: int | None = None
    checkpoint_bytes: int | None = None
    life: tuple[str, ...] = ()

    def is_short(self, free_bytes: int | None) -> bool:
        """Whether so much room, None if nobody knows how much, is for few more checkpoints while it trains."""
        few_bytes = _FEW * (self.checkpoint_bytes or 0)
        return self.state in WORKING and free_bytes is not None and free_bytes < few_bytes


def to_json(status: Status) -> dict[str, Any]:
    """The status as JSON's own types; a number that is not finite becomes null."""
    said: dict[str, Any] = _finite(asdict(status))
    return said


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def from_json(said: Any) -> Status:
    """The status that ``to_json`` made ``said`` of, here or in another version, which may know of more or of less.

    Raises:
        ValueError, TypeError: it is none.
    """
    return read_value(Status, said, _READERS)


def describe_age(seconds: float) -> str:
    """A span of time, roughly: "40 s", "12 min", "3.5 h", "4.0 days"."""
    if seconds < 120:
        return f"{max(0, round(seconds))} s"
    if seconds < 7200:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h" if seconds < 72 * 3600 else f"{seconds / 86400:,.1f} days"


_READERS: Readers = {
    **READERS,
    "tuple[RestartNote, ...]": read_tuple(lambda said: read_value(RestartNote, said, READERS)),
    "tuple[GpuNote, ...]": read_tuple(lambda said: read_value(GpuNote, said, READERS)),
}
