"""What an attempt taught is known to the next one, in this session and in another."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from trainer.checkpoint import read_checkpoint
from trainer.config import Run, Wishes, resolve_run
from trainer.darknet.program import Flavour
from trainer.deciding.endings import NO_CHANGES, AttemptEnd, Changes, Diagnosis, Ending
from trainer.deciding.policy import GiveUp, Restart
from trainer.experience import Experience
from trainer.learning.history import read_attempts
from trainer.learning.learned import LEARNED_FILE, read_learned
from trainer.settings import DEFAULT_SETTINGS
from trainer.testing import make_tree
from trainer.testing.stand_in import write_weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trainer.darknet.cfg import Network
    from trainer.darknet.weights import Checkpoint
    from trainer.deciding.policy import Decision

END = AttemptEnd(900.0, 1000.0, 0, 0, 0, None, None, -6)
OUT_OF_MEMORY = Diagnosis(Ending.GPU_MEMORY, "the GPU was out of memory")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = resolve_run(Wishes(make_tree(tmp_path / "tree", images=4, negatives=1).root))
    return replace(run, flavour=Flavour.AX)


@pytest.fixture
def best(run: Run) -> Checkpoint:
    path = run.tree / "backup/remote_last.weights"
    write_weights(path, run.network, 300)
    return read_checkpoint(path, run.network)


def experience_of(run: Run, session: float = 1.0) -> Experience:
    return Experience(run, DEFAULT_SETTINGS, session)


def restart(changes: Changes = NO_CHANGES) -> Restart:
    return Restart(0.0, None, changes, None, OUT_OF_MEMORY.reason, OUT_OF_MEMORY)


def learn(
    experience: Experience,
    decision: Decision,
    end: AttemptEnd = END,
    *,
    iteration_s: float | None = None,
    push_s: float | None = None,
) -> None:
    experience.learn(
        end,
        decision,
        checkpoint="backup/remote_last.weights",
        safe_iteration=100,
        iteration_s=iteration_s,
        push_s=push_s,
    )


def test_nothing_is_known_at_first(run: Run) -> None:
    experience = experience_of(run)
    assert (experience.history, experience.changes) == ([], NO_CHANGES)
    assert experience.begin(None) == []
    assert experience.rules.lists == ("data/train.txt", "data/test.txt", "data/remote.names")


def test_an_attempt_is_known_in_this_session_and_the_next(run: Run, best: Checkpoint) -> None:
    first = experience_of(run)
    learn(first, restart())
    assert first.history == [END]
    second = experience_of(run, 2.0)
    second.begin(best)
    assert second.history == [replace(END, earlier_session=True)]


@pytest.mark.parametrize(
    ("ends", "changed", "remembered"),
    [
        pytest.param([0, 100, 200], lambda network: network, [0, 100, 200], id="all since the run was begun"),
        pytest.param([100, 0, 200], lambda network: network, [0, 200], id="none of before it was begun anew"),
        pytest.param(
            [0, 100], lambda network: replace(network, max_batches=999), [0, 100], id="it may be made longer"
        ),
        pytest.param(
            [0, 100],
            lambda network: replace(network, learning_rate=0.5),
            [],
            id="none of before the cfg was changed",
        ),
    ],
)
def test_what_tells_something_of_this_training(
    run: Run,
    best: Checkpoint,
    ends: list[int],
    changed: Callable[[Network], Network],
    remembered: list[int],
) -> None:
    first = experience_of(run)
    for at in ends:
        learn(first, restart(), replace(END, resumed_from=at, highest_before=at))
    second = experience_of(replace(run, network=changed(run.network)), 2.0)
    second.begin(best)
    assert [end.resumed_from for end in second.history] == remembered


def test_a_run_that_begins_from_nothing_has_no_past(run: Run) -> None:
    learn(experience_of(run), restart())
    second = experience_of(run, 2.0)
    second.begin(None)
    assert second.history == []


def test_an_attempt_is_written_down(run: Run) -> None:
    learn(experience_of(run, 7.0), GiveUp("no more", 75, OUT_OF_MEMORY))
    (record,) = read_attempts(run.tree)
    assert (record.run, record.session, record.ending, record.decided) == (
        "backup/remote", 7.0, "GPU_MEMORY", "give up",
    )  # fmt: skip
    assert (record.checkpoint, record.safe_iteration) == ("backup/remote_last.weights", 100)


def test_another_runs_attempts_are_its_own(run: Run, best: Checkpoint) -> None:
    learn(experience_of(run), restart())
    other = experience_of(replace(run, backup="other"))
    assert other.begin(best) == []
    assert other.history == []


def test_what_was_changed_is_changed_in_the_next_session_too(run: Run) -> None:
    learn(experience_of(run), restart(Changes(2, 0.5)))
    experience = experience_of(run, 2.0)
    assert experience.changes == Changes(2, 0.5)
    _, cfg = experience.derive()
    assert cfg == ".trainer/run/remote.cfg"
    derived = (run.tree / cfg).read_text()
    assert "subdivisions=2\n" in derived
    assert "learning_rate=0.0005\n" in derived


def test_the_users_own_cfg_is_used_as_it_is_where_nothing_was_learned(run: Run) -> None:
    original = replace(run, flavour=Flavour.PJ)
    assert experience_of(original).derive() == ("cfg/remote.data", "cfg/remote.cfg")


def test_times_are_kept_and_say_how_often_to_save(run: Run) -> None:
    experience = experience_of(run)
    learn(experience, restart(), iteration_s=10.0, push_s=5.0)
    assert (read_learned(run.tree).iteration_s, read_learned(run.tree).push_s) == (10.0, 5.0)
    data, _ = experience.derive()
    assert "savelast=12" in (run.tree / data).read_text().replace(" ", "")


def test_a_cfg_that_was_changed_is_noticed(run: Run) -> None:
    learn(experience_of(run), restart())
    network = replace(run.network, batch=8, subdivisions=2)
    (said,) = experience_of(replace(run, network=network), 2.0).begin(None)
    assert said == "an iteration was batch 4 and is batch 8"


def test_a_disk_that_takes_nothing_stops_nothing(run: Run) -> None:
    (run.tree / ".trainer").write_text("in the way")
    experience = experience_of(run)
    learn(experience, restart(Changes(2)))
    assert (experience.history, experience.changes) == ([END], Changes(2))


def test_how_long_things_take_is_kept_while_an_attempt_goes_on(run: Run) -> None:
    """The machine may be taken away before it ends."""
    experience = experience_of(run)
    experience.measure(None, None)
    assert not (run.tree / LEARNED_FILE).exists()
    experience.measure(1.2345, None)
    experience.measure(None, 7.0)
    learned = read_learned(run.tree)
    assert (learned.iteration_s, learned.push_s) == (1.2, 7.0)
    assert learned == learned.fit(run.network)


def test_what_takes_about_as_long_as_before_is_not_written_anew(run: Run) -> None:
    experience = experience_of(run)
    experience.measure(1.2345, 7.0)
    (run.tree / LEARNED_FILE).unlink()
    experience.measure(1.2346, 7.01)
    assert not (run.tree / LEARNED_FILE).exists()
    experience.measure(1.3, 7.0)
    assert read_learned(run.tree).iteration_s == 1.3


def test_a_training_that_is_begun_anew_has_not_diverged_yet(run: Run, best: Checkpoint) -> None:
    """With --fresh, say; the memory of the graphics card is what it was."""
    learn(experience_of(run), restart(Changes(4, 0.5)))
    on, anew = experience_of(run), experience_of(run)
    on.begin(best)
    assert on.changes == Changes(4, 0.5)
    anew.begin(None)
    assert anew.changes == Changes(4, 1.0)
    anew.measure(1.0, None)
    assert (read_learned(run.tree).subdivisions, read_learned(run.tree).rate_factor) == (4, 1.0)
