"""The loop that keeps darknet running; its decisions are ``policy``'s.

Threads: this one supervises; ``drain`` (``process``) reads darknet's pipes; drivesync's watch for closed files, take
snapshots and push them, and say what is safe through a queue that this one empties.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from drivesync.disk import local_errors
from drivesync.errors import LeaseError, LocalWriteError
from drivesync.files import STATE_FOLDER as SYNC_FOLDER
from trainer.attempt import run_attempt
from trainer.checkpoint import list_checkpoints
from trainer.errors import GaveUpError, StoppedError, TreeError
from trainer.policy import (
    EXIT_CANNOT_WRITE,
    EXIT_TREE,
    AttemptEnd,
    Finish,
    GiveUp,
    Restart,
    choose_checkpoint,
    decide,
    find_final,
    is_finished,
)
from trainer.recorder import Recorder, describe_entry

if TYPE_CHECKING:
    from pathlib import Path

    from drivesync.errors import DrivesyncError
    from drivesync.pushing.background import BackgroundPusher
    from trainer.attempt import Outcome
    from trainer.config import Run
    from trainer.darknet.weights import Checkpoint
    from trainer.policy import Decision
    from trainer.recorder import Surroundings

_LOOK_EVERY_S = 0.5
_OFFER_AGAIN_S = 3.0
_NAMED_LEFT = 5


class Supervisor:
    """Trains one run to its end."""

    def __init__(self, run: Run, around: Surroundings) -> None:
        self._run = run
        self._around = around
        self._recorder = Recorder(run, around)
        self._history: list[AttemptEnd] = []

    def train(self) -> None:
        """Run darknet until the training is truly finished and all of it is safe.

        Raises:
            StoppedError: ``stop`` was set.
            LeaseError: another session has taken the run over.
            GaveUpError: darknet ended too often without getting any further.
            TreeError, LocalWriteError: darknet ended of something that another start would not help.
        """
        candidates = find_candidates(self._run)
        final = find_final(candidates)
        if final is not None and is_finished(final, self._run.network.max_batches):
            self._finish(final, "the training was finished already")
            return
        best = choose_checkpoint(candidates, flavour=self._run.flavour)
        self._around.status.update(resumed_from=best.iteration if best else 0)
        while True:
            decision, candidates = self._attempt(best, candidates)
            if isinstance(decision, Finish):
                self._around.metrics.event("finished", iteration=decision.final.iteration)
                self._finish(decision.final, "the training is finished")
                return
            if isinstance(decision, GiveUp):
                raise self._give_up(decision)
            if isinstance(decision, Restart):
                self._around.stop.wait(decision.delay_s)
                best = decision.resume_from
            if self._around.is_over:
                raise self._stop()

    def _attempt(
        self, best: Checkpoint | None, candidates: tuple[Checkpoint, ...]
    ) -> tuple[Decision, tuple[Checkpoint, ...]]:
        """Run darknet from ``best`` to its end; returned is what follows, and the checkpoints that are there then."""
        run, around = self._run, self._around
        started_s, resumed_from = around.clock(), best.iteration if best else 0
        if best is not None:
            around.reporter.note(f"resuming at iteration {resumed_from + 1} from {self._shown(best.path)}")
        else:
            self._set_aside(candidates)
            around.reporter.note(f"starting at iteration 1 from {run.pretrained or 'random weights'}")
        self._recorder.begin_attempt(len(self._history) + 1, resumed_from)
        outcome = run_attempt(
            run,
            best.path if best else (run.tree / run.pretrained if run.pretrained else None),
            resumed_from,
            is_over=lambda: around.is_over,
            on_start=self._recorder.note_start,
            on_event=self._recorder.hear,
            on_tick=self._recorder.tick,
        )
        self._recorder.offer_checkpoints()
        found = find_candidates(self._run)
        end = AttemptEnd(
            started_s=started_s,
            resumed_from=resumed_from,
            highest_before=_highest(candidates),
            highest_after=_highest(found),
            first_iteration=outcome.first_iteration,
            last_iteration=outcome.last_iteration,
            exit_status=outcome.exit_status,
            complaint=outcome.complaint,
            stopped=around.is_over,
        )
        decision = decide(
            end,
            self._history,
            found,
            max_batches=run.network.max_batches,
            jitter=around.jitter(),
            flavour=run.flavour,
        )
        self._history.append(end)
        if isinstance(decision, Restart):
            again_from = decision.resume_from.iteration if decision.resume_from else 0
            iteration = end.last_iteration or resumed_from
            self._recorder.note_restart(iteration, _reason(outcome), again_from, decision.delay_s)
        return decision, found

    def _set_aside(self, candidates: tuple[Checkpoint, ...]) -> None:
        """Before a start from nothing: darknet would write over what could not be used."""
        for candidate in candidates:
            if candidate.size_bytes and not candidate.verdict.whole:
                aside = candidate.path.with_name(f"{candidate.path.name}.rejected")
                with local_errors(aside):
                    candidate.path.replace(aside)
                shown = self._shown(aside)
                self._around.reporter.note(f"set aside as {shown}: {candidate.verdict.reason}")

    def _finish(self, final: Checkpoint, message: str) -> None:
        """Wait until everything is safe, for as long as that takes: only then the training is over."""
        around = self._around
        around.status.update(state="pushing", iteration=final.iteration)
        self._recorder.wrap_up()
        if around.pusher is not None:
            self._wait_until_safe(around.pusher)
        self._recorder.take_receipts()
        kept = ", verified on Drive" if around.pusher is not None else ""
        said = f"{message}; {self._shown(final.path)} holds iteration {final.iteration}{kept}"
        around.status.update(state="finished", message=said, exit_code=0)
        around.reporter.note(said)

    def _wait_until_safe(self, pusher: BackgroundPusher) -> None:
        """Wait until Drive holds every whole checkpoint: of one that the disk had no room to copy, too."""
        run, around = self._run, self._around
        backup = run.tree / run.backup
        whole = [
            candidate.path.relative_to(run.tree).as_posix()
            for candidate in find_candidates(run)
            if candidate.verdict.whole and candidate.path.parent == backup
        ]
        while (refused := self._recorder.offer(*whole)) or not pusher.wait_until_safe(_LOOK_EVERY_S):
            self._recorder.disk_trouble = refused
            self._recorder.take_receipts()
            around.stop.wait(_OFFER_AGAIN_S if refused else 0.0)
            if around.is_over:
                raise self._stop()
        self._recorder.disk_trouble = ""

    def _give_up(self, decision: GiveUp) -> DrivesyncError:
        kinds: dict[int, type[DrivesyncError]] = {EXIT_TREE: TreeError, EXIT_CANNOT_WRITE: LocalWriteError}
        kind = kinds.get(decision.exit_code, GaveUpError)
        hint = f"What darknet said is in {self._run.tree}/.trainer/darknet.log."
        return kind(decision.reason + self._push_in_time(), hint=hint)

    def _stop(self) -> DrivesyncError:
        iteration = self._around.status.value.iteration or 0
        if (lost := self._around.lost) is not None:
            said = f"stopped at iteration {iteration}: {lost}; what is not on Drive stays here"
            return LeaseError(said, hint=lost.hint)
        hint = "Run the same command again to go on."
        return StoppedError(f"stopped at iteration {iteration}{self._push_in_time()}", hint=hint)

    def _push_in_time(self) -> str:
        """Push what can be pushed within the grace; returned is what is to be said of the rest."""
        around = self._around
        if around.lost is not None:
            return f"; {around.lost}"
        around.status.update(state="pushing")
        self._recorder.wrap_up()
        in_time = around.pusher is None or around.pusher.wait_until_safe(around.grace_s)
        self._recorder.take_receipts()
        if in_time or around.pusher is None:
            return ""
        left = around.pusher.pending
        named = ", ".join(describe_entry(entry) for entry in left[:_NAMED_LEFT])
        more = ", ..." if len(left) > _NAMED_LEFT else ""
        return f"; {len(left)} file(s) are kept in {SYNC_FOLDER} to be pushed next time: {named}{more}"

    def _shown(self, path: Path) -> str:
        tree = self._run.tree
        return path.relative_to(tree).as_posix() if path.is_relative_to(tree) else str(path)


def find_candidates(run: Run) -> tuple[Checkpoint, ...]:
    """All weights files of a run, and those snapshots of them that are further than the files themselves.

    A kill in mid-save leaves nothing of the file that was there; the snapshot taken of it is then the best.
    """
    files = list_checkpoints([run.tree / run.backup], run.base, run.network)
    spool = run.tree / SYNC_FOLDER / "spool"
    places = sorted(spool.iterdir()) if spool.is_dir() else []
    snapshots: list[Checkpoint] = []
    for place in places:
        # One that is being taken has a suffix; one that is safe may be dropped by the pushing thread any moment.
        if not place.suffix:
            with suppress(FileNotFoundError):
                snapshots.extend(list_checkpoints([place], run.base, run.network))
    highest = _highest(files)
    return (*files, *(snapshot for snapshot in snapshots if snapshot.iteration > highest))


def _highest(candidates: tuple[Checkpoint, ...]) -> int:
    return max((candidate.iteration for candidate in candidates), default=0)


def _reason(outcome: Outcome) -> str:
    status = outcome.exit_status
    how = f"darknet was ended by signal {-status}" if status < 0 else f"darknet ended with status {status}"
    said = f" ({outcome.complaint.line})" if outcome.complaint else ""
    return outcome.refused or how + said
