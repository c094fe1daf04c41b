"""PURE: what follows on the end of an attempt: finish, start again (how, when and from what), or give up.

Clocks, listings, exit statuses and chance are arguments. ``answers.ROWS`` says
what is done about each kind of ending.

**Budgets.** Each kind of ending may come so often without a gain, and a gain is a checkpoint beyond the highest
iteration that this session ever had: one that is trained a second time, after a step back, is none. Only a gain refills
the budgets, time does not. So a run that is killed from outside and gets further is never given up, and one that ends
again and again at the same place is: the same end at the same iteration twice goes one checkpoint further back, three
times is the end. Of kills from outside only those that follow on each other are compared, for among many that come by
chance some come at one iteration.

**Sessions.** A user who starts a session anew has often put something right, so what gives up is counted in this
session alone. What the sessions before it have learned still counts for the way to go on: an end that is known from
them goes one checkpoint further back the first time already, and a training that has diverged there before gets its
lower learning rate at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from trainer.darknet.complaint import Cause
from trainer.deciding.answers import KILLED, ROWS, SAME_ENDS, Answer, Row
from trainer.deciding.choice import choose_checkpoint, find_final, find_poisoned
from trainer.deciding.diagnosis import diagnose
from trainer.deciding.endings import Ending
from trainer.deciding.past import Judged, find_trouble, look_back

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainer.darknet.weights import Checkpoint
    from trainer.deciding.endings import AttemptEnd, Changes, Diagnosis, Limits, Rules
    from trainer.deciding.past import Past


@dataclass(frozen=True, slots=True)
class Finish:
    """The training is done; ``final`` proves it."""

    final: Checkpoint
    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True)
class Restart:
    """Start darknet again.

    Attributes:
        delay_s: when.
        resume_from: None for the pretrained weights, or random ones.
        changes: what it is to run with other than the cfg says; all of it, not only what is new.
        poisoned_from: checkpoints of this iteration and beyond are not to be used again; None if all can.
        reason: what it ended of and what is done about it, for the user.
        diagnosis: what it ended of.
    """

    delay_s: float
    resume_from: Checkpoint | None
    changes: Changes
    poisoned_from: int | None
    reason: str
    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Do not start again: ``reason`` is a sentence for the user, ``exit_code`` one of the documented ones."""

    reason: str
    exit_code: int
    diagnosis: Diagnosis

    @property
    def ending(self) -> Ending:
        """What the last attempt ended of."""
        return self.diagnosis.ending


@dataclass(frozen=True, slots=True)
class Stop:
    """The user stopped the training before its end."""

    diagnosis: Diagnosis


Decision = Finish | Restart | GiveUp | Stop


def decide(
    end: AttemptEnd,
    history: Sequence[AttemptEnd],
    candidates: Sequence[Checkpoint],
    *,
    rules: Rules,
    jitter: float,
) -> Decision:
    """Say what follows on the end of an attempt.

    Args:
        end: what was seen of it.
        history: the ends before it, oldest first; those of earlier sessions say that they are.
        candidates: the weights files found after its end, whole or not.
        rules: what ends are judged by.
        jitter: a random number from 0 to 1, so that many supervisors do not start in step.
    """
    end = _note_poisoned(end, candidates)
    final = find_final(candidates)
    diagnosis = diagnose(end, final=final, rules=rules)
    row = ROWS[diagnosis.ending]
    if final is not None and diagnosis.ending is Ending.FINISHED:
        return Finish(final, diagnosis)
    if row.answer is Answer.DONE:
        return Stop(diagnosis)
    if row.answer is Answer.NEVER:
        return GiveUp(diagnosis.reason, row.exit_code, diagnosis)
    now = Judged(end, diagnosis)
    before = [Judged(earlier, diagnose(earlier, final=None, rules=rules)) for earlier in history]
    case = _Case(now, before, candidates, rules, jitter)
    if diagnosis.ending is Ending.DIVERGED:
        return _answer_divergence(case)
    if diagnosis.ending is Ending.GPU_MEMORY:
        return _answer_gpu_memory(case)
    return _answer_again(case, look_back(now, before))


@dataclass(frozen=True, slots=True)
class _Case:
    """An end that is not the last one by its kind alone, with all that is to be considered."""

    now: Judged
    before: Sequence[Judged]
    candidates: Sequence[Checkpoint]
    rules: Rules
    jitter: float

    @property
    def end(self) -> AttemptEnd:
        return self.now.end

    @property
    def row(self) -> Row:
        return ROWS[self.now.diagnosis.ending]

    @property
    def limits(self) -> Limits:
        own = KILLED if self.now.is_kill else self.row.limits
        return self.rules.limits.get(self.now.diagnosis.ending, own)

    def choose(self, below: int | None = None) -> Checkpoint | None:
        return choose_checkpoint(self.candidates, poisoned_from=below, flavour=self.rules.flavour)

    def give_up(self, reason: str) -> GiveUp:
        advice = f"; {self.row.advice}" if self.row.advice else ""
        return GiveUp(reason + advice, self.row.exit_code, self.now.diagnosis)

    def restart(
        self,
        resume_from: Checkpoint | None,
        done: str = "",
        *,
        delay_s: float,
        changes: Changes | None = None,
        poisoned_from: int | None = None,
    ) -> Restart:
        return Restart(
            delay_s * (0.5 + self.jitter / 2),
            resume_from,
            self.end.changes if changes is None else changes,
            poisoned_from,
            self.now.diagnosis.reason + (f"; {done}" if done else ""),
            self.now.diagnosis,
        )


