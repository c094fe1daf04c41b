"""PURE: which checkpoint to start from, and whether to finish, to start again, or to give up.

Clocks, listings, exit statuses and chance are arguments. darknet's exit status proves nothing, neither 0 nor any
other; what is believed is the whole checkpoints on disk, the iterations that were printed, and darknet's complaints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainer.darknet.output import Cause, Complaint
from trainer.darknet.program import Flavour, refuse_weights
from trainer.darknet.weights import Checkpoint, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

EXIT_CANNOT_WRITE = 73
EXIT_UNFINISHED = 75
EXIT_TREE = 78

SIGFPE = 8
_KILLED = frozenset({-9, -15})  # by SIGKILL or SIGTERM: from outside, or for want of memory

# Of two checkpoints of one iteration the one that darknet rewrites most often is taken: it is the one most lately
# proved to load. The averaged weights of an _ema file are not those that were being trained, so it is never taken.
_PREFERENCE = (Kind.LAST, Kind.BACKUP, Kind.NUMBERED, Kind.FINAL, Kind.BEST, Kind.PLAIN)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to go on trying.

    Attributes:
        fruitless_ends: attempts in a row that may end without a checkpoint beyond the highest there was.
        fruitless_kills: likewise of those that were killed from outside, which tells little of the training.
        same_ends: of them, how many may end in the same way at the same iteration.
        delay_s: before the first start after a fruitless end; it doubles with each further one.
        delay_max_s: but never beyond this.
        kill_delay_max_s: nor beyond this after a kill from outside: waiting mends nothing then, and the GPU idles.
    """

    fruitless_ends: int = 5
    fruitless_kills: int = 20
    same_ends: int = 3
    delay_s: float = 0.5
    delay_max_s: float = 60.0
    kill_delay_max_s: float = 3.0


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """All that was seen of one run of darknet, from its start to its end.

    Attributes:
        started_s: Unix time.
        resumed_from: the checkpoint's iteration; 0 if it started without one.
        highest_before: the highest iteration of a whole checkpoint when it started; 0 if there was none.
        highest_after: likewise when it had ended.
        first_iteration: of the first loss line; None if there was none.
        last_iteration: of the last one.
        exit_status: as Python has it: negative for a signal.
        complaint: the last one among darknet's last lines; an older one is not what it ended of.
        stopped: the user asked for the end.
    """

    started_s: float
    resumed_from: int
    highest_before: int
    highest_after: int
    first_iteration: int | None
    last_iteration: int | None
    exit_status: int
    complaint: Complaint | None = None
    stopped: bool = False

    @property
    def gained(self) -> int:
        """By how many iterations the best checkpoint is further than before; never below 0."""
        return max(0, self.highest_after - self.highest_before)


@dataclass(frozen=True, slots=True)
class Finish:
    """The training is done; ``final`` proves it."""

    final: Checkpoint


@dataclass(frozen=True, slots=True)
class Restart:
    """Start darknet again after ``delay_s``; from the pretrained weights, if any, where ``resume_from`` is None."""

    delay_s: float
    resume_from: Checkpoint | None


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Do not start again: ``reason`` is a sentence for the user, ``exit_code`` one of the documented ones."""

    reason: str
    exit_code: int


@dataclass(frozen=True, slots=True)
class Stop:
    """The user stopped the training before its end."""


Decision = Finish | Restart | GiveUp | Stop


def choose_checkpoint(
    candidates: Iterable[Checkpoint],
    *,
    poisoned_from: int | None = None,
    flavour: Flavour = Flavour.AX,
) -> Checkpoint | None:
    """The furthest checkpoint to resume from; None if there is none.

    Args:
        candidates: what was found, whole or not.
        poisoned_from: the first iteration that cannot be trusted (its loss was NaN, say); None if all can.
        flavour: of the darknet that is to load it.
    """
    fit = [
        candidate
        for candidate in candidates
        if candidate.verdict.whole
        and candidate.name.kind in _PREFERENCE
        and (poisoned_from is None or candidate.iteration < poisoned_from)
        and not refuse_weights(flavour, candidate.path.name)
    ]
    return min(fit, key=_preference, default=None)


def _preference(candidate: Checkpoint) -> tuple[int, int, str]:
    return -candidate.iteration, _PREFERENCE.index(candidate.name.kind), str(candidate.path)


def find_final(candidates: Iterable[Checkpoint]) -> Checkpoint | None:
    """The run's ``_final``, whole or not; None if there is none."""
    finals = (candidate for candidate in candidates if candidate.name.kind is Kind.FINAL)
    return max(
        finals, key=lambda final: (final.verdict.whole, final.iteration, final.modified_s), default=None
    )


def is_finished(final: Checkpoint | None, max_batches: int, *, started_s: float | None = None) -> bool:
    """Whether a run is truly finished: its ``_final`` is whole, trained to the end, and its own.

    Args:
        final: the ``_final`` file, if there is one.
        max_batches: the iterations that the cfg asks for.
        started_s: when the attempt that has just ended began, in Unix time: an older file proves nothing of it. None
            asks whether anything is left to do before any attempt.
    """
    return (
        final is not None
        and final.name.kind is Kind.FINAL
        and final.verdict.whole
        and final.iteration >= max_batches
        and (started_s is None or final.modified_s >= started_s)
    )


def refuse_start(first_iteration: int, resumed_from: int) -> str:
    """Say why the first iteration that an attempt printed shows that it did not load its checkpoint; else empty.

    To be asked at once, and darknet to be ended if it answers: some darknets that cannot load a file start from
    nothing without a word, and a hundred iterations later overwrite the good checkpoint.
    """
    if first_iteration > resumed_from:
        return ""
    return f"darknet began at iteration {first_iteration} though it was to resume from {resumed_from}"


