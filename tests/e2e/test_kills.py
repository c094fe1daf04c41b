"""darknet is killed again and again: each time on from the newest whole checkpoint, and to the end once."""

from __future__ import annotations

import random
import shutil
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from trainer.config import Wishes, resolve_run
from trainer.deciding.endings import Ending
from trainer.errors import GaveUpError
from trainer.learning.history import read_attempts
from trainer.testing import make_tree
from trainer.testing.supervised import supervise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from tests.e2e.conftest import Session
    from trainer.config import Run
    from trainer.learning.history import AttemptRecord

SEED = 7
"""Of its kills no two that follow on each other come at the same iteration, after which a step back is right."""
KILLS = 50
GAINING = 10
"""So many of them come after a save."""
EVERY = 100
"""The original darknet saves so often."""
MOST_S = 3.0
"""The longest that a killed darknet is left dead."""

# The real darknet, killed in the very moment in which it prints the last of so many lines of loss. The stacks of its 64
# threads an iteration are used again if they are small, which halves the time that an iteration takes.
KILLED = """\
#!/bin/bash
# tells which darknet it is: %f rate, %lf seconds, %d images
mapfile -t schedule < "$0.schedule"
printf . >> "$0.starts"
read -r starts < "$0.starts"
lines=${{schedule[${{#starts}} - 1]:-0}}
ulimit -s 256
exec "{darknet}" "$@" > >(
    while IFS= read -r line; do
        printf '%s\\n' "$line"
        [[ $line == *" avg, "* ]] && ((++seen == lines)) && kill -KILL $$ && break
    done
)
"""


class Impatient(threading.Event):
    """Waits for nothing, and remembers for how long it was to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waits_s: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits_s.append(timeout or 0.0)
        return self.is_set()


def arm(tree: Path, lines: Iterable[int]) -> None:
    """Have darknet killed each time after so many lines of loss; once all are used up it is left alone."""
    program = tree / "darknet"
    program.write_text(KILLED.format(darknet=shutil.which("darknet")))
    program.chmod(0o755)
    program.with_suffix(".schedule").write_text("".join(f"{count}\n" for count in lines))
    program.with_suffix(".starts").touch()


def plan(tree: Path, lines: Iterable[int], *, max_batches: int) -> Run:
    """A run whose darknet is killed each time after so many lines of loss."""
    make_tree(tree, images=4, negatives=1, size_px=32, batch=1, filters=4, max_batches=max_batches)
    arm(tree, lines)
    return resolve_run(Wishes(tree))


def check_restarts(records: Sequence[AttemptRecord]) -> None:
    """See that darknet went on from the newest checkpoint each time, and lost less than there is between two."""
    newest = 0
    for record in records:
        first, last = record.end.first_iteration, record.end.last_iteration
        assert record.end.resumed_from == newest
        assert first == newest + 1
        assert last is not None
        assert last % EVERY, "it is not to be killed while it saves: what is to be expected then?"
        newest = max(newest, last // EVERY * EVERY)


def test_fifty_kills_in_one_run(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    lines = chance.sample(range(1, 60), KILLS - GAINING) + chance.sample(range(101, 130), GAINING)
    chance.shuffle(lines)
    max_batches = (GAINING + 1) * EVERY
    run = plan(tmp_path / "tree", lines, max_batches=max_batches)
    patience = Impatient()
    done = supervise(run, stop=patience)

    assert done.error is None
    assert done.status.state == "finished"
    *killed, last = done.records
    assert [(record.end.last_iteration or 0) - record.end.resumed_from for record in killed] == lines
    assert {record.end.exit_status for record in killed} == {-signal.SIGKILL}
    assert {record.decided for record in killed} == {"restart"}
    check_restarts(killed)
    assert last.end.resumed_from == GAINING * EVERY
    assert (last.decided, last.end.last_iteration) == ("finish", max_batches)
    # Of kills that gain nothing each is waited for longer than the one before, but none for long.
    assert MOST_S / 4 < max(patience.waits_s) <= MOST_S


def test_killed_always_at_the_same_iteration(tmp_path: Path) -> None:
    """Once from the beginning, once from the newest checkpoint, once from the one before: all up to 230."""
    run = plan(tmp_path / "tree", [230, 30, 130], max_batches=300)
    done = supervise(run, stop=Impatient())
    assert [record.end.resumed_from for record in done.records] == [0, 200, 100]
    assert [record.end.last_iteration for record in done.records] == [230] * 3
    assert [record.decided for record in done.records] == ["restart", "restart", "give up"]
    assert {record.ending for record in done.records} == {Ending.UNKNOWN.name}
    with pytest.raises(
        GaveUpError,
        match=r"ended 3 times at iteration 230 in the same way: darknet was killed .* by signal 9",
    ):
        raise done.error or AssertionError


def test_what_is_saved_between_kills_is_on_drive(new_session: Callable[..., Session]) -> None:
    session = new_session(max_batches=300, batch=1)
    session.pull()
    arm(session.tree, [40, 150, 110])
    session.supervise()
    *killed, last = read_attempts(session.tree)
    check_restarts(killed)
    assert (last.end.resumed_from, last.end.last_iteration) == (200, 300)
    assert len(session.status.restarts) == len(killed) == 3
    assert session.iterations_on_drive() == {
        "remote.backup": 300,
        "remote_final.weights": 300,
        **{f"remote_{number}.weights": number for number in (100, 200, 300)},
    }
