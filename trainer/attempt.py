"""One run of darknet, from its start to its end, as values."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from trainer.config import STATE_FOLDER
from trainer.darknet.complaint import Complaint
from trainer.darknet.output import Progress, betrayed_flavour, parse_line
from trainer.darknet.program import train_arguments
from trainer.darknet.size import HEADER_BYTES
from trainer.darknet.weights import HeaderError, parse_header
from trainer.deciding.choice import refuse_start
from trainer.deciding.diagnosis import LASTING, pick_complaint
from trainer.running.memory import OomWatch
from trainer.running.process import Exited, Line, Process, Started
from trainer.running.symptoms import Divergence, StallClock
from trainer.score import ScoreKeeper

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trainer.config import Run
    from trainer.darknet.output import Event
    from trainer.darknet.program import Flavour
    from trainer.settings import TrainerSettings

LOG_NAME = "darknet.log"

_TICK_S = 0.25
_STOP_GRACE_S = 5.0


@dataclass(frozen=True, slots=True)
class Start:
    """How darknet is to be started.

    Attributes:
        weights: a checkpoint, or the pretrained weights; None for random ones.
        resumed_from: the checkpoint's iteration; 0 where ``weights`` is none.
        data, cfg: the files, POSIX and relative to the tree.
    """

    weights: Path | None
    resumed_from: int
    data: str
    cfg: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was seen of one run of darknet.

    Attributes:
        first_iteration: of the first loss line; None if there was none.
        last_iteration: of the last one.
        exit_status: as Python has it: negative for a signal.
        complaint: what it seems to have ended of, by its last lines.
        refused: why it was ended at its first iteration; empty if it was not.
        stalled_s: it was silent for so long, and was ended for it; None if it was not.
        diverged_at: the first iteration of those for whose loss it was ended; None if it was not.
        out_of_memory: evidence that the kernel killed it for want of memory; empty where there is none.
        iteration_s: how long an iteration took, all included; None where that cannot be told.
        flavour: which darknet it has said to be; None where that was known, or it said nothing.
    """

    first_iteration: int | None
    last_iteration: int | None
    exit_status: int
    complaint: Complaint | None
    refused: str = ""
    stalled_s: float | None = None
    diverged_at: int | None = None
    out_of_memory: str = ""
    iteration_s: float | None = None
    flavour: Flavour | None = None


class Listener(Protocol):
    """Hears of an attempt while it goes on; called by the thread that runs it."""

    def note_start(self, pid: int) -> None:
        """Darknet runs."""

    def recognise(self, flavour: Flavour) -> None:
        """Darknet has said which one it is, where that was not known; called once."""

    def hear(self, event: Event) -> None:
        """Darknet has said something."""

    def measure(self, iteration_s: float) -> None:
        """An iteration of this attempt takes so long; called with each, from the second on."""

    def tick(self) -> None:
        """Some time has gone by, a quarter of a second at most."""