def _note_poisoned(end: AttemptEnd, candidates: Sequence[Checkpoint]) -> AttemptEnd:
    """The end, diverged at the latest where the first of its checkpoints holds numbers that are not finite."""
    found = find_poisoned(candidates, since_s=end.started_s, beyond=end.resumed_from)
    if found is None or (end.diverged_at is not None and end.diverged_at <= found):
        return end
    return replace(end, diverged_at=found)


# Again as it was, or from an older checkpoint.


def _answer_again(case: _Case, past: Past) -> Decision:
    limits = case.limits
    if past.gained:
        return case.restart(case.choose(), delay_s=limits.after_gain_s)
    if past.same >= SAME_ENDS or past.spent >= limits.ends:
        return case.give_up(_explain(case, past))
    delay_s = min(limits.delay_max_s, limits.delay_s * 2 ** (past.spent - 1))
    best = case.choose()
    if past.known > 1 or _is_unfit(case):
        # Never from nothing, which would overwrite what there is.
        older = case.choose(below=case.end.resumed_from)
        if older is not None:
            done = f"going one checkpoint further back, to iteration {older.iteration}"
            return case.restart(older, done, delay_s=delay_s)
    return case.restart(best, delay_s=delay_s)


def _is_unfit(case: _Case) -> bool:
    """Whether it is the checkpoint's fault, and not that it has gone since it was chosen."""
    complaint = case.now.diagnosis.complaint
    gone = complaint is not None and complaint.cause is Cause.NO_FILE
    return case.row.answer is Answer.OLDER and not gone


def _explain(case: _Case, past: Past) -> str:
    at, reason = case.end.last_iteration, case.now.diagnosis.reason
    where = "before its first iteration" if at is None else f"at iteration {at}"
    if past.same >= past.spent:
        return f"darknet ended {past.same} times {where} in the same way: {reason}"
    beyond = f"without a checkpoint beyond iteration {past.highest}"
    return f"darknet ended {past.spent} times in this way {beyond}, the last time {where}: {reason}"


# Again, changed.


def _answer_gpu_memory(case: _Case) -> Decision:
    """Double the subdivisions: half as many images at a time, and as many in an iteration as before."""
    rules, changes = case.rules, case.end.changes
    subdivisions = changes.subdivisions or rules.subdivisions
    doubled = 2 * subdivisions
    if rules.batch % doubled:  # darknet drops the remainder of the batch, and the iterations would be others
        reason = (
            f"{case.now.diagnosis.reason}; subdivisions={subdivisions} cannot be doubled any more within "
            f"batch={rules.batch}"
        )
        return case.give_up(reason)
    done, changes = f"going on with subdivisions={doubled}", replace(changes, subdivisions=doubled)
    return case.restart(case.choose(), done, delay_s=case.limits.delay_s, changes=changes)


def _answer_divergence(case: _Case) -> Decision:
    """Go back to before the trouble; if that was not enough, with a lower learning rate as well.

    Two times back to the newest checkpoint from before it; then, as that may hold its beginnings, further each time.
    """
    rules, changes, place = case.rules, case.end.changes, case.end.diverged_at
    if rules.diverged == "stop":
        return case.give_up(f'{case.now.diagnosis.reason}, and diverged = "stop" is set')
    trouble = find_trouble(case.now, case.before)
    here = sum(not one.end.earlier_session for one in trouble)
    lower = len(trouble) > 1 and _times_lowered(case) < rules.lower_at_most
    if here > 1 and not lower:
        return case.give_up(_explain_divergence(case, here))
    if lower:
        changes = replace(changes, rate_factor=changes.rate_factor * rules.rate_factor)
    back = case.choose(below=place)
    if back is not None and len(trouble) > 2:
        began = min(back.iteration, case.end.resumed_from)
        back = case.choose(below=began) or case.choose(below=began + 1) or back
    done = f"going back to iteration {back.iteration}" if back else "starting from the beginning"
    if lower:
        done += f", with the learning rate multiplied by {changes.rate_factor:g}"
    return case.restart(back, done, delay_s=case.limits.delay_s, changes=changes, poisoned_from=place)


def _times_lowered(case: _Case) -> int:
    """How many times today's factor makes what the learning rate was multiplied by."""
    times, factor = 0, 1.0
    while factor > case.end.changes.rate_factor * 1.000001 and times < case.rules.lower_at_most:
        times, factor = times + 1, factor * case.rules.rate_factor
    return times


def _explain_divergence(case: _Case, times: int) -> str:
    factor = case.end.changes.rate_factor
    lowered = f", with the learning rate multiplied by {factor:g} at last" if factor != 1.0 else ""
    return f"the training diverged {times} times without getting beyond the place{lowered}: {case.now.diagnosis.reason}"