def decide(
    end: AttemptEnd,
    history: Sequence[AttemptEnd],
    candidates: Sequence[Checkpoint],
    *,
    max_batches: int,
    jitter: float,
    flavour: Flavour = Flavour.AX,
    poisoned_from: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Decision:
    """Say what follows on the end of an attempt.

    Only iterations gained refill the budget, so a run that is killed from outside and gets further each time is never
    given up, and one that ends again and again at the same place is.

    Args:
        end: what was seen of the attempt.
        history: those before it in this session, oldest first.
        candidates: the weights files found after its end, whole or not.
        max_batches: the iterations that the cfg asks for.
        jitter: a random number from 0 to 1, so that many supervisors do not start in step.
        flavour: of the darknet in use.
        poisoned_from: as for ``choose_checkpoint``.
        limits: how long to go on trying.
    """
    final = find_final(candidates)
    if final is not None and is_finished(final, max_batches, started_s=end.started_s):
        return Finish(final)
    if end.stopped:
        return Stop()
    if fatal := _fatal(end, flavour):
        return fatal
    best = choose_checkpoint(candidates, poisoned_from=poisoned_from, flavour=flavour)
    if end.gained:
        return Restart(0.0, best)
    recent = [end, *_since_gain(history)]
    fruitless = sum(not earlier.gained for earlier in recent)
    same = sum(_same_end(end, earlier) for earlier in recent)
    killed = sum(not earlier.gained and earlier.exit_status in _KILLED for earlier in recent)
    over = fruitless - killed >= limits.fruitless_ends or killed >= limits.fruitless_kills
    if same >= limits.same_ends or over:
        return GiveUp(_explain(end, fruitless, same), EXIT_UNFINISHED)
    if same > 1:
        best = _further_back(end, candidates, poisoned_from, flavour) or best
    longest_s = limits.kill_delay_max_s if end.exit_status in _KILLED else limits.delay_max_s
    delay_s = min(longest_s, limits.delay_s * 2 ** (fruitless - 1))
    return Restart(delay_s * (0.5 + jitter / 2), best)


def _since_gain(history: Sequence[AttemptEnd]) -> list[AttemptEnd]:
    """The attempts back to the last one that gained anything, that one included, newest first."""
    since: list[AttemptEnd] = []
    for earlier in reversed(history):
        since.append(earlier)
        if earlier.gained:
            break
    return since


def _same_end(one: AttemptEnd, other: AttemptEnd) -> bool:
    if one is other:
        return True
    if one.last_iteration is None and one.exit_status in _KILLED:
        return False  # killed before it had done anything: that tells of the killer, not of the training
    return _likeness(one) == _likeness(other)


def _likeness(end: AttemptEnd) -> tuple[object, ...]:
    return end.last_iteration, end.exit_status, end.complaint and end.complaint.cause


def _further_back(
    end: AttemptEnd, candidates: Sequence[Checkpoint], poisoned_from: int | None, flavour: Flavour
) -> Checkpoint | None:
    """The checkpoint before the one that the attempt began with.

    None if there is none: never from nothing, which would overwrite what there is.
    """
    below = end.resumed_from if poisoned_from is None else min(end.resumed_from, poisoned_from)
    return choose_checkpoint(candidates, poisoned_from=below, flavour=flavour)


# What ends a run for good: the tree is wrong, and will be so at the next start.


def _fatal(end: AttemptEnd, flavour: Flavour) -> GiveUp | None:
    if end.exit_status in _KILLED:
        return None  # whatever it complained of, it did not end of it
    if end.exit_status == -SIGFPE and end.last_iteration is None:
        return GiveUp("darknet divided by zero at its start: the list of training images is empty", EXIT_TREE)
    complaint = end.complaint
    if complaint is None:
        return None
    if complaint.cause is Cause.NO_FILE:
        return _fatal_file(end, complaint)
    # The others go on without the image or label, and say so all the same.
    ends_there = flavour is Flavour.HK or complaint.line.startswith("Error in ")
    of_data = complaint.cause in {Cause.NO_IMAGE, Cause.NO_LABEL, Cause.WRONG_LABEL}
    if complaint.cause is Cause.FILTERS or (of_data and ends_there):
        return GiveUp(f"{complaint.cause.value}: {complaint.line}", EXIT_TREE)
    return None


def _fatal_file(end: AttemptEnd, complaint: Complaint) -> GiveUp | None:
    path = complaint.path
    if not path.endswith((".weights", ".backup")):
        return GiveUp(f"darknet cannot open {path}, which the tree should hold", EXIT_TREE)
    if end.last_iteration is None:
        return None  # the checkpoint has gone since it was chosen; choose again
    return GiveUp(f"darknet cannot write {path}", EXIT_CANNOT_WRITE)


def _explain(end: AttemptEnd, fruitless: int, same: int) -> str:
    how = f"with signal {-end.exit_status}" if end.exit_status < 0 else f"with status {end.exit_status}"
    where = (
        "before its first iteration" if end.last_iteration is None else f"at iteration {end.last_iteration}"
    )
    said = f"; it said: {end.complaint.line}" if end.complaint else ""
    if same >= fruitless:
        return f"darknet ended {same} times {where} {how}{said}"
    return (
        f"darknet ended {fruitless} times without a checkpoint beyond iteration {end.highest_before}, "
        f"last {where} {how}{said}"
    )
