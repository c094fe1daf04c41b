"""Whether to finish, to start again (how, when and from what), or to give up: by tables, and as whole sessions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.darknet.complaint import Cause, Complaint
from trainer.darknet.program import Flavour
from trainer.darknet.weights import Checkpoint, Verdict, name_of
from trainer.deciding.answers import KILLED, ROWS, Answer
from trainer.deciding.choice import choose_checkpoint
from trainer.deciding.endings import NO_CHANGES, AttemptEnd, Changes, Ending, Limits, Rules
from trainer.deciding.policy import Decision, Finish, GiveUp, Restart, Stop, decide

STARTED_S = 1000.0
RULES = Rules(max_batches=300, batch=64, subdivisions=16, flavour=Flavour.PJ)
CRASH, KILL = -11, -9


def checkpoint(
    filename: str, iteration: int | None, *, modified_s: float = STARTED_S + 1, poisoned_at: int | None = None
) -> Checkpoint:
    name = name_of(filename)
    assert name is not None
    seen = None if iteration is None else 64 * iteration
    verdict = Verdict(iteration is not None, "" if iteration else "torn", iteration, poisoned_at, seen)
    return Checkpoint(Path("backup") / filename, name, 100, modified_s, verdict)


def numbered(iteration: int) -> Checkpoint:
    return checkpoint(f"remote_{iteration}.weights", iteration)


def final(iteration: int | None, *, modified_s: float = STARTED_S + 1) -> Checkpoint:
    return checkpoint("remote_final.weights", iteration, modified_s=modified_s)


def attempt(
    resumed_from: int = 100,
    before: int = 100,
    after: int = 100,
    at: int | None = 150,
    status: int = KILL,
    cause: Cause | None = None,
    path: str = "",
) -> AttemptEnd:
    return AttemptEnd(
        started_s=STARTED_S,
        ended_s=STARTED_S + 60,
        resumed_from=resumed_from,
        highest_before=before,
        highest_after=after,
        first_iteration=None if at is None else resumed_from + 1,
        last_iteration=at,
        exit_status=status,
        complaint=Complaint(cause, "what it said", path) if cause else None,
    )


def decision(
    end: AttemptEnd,
    history: list[AttemptEnd] | None = None,
    candidates: list[Checkpoint] | None = None,
    rules: Rules = RULES,
) -> Decision:
    found = [numbered(100)] if candidates is None else candidates
    return decide(end, history or [], found, rules=rules, jitter=1.0)


def restart(*args: AttemptEnd | list[AttemptEnd] | list[Checkpoint] | Rules) -> Restart:
    answer = decision(*args)  # type: ignore[arg-type]  # decision's own, in its order
    assert isinstance(answer, Restart)
    assert answer.diagnosis.reason in answer.reason
    return answer


def give_up(*args: AttemptEnd | list[AttemptEnd] | list[Checkpoint] | Rules) -> GiveUp:
    answer = decision(*args)  # type: ignore[arg-type]  # decision's own, in its order
    assert isinstance(answer, GiveUp)
    return answer


def test_every_kind_of_ending_has_a_row() -> None:
    assert set(ROWS) == set(Ending)
    again = {Answer.AGAIN, Answer.OLDER}
    assert all(row.limits.ends > 1 for row in ROWS.values() if row.answer in again)


# The ends.


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(attempt(after=300, at=300, status=0), id="ended well"),
        pytest.param(attempt(after=300, at=300, status=CRASH), id="the original's crash after a _final"),
        pytest.param(attempt(300, 300, 300, at=None, status=0), id="nothing was left to do"),
        pytest.param(replace(attempt(after=300, at=300), stopped=True), id="stopped too late"),
    ],
)
def test_finished(end: AttemptEnd) -> None:
    whole = final(300)
    answer = decision(end, candidates=[numbered(200), whole])
    assert isinstance(answer, Finish)
    assert answer.final is whole


@pytest.mark.parametrize(
    "found",
    [
        pytest.param([numbered(100)], id="no _final"),
        pytest.param([numbered(100), final(None)], id="a torn _final"),
        pytest.param([numbered(100), final(300, modified_s=STARTED_S - 5)], id="an old _final"),
        pytest.param([numbered(100), final(299)], id="a _final one iteration short"),
    ],
)
def test_status_0_alone_is_never_finished(found: list[Checkpoint]) -> None:
    assert restart(attempt(at=None, status=0), [], found).diagnosis.ending is Ending.UNKNOWN


def test_stopped() -> None:
    answer = decision(replace(attempt(), stopped=True))
    assert isinstance(answer, Stop)
    assert answer.diagnosis.ending is Ending.STOPPED


@pytest.mark.parametrize(
    ("end", "ending", "exit_code"),
    [
        pytest.param(attempt(status=0, at=None, cause=Cause.NO_FILE, path="x"), Ending.TREE, 78, id="tree"),
        pytest.param(
            attempt(after=200, at=250, status=-6, cause=Cause.FILTERS), Ending.TREE, 78, id="though it gained"
        ),
        pytest.param(
            attempt(status=0, cause=Cause.NO_FILE, path="data/1.txt"), Ending.DATA, 78, id="an image or label"
        ),
        pytest.param(
            attempt(status=0, cause=Cause.NO_FILE, path="b/r_last.weights"),
            Ending.CANNOT_WRITE,
            73,
            id="cannot write",
        ),
        pytest.param(replace(attempt(), lost=True), Ending.LOST_LEASE, 76, id="taken over"),
    ],
)
def test_what_will_not_get_better_is_not_tried_again(end: AttemptEnd, ending: Ending, exit_code: int) -> None:
    answer = give_up(end)
    assert (answer.ending, answer.exit_code) == (ending, exit_code)
    assert answer.reason == answer.diagnosis.reason


# Again.


def test_an_attempt_that_gained_is_followed_at_once_from_the_best() -> None:
    best = numbered(200)
    answer = restart(attempt(after=200, at=250), [attempt(), attempt()], [numbered(100), best])
    assert (answer.delay_s, answer.resume_from) == (0.0, best)
    assert (answer.changes, answer.poisoned_from) == (NO_CHANGES, None)


@pytest.mark.parametrize(
    ("end", "delays_s"),
    [
        pytest.param(attempt(status=CRASH), (0.5, 1, 2, 4), id="crashes"),
        pytest.param(attempt(), (0.5, 1, 2, 3, 3, 3), id="killed from outside: waiting mends nothing"),
        pytest.param(
            attempt(status=1, cause=Cause.CUDA), (30, 60, 120), id="CUDA: time for the driver to come round"
        ),
        pytest.param(
            replace(attempt(), out_of_memory="oom"), (30, 60, 120), id="memory that others may give back"
        ),
        pytest.param(replace(attempt(), stalled_s=300.0), (1, 2, 4), id="hung"),
    ],
)
def test_delays_double_are_jittered_and_bounded(end: AttemptEnd, delays_s: tuple[float, ...]) -> None:
    history: list[AttemptEnd] = []
    delays = []
    for number in range(len(delays_s)):
        elsewhere = replace(end, last_iteration=101 + number)
        answer = decide(elsewhere, history, [], rules=RULES, jitter=0.5)
        assert isinstance(answer, Restart)
        delays.append(answer.delay_s)
        history.append(elsewhere)
    assert delays == [part * 0.75 for part in delays_s]


@pytest.mark.parametrize(
    ("cause", "delay_s"),
    [pytest.param(Cause.CUDA, 30.0, id="CUDA"), pytest.param(None, 0.0, id="a crash")],
)
def test_what_needs_time_needs_it_after_a_gain_too(cause: Cause | None, delay_s: float) -> None:
    assert restart(attempt(after=200, at=250, status=1, cause=cause), [], [numbered(200)]).delay_s == delay_s


def test_limits_of_ones_own() -> None:
    rules = replace(
        RULES, limits={Ending.DRIVER: Limits(2, 0.25, 0.25), Ending.UNKNOWN: Limits(2, 0.125, 1.0)}
    )
    gone = attempt(at=None, status=1, cause=Cause.CUDA)
    assert restart(gone, [], [], rules).delay_s == 0.25
    assert give_up(gone, [gone], [], rules).ending is Ending.DRIVER
    assert restart(attempt(), [], [], rules).delay_s == 0.125


@pytest.mark.parametrize(
    ("end", "ends", "says"),
    [
        pytest.param(attempt(status=CRASH), 5, "was ended by signal 11", id="crashes"),
        pytest.param(attempt(status=0), 5, "ended with status 0", id="ends by itself"),
        pytest.param(
            attempt(), KILLED.ends, "killed from outside by signal 9", id="killed: followed for longer"
        ),
        pytest.param(replace(attempt(), stalled_s=300.0), 4, "silent for 300 s", id="hung"),
        pytest.param(attempt(status=1, cause=Cause.CUDA), 4, "restart the machine", id="CUDA"),
        pytest.param(
            replace(attempt(), out_of_memory="5.1 GB of 5.2"), 4, "(5.1 GB of 5.2)", id="the host's memory"
        ),
    ],
)
def test_different_ends_without_gain_use_the_budget_up(end: AttemptEnd, ends: int, says: str) -> None:
    history = [replace(end, last_iteration=200 + number) for number in range(ends - 1)]
    restart(end, history[1:])
    answer = give_up(end, history)
    assert answer.reason.startswith(
        f"darknet ended {ends} times in this way without a checkpoint beyond iteration 100, the last time at "
    )
    assert says in answer.reason
    assert answer.exit_code == 75
    restart(replace(end, highest_after=200), history)


def test_killed_fifty_times_without_a_checkpoint_between_is_survived() -> None:
    history = [attempt(at=101 + number % 2) for number in range(49)]
    restart(attempt(), history)


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(attempt(status=-6), id="a crash"),
        pytest.param(attempt(), id="killed from outside"),
        pytest.param(replace(attempt(), stalled_s=300.0), id="hung"),
        pytest.param(attempt(status=1, cause=Cause.CUDA), id="CUDA"),
    ],
)
def test_the_same_end_twice_goes_one_checkpoint_back_and_three_times_gives_up(end: AttemptEnd) -> None:
    """It gained when it first came there, and comes there each time, over the same checkpoint trained anew."""
    back, best = numbered(100), numbered(200)
    first = replace(end, resumed_from=100, highest_before=100, highest_after=200, last_iteration=250)
    second = replace(first, resumed_from=200, highest_before=200)
    third = replace(first, resumed_from=100, highest_before=200)
    assert restart(first, [], [back, best]).resume_from is best
    answer = restart(second, [first], [back, best])
    assert answer.resume_from is back
    assert answer.reason.endswith("; going one checkpoint further back, to iteration 100")
    given_up = give_up(third, [first, second], [back, best])
    assert given_up.reason.startswith("darknet ended 3 times at iteration 250 in the same way: ")
    assert given_up.exit_code == 75


def test_ending_before_the_first_iteration_three_times_is_enough() -> None:
    ends = [attempt(at=None, status=3) for _ in range(3)]
    assert give_up(ends[0], ends[1:]).reason == (
        "darknet ended 3 times before its first iteration in the same way: "
        "darknet ended with status 3 before its first iteration, and did not say why"
    )


def test_going_back_never_means_from_nothing() -> None:
    only = numbered(100)
    assert restart(attempt(status=-6), [attempt(status=-6)], [only]).resume_from is only


def test_a_new_session_goes_by_what_was_learned_and_has_all_its_tries() -> None:
    back, best = numbered(100), numbered(200)
    end = attempt(200, 200, 200, at=250, status=-6)
    before = [replace(end, earlier_session=True) for _ in range(3)]
    assert restart(end, before, [back, best]).resume_from is back
    assert restart(replace(end, resumed_from=100), [*before, end], [back, best]).resume_from is best
    give_up(end, [*before, end, end], [back, best])


# From an older checkpoint.


def test_weights_that_cannot_be_loaded_are_passed_over_one_by_one() -> None:
    found = [numbered(100), numbered(200), numbered(300)]
    history: list[AttemptEnd] = []
    for resumed_from in (300, 200):
        end = replace(attempt(resumed_from, 300, 300, at=1), refused="began at iteration 1")
        older = restart(end, history, found).resume_from
        assert older is not None
        assert older.iteration == resumed_from - 100
        history.append(end)
    last = replace(attempt(100, 300, 300, at=1), refused="began at iteration 1")
    assert restart(last, history, found).resume_from is found[2]


def test_a_checkpoint_that_has_gone_is_no_reason_to_take_an_older_one() -> None:
    gone = attempt(at=None, status=1, cause=Cause.NO_FILE, path="backup/remote_last.weights")
    found = [numbered(100), checkpoint("remote_50.weights", 50)]
    assert restart(gone, [], found).resume_from is found[0]
    assert restart(gone, [gone], found).resume_from is found[1]
    assert give_up(gone, [gone, gone], found).ending is Ending.WEIGHTS


# Changed.


def test_out_of_gpu_memory_doubles_the_subdivisions_while_they_divide_the_batch() -> None:
    end = attempt(status=1, at=None, cause=Cause.GPU_MEMORY)
    history: list[AttemptEnd] = []
    for doubled in (32, 64):
        answer = restart(end, history)
        assert answer.changes == Changes(doubled)
        assert answer.resume_from == numbered(100)
        assert answer.reason.endswith(f"; going on with subdivisions={doubled}")
        history.append(end)
        end = replace(end, changes=answer.changes)
    answer_at_last = give_up(end, history)
    assert "subdivisions=64 cannot be doubled any more within batch=64; lower width" in answer_at_last.reason
    assert answer_at_last.exit_code == 75


@pytest.mark.parametrize(
    ("batch", "subdivisions", "possible"),
    [
        pytest.param(64, 1, True, id="1 of 64"),
        pytest.param(24, 3, True, id="6 of 24"),
        pytest.param(24, 8, False, id="16 does not divide 24: darknet would drop the rest"),
        pytest.param(1, 1, False, id="one image"),
    ],
)
def test_only_exact_divisors_keep_the_count_of_iterations(
    batch: int, subdivisions: int, *, possible: bool
) -> None:
    rules = replace(RULES, batch=batch, subdivisions=subdivisions)
    end = attempt(status=1, cause=Cause.GPU_MEMORY)
    assert isinstance(decision(end, rules=rules), Restart) is possible


def test_what_was_learned_of_the_rate_is_kept_with_more_subdivisions() -> None:
    end = replace(attempt(status=1, cause=Cause.GPU_MEMORY), changes=Changes(None, 0.5))
    assert restart(end).changes == Changes(32, 0.5)
    assert restart(replace(attempt(), changes=Changes(32, 0.5))).changes == Changes(32, 0.5)


def nan_at(iteration: int, *, resumed_from: int = 200, changes: Changes = NO_CHANGES) -> AttemptEnd:
    end = attempt(resumed_from, 200, 200, at=iteration + 2, status=-15)
    return replace(end, diverged_at=iteration, changes=changes)


def test_a_training_that_diverges_goes_back_then_is_slowed_down_then_given_up() -> None:
    found = [numbered(100), numbered(200), numbered(300)]
    history: list[AttemptEnd] = []
    changes = NO_CHANGES
    ways = [(200, 1.0), (200, 0.5), (100, 0.25), (100, 0.125)]
    resumed_from = 200
    for back, factor in ways:
        end = nan_at(250, resumed_from=resumed_from, changes=changes)
        answer = restart(end, history, found)
        assert answer.resume_from is not None
        assert (answer.resume_from.iteration, answer.changes.rate_factor) == (back, factor)
        assert answer.poisoned_from == 250
        history.append(end)
        changes, resumed_from = answer.changes, back
    given_up = give_up(nan_at(250, changes=changes), history, found)
    assert (
        "diverged 5 times without getting beyond the place, with the learning rate multiplied by 0.125"
        in (given_up.reason)
    )
    assert given_up.exit_code == 75


def test_once_beyond_the_place_trouble_is_new_and_the_rate_stays_lowered() -> None:
    slow = Changes(None, 0.5)
    beyond = replace(attempt(200, 200, 300, at=310), changes=slow)
    history = [nan_at(250), nan_at(250), beyond]
    end = replace(attempt(300, 300, 300, at=390, status=-15), diverged_at=388, changes=slow)
    answer = restart(end, history, [numbered(200), numbered(300)])
    assert (answer.changes, answer.resume_from) == (slow, numbered(300))


def test_diverged_in_an_earlier_session_is_slowed_down_at_once_and_never_given_up_at_once() -> None:
    before = [replace(nan_at(250), earlier_session=True)]
    assert restart(nan_at(250), before, [numbered(200)]).changes.rate_factor == 0.5
    slowest = Changes(None, 0.125)
    answer = restart(nan_at(250, changes=slowest), before, [numbered(200)])
    assert answer.changes == slowest
    give_up(nan_at(250, changes=slowest), [*before, nan_at(250, changes=slowest)], [numbered(200)])


def test_diverged_before_any_checkpoint_starts_from_the_beginning() -> None:
    answer = restart(replace(attempt(0, 0, 0, at=52, status=-15), diverged_at=50), [], [])
    assert answer.resume_from is None
    assert answer.poisoned_from == 50
    assert answer.reason.endswith("; starting from the beginning")


def test_diverged_may_be_left_to_the_user() -> None:
    answer = give_up(nan_at(250), [], [numbered(200)], replace(RULES, diverged="stop"))
    assert (answer.exit_code, answer.ending) == (75, Ending.DIVERGED)
    assert (
        'from iteration 250 on the loss or the weights are NaN or infinite, and diverged = "stop"'
        in answer.reason
    )


@pytest.mark.parametrize(
    ("end", "poisoned_from"),
    [
        pytest.param(attempt(at=280), 200, id="a checkpoint, though darknet was killed"),
        pytest.param(attempt(at=300, status=0), 200, id="a checkpoint, though it ended normally"),
        pytest.param(replace(attempt(at=280), diverged_at=150), 150, id="the loss before it"),
        pytest.param(replace(attempt(at=280), diverged_at=250), 200, id="the loss after it"),
    ],
)
def test_a_checkpoint_full_of_nan_is_as_bad_as_a_loss(end: AttemptEnd, poisoned_from: int) -> None:
    found = [numbered(100), checkpoint("remote_200.weights", None, poisoned_at=200)]
    answer = restart(end, [], found)
    assert (answer.diagnosis.ending, answer.poisoned_from) == (Ending.DIVERGED, poisoned_from)
    assert answer.resume_from is found[0]


def test_a_final_full_of_nan_is_not_the_end() -> None:
    found = [numbered(100), checkpoint("remote_final.weights", None, poisoned_at=300)]
    answer = restart(attempt(at=300, status=0), [], found)
    assert (answer.diagnosis.ending, answer.poisoned_from) == (Ending.DIVERGED, 300)
    assert answer.resume_from is found[0]


def test_nan_of_an_earlier_attempt_is_no_news() -> None:
    old = checkpoint("remote_200.weights", None, poisoned_at=200, modified_s=STARTED_S - 5)
    assert restart(attempt(), [], [numbered(100), old]).diagnosis.ending is Ending.UNKNOWN


# Whole sessions. Whatever an attempt does, it starts from what was decided.


@dataclass
class Session:
    """Does what is decided, as the supervisor does."""

    checkpoints: dict[int, Checkpoint] = field(
        default_factory=lambda: {it: numbered(it) for it in (100, 200)}
    )
    history: list[AttemptEnd] = field(default_factory=list)
    changes: Changes = NO_CHANGES
    resumed_from: int = 200

    def attempt(self, like: AttemptEnd, gained: int = 0) -> Decision:
        """One more attempt, which ends like this one after it has gained so many iterations."""
        before = max(self.checkpoints, default=0)
        if gained:
            self.checkpoints[before + gained] = numbered(before + gained)
        end = replace(
            like,
            resumed_from=self.resumed_from,
            highest_before=before,
            highest_after=max(self.checkpoints, default=0),
            changes=self.changes,
        )
        found = tuple(self.checkpoints.values())
        answer = decide(end, self.history, found, rules=RULES, jitter=0.0)
        if isinstance(answer, Restart):
            assert answer.resume_from is None or answer.resume_from in found
            if answer.poisoned_from is not None:
                poisoned_from = answer.poisoned_from
                self.checkpoints = {it: one for it, one in self.checkpoints.items() if it < poisoned_from}
            self.changes = answer.changes
            self.resumed_from = answer.resume_from.iteration if answer.resume_from else 0
        self.history.append(end)
        return answer


ENDS = st.builds(
    attempt,
    at=st.none() | st.integers(201, 230),
    status=st.sampled_from([0, 1, KILL, CRASH, -6]),
    cause=st.sampled_from([None, None, Cause.CUDA, Cause.GPU_MEMORY, Cause.HOST_MEMORY, Cause.WEIGHTS]),
)
OTHER_ENDS = st.one_of(
    ENDS,
    st.builds(lambda end: replace(end, stalled_s=300.0), ENDS),
    st.builds(lambda end: replace(end, refused="it began at 1"), ENDS),
    st.builds(lambda end: replace(end, out_of_memory="oom", exit_status=KILL), ENDS),
    st.builds(lambda end, place: replace(end, diverged_at=place), ENDS, st.integers(201, 230)),
)
ALL_BUDGETS = KILLED.ends + sum(row.limits.ends for row in ROWS.values()) + 20
"""The 20 for what is changed: the subdivisions twice, the learning rate three times, and a first time each."""


@given(st.lists(OTHER_ENDS, min_size=1, max_size=8))
def test_no_endless_sequence_without_gain_is_followed_for_ever(ends: list[AttemptEnd]) -> None:
    session = Session()
    for number in range(ALL_BUDGETS):
        if isinstance(session.attempt(ends[number % len(ends)]), GiveUp):
            return
    pytest.fail(f"still going on after {ALL_BUDGETS} ends without a gain")


@given(st.lists(st.tuples(ENDS, st.integers(1, 100)), min_size=1, max_size=40))
def test_a_gain_refills_every_budget(ends: list[tuple[AttemptEnd, int]]) -> None:
    session = Session()
    for end, gained in ends:
        answer = session.attempt(end, gained)
        if answer.diagnosis.ending is not Ending.GPU_MEMORY:  # of which there is no more than the batch
            assert isinstance(answer, Restart)
            assert answer.resume_from is choose_checkpoint(session.checkpoints.values(), flavour=Flavour.PJ)


@given(st.integers(0, 3), st.lists(st.integers(201, 299), min_size=50, max_size=50, unique=True))
def test_fifty_kills_by_chance_are_survived(gain_every: int, places: list[int]) -> None:
    session = Session()
    for number, place in enumerate(places):
        gained = 1 if gain_every and number % gain_every == 0 else 0
        assert isinstance(session.attempt(attempt(at=place), gained), Restart)


def test_dying_at_one_place_for_ever_is_noticed_though_a_checkpoint_is_made_on_the_way_each_time() -> None:
    session = Session()
    crash = attempt(at=310, status=CRASH)
    assert isinstance(session.attempt(crash, 100), Restart)
    assert session.resumed_from == 300
    assert isinstance(session.attempt(crash), Restart)
    assert session.resumed_from == 200
    answer = session.attempt(crash)  # 300 was written once more
    assert isinstance(answer, GiveUp)
    assert "3 times at iteration 310" in answer.reason


def test_dying_at_one_place_for_ever_is_noticed_where_a_save_is_lost_on_the_way() -> None:
    """Of two the newer is gone after each kill, and made anew in the next attempt: that is no gain."""
    history: list[AttemptEnd] = []
    answer: Decision | None = None
    for number in range(KILLED.ends + 1):
        before, after = ((200, 300), (300, 200))[number % 2]
        end = attempt(200, before, after, at=250 + number)
        answer = decide(end, history, [numbered(200)], rules=RULES, jitter=0.0)
        history.append(end)
        if isinstance(answer, GiveUp):
            break
    assert isinstance(answer, GiveUp)
    assert "without a checkpoint beyond iteration 300" in answer.reason
