"""PURE: what an attempt ended of, by all that was seen of it.

darknet's exit status proves nothing, neither 0 nor any other: it is 0 where a file lacks and where the disk is full,
and -11 after a training that came to its end. What is believed is the files, the iterations that were printed, what was
done to darknet from outside, and its complaints, as far as the darknet in use ends of what it complains of.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from trainer.darknet.complaint import Cause, Complaint
from trainer.darknet.program import Flavour
from trainer.deciding.choice import is_finished
from trainer.deciding.endings import (
    SIGFPE,
    SIGKILL,
    AttemptEnd,
    Diagnosis,
    Ending,
    Rules,
    is_killed,
    signal_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from trainer.darknet.weights import Checkpoint

LASTING = frozenset({Cause.NAMES})
"""What AlexeyAB's complains of at its start and ends of thousands of lines later, with its first mAP pass."""


def pick_complaint(complaints: Iterable[Complaint]) -> Complaint | None:
    """Which of darknet's complaints it seems to have ended of; None if there are none.

    The last one of a kind that is always the end; only where there is none, the last one of those that some darknet
    goes on after, or that follow on whatever it was that went wrong ("Assertion `0' failed"). One that names no file
    gets that of the last one of its cause that does.

    Args:
        complaints: in the order in which they were printed: what was ever heard of ``LASTING`` causes, and those among
            the last lines.
    """
    said = list(complaints)
    if not said:
        return None
    last = max(enumerate(said), key=lambda numbered: (_weigh(numbered[1]), numbered[0]))[1]
    if last.path:
        return last
    paths = [complaint.path for complaint in said if complaint.cause is last.cause and complaint.path]
    return replace(last, path=paths[-1]) if paths else last


def diagnose(end: AttemptEnd, *, final: Checkpoint | None, rules: Rules) -> Diagnosis:
    """Say what an attempt ended of.

    Args:
        end: what was seen of it.
        final: the run's ``_final`` as it lay there afterwards, whole or not; None if there was none.
        rules: what ends are judged by.
    """
    if final is not None and is_finished(final, rules.max_batches, started_s=end.started_s):
        return Diagnosis(Ending.FINISHED, f"{final.path.name} is whole and holds iteration {final.iteration}")
    for look in (_look_at_people, _look_at_numbers, _look_at_system, _look_at_complaint, _look_at_files):
        if found := look(end, final, rules):
            return found
    return Diagnosis(Ending.UNKNOWN, _describe(end, final, rules), end.complaint)


_WEIGHTS_ENDINGS = (".weights", ".backup")
_GOES_ON = frozenset({Cause.NO_IMAGE, Cause.NO_LABEL, Cause.WRONG_LABEL, Cause.WEIGHTS, Cause.CFG})
"""What some darknet goes on after; see the judges below for which."""


def _look_at_people(end: AttemptEnd, _: Checkpoint | None, __: Rules) -> Diagnosis | None:
    if end.lost:
        return Diagnosis(Ending.LOST_LEASE, f"another session has taken the run over {_where(end)}")
    if end.stopped:
        return Diagnosis(Ending.STOPPED, f"stopped by the user {_where(end)}")
    return None


def _look_at_numbers(end: AttemptEnd, final: Checkpoint | None, _: Rules) -> Diagnosis | None:
    poisoned_at = final.verdict.poisoned_at if final and final.modified_s >= end.started_s else None
    if final is not None and poisoned_at is not None and end.diverged_at in {None, poisoned_at}:
        return Diagnosis(Ending.DIVERGED, f"{final.path.name}: {final.verdict.reason}")
    if end.diverged_at is not None:
        reason = f"from iteration {end.diverged_at} on the loss or the weights are NaN or infinite"
        return Diagnosis(Ending.DIVERGED, reason)
    return None


def _look_at_system(end: AttemptEnd, _: Checkpoint | None, __: Rules) -> Diagnosis | None:
    """What ended darknet from outside, and said why."""
    if end.refused:
        return Diagnosis(Ending.WEIGHTS, end.refused, end.complaint)
    if end.stalled_s is not None:
        said = f"; the last it said was: {end.complaint.line}" if end.complaint else ""
        reason = f"darknet was silent for {end.stalled_s:.0f} s {_where(end)}, and was ended for it{said}"
        return Diagnosis(Ending.STALLED, reason, end.complaint)
    if end.out_of_memory and signal_of(end) == SIGKILL:
        reason = f"the system killed darknet {_where(end)} because memory ran out ({end.out_of_memory})"
        return Diagnosis(Ending.HOST_MEMORY, reason)
    return None


def _look_at_complaint(end: AttemptEnd, _: Checkpoint | None, rules: Rules) -> Diagnosis | None:
    if is_killed(end):
        return None  # whatever it complained of, it did not end of it
    complaint = end.complaint
    if complaint is None:
        if signal_of(end) == SIGFPE and end.last_iteration is None:
            reason = "darknet divided by zero at its start: the list of training images is empty"
            return Diagnosis(Ending.TREE, reason)
        return None
    judge = _JUDGES.get(complaint.cause)
    found = judge(end, complaint, rules) if judge else None
    return Diagnosis(*found, complaint) if found else None


def _look_at_files(end: AttemptEnd, final: Checkpoint | None, _: Rules) -> Diagnosis | None:
    """A darknet that cannot write goes on to its end, says nothing, and leaves what there was room for."""
    if not end.disk_full or is_killed(end):
        return None
    if _is_torn(end, final) or (end.exit_status == 0 and end.last_iteration is not None):
        reason = f"the disk is full: there was no room for the weights {_where(end)}"
        return Diagnosis(Ending.CANNOT_WRITE, reason)
    return None


