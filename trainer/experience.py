"""What the attempts of a run have taught: those of this session, and of the sessions before it.

Each attempt becomes a line in the run's history; what it showed of memory, learning rate and time is kept for the next
one, in this session or another. Both files go to Drive with the metrics.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from drivesync.errors import LocalWriteError
from trainer.darknet.size import weights_size
from trainer.deciding.endings import Changes, Rules
from trainer.deciding.policy import Finish, GiveUp, Restart, Stop
from trainer.learning.derived import find_savelast, write_derived
from trainer.learning.facts import describe_changes, read_facts
from trainer.learning.history import AttemptRecord, append_attempt, read_attempts, to_end
from trainer.learning.learned import read_learned, write_learned

if TYPE_CHECKING:
    from trainer.config import Run
    from trainer.darknet.weights import Checkpoint
    from trainer.deciding.endings import AttemptEnd
    from trainer.deciding.policy import Decision
    from trainer.learning.facts import CfgFacts
    from trainer.settings import TrainerSettings


_DECIDED = {Finish: "finish", Restart: "restart", GiveUp: "give up", Stop: "stop"}


class Experience:
    """Remembers; used by one thread.

    Attributes:
        history: the ends of all attempts that are known, oldest first.
        changes: what darknet is to run with other than the user's cfg says.
        rules: what ends are judged by.
        weights_bytes: the size of a checkpoint.

    Args:
        run: what is trained.
        settings: how.
        session: names this session: when it began, in Unix time.
    """

    def __init__(self, run: Run, settings: TrainerSettings, session: float) -> None:
        self._run = run
        self._settings = settings
        self._session = session
        self._facts = read_facts(run.network)
        self._records = [record for record in read_attempts(run.tree) if record.run == run.name]
        self._learned = read_learned(run.tree).fit(run.network)
        self.history: list[AttemptEnd] = []
        self.changes = Changes(self._learned.subdivisions, self._learned.rate_factor)
        self.rules = Rules(
            max_batches=run.network.max_batches,
            batch=run.network.batch,
            subdivisions=run.network.subdivisions,
            flavour=run.flavour,
            diverged=settings.diverged,
            rate_factor=settings.rate_factor,
            lower_at_most=settings.lower_at_most,
            lists=(run.said.train, run.said.valid, run.said.names),
        )
        self.weights_bytes = weights_size(run.network, flavour=run.flavour)

    def recognise(self, run: Run) -> None:
        """Judge from now on by what the program has said to be."""
        self._run = run
        self.rules = replace(self.rules, flavour=run.flavour)
        self.weights_bytes = weights_size(run.network, flavour=run.flavour)

    def begin(self, best: Checkpoint | None) -> list[str]:
        """Call to mind the attempts that still tell something of this one; to be called once, before the first.

        Args:
            best: the checkpoint that training goes on from.

        Returns:
            What has changed in the cfg since the last attempt, and what that does; to be said before training.
        """
        if best is not None:
            self.history = [to_end(record) for record in _of_this_training(self._records, self._facts)]
        else:
            # A training that is begun anew gets the learning rate of the cfg: what diverged was another one.
            self._learned = replace(self._learned, rate_factor=1.0)
            self.changes = replace(self.changes, rate_factor=1.0)
        if not self._records:
            return []
        seen = best.seen if best else None
        return describe_changes(self._records[-1].facts, self._facts, seen=seen, network=self._run.network)

    def derive(self) -> tuple[str, str]:
        """The .data and the .cfg file to start darknet with, as they are to be by all that is known.

        Raises:
            TreeError: the user's file cannot be read.
            LocalWriteError: the disk cannot take a derived one.
        """
        run = self._run
        savelast = find_savelast(
            run.tree,
            run.data,
            run.network,
            run.flavour,
            learned=self._learned,
            max_loss_s=self._settings.max_loss_s,
        )
        return write_derived(
            run.tree,
            run.data,
            run.cfg,
            subdivisions=self.changes.subdivisions,
            rate_factor=self.changes.rate_factor,
            savelast=savelast,
        )

    def measure(self, iteration_s: float | None, push_s: float | None) -> None:
        """Keep how long things take, while an attempt goes on: a machine that is taken away ends it without a word.

        Args:
            iteration_s: how long an iteration takes; None if that is not known.
            push_s: how long it takes until a checkpoint is safe; None likewise.
        """
        learned = self._learned.with_times(iteration_s=_round(iteration_s), push_s=_round(push_s))
        if learned != self._learned:
            self._learned = learned
            write_learned(self._run.tree, learned)

    def learn(
        self,
        end: AttemptEnd,
        decision: Decision,
        *,
        checkpoint: str,
        safe_iteration: int | None,
        iteration_s: float | None,
        push_s: float | None,
    ) -> None:
        """Take in how an attempt ended, and what was decided. A disk that cannot take it is no reason to stop.

        Args:
            end: of the attempt.
            decision: what follows.
            checkpoint: that it began with, relative to the tree; empty for none.
            safe_iteration: the furthest that the remote holds; None for none.
            iteration_s: how long an iteration took; None if that is not known.
            push_s: how long it took until a checkpoint was safe; None likewise.
        """
        self.history.append(end)
        diagnosis = decision.diagnosis
        record = AttemptRecord(
            run=self._run.name,
            session=self._session,
            host=socket.gethostname(),
            facts=self._facts,
            end=end,
            ending=diagnosis.ending.name,
            reason=diagnosis.reason,
            decided=_DECIDED[type(decision)],
            checkpoint=checkpoint,
            safe_iteration=safe_iteration,
        )
        with suppress(LocalWriteError):
            append_attempt(self._run.tree, record)
        if isinstance(decision, Restart):
            self.changes = decision.changes
        self._learned = self._learned.with_changes(
            subdivisions=self.changes.subdivisions, rate_factor=self.changes.rate_factor
        ).with_times(iteration_s=iteration_s, push_s=push_s)
        write_learned(self._run.tree, self._learned)


def _round(seconds: float | None) -> float | None:
    """To two digits, so that it is not another time each time that it is measured."""
    return None if seconds is None else float(f"{seconds:.2g}")


def _of_this_training(records: list[AttemptRecord], facts: CfgFacts) -> list[AttemptRecord]:
    """Those since the run was begun, or its cfg was changed in anything but its length: the last ones."""
    found: list[AttemptRecord] = []
    for record in reversed(records):
        if replace(record.facts, max_batches=facts.max_batches) != facts:
            break
        found.append(record)
        if not record.end.resumed_from and not record.end.highest_before:
            break
    return found[::-1]
