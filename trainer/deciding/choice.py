"""PURE: which weights file to start from, and which one proves that the training is finished."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainer.darknet.program import Flavour, refuse_weights
from trainer.darknet.weights import Checkpoint, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

# Of two checkpoints that are equally far the one that darknet rewrites most often is taken: it is the one most lately
# proved to load. The averaged weights of an _ema file are not those that were being trained, so it is never taken.
_PREFERENCE = (Kind.LAST, Kind.BACKUP, Kind.NUMBERED, Kind.FINAL, Kind.BEST, Kind.PLAIN)


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
        if is_resumable(candidate, flavour) and (poisoned_from is None or candidate.iteration < poisoned_from)
    ]
    return min(fit, key=_preference, default=None)


def is_resumable(candidate: Checkpoint, flavour: Flavour) -> bool:
    """Whether training can go on from it: it is whole, no average, and this darknet loads files of its name."""
    return (
        candidate.verdict.whole
        and candidate.name.kind in _PREFERENCE
        and not refuse_weights(flavour, candidate.path.name)
    )


def _preference(candidate: Checkpoint) -> tuple[int, int, str]:
    return -candidate.seen, _PREFERENCE.index(candidate.name.kind), str(candidate.path)


def find_final(candidates: Iterable[Checkpoint]) -> Checkpoint | None:
    """The run's ``_final``, whole or not; None if there is none."""
    finals = (candidate for candidate in candidates if candidate.name.kind is Kind.FINAL)
    return max(
        finals, key=lambda final: (final.verdict.whole, final.iteration, final.modified_s), default=None
    )


def find_poisoned(candidates: Iterable[Checkpoint], *, since_s: float, beyond: int = 0) -> int | None:
    """The first iteration of which a checkpoint holds numbers that are not finite; None if none does.

    Args:
        candidates: what was found, whole or not.
        since_s: Unix time; older files tell nothing of the attempt that began then.
        beyond: the iteration that it went on from; what is no further is none of its files.
    """
    found = (
        at
        for candidate in candidates
        if (at := candidate.verdict.poisoned_at) is not None
        and at > beyond
        and candidate.modified_s >= since_s
    )
    return min(found, default=None)


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
