"""One run of darknet, from its start to its end, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainer.config import STATE_FOLDER
from trainer.darknet.output import Complaint, Progress, parse_line
from trainer.darknet.program import train_arguments
from trainer.darknet.size import HEADER_BYTES
from trainer.darknet.weights import HeaderError, parse_header
from trainer.policy import refuse_start
from trainer.process import Exited, Line, Process, Started
from trainer.score import ScoreKeeper

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trainer.config import Run
    from trainer.darknet.output import Event

LOG_NAME = "darknet.log"

_TICK_S = 0.25
_STOP_GRACE_S = 5.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was seen of one run of darknet.

    Attributes:
        first_iteration: of the first loss line; None if there was none.
        last_iteration: of the last one.
        exit_status: as Python has it: negative for a signal.
        complaint: the last one among darknet's last lines.
        refused: why it was ended at its first iteration; empty if it was not.
    """

    first_iteration: int | None
    last_iteration: int | None
    exit_status: int
    complaint: Complaint | None
    refused: str = ""


def run_attempt(
    run: Run,
    weights: Path | None,
    resumed_from: int,
    *,
    is_over: Callable[[], bool],
    on_start: Callable[[int], None],
    on_event: Callable[[Event], None],
    on_tick: Callable[[], None],
) -> Outcome:
    """Run darknet to its end, or until it ``is_over``.

    Args:
        run: what is trained.
        weights: to start from: a checkpoint, or the pretrained weights; None for random ones.
        resumed_from: the checkpoint's iteration; 0 where ``weights`` is none.
        is_over: asked several times a second; ends darknet when it says so.
        on_start: gets darknet's pid.
        on_event: gets what darknet says, as it says it.
        on_tick: called several times a second.

    Raises:
        TreeError: darknet cannot be called like this.
        NoDarknetError: there is no such program any more.
    """
    argv = [
        str(run.program),
        *train_arguments(
            run.flavour,
            data=run.data,
            cfg=run.cfg,
            weights=_as_argument(run.tree, weights),
            extra=run.extra if resumed_from else _count_from_one(weights, run.extra),
            resuming=resumed_from > 0,
        ),
    ]
    log = run.tree / STATE_FOLDER / LOG_NAME
    scores = ScoreKeeper(run.tree, run.best)
    scores.begin()

    def means_something(line: str) -> bool:
        # Here, in the thread that reads the pipe: whoever takes the events may be waiting for this very word.
        event = parse_line(line)
        if event is not None:
            scores.hear(event)
        return event is not None

    with Process(argv, run.tree, log, wanted=means_something) as process:
        return _follow(process, resumed_from, is_over, on_start, on_event, on_tick)


def _count_from_one(pretrained: Path | None, extra: tuple[str, ...]) -> tuple[str, ...]:
    """The flags with ``-clear`` among them where pretrained weights count iterations of a training of their own.

    darknet would go on counting there; beyond max_batches it writes a ``_final`` at once and trains nothing.
    """
    if pretrained is None or "-clear" in extra:
        return extra
    try:
        with pretrained.open("rb") as file:
            header = parse_header(file.read(HEADER_BYTES))
    except (OSError, HeaderError):
        return extra  # darknet will have its own words for it
    return ("-clear", *extra) if header.seen else extra


def _follow(
    process: Process,
    resumed_from: int,
    is_over: Callable[[], bool],
    on_start: Callable[[int], None],
    on_event: Callable[[Event], None],
    on_tick: Callable[[], None],
) -> Outcome:
    first: int | None = None
    last: int | None = None
    refused = ""
    stopping = False
    while True:
        if (is_over() or refused) and not stopping:
            stopping = True
            process.stop(_STOP_GRACE_S)
        happened = process.next_event(_TICK_S)
        on_tick()
        if isinstance(happened, Started):
            on_start(happened.pid)
        elif isinstance(happened, Exited):
            return Outcome(first, last, happened.returncode, _last_complaint(process), refused)
        elif isinstance(happened, Line) and (event := parse_line(happened.text)) is not None:
            if isinstance(event, Progress):
                if first is None:
                    first, refused = event.iteration, refuse_start(event.iteration, resumed_from)
                last = event.iteration
            on_event(event)


def _last_complaint(process: Process) -> Complaint | None:
    events = (parse_line(line) for line in reversed(process.last_lines))
    return next((event for event in events if isinstance(event, Complaint)), None)


def _as_argument(tree: Path, weights: Path | None) -> str | None:
    if weights is None:
        return None
    return weights.relative_to(tree).as_posix() if weights.is_relative_to(tree) else str(weights)
