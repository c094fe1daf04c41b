"""PURE: what is done about each kind of ending, as a table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from trainer.deciding.endings import Ending, Limits

EXIT_CANNOT_WRITE = 73
EXIT_UNFINISHED = 75
EXIT_LOST_LEASE = 76
EXIT_TREE = 78

SAME_ENDS = 3
"""So many of the same ends at the same iteration are the last."""


class Answer(Enum):
    """What is done about a kind of ending."""

    DONE = auto()
    NEVER = auto()
    """It is not tried again: it would end so again."""
    AGAIN = auto()
    OLDER = auto()
    """Again, from the checkpoint before the one that it began with."""
    CHANGED = auto()
    """Again, with something changed."""


@dataclass(frozen=True, slots=True)
class Row:
    """What is done about one kind of ending.

    Attributes:
        answer: in a word.
        limits: how long it is tried again; no ends where it is not, or where what can be changed sets the limit.
        exit_code: of the command, if it is given up.
        advice: what a user can do then, as a clause.
    """

    answer: Answer
    limits: Limits = Limits(0, 0.0, 0.0)  # noqa: RUF009  # frozen, so one may serve all
    exit_code: int = EXIT_UNFINISHED
    advice: str = ""


ROWS: dict[Ending, Row] = {
    Ending.FINISHED: Row(Answer.DONE),
    Ending.STOPPED: Row(Answer.DONE),
    Ending.LOST_LEASE: Row(Answer.NEVER, exit_code=EXIT_LOST_LEASE),
    Ending.TREE: Row(Answer.NEVER, exit_code=EXIT_TREE),
    Ending.DATA: Row(Answer.NEVER, exit_code=EXIT_TREE),
    Ending.CANNOT_WRITE: Row(Answer.NEVER, exit_code=EXIT_CANNOT_WRITE),
    Ending.WEIGHTS: Row(Answer.OLDER, Limits(10, 0.5, 10.0)),
    Ending.GPU_MEMORY: Row(Answer.CHANGED, Limits(0, 2.0, 2.0), advice="lower width and height in the cfg"),
    Ending.DIVERGED: Row(
        Answer.CHANGED,
        Limits(0, 0.5, 0.5),
        advice="look at the labels and the learning rate",
    ),
    # Whoever else needs the memory may be done with it in minutes.
    Ending.HOST_MEMORY: Row(
        Answer.AGAIN,
        Limits(4, 30.0, 240.0, after_gain_s=30.0),
        advice="take a machine with more memory, or end what else runs on this one",
    ),
    Ending.DRIVER: Row(
        Answer.AGAIN,
        Limits(4, 30.0, 240.0, after_gain_s=30.0),
        advice="restart the machine (in Colab: Runtime, Disconnect and delete runtime) and run the same again",
    ),
    Ending.STALLED: Row(Answer.AGAIN, Limits(4, 1.0, 30.0)),
    Ending.UNKNOWN: Row(Answer.AGAIN, Limits(5, 0.5, 60.0)),
}
"""Each kind of ending and what is done about it."""

KILLED = Limits(60, 0.5, 3.0)
"""Of an unknown end that came from outside: it tells little of the training, waiting mends nothing, the GPU idles."""