def run_attempt(
    run: Run,
    start: Start,
    settings: TrainerSettings,
    listener: Listener,
    *,
    is_over: Callable[[], bool],
    in_hurry: Callable[[], bool],
) -> Outcome:
    """Run darknet to its end, or until it ``is_over``, hangs, or has diverged.

    Args:
        run: what is trained.
        start: how.
        settings: how long it may be silent.
        listener: see there.
        is_over: asked several times a second; ends darknet when it says so.
        in_hurry: whether darknet is then to be killed at once.

    Raises:
        TreeError: darknet cannot be called like this.
        NoDarknetError: there is no such program any more.
    """
    argv = [
        str(run.program),
        *train_arguments(
            run.flavour,
            data=start.data,
            cfg=start.cfg,
            weights=_as_argument(run.tree, start.weights),
            extra=run.extra if start.resumed_from else _count_from_one(start.weights, run.extra),
            resuming=start.resumed_from > 0,
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

    with OomWatch() as memory, Process(argv, run.tree, log, wanted=means_something) as process:
        following = _Following(process, memory, run, start.resumed_from, settings, listener)
        return following.follow(is_over, in_hurry)


class _Following:
    """Follows one darknet to its end."""

    def __init__(
        self,
        process: Process,
        memory: OomWatch,
        run: Run,
        resumed_from: int,
        settings: TrainerSettings,
        listener: Listener,
    ) -> None:
        self._process = process
        self._memory = memory
        self._resumed_from = resumed_from
        self._listener = listener
        self._divergence = Divergence()
        self._stall = StallClock(
            time.monotonic(),
            floor_s=settings.stall_floor_s,
            first_s=settings.stall_first_s,
            map_s=settings.stall_map_s,
            factor=settings.stall_factor,
        )
        self._flavour_known = run.flavour_known
        self._flavour: Flavour | None = None
        self._pid = 0
        self._first: tuple[int, float] | None = None
        self._last: tuple[int, float] | None = None
        self._refused = ""
        self._stalled_s: float | None = None
        self._diverged_at: int | None = None
        self._lasting: list[Complaint] = []

    def follow(self, is_over: Callable[[], bool], in_hurry: Callable[[], bool]) -> Outcome:
        """To its end; darknet is ended before where it is over, or there is no sense in going on."""
        stopping = False
        while True:
            if not stopping and (is_over() or self._is_hopeless()):
                stopping = True
                self._process.stop(0.0 if in_hurry() else _STOP_GRACE_S)
            happened = self._process.next_event(_TICK_S)
            now_s = time.monotonic()
            self._listener.tick()
            if isinstance(happened, Started):
                self._pid = happened.pid
                self._listener.note_start(happened.pid)
            elif isinstance(happened, Line):
                self._take(happened, now_s)
            elif isinstance(happened, Exited):
                return self._conclude(happened.returncode)
            if not stopping:
                self._look(now_s)

    def _take(self, line: Line, now_s: float) -> None:
        event = parse_line(line.text)
        if event is None:
            return
        if not self._flavour_known:
            self._recognise(line.text)
        if isinstance(event, Progress):
            self._last = event.iteration, now_s
            if self._first is None:
                self._first = self._last
                self._refused = refuse_start(event.iteration, self._resumed_from)
        if isinstance(event, Complaint) and event.cause in LASTING and event not in self._lasting:
            self._lasting.append(event)
        self._stall.hear(event)
        if self._diverged_at is None:
            self._diverged_at = self._divergence.hear(event)
        self._listener.hear(event)
        if isinstance(event, Progress) and (iteration_s := self._measure()) is not None:
            self._listener.measure(iteration_s)

    def _recognise(self, line: str) -> None:
        self._flavour = betrayed_flavour(line)
        if self._flavour is not None:
            self._flavour_known = True
            self._listener.recognise(self._flavour)

    def _look(self, now_s: float) -> None:
        self._stall.looked(now_s)
        self._stall.bytes_at(self._process.last_byte_at)
        if self._stall.is_stalled(now_s):
            self._stalled_s = self._stall.silent_s(now_s)

    def _is_hopeless(self) -> bool:
        return bool(self._refused) or self._stalled_s is not None or self._diverged_at is not None

    def _conclude(self, exit_status: int) -> Outcome:
        events = map(parse_line, self._process.last_lines)
        said = [event for event in events if isinstance(event, Complaint)]
        return Outcome(
            first_iteration=self._first and self._first[0],
            last_iteration=self._last and self._last[0],
            exit_status=exit_status,
            complaint=pick_complaint([*self._lasting, *said]),
            refused=self._refused,
            stalled_s=self._stalled_s,
            diverged_at=self._diverged_at,
            out_of_memory=self._memory.evidence(self._pid) if exit_status < 0 else "",
            iteration_s=self._measure(),
            flavour=self._flavour,
        )

    def _measure(self) -> float | None:
        """How long an iteration took; the first is left out, for it has a start in it."""
        if self._first is None or self._last is None or self._last[0] <= self._first[0]:
            return None
        return (self._last[1] - self._first[1]) / (self._last[0] - self._first[0])


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


def _as_argument(tree: Path, weights: Path | None) -> str | None:
    if weights is None:
        return None
    return weights.relative_to(tree).as_posix() if weights.is_relative_to(tree) else str(weights)
