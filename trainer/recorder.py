"""Keeps a run's status, metrics and chart while it goes on, and hands to drivesync what is to be pushed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.filesize import decimal as format_size

from drivesync.errors import DrivesyncError, TransientError, UsedUpError
from drivesync.push import find_files
from drivesync.spooling.outcome import Refused
from trainer.chronicle import Chronicle
from trainer.config import recognise
from trainer.darknet.output import Progress, Saving
from trainer.darknet.program import refuse_weights
from trainer.darknet.size import weights_size
from trainer.deciding.endings import Ending
from trainer.deciding.policy import Restart
from trainer.learning.history import read_attempts
from trainer.life import describe_life
from trainer.papers import Papers
from trainer.recall import recall
from trainer.status import RestartNote

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivesync.files import Receipt
    from drivesync.spooling.entries import Entry
    from trainer.config import Run
    from trainer.darknet.output import Event
    from trainer.darknet.program import Flavour
    from trainer.deciding.endings import AttemptEnd, Changes
    from trainer.deciding.policy import Decision
    from trainer.surroundings import Surroundings

_NOTE_EVERY_S = 10.0
_PICTURES_EVERY_S = 60.0
_METRICS_EVERY_S = 10.0
_NAMED_WAITING = 3
_RESTARTS_KEPT = 50
"""In the status, which is written every second; all of them are in the history."""


class Recorder:
    """Hears what happens to a run and makes it known; used by one thread.

    Args:
        run: what is trained.
        around: see there.
        keep: told now and then how long an iteration takes, and how long it takes until a checkpoint is safe; None for
            what is not known.
    """

    def __init__(
        self,
        run: Run,
        around: Surroundings,
        keep: Callable[[float | None, float | None], None] = lambda _iteration_s, _push_s: None,
    ) -> None:
        self._run = run
        self._around = around
        self._keep = keep
        self._iteration_s: float | None = None
        self._has_trained = False
        self._noted_s = 0.0
        self._shown_s = around.clock()
        self._offered_s = around.steady()
        self._papers = Papers(run, around.reporter.note)
        self._saved_s: dict[int, float] = {}
        self._chronicle = Chronicle(self._papers.metrics, around.metrics, run.network.max_batches)
        self.push_s: float | None = None
        """How long it took until the last checkpoint was safe; None while that is not known."""
        self.disk_trouble = ""
        """Why a file that is to be pushed cannot be copied; empty if all can."""

    def recall(self) -> float | None:
        """Make known what the tree's files tell of the sessions before; returned is when the last of them ended."""
        around = self._around
        told = recall(self._run.tree)
        ended_s: float | None = told.pop("ended_s")
        # What the remote holds was just looked at.
        if told.pop("safe_iteration") != around.status.value.safe_iteration:
            told["safe_at_s"] = None
        around.status.update(**told)
        return ended_s

    def begin_attempt(self, number: int, resumed_from: int, changes: Changes) -> None:
        """Note that darknet is about to be started for the ``number``-th time in this session."""
        around, said = self._around, describe_run(changes, self._run.network.learning_rate)
        self._iteration_s, self._has_trained = None, False
        reasons = [note.reason for note in around.status.value.restarts]
        self._chronicle.begin(resumed_from, why_again="".join(reasons[-1:]) if number > 1 else None)
        if said:
            around.reporter.note(f"with {said}, other than {self._run.cfg} says")
        around.status.update(
            attempts=number,
            iteration=resumed_from or None,
            changes=said,
            checkpoint_bytes=weights_size(self._run.network, flavour=self._run.flavour),
            life=self._describe_life(),
            **self._chronicle.tell(),
        )

    def _describe_life(self) -> tuple[str, ...]:
        records = read_attempts(self._run.tree)
        return tuple(describe_life([record for record in records if record.run == self._run.name]))

    def note_start(self, pid: int) -> None:
        """Note that darknet runs."""
        self._around.status.update(state="training")
        taken_for = "" if self._run.flavour_known else "taken for "
        self._around.reporter.note(f"darknet runs as process {pid}: {taken_for}{self._run.flavour.value}")

    def recognise(self, flavour: Flavour) -> None:
        """Note which darknet it is."""
        if flavour is not self._run.flavour:
            left_out = refuse_weights(flavour, self._run.pretrained) if self._run.pretrained else ""
            more = f"; {left_out}" if left_out else ""
            self._around.reporter.note(f"by what it says it is {flavour.value}{more}")
        self._run = recognise(self._run, flavour)

    def hear(self, event: Event) -> None:
        """Take in what darknet says."""
        around = self._around
        self._chronicle.hear(event, around.steady())
        if isinstance(event, Progress):
            around.status.update(iteration=event.iteration, avg_loss=event.avg_loss)
            if not self._has_trained:
                self._has_trained = True
                around.status.flush()
                around.on_training()
        elif isinstance(event, Saving):
            # The line of an iteration comes before what is saved after it.
            self._saved_s[around.status.value.iteration or 0] = around.clock()
            self._offer_metrics()

    def measure(self, iteration_s: float) -> None:
        """Take note of how long an iteration takes."""
        self._iteration_s = iteration_s

    def note_decision(self, end: AttemptEnd, decision: Decision) -> None:
        """Note how an attempt ended, and what follows."""
        around, said = self._around, decision.diagnosis
        iteration = end.last_iteration or end.resumed_from
        if said.ending is Ending.DIVERGED:
            around.notify("diverged", said.reason)
        around.status.update(ending=said.ending.name.lower(), life=self._describe_life())
        if isinstance(decision, Restart):
            around.reporter.note(f"{decision.reason}; starting again in {decision.delay_s:.1f} s")
            resume_from = decision.resume_from.iteration if decision.resume_from else 0
            note = RestartNote(around.clock(), iteration, decision.reason, resume_from)
            status = around.status.value
            around.status.update(
                state="restarting",
                restarted=status.restarted + 1,
                restarts=(*status.restarts, note)[-_RESTARTS_KEPT:],
            )

    def tick(self) -> None:
        """Take in what has become safe, and let people know now and then."""
        around, now_s = self._around, self._around.clock()
        self.take_receipts()
        self.read_gauges()
        status = around.status.value
        # Either way, each time: the clock of a new machine is set while we run.
        if abs(now_s - self._noted_s) >= _NOTE_EVERY_S and status.iteration is not None:
            self._noted_s = now_s
            loss = "" if status.avg_loss is None else f", avg loss {status.avg_loss:.4g}"
            safe = (
                ""
                if status.safe_iteration is None
                else f", {'safe' if status.proven else 'written'} up to {status.safe_iteration}"
            )
            around.reporter.note(f"iteration {status.iteration} of {status.max_batches}{loss}{safe}")
        if abs(now_s - self._shown_s) >= _PICTURES_EVERY_S:
            self._shown_s = now_s
            self._show()
        elif self._papers.has_drawn():
            self.offer(*self._papers.paths)

    def read_gauges(self) -> None:
        """Make known what the machine has to do and to spare, and how it goes."""
        around = self._around
        reading = around.gauges()
        around.status.update(
            gpus=reading.gpus,
            disk_free_bytes=reading.disk_free_bytes,
            remote_free_bytes=reading.remote_free_bytes,
            **self._chronicle.tell(),
        )
        self._chronicle.note_usage(reading.gpus)

    def take_receipts(self) -> None:
        """Make known what has become safe."""
        around = self._around
        while not around.safe.empty():
            receipt = around.safe.get()
            status = around.status.value
            around.status.update(pushed=status.pushed + 1)
            if (iteration := self._count(receipt)) is None:
                continue
            # Once the last metrics are on their way the file stays as it is, so that Drive holds all of it.
            if status.state != "pushing":
                around.metrics.event("pushed", iteration=iteration)
            self._measure_push(iteration, receipt.at_s)
            if iteration >= (status.safe_iteration or 0):
                around.status.update(safe_iteration=iteration, safe_at_s=receipt.at_s)
        if around.hurry.is_set():
            self._papers.stop_drawing()
        self._look_at_queue()

    def _look_at_queue(self) -> None:
        """Make known what waits to be pushed, and why."""
        around = self._around
        if around.pusher is None:
            around.status.update(pushing=False)
            return
        trouble = around.pusher.trouble or self.disk_trouble
        said, remedy = describe_trouble(trouble) if trouble else ("", "")
        since_s = around.status.value.trouble_since_s or around.clock()
        pending, lease, lost = around.pusher.pending, around.lease(), around.lost
        around.status.update(
            pending=len(pending),
            waiting=tuple(describe_entry(entry) for entry in pending[:_NAMED_WAITING]),
            epoch=None if lease is None or lease.lost else lease.epoch,
            holder=str(lost) if lost else "",
            trouble=said,
            trouble_since_s=since_s if trouble else None,
            remedy=remedy,
        )

    def _count(self, receipt: Receipt) -> int | None:
        """Which iteration of this training a checkpoint is; it may have waited since those were of another batch."""
        if receipt.progress is None:
            return receipt.iteration
        return receipt.progress // self._run.network.images_per_iteration

    def _measure_push(self, iteration: int, at_s: float) -> None:
        if (saved_s := self._saved_s.get(iteration)) is not None:
            self.push_s = max(0.0, at_s - saved_s)
            self._saved_s = {later: time_s for later, time_s in self._saved_s.items() if later > iteration}

    def wrap_up(self) -> None:
        """Offer all there is for the last time."""
        self.offer_checkpoints()
        self._around.status.update(life=self._describe_life())
        self._around.metrics.flush()
        self._papers.draw(self._around.hurry.is_set)
        self.offer(*self._papers.paths)

    def _offer_metrics(self) -> None:
        """Have the metrics pushed with a checkpoint: who resumes from it is to know the way there."""
        now_s = self._around.steady()
        if now_s >= self._offered_s + _METRICS_EVERY_S:
            self._offered_s = now_s
            self._around.metrics.flush()
            self.offer(self._papers.metrics_path)

    def _show(self) -> None:
        """Have metrics, chart, history and what was learned pushed, if there is anything new in them."""
        self._keep(self._iteration_s, self.push_s)
        self._around.metrics.flush()
        if self._papers.have_changed():
            self._papers.begin_to_draw()
            self.offer(*self._papers.paths)

    def offer_checkpoints(self) -> None:
        """Have every checkpoint pushed that is not yet."""
        self.offer(*find_files(self._run.tree, self._run.patterns))

    def offer(self, *paths: str) -> str:
        """Have files pushed that are not yet; returned is why one of them cannot be taken now, empty if all were.

        One that is not to be pushed at all, since Drive holds a better one, is none of these.
        """
        refused = ""
        if self._around.pusher is not None:
            for path in paths:
                if (self._run.tree / path).is_file():
                    outcome = self._around.pusher.offer(path)
                    if isinstance(outcome, Refused) and not outcome.again:
                        refused = outcome.reason
        return refused


def describe_entry(entry: Entry) -> str:
    """What waits to be pushed, in a few words."""
    iteration = "" if entry.iteration is None else f"iteration {entry.iteration:,}, "
    return f"{entry.path} ({iteration}{format_size(entry.size)})"


def describe_trouble(trouble: Exception | str) -> tuple[str, str]:
    """Why nothing can be pushed, and what the user can do about it; empty for what passes by itself."""
    hint = trouble.hint if isinstance(trouble, DrivesyncError) else ""
    if isinstance(trouble, DrivesyncError) and not isinstance(trouble, TransientError | UsedUpError):
        return f"waiting to push: {trouble}", hint
    return f"waiting to push: {trouble}{'. ' if hint else ''}{hint}", ""


def describe_run(changes: Changes, learning_rate: float) -> str:
    """What darknet runs with other than the user's cfg says; empty for nothing."""
    said = []
    if changes.subdivisions is not None:
        said.append(f"subdivisions={changes.subdivisions}")
    if changes.rate_factor != 1.0:
        said.append(f"learning_rate={learning_rate * changes.rate_factor:g}")
    return ", ".join(said)
