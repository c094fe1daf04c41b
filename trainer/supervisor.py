"""The loop that keeps darknet running; its decisions are ``policy``'s.

Threads: this one supervises; ``drain`` (``process``) reads darknet's pipes; drivesync's watch for closed files, take
snapshots and push them, and say what is safe through a queue that this one empties.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from drivesync.disk import free_bytes
from drivesync.errors import DrivesyncError, LeaseError, LocalWriteError
from drivesync.files import STATE_FOLDER as SYNC_FOLDER
from trainer.attempt import Start, run_attempt
from trainer.candidates import find_highest, set_aside
from trainer.config import recognise
from trainer.deciding.choice import choose_checkpoint, find_final, find_poisoned, is_finished
from trainer.deciding.endings import AttemptEnd, Ending
from trainer.deciding.policy import Finish, GiveUp, Restart, decide
from trainer.errors import GaveUpError, StoppedError, TreeError
from trainer.experience import Experience
from trainer.pinpoint import pinpoint
from trainer.recorder import Recorder, describe_entry

if TYPE_CHECKING:
    from pathlib import Path

    from drivesync.pushing.background import BackgroundPusher
    from trainer.attempt import Outcome
    from trainer.candidates import Candidates
    from trainer.config import Run
    from trainer.darknet.weights import Checkpoint
    from trainer.deciding.policy import Decision
    from trainer.surroundings import Surroundings

_LOOK_EVERY_S = 0.5
_OFFER_AGAIN_S = 3.0
_TELL_EVERY_S = 3.0
_NAMED_LEFT = 5


class Supervisor:
    """Trains one run to its end.

    Args:
        run: what is trained.
        around: see there.
        candidates: of this run; what they have read already is not read again.
    """

    def __init__(self, run: Run, around: Surroundings, candidates: Candidates) -> None:
        self._run = run
        self._around = around
        self._experience = Experience(run, around.settings, around.status.value.started_s)
        self._recorder = Recorder(run, around, self._experience.measure)
        self._candidates = candidates
        self._attempts = 0
        self._distrusted: frozenset[Path] = frozenset()

    def train(self) -> None:
        """Run darknet until the training is truly finished and all of it is safe.

        Raises:
            StoppedError: ``stop`` was set.
            LeaseError: another session has taken the run over.
            GaveUpError: darknet ended too often without getting any further.
            TreeError, LocalWriteError: darknet ended of something that another start would not help; or there is no
                starting it.
            NoDarknetError: the program is gone.
        """
        ended_s = self._recorder.recall()
        candidates = self._find()
        final = find_final(candidates)
        if final is not None and is_finished(final, self._run.network.max_batches):
            self._finish(final, "the training was finished already", ended_s=ended_s)
            return
        best = choose_checkpoint(candidates, flavour=self._run.flavour)
        for line in self._experience.begin(best):
            self._around.reporter.note(line)
        self._around.status.update(resumed_from=best.iteration if best else 0)
        while True:
            try:
                decision, candidates = self._attempt(best, candidates)
            except DrivesyncError as error:
                raise type(error)(f"{error}{self._push_in_time()}", hint=error.hint) from error
            if isinstance(decision, Finish):
                self._around.metrics.event("finished", iteration=decision.final.iteration)
                self._finish(decision.final, "the training is finished")
                return
            if isinstance(decision, GiveUp) and decision.ending is not Ending.LOST_LEASE:
                raise self._give_up(decision)
            if isinstance(decision, Restart):
                self._rest(decision.delay_s)
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
            # darknet would write over what could not be used.
            set_aside(run, (one for one in candidates if not one.verdict.whole), around.reporter.note)
            around.reporter.note(f"starting at iteration 1 from {run.pretrained or 'random weights'}")
        self._attempts += 1
        self._recorder.begin_attempt(self._attempts, resumed_from, self._experience.changes)
        outcome = self._run_darknet(best)
        mistaken = outcome.flavour not in {None, run.flavour} and outcome.first_iteration is None
        if mistaken and not around.is_over:
            # It has not trained, and was called as it does not understand: that was no attempt of its.
            outcome = self._run_darknet(best)
        self._recorder.offer_checkpoints()
        found = self._find()
        end = self._describe(outcome, started_s, resumed_from, candidates, found)
        decision = decide(
            end, self._experience.history, found, rules=self._experience.rules, jitter=around.jitter()
        )
        self._experience.learn(
            end,
            decision,
            checkpoint=self._shown(best.path) if best else run.pretrained or "",
            safe_iteration=around.status.value.safe_iteration,
            iteration_s=outcome.iteration_s,
            push_s=self._recorder.push_s,
        )
        self._recorder.note_decision(end, decision)
        if isinstance(decision, Restart) and decision.poisoned_from is not None:
            found = self._go_back(found, decision.poisoned_from)
        return decision, found

    def _rest(self, delay_s: float) -> None:
        """Wait, and go on telling what becomes safe meanwhile."""
        left_s = delay_s
        while left_s > 0.0 and not self._around.is_over:
            self._around.stop.wait(min(left_s, _TELL_EVERY_S))
            left_s -= _TELL_EVERY_S
            self._recorder.tick()

    def _run_darknet(self, best: Checkpoint | None) -> Outcome:
        run, around = self._run, self._around
        data, cfg = self._experience.derive()
        pretrained = run.tree / run.pretrained if run.pretrained else None
        outcome = run_attempt(
            run,
            Start(best.path if best else pretrained, best.iteration if best else 0, data, cfg),
            around.settings,
            self._recorder,
            is_over=lambda: around.is_over,
            in_hurry=around.hurry.is_set,
        )
        if outcome.flavour is not None:
            self._run = recognise(run, outcome.flavour)
            self._experience.recognise(self._run)
        return outcome

    def _describe(
        self,
        outcome: Outcome,
        started_s: float,
        resumed_from: int,
        before: tuple[Checkpoint, ...],
        after: tuple[Checkpoint, ...],
    ) -> AttemptEnd:
        """All that was seen of an attempt."""
        around, poisoned = self._around, find_poisoned(after, since_s=started_s, beyond=resumed_from)
        diverged = [at for at in (outcome.diverged_at, poisoned) if at is not None]
        backup = self._run.tree / self._run.backup
        return AttemptEnd(
            started_s=started_s,
            ended_s=around.clock(),
            resumed_from=resumed_from,
            highest_before=find_highest(before),
            highest_after=find_highest(after),
            first_iteration=outcome.first_iteration,
            last_iteration=outcome.last_iteration,
            exit_status=outcome.exit_status,
            complaint=outcome.complaint,
            stopped=around.stop.is_set(),
            lost=around.lost is not None,
            stalled_s=outcome.stalled_s,
            diverged_at=min(diverged, default=None),
            refused=outcome.refused,
            out_of_memory=outcome.out_of_memory,
            disk_full=backup.is_dir() and free_bytes(backup) < self._experience.weights_bytes,
            changes=self._experience.changes,
        )

    def _find(self) -> tuple[Checkpoint, ...]:
        """What training may go on from, and what proves its end; nothing from after a trouble that it went back for."""
        return tuple(one for one in self._candidates.find() if one.path not in self._distrusted)

    def _go_back(self, candidates: tuple[Checkpoint, ...], poisoned_from: int) -> tuple[Checkpoint, ...]:
        """See that nothing from ``poisoned_from`` on is loaded again; returned is what is left."""

        def is_bad(candidate: Checkpoint) -> bool:
            verdict = candidate.verdict
            return (candidate.iteration if verdict.whole else verdict.poisoned_at or 0) >= poisoned_from

        set_aside(self._run, filter(is_bad, candidates), self._around.reporter.note)
        # What is in the spool stays there, each under a name of its own.
        self._distrusted |= {candidate.path for candidate in self._candidates.find() if is_bad(candidate)}
        return self._find()

    def _finish(self, final: Checkpoint, message: str, *, ended_s: float | None = None) -> None:
        """Wait until everything is safe, for as long as that takes: only then the training is over.

        Args:
            final: the result.
            message: how it has come to its end.
            ended_s: when, in Unix time, if that was in a session before.
        """
        around = self._around
        around.status.update(state="pushing", iteration=final.iteration)
        self._recorder.wrap_up()
        if around.pusher is not None:
            self._wait_until_safe(around.pusher)
        self._recorder.take_receipts()
        proof = (
            ", verified on Drive" if around.status.value.proven else ", written to the remote and read back"
        )
        kept = proof if around.pusher is not None else ""
        said = f"{message}; {self._shown(final.path)} holds iteration {final.iteration}{kept}"
        self._recorder.read_gauges()
        around.status.update(state="finished", message=said, exit_code=0, ended_s=ended_s)
        around.reporter.note(said)

    def _wait_until_safe(self, pusher: BackgroundPusher) -> None:
        """Wait until Drive holds every whole checkpoint: of one that the disk had no room to copy, too."""
        run, around = self._run, self._around
        backup = run.tree / run.backup
        whole = [
            candidate.path.relative_to(run.tree).as_posix()
            for candidate in self._candidates.find()
            if candidate.verdict.whole and candidate.path.parent == backup
        ]
        while (refused := self._recorder.offer(*whole)) or not self._is_safe(pusher, _LOOK_EVERY_S):
            self._recorder.disk_trouble = refused
            self._recorder.take_receipts()
            around.stop.wait(_OFFER_AGAIN_S if refused else 0.0)
            if around.is_over:
                raise self._stop()
        self._recorder.disk_trouble = ""

    def _is_safe(self, pusher: BackgroundPusher, timeout_s: float) -> bool:
        """Wait for that; what another session keeps from being pushed of another run is no matter of this one."""
        if pusher.wait_until_safe(timeout_s):
            return True
        return not any(entry.run in {"", self._run.name} for entry in pusher.pending)

    def _give_up(self, decision: GiveUp) -> DrivesyncError:
        kinds: tuple[type[DrivesyncError], ...] = (TreeError, LocalWriteError)
        kind = next((kind for kind in kinds if kind.exit_code == decision.exit_code), GaveUpError)
        where = pinpoint(self._run, decision.diagnosis)
        hint = f"What darknet said is in {self._run.tree}/.trainer/darknet.log."
        return kind(decision.reason + where + self._push_in_time(), hint=hint)

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
        in_time = around.pusher is None
        if not around.hurry.is_set():
            around.status.update(state="pushing")
            self._recorder.wrap_up()
            in_time = around.pusher is None or self._wait_in_grace(around.pusher)
        self._recorder.take_receipts()
        left = () if in_time or around.pusher is None else around.pusher.pending
        if not left:
            return ""
        named = ", ".join(describe_entry(entry) for entry in left[:_NAMED_LEFT])
        more = ", ..." if len(left) > _NAMED_LEFT else ""
        return f"; {len(left)} file(s) are kept in {SYNC_FOLDER} to be pushed next time: {named}{more}"

    def _wait_in_grace(self, pusher: BackgroundPusher) -> bool:
        end_s = time.monotonic() + self._around.grace_s
        while not self._around.hurry.is_set() and self._around.lost is None:
            left_s = end_s - time.monotonic()
            if self._is_safe(pusher, max(0.0, min(left_s, _LOOK_EVERY_S))):
                return True
            if left_s <= 0.0:
                break
            self._recorder.take_receipts()
        return False

    def _shown(self, path: Path) -> str:
        tree = self._run.tree
        return path.relative_to(tree).as_posix() if path.is_relative_to(tree) else str(path)
