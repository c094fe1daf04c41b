"""PURE: how an attempt of darknet's ended: what was seen of it, what that may mean, and what it is judged by."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Literal

from trainer.darknet.program import Flavour

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trainer.darknet.complaint import Complaint

SIGFPE = 8
SIGKILL = 9
_FROM_OUTSIDE = frozenset({1, 2, SIGKILL, 15})  # SIGHUP, SIGINT, SIGKILL, SIGTERM
_OF_A_SHELL = 128
_LAST_SIGNAL = 64


class Ending(Enum):
    """What an attempt ended of; the value is a short phrase for people."""

    FINISHED = "finished"
    STOPPED = "stopped by the user"
    TREE = "the tree or its cfg is wrong"
    DATA = "an image or a label cannot be read"
    WEIGHTS = "the weights could not be loaded"
    GPU_MEMORY = "the GPU was out of memory"
    HOST_MEMORY = "the machine was out of memory"
    DRIVER = "CUDA or its driver failed"
    DIVERGED = "the training diverged"
    STALLED = "darknet hung"
    CANNOT_WRITE = "weights could not be written"
    LOST_LEASE = "another session has the run"
    UNKNOWN = "darknet ended for no reason that could be told"


@dataclass(frozen=True, slots=True)
class Changes:
    """What an attempt runs with other than the user's cfg says.

    Attributes:
        subdivisions: in place of the cfg's; None leaves them.
        rate_factor: what the cfg's learning rate is multiplied by.
    """

    subdivisions: int | None = None
    rate_factor: float = 1.0


NO_CHANGES = Changes()


@dataclass(frozen=True, slots=True)
class Limits:
    """How long one kind of ending is tried again.

    Attributes:
        ends: how many attempts may end so without a checkpoint beyond the highest there ever was.
        delay_s: before the start after the first of them; it doubles with each further one.
        delay_max_s: but never beyond this.
        after_gain_s: before the start after an end that did gain.
    """

    ends: int
    delay_s: float
    delay_max_s: float
    after_gain_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Rules:
    """What ends are judged by.

    Attributes:
        max_batches, batch, subdivisions: as the user's cfg has them.
        flavour: of the darknet in use.
        diverged: what is done about a loss that is no number: "lower" goes back and lowers the learning rate, "stop"
            gives up.
        rate_factor: what the learning rate is multiplied by each time, between 0 and 1.
        lower_at_most: how often.
        lists: the files that the .data file names, as it writes them: one that darknet cannot open and that is none
            of these is an image's label.
        limits: in place of the policy's own.
    """

    max_batches: int
    batch: int
    subdivisions: int
    flavour: Flavour = Flavour.AX
    diverged: Literal["lower", "stop"] = "lower"
    rate_factor: float = 0.5
    lower_at_most: int = 3
    lists: tuple[str, ...] = ()
    limits: Mapping[Ending, Limits] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """All that was seen of one run of darknet, from its start to its end.

    Attributes:
        started_s, ended_s: Unix time.
        resumed_from: the checkpoint's iteration; 0 if it started without one.
        highest_before: the highest iteration of a whole checkpoint when it started; 0 if there was none.
        highest_after: likewise when it had ended.
        first_iteration: of the first loss line; None if there was none.
        last_iteration: of the last one.
        exit_status: as Python has it: negative for a signal.
        complaint: what it seems to have ended of, by its last lines; see ``diagnosis.pick_complaint``.
        stopped: the user asked for the end.
        lost: another session has the run.
        stalled_s: it was silent for so long, and was ended for it.
        diverged_at: the first iteration that cannot be trusted: of three in a row whose average loss was no finite
            number, or of a checkpoint that holds such numbers; whether or not darknet was ended for it.
        refused: why it was ended at its first iteration, which was not the one that it was to begin with.
        out_of_memory: evidence that the kernel killed it for want of host memory.
        disk_full: the disk had no room for another checkpoint at the end.
        changes: what it ran with.
        earlier_session: it was not this session's; see ``policy`` on what is still made of it.
    """

    started_s: float
    ended_s: float
    resumed_from: int
    highest_before: int
    highest_after: int
    first_iteration: int | None
    last_iteration: int | None
    exit_status: int
    complaint: Complaint | None = None
    stopped: bool = False
    lost: bool = False
    stalled_s: float | None = None
    diverged_at: int | None = None
    refused: str = ""
    out_of_memory: str = ""
    disk_full: bool = False
    changes: Changes = NO_CHANGES
    earlier_session: bool = False

    @property
    def gained(self) -> int:
        """By how many iterations the best checkpoint is further than before; never below 0."""
        return max(0, self.highest_after - self.highest_before)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What an attempt ended of.

    Attributes:
        ending: which kind of end.
        reason: a clause that names the cause, "darknet cannot open data/x", say.
        complaint: darknet's own, if that is what it ended of.
    """

    ending: Ending
    reason: str
    complaint: Complaint | None = None


def signal_of(end: AttemptEnd) -> int:
    """The signal that ended darknet; 0 if none did. A shell around it says 128 more than the signal's number."""
    status = end.exit_status
    if status < 0:
        return -status
    return status - _OF_A_SHELL if _OF_A_SHELL < status <= _OF_A_SHELL + _LAST_SIGNAL else 0


def is_killed(end: AttemptEnd) -> bool:
    """Whether a signal ended it that a program does not send itself."""
    return signal_of(end) in _FROM_OUTSIDE
