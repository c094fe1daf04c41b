"""PURE: a run's status -> the card that people look at, in the order in which they ask.

Is my work safe, how far is it, when will it be done, is it learning, did anything happen, and is anything wanted of me.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainer.seeing.facts import list_facts
from trainer.seeing.notices import list_notices
from trainer.seeing.rows import Notice, Row, Tone
from trainer.status.value import AWAY, BEGINNING, DEAD, describe_age

if TYPE_CHECKING:
    from datetime import tzinfo

    from trainer.status.value import Status

__all__ = ["Card", "Notice", "Row", "Tone", "make_card"]

_STANDINGS = {
    AWAY: "not running here,",
    "waiting": "waiting for another session",
    DEAD: "supervisor gone",
    "gave up": "given up",
}
_TONES: dict[str, Tone] = {
    "training": "good",
    "finished": "over",
    "stopped": "over",
    "gave up": "trouble",
    "failed": "trouble",
    DEAD: "trouble",
}


@dataclass(frozen=True, slots=True)
class Card:
    """How a run stands, in words.

    Attributes:
        headline: what is safe.
        safety: how good that is.
        standing: what goes on, and where the run is: "training at iteration 1,234 of 6,000".
        tone: of all of it; "trouble" wherever the user is needed.
        progress: how much of the run is done, from 0 to 1; None where that is not known.
        rows: the facts, the most important one first.
        notices: what is out of the ordinary.
        life: how the run has come to where it is, over all of its sessions, in lines.
    """

    headline: str
    safety: Tone
    standing: str
    tone: Tone
    progress: float | None
    rows: tuple[Row, ...]
    notices: tuple[Notice, ...]
    life: tuple[str, ...]


def make_card(status: Status, now_s: float, *, zone: tzinfo) -> Card:
    """The card of ``status`` as of ``now_s``, in Unix time; times of day are told for ``zone``."""
    notices = list_notices(status, now_s)
    needed = any(notice.tone == "trouble" for notice in notices)
    tone = _TONES.get(status.state, "waiting")
    if tone == "good" and any(notice.tone == "waiting" for notice in notices):
        tone = "waiting"
    return Card(
        headline=_describe_safety(status, now_s),
        safety=_judge_safety(status),
        standing=_describe_standing(status),
        tone="trouble" if needed else tone,
        progress=_measure_progress(status),
        rows=list_facts(status, now_s, zone),
        notices=notices,
        life=status.life,
    )


def _describe_safety(status: Status, now_s: float) -> str:
    if not status.pushing:
        return "nothing is pushed: all of it is on this machine alone"
    is_unknown = status.iteration is None or status.state in {*BEGINNING, AWAY}
    if status.safe_iteration is None and is_unknown and not status.attempts:
        return f"it is not known yet what is safe on {'Drive' if status.proven else 'the remote'}"
    if status.safe_iteration is None:
        return "nothing is safe on Drive yet" if status.proven else "nothing is written to the remote yet"
    line = f"{'safe' if status.proven else 'written'} up to iteration {status.safe_iteration:,}"
    if status.safe_at_s is not None:
        line += f" · pushed {describe_age(now_s - status.safe_at_s)} ago"
    return f"{line} · {'verified' if status.proven else 'read back'}"


def _judge_safety(status: Status) -> Tone:
    if status.trouble and status.remedy:
        return "trouble"
    return (
        "good" if status.pushing and status.safe_iteration is not None and not status.trouble else "waiting"
    )


def _describe_standing(status: Status) -> str:
    state = _STANDINGS.get(status.state, status.state)
    if status.iteration is None:
        state = state.rstrip(",")
    if status.ending == "diverged" and status.state in {"restarting", "gave up"}:
        state = f"diverged, {state}"
    done = "" if status.iteration is None else f" at iteration {status.iteration:,}"
    goal = f" of {status.max_batches:,}" if done and status.max_batches else ""
    waits = ", waiting for Drive" if status.trouble and status.proven else ""
    if status.trouble and not status.proven:
        waits = ", waiting for the remote"
    return f"{state}{done}{goal}{waits}"


def _measure_progress(status: Status) -> float | None:
    if not status.max_batches:
        return None
    return max(0.0, min(1.0, (status.iteration or 0) / status.max_batches))