def _is_torn(end: AttemptEnd, final: Checkpoint | None) -> bool:
    return final is not None and not final.verdict.whole and final.modified_s >= end.started_s


# What a complaint means, by its cause: None where the darknet that made it goes on, and has ended of something else.

_Found = tuple[Ending, str] | None


def _judge_file(end: AttemptEnd, complaint: Complaint, rules: Rules) -> _Found:
    path = complaint.path
    if path.endswith(_WEIGHTS_ENDINGS):
        if end.last_iteration is not None:
            return Ending.CANNOT_WRITE, f"darknet cannot write {path}"
        ending = Ending.WEIGHTS if end.resumed_from else Ending.TREE
        return ending, f"darknet cannot open {path}, from which it was to start"
    # The others have words of their own for a label that lacks.
    if rules.flavour is Flavour.PJ and path.endswith(".txt") and not _is_listed(path, rules):
        return Ending.DATA, f"darknet cannot open {path}, the label of an image"
    return Ending.TREE, f"darknet cannot open {path}, which the tree should hold"


def _is_listed(path: str, rules: Rules) -> bool:
    return PurePosixPath(path) in {PurePosixPath(name) for name in rules.lists}


def _judge_data(_: AttemptEnd, complaint: Complaint, rules: Rules) -> _Found:
    # The others go on without the image or label, and say so all the same.
    if rules.flavour is not Flavour.HK and not _is_last_word(complaint):
        return None
    named = f" ({complaint.path})" if complaint.path and complaint.path not in complaint.line else ""
    return Ending.DATA, f"{complaint.cause.value}{named}: {complaint.line}"


def _judge_tree(_: AttemptEnd, complaint: Complaint, __: Rules) -> _Found:
    return Ending.TREE, f"{complaint.cause.value}: {complaint.line}"


def _judge_cfg_line(end: AttemptEnd, complaint: Complaint, rules: Rules) -> _Found:
    """Darknet passes over a line that it cannot read; what it did not read may be what it cannot start without."""
    return _judge_tree(end, complaint, rules) if end.last_iteration is None else None


def _judge_weights(end: AttemptEnd, complaint: Complaint, _: Rules) -> _Found:
    """A warning: darknet goes on with whatever the rest of its memory holds, if it can."""
    if end.last_iteration is not None:
        return None
    ending = Ending.WEIGHTS if end.resumed_from else Ending.TREE
    return ending, f"{complaint.cause.value}: {complaint.line}"


def _judge_cuda(_: AttemptEnd, complaint: Complaint, rules: Rules) -> _Found:
    if _is_of_cublas(complaint) and rules.flavour is not Flavour.PJ:
        return None
    return Ending.DRIVER, f"{complaint.cause.value}: {complaint.line}"


def _judge_gpu_memory(_: AttemptEnd, complaint: Complaint, __: Rules) -> _Found:
    return Ending.GPU_MEMORY, f"{complaint.cause.value}: {complaint.line}"


def _judge_host_memory(_: AttemptEnd, complaint: Complaint, __: Rules) -> _Found:
    return Ending.HOST_MEMORY, f"{complaint.cause.value}: {complaint.line}"


_JUDGES: dict[Cause, Callable[[AttemptEnd, Complaint, Rules], _Found]] = {
    Cause.NO_FILE: _judge_file,
    Cause.NO_IMAGE: _judge_data,
    Cause.NO_LABEL: _judge_data,
    Cause.WRONG_LABEL: _judge_data,
    Cause.NO_IMAGES: _judge_tree,
    Cause.FILTERS: _judge_tree,
    Cause.NAMES: _judge_tree,
    Cause.CFG: _judge_cfg_line,
    Cause.WEIGHTS: _judge_weights,
    Cause.GPU_MEMORY: _judge_gpu_memory,
    Cause.CUDA: _judge_cuda,
    Cause.HOST_MEMORY: _judge_host_memory,
}


def _weigh(complaint: Complaint) -> int:
    """How much a complaint tells of the end: 2 if it is always one, 1 if it may be, 0 if it only says that it is."""
    if complaint.cause is Cause.CRASH:
        return 0
    mild = complaint.cause in _GOES_ON or _is_of_cublas(complaint)
    return 1 if mild and not _is_last_word(complaint) else 2


def _is_last_word(complaint: Complaint) -> bool:
    """Whether AlexeyAB's with OpenCV says so before it crashes."""
    return complaint.line.startswith("Error in ")


def _is_of_cublas(complaint: Complaint) -> bool:
    """Two of the darknets print what cuBLAS complains of and go on."""
    return "cublas" in complaint.line.lower()


# Words.


def _where(end: AttemptEnd) -> str:
    at = end.last_iteration
    return "before its first iteration" if at is None else f"at iteration {at}"


def _describe(end: AttemptEnd, final: Checkpoint | None, rules: Rules) -> str:
    """All that can be said of an end that nothing explains."""
    number = signal_of(end)
    if is_killed(end):
        return f"darknet was killed from outside by signal {number} {_where(end)}"
    how = f"was ended by signal {number}" if number else f"ended with status {end.exit_status}"
    goal = "" if number or end.last_iteration is None else f" of {rules.max_batches}"
    torn = f"; {final.path.name}: {final.verdict.reason}" if final and _is_torn(end, final) else ""
    said = f"; it said: {end.complaint.line}" if end.complaint else ", and did not say why"
    return f"darknet {how} {_where(end)}{goal}{said}{torn}"
