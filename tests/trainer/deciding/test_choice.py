"""Which weights file is resumed from, and which proves the end: by tables."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.darknet.program import Flavour
from trainer.darknet.weights import Checkpoint, Kind, Verdict, name_of
from trainer.deciding.choice import choose_checkpoint, find_final, find_poisoned, is_finished, refuse_start

STARTED_S = 1000.0


def checkpoint(
    filename: str,
    iteration: int | None,
    *,
    modified_s: float = STARTED_S + 1,
    poisoned_at: int | None = None,
    more_images: int = 0,
) -> Checkpoint:
    name = name_of(filename)
    assert name is not None
    seen = None if iteration is None else 64 * iteration + more_images
    verdict = Verdict(iteration is not None, "" if iteration else "torn", iteration, poisoned_at, seen)
    return Checkpoint(Path("backup") / filename, name, 100, modified_s, verdict)


def last(iteration: int) -> Checkpoint:
    return checkpoint("remote_last.weights", iteration)


def numbered(iteration: int) -> Checkpoint:
    return checkpoint(f"remote_{iteration}.weights", iteration)


def final(iteration: int | None, *, modified_s: float = STARTED_S + 1) -> Checkpoint:
    return checkpoint("remote_final.weights", iteration, modified_s=modified_s)


def poisoned(iteration: int, *, modified_s: float = STARTED_S + 1) -> Checkpoint:
    return checkpoint("remote_last.weights", None, modified_s=modified_s, poisoned_at=iteration)


TORN = checkpoint("remote_last.weights", None)


@pytest.mark.parametrize(
    ("candidates", "poisoned_from", "chosen"),
    [
        pytest.param([], None, None, id="nothing yet: start from the pretrained weights"),
        pytest.param([last(300), numbered(200)], None, 300, id="highest iteration wins"),
        pytest.param([numbered(900), last(500)], None, 900, id="whatever it is called"),
        pytest.param([TORN, numbered(200)], None, 200, id="a torn file is no checkpoint"),
        pytest.param([TORN], None, None, id="only torn files"),
        pytest.param([poisoned(300), numbered(200)], None, 200, id="nor is one full of NaN"),
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


def test_of_one_iteration_the_furthest_is_chosen() -> None:
    """By a larger batch than they were trained with two files may be of one iteration."""
    further = checkpoint("remote_200.weights", 100, more_images=32)
    assert choose_checkpoint([last(100), further]) is further


def test_a_darknet_is_given_only_what_it_loads() -> None:
    candidates = [checkpoint("remote.backup", 300), numbered(200)]
    assert choose_checkpoint(candidates, flavour=Flavour.PJ) is candidates[0]
    assert choose_checkpoint(candidates, flavour=Flavour.HK) is candidates[1]


FILES = st.builds(
    checkpoint,
    st.sampled_from(
        ["r_last.weights", "r.backup", "r_best.weights", "r_ema.weights", "r_100.weights", "r_final.weights"]
    ),
    st.none() | st.integers(1, 400),
    poisoned_at=st.none() | st.integers(1, 400),
)


@given(st.lists(FILES, max_size=12), st.none() | st.integers(1, 400), st.sampled_from(Flavour))
def test_the_choice_is_the_highest_good_one_whatever_lies_there(
    candidates: list[Checkpoint], poisoned_from: int | None, flavour: Flavour
) -> None:
    good = [
        one.iteration
        for one in candidates
        if one.verdict.whole
        and one.name.kind is not Kind.EMA
        and (poisoned_from is None or one.iteration < poisoned_from)
        and (flavour is not Flavour.HK or one.path.suffix == ".weights")
    ]
    choice = choose_checkpoint(candidates, poisoned_from=poisoned_from, flavour=flavour)
    assert (choice.iteration if choice else None) == max(good, default=None)
    assert choice is None or choice.verdict.whole


@pytest.mark.parametrize(
    ("candidates", "found"),
    [
        pytest.param([last(300), TORN], None, id="none"),
        pytest.param([poisoned(300), last(200)], 300, id="one"),
        pytest.param([poisoned(300), poisoned(200)], 200, id="the first of them"),
        pytest.param([poisoned(200, modified_s=STARTED_S - 1)], None, id="an old one tells nothing"),
        pytest.param([poisoned(200, modified_s=STARTED_S)], 200, id="the clock has not moved"),
    ],
)
def test_find_poisoned(candidates: list[Checkpoint], found: int | None) -> None:
    assert find_poisoned(candidates, since_s=STARTED_S) == found


@pytest.mark.parametrize(("beyond", "found"), [(100, 200), (200, None)])
def test_what_is_no_further_than_an_attempts_beginning_is_none_of_its_files(
    beyond: int, found: int | None
) -> None:
    """Somebody has laid it there: no reason to go back before a checkpoint that was whole."""
    poisoned = checkpoint("remote_last.weights", None, poisoned_at=200)
    assert find_poisoned([poisoned], since_s=STARTED_S, beyond=beyond) == found


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
