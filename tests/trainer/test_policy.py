"""Which checkpoint, and whether to finish, to start again or to give up: by tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.darknet.output import Cause, Complaint
from trainer.darknet.program import Flavour
from trainer.darknet.weights import Checkpoint, Verdict, name_of
from trainer.policy import (
    AttemptEnd,
    Decision,
    Finish,
    GiveUp,
    Limits,
    Restart,
    Stop,
    choose_checkpoint,
    decide,
    find_final,
    is_finished,
    refuse_start,
)

STARTED_S = 1000.0


def checkpoint(filename: str, iteration: int | None, *, modified_s: float = STARTED_S + 1) -> Checkpoint:
    name = name_of(filename)
    assert name is not None
    verdict = (
        Verdict(whole=False, reason="torn") if iteration is None else Verdict(whole=True, iteration=iteration)
    )
    return Checkpoint(Path("backup") / filename, name, 100, modified_s, verdict)


def last(iteration: int) -> Checkpoint:
    return checkpoint("remote_last.weights", iteration)


def numbered(iteration: int) -> Checkpoint:
    return checkpoint(f"remote_{iteration}.weights", iteration)


def final(iteration: int | None, *, modified_s: float = STARTED_S + 1) -> Checkpoint:
    return checkpoint("remote_final.weights", iteration, modified_s=modified_s)


TORN = checkpoint("remote_last.weights", None)


@pytest.mark.parametrize(
    ("candidates", "poisoned_from", "chosen"),
    [
        pytest.param([], None, None, id="nothing yet: start from the pretrained weights"),
        pytest.param([last(300), numbered(200)], None, 300, id="highest iteration wins"),
        pytest.param([numbered(900), last(500)], None, 900, id="whatever it is called"),
        pytest.param([TORN, numbered(200)], None, 200, id="a torn file is no checkpoint"),
        pytest.param([TORN], None, None, id="only torn files"),
        pytest.param([last(300), numbered(200)], 250, 200, id="back to before the NaN"),
        pytest.param([last(300), numbered(200)], 200, None, id="the NaN's own iteration is poisoned too"),
        pytest.param([checkpoint("r_ema.weights", 300), last(200)], None, 200, id="averaged weights never"),
        pytest.param(
            [checkpoint("r_best.weights", 300), last(200)], None, 300, id="the best, by its own iteration"
        ),
    ],
)
def test_choose_checkpoint(
    candidates: list[Checkpoint], poisoned_from: int | None, chosen: int | None
) -> None:
    choice = choose_checkpoint(candidates, poisoned_from=poisoned_from)
    assert (choice.iteration if choice else None) == chosen


def test_of_one_iteration_the_most_often_written_is_chosen() -> None:
    ranked = [
        last(100),
        checkpoint("remote.backup", 100),
        numbered(100),
        final(100),
        checkpoint("remote_best.weights", 100),
    ]
    while ranked:
        assert choose_checkpoint(reversed(ranked)) is ranked.pop(0)


def test_a_darknet_is_given_only_what_it_loads() -> None:
    candidates = [checkpoint("remote.backup", 300), numbered(200)]
    assert choose_checkpoint(candidates, flavour=Flavour.PJ) is candidates[0]
    assert choose_checkpoint(candidates, flavour=Flavour.HK) is candidates[1]


@pytest.mark.parametrize(
    ("candidate", "started_s", "finished"),
    [
        pytest.param(None, None, False, id="no file"),
        pytest.param(final(300), None, True, id="whole and trained to the end"),
        pytest.param(final(301), STARTED_S, True, id="beyond the end, as with several GPUs"),
        pytest.param(final(None), None, False, id="torn"),
        pytest.param(final(299), None, False, id="one iteration short"),
        pytest.param(final(300, modified_s=STARTED_S - 1), STARTED_S, False, id="an earlier attempt's"),
        pytest.param(final(300, modified_s=STARTED_S), STARTED_S, True, id="the clock has not moved"),
        pytest.param(last(300), None, False, id="another file, though whole and trained to the end"),
    ],
)
def test_is_finished(candidate: Checkpoint | None, started_s: float | None, *, finished: bool) -> None:
    assert is_finished(candidate, 300, started_s=started_s) is finished


def test_find_final() -> None:
    good = final(300)
    assert find_final([last(200), TORN]) is None
    assert find_final([final(None), good, last(400)]) is good


def test_refuse_start() -> None:
    assert not refuse_start(101, 100)
    assert not refuse_start(1, 0)
    assert not refuse_start(104, 100)
    assert refuse_start(1, 100) == "darknet began at iteration 1 though it was to resume from 100"


# Decisions. An attempt is (resumed from, highest before, highest after, last iteration printed, exit status).


def attempt(
    resumed_from: int = 100,
    before: int = 100,
    after: int = 100,
    at: int | None = 150,
    status: int = -9,
    complaint: Complaint | None = None,
) -> AttemptEnd:
    return AttemptEnd(
        started_s=STARTED_S,
        resumed_from=resumed_from,
        highest_before=before,
        highest_after=after,
        first_iteration=None if at is None else resumed_from + 1,
        last_iteration=at,
        exit_status=status,
        complaint=complaint,
    )


def decision(
    end: AttemptEnd,
    history: list[AttemptEnd] | None = None,
    candidates: list[Checkpoint] | None = None,
    *,
    flavour: Flavour = Flavour.PJ,
    poisoned_from: int | None = None,
) -> Decision:
    found = [numbered(100)] if candidates is None else candidates
    return decide(
        end, history or [], found, max_batches=300, jitter=1.0, flavour=flavour, poisoned_from=poisoned_from
    )


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(attempt(after=300, at=300, status=0), id="ended well"),
        pytest.param(
            attempt(after=300, at=300, status=-11), id="the original's crash after a complete _final"
        ),
        pytest.param(attempt(300, 300, 300, at=None, status=0), id="nothing was left to do"),
        pytest.param(replace(attempt(after=300, at=300), stopped=True), id="stopped too late"),
    ],
)
def test_finished(end: AttemptEnd) -> None:
    whole = final(300)
    assert decision(end, candidates=[numbered(200), whole]) == Finish(whole)


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
    assert isinstance(decision(attempt(at=None, status=0), candidates=found), Restart)


def test_stopped() -> None:
    assert decision(replace(attempt(), stopped=True)) == Stop()


def complaint(cause: Cause, line: str = "a line", path: str = "") -> Complaint:
    return Complaint(cause, line, path)


@pytest.mark.parametrize(
    ("end", "flavour", "reason", "exit_code"),
    [
        pytest.param(
            attempt(0, 0, 0, None, 0, complaint(Cause.NO_FILE, path="data/train/3.txt")),
            Flavour.PJ,
            "cannot open data/train/3.txt",
            78,
            id="PJ: a missing label, status 0",
        ),
        pytest.param(
            attempt(0, 0, 0, None, 1, complaint(Cause.NO_FILE, path="cfg/remote.data")),
            Flavour.AX,
            "cannot open cfg/remote.data",
            78,
            id="AX: no .data",
        ),
        pytest.param(
            attempt(at=200, status=0, complaint=complaint(Cause.NO_FILE, path="backup//remote_200.weights")),
            Flavour.PJ,
            "cannot write backup//remote_200.weights",
            73,
            id="cannot save",
        ),
        pytest.param(
            attempt(0, 0, 0, None, -6, complaint(Cause.FILTERS, "parse_yolo: Assertion")),
            Flavour.PJ,
            "filters= in the cfg does not fit classes=: parse_yolo: Assertion",
            78,
            id="filters do not fit",
        ),
        pytest.param(
            attempt(0, 0, 0, None, -8), Flavour.PJ, "list of training images is empty", 78, id="empty list"
        ),
        pytest.param(
            attempt(
                at=130,
                status=-11,
                complaint=complaint(Cause.NO_IMAGE, "Error in load_data_detection() - OpenCV"),
            ),
            Flavour.AX,
            "an image cannot be read",
            78,
            id="AX with OpenCV: an unreadable image",
        ),
        pytest.param(
            attempt(at=None, status=-6, complaint=complaint(Cause.NO_LABEL)),
            Flavour.HK,
            "a label file cannot be opened",
            78,
            id="HK: a missing label",
        ),
    ],
)
def test_what_will_not_get_better_is_not_tried_again(
    end: AttemptEnd, flavour: Flavour, reason: str, exit_code: int
) -> None:
    answer = decision(end, flavour=flavour)
    assert isinstance(answer, GiveUp)
    assert reason in answer.reason
    assert answer.exit_code == exit_code


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(
            attempt(status=-9, complaint=complaint(Cause.FILTERS)), id="killed, whatever it complained of"
        ),
        pytest.param(
            attempt(status=1, complaint=complaint(Cause.NO_IMAGE)), id="AX goes on after an unreadable image"
        ),
        pytest.param(
            attempt(status=1, complaint=complaint(Cause.NO_LABEL)), id="AX goes on after a missing label"
        ),
        pytest.param(
            attempt(status=1, complaint=complaint(Cause.GPU_MEMORY)), id="GPU memory that others may free"
        ),
        pytest.param(
            attempt(at=None, status=0, complaint=complaint(Cause.NO_FILE, path="backup/remote_100.weights")),
            id="the chosen checkpoint has gone",
        ),
        pytest.param(attempt(status=-8), id="a crash in mid-training"),
    ],
)
def test_what_may_get_better_is_tried_again(end: AttemptEnd) -> None:
    assert isinstance(decision(end, flavour=Flavour.AX), Restart)


def test_an_attempt_that_gained_is_followed_at_once_from_the_best() -> None:
    best = numbered(200)
    assert decision(attempt(after=200, at=250), candidates=[numbered(100), best]) == Restart(0.0, best)


@pytest.mark.parametrize(
    ("status", "delays_s"),
    [
        pytest.param(-11, (0.5, 1, 2, 4, 8, 16, 20, 20, 20, 20), id="crashes"),
        pytest.param(-9, (0.5, 1, 2, 3, 3, 3, 3, 3, 3, 3), id="killed from outside"),
    ],
)
def test_delays_double_are_jittered_and_bounded(status: int, delays_s: tuple[float, ...]) -> None:
    history: list[AttemptEnd] = []
    delays = []
    for number in range(10):
        end = attempt(at=101 + number, status=status)
        answer = decide(
            end, history, [], max_batches=300, jitter=0.5, limits=Limits(fruitless_ends=99, delay_max_s=20)
        )
        assert isinstance(answer, Restart)
        delays.append(answer.delay_s)
        history.append(end)
    assert delays == [part * 0.75 for part in delays_s]


def test_the_same_end_twice_goes_one_checkpoint_back_and_three_times_gives_up() -> None:
    back, best = numbered(100), numbered(200)
    first = attempt(100, 100, 200, at=250, status=-6)
    second = attempt(200, 200, 200, at=250, status=-6)
    third = attempt(100, 200, 200, at=250, status=-6)
    assert decision(first, [], [back, best]) == Restart(0.0, best)
    answer = decision(second, [first], [back, best])
    assert isinstance(answer, Restart)
    assert answer.resume_from is back
    assert decision(third, [first, second], [back, best]) == GiveUp(
        "darknet ended 3 times at iteration 250 with signal 6", 75
    )


def test_going_back_never_means_from_nothing() -> None:
    only = numbered(100)
    answer = decision(attempt(status=-6), [attempt(status=-6)], [only])
    assert isinstance(answer, Restart)
    assert answer.resume_from is only


def test_going_back_keeps_clear_of_the_poisoned() -> None:
    found = [numbered(100), numbered(200), numbered(300)]
    answer = decision(
        attempt(300, 300, 300, at=350), [attempt(300, 300, 300, at=350)], found, poisoned_from=200
    )
    assert isinstance(answer, Restart)
    assert answer.resume_from is found[0]


@pytest.mark.parametrize(
    ("status", "ends", "how"),
    [
        pytest.param(-11, 5, "signal 11", id="crashes"),
        pytest.param(0, 5, "status 0", id="ends by itself"),
        pytest.param(-9, 20, "signal 9", id="killed from outside: told less of, so followed for longer"),
    ],
)
def test_different_ends_without_gain_use_the_budget_up(status: int, ends: int, how: str) -> None:
    history = [attempt(at=110 + number, status=status) for number in range(ends - 1)]
    assert isinstance(decision(attempt(at=140, status=status), history[1:]), Restart)
    answer = decision(attempt(at=140, status=status), history)
    assert answer == GiveUp(
        f"darknet ended {ends} times without a checkpoint beyond iteration 100, last at iteration 140 with {how}",
        75,
    )


def test_being_killed_before_the_first_iteration_tells_nothing_of_the_training() -> None:
    killed = [attempt(at=None) for _ in range(19)]
    assert isinstance(decision(attempt(at=None), killed[1:]), Restart)
    assert isinstance(decision(attempt(at=None), killed), GiveUp)


def test_ending_before_the_first_iteration_three_times_does() -> None:
    said = complaint(Cause.CUDA, "CUDA Error: no device")
    ends = [attempt(at=None, status=1, complaint=said) for _ in range(3)]
    assert decision(ends[0], ends[1:]) == GiveUp(
        "darknet ended 3 times before its first iteration with status 1; it said: CUDA Error: no device", 75
    )


@given(st.lists(st.integers(1, 100), min_size=1, max_size=60))
def test_kills_with_progress_never_use_the_budget_up(gains: list[int]) -> None:
    history: list[AttemptEnd] = []
    reached = 0
    for gain in gains:
        end = attempt(reached, reached, reached + gain, at=reached + gain + 1)
        reached += gain
        assert isinstance(
            decide(end, history, [numbered(reached)], max_batches=10_000, jitter=0.0, flavour=Flavour.PJ),
            Restart,
        )
        history.append(end)


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(101, 103) | st.none(), st.sampled_from([0, -9, -11])),
        max_size=40,
    )
)
def test_no_history_without_gain_is_followed_for_ever(ends: list[tuple[bool, int | None, int]]) -> None:
    history: list[AttemptEnd] = []
    fruitless = killed = 0
    for gained, at, status in ends:
        end = attempt(100, 100, 200 if gained else 100, at, status)
        fruitless = 0 if gained else fruitless + (status != -9)
        killed = 0 if gained else killed + (status == -9)
        answer = decision(end, history)
        if fruitless >= 5 or killed >= 20:
            assert isinstance(answer, GiveUp)
        if gained:
            assert isinstance(answer, Restart)
        history.append(end)
