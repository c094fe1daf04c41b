"""Silence and loss of a darknet, on times that are made up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.darknet.output import MapBegun, MeanAveragePrecision, Progress, Saving
from trainer.running.symptoms import UNWATCHED_S, Divergence, StallClock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainer.darknet.output import Event


def progress(iteration: int = 1, avg_loss: float = 1.0, seconds: float = 1.0) -> Progress:
    return Progress(iteration, avg_loss, avg_loss, 0.001, seconds, 64 * iteration)


LINE, SLOW, BROKEN = progress(), progress(seconds=100.0), progress(seconds=float("nan"))
BEGUN, RESULT = MapBegun(), MeanAveragePrecision(0.5)


def play(story: Sequence[tuple[float, Event | None]]) -> StallClock:
    """What comes when, with the first look at it in the same second; None is a byte that completes no event."""
    clock = StallClock(1000.0)
    for at_s, event in story:
        if event is not None:
            clock.hear(event)
        clock.bytes_at(1000.0 + at_s)
    return clock


@pytest.mark.parametrize(
    ("story", "limit_s"),
    [
        pytest.param([], 1800.0, id="the first batch is allowed for"),
        pytest.param([(600, None), (1200, None)], 1800.0, id="whatever was printed before it"),
        pytest.param([(900, LINE)], 300.0, id="its silence is no gap"),
        pytest.param(
            [(900, None), (900, LINE), (901, None)], 300.0, id="nor if its line was heard after its bytes"
        ),
        pytest.param([(1, LINE), (2, None), (12, None)], 300.0, id="a floor"),
        pytest.param(
            [(1, LINE), (2, None), (102, None), (103, None)], 500.0, id="five times the longest gap"
        ),
        pytest.param([(1, SLOW)], 500.0, id="as slow as it says itself"),
        pytest.param([(1, SLOW), (2, LINE)], 300.0, id="one slow batch, of choosing kernels, is forgotten"),
        pytest.param([(1, BROKEN)], 300.0, id="a duration that is no number"),
        pytest.param([(1, LINE), (2, BEGUN)], 3600.0, id="a mAP pass is allowed for"),
        pytest.param([(1, LINE), (2, BEGUN), (1000, None)], 3600.0, id="its bytes do not end it"),
        pytest.param(
            [(1, LINE), (2, BEGUN), (1000, RESULT)], 300.0, id="its result does, and its silence is no gap"
        ),
        pytest.param(
            [(1, LINE), (2, BEGUN), (1000, LINE)], 300.0, id="or the next line, if the result was lost"
        ),
        pytest.param([(1, LINE), (2, BEGUN), (9, Saving("x"))], 3600.0, id="nothing else"),
        pytest.param([(1, BEGUN), (2, RESULT), (102, None), (202, None)], 500.0, id="gaps after it count"),
    ],
)
def test_how_long_a_silence_may_last(story: list[tuple[float, Event | None]], limit_s: float) -> None:
    clock = play(story)
    heard_s = 1000.0 + max((at_s for at_s, _ in story), default=0.0)
    assert clock.limit_s == limit_s
    assert clock.silent_s(heard_s + limit_s) == limit_s
    assert not clock.is_stalled(heard_s + limit_s)
    assert clock.is_stalled(heard_s + limit_s + 0.1)


def test_allowances_below_the_floor_do_not_count() -> None:
    clock = StallClock(0.0, floor_s=10.0, first_s=1.0, map_s=2.0)
    assert clock.limit_s == 10.0
    clock.hear(BEGUN)
    assert clock.limit_s == 10.0


@pytest.mark.parametrize(
    ("looks_s", "stalled"),
    [
        pytest.param([*range(1, 302)], True, id="watched all the time"),
        pytest.param([*range(1, 300, 25)], False, id="not yet"),
        pytest.param([*range(1, 352, 25)], True, id="a busy looker still looks"),
        pytest.param([1, 2, 4000], False, id="stopped or suspended for an hour"),
        pytest.param([1, 2, 4000, *range(4001, 4298)], False, id="and silent since: the silence began then"),
        pytest.param([1, 2, 4000, *range(4001, 4302)], True, id="and for too long"),
    ],
)
def test_a_pause_of_the_looker_is_no_silence_of_darknet(looks_s: list[int], *, stalled: bool) -> None:
    clock = play([(-1, None), (0, LINE)])
    for look_s in looks_s:
        clock.looked(1000.0 + look_s)
        clock.bytes_at(1000.0)
    assert clock.is_stalled(1000.0 + looks_s[-1]) is stalled


def test_what_came_while_nobody_looked_is_no_gap() -> None:
    clock = play([(0, LINE), (1, None)])
    clock.looked(1001.0)
    clock.looked(5000.0)
    clock.bytes_at(4999.0)
    clock.looked(5001.0)
    clock.bytes_at(5001.0)
    assert clock.limit_s == 300.0
    assert clock.silent_s(5002.0) == 1.0


@settings(deadline=None)
@given(st.lists(st.floats(0.01, UNWATCHED_S), max_size=50), st.floats(0.01, 299.0))
def test_who_speaks_at_its_pace_never_stalls(gaps_s: list[float], silence_s: float) -> None:
    clock = play([(0, LINE)])
    now_s = 1000.0
    for gap_s in gaps_s:
        now_s += gap_s
        clock.looked(now_s)
        assert not clock.is_stalled(now_s)
        clock.bytes_at(now_s)
    assert not clock.is_stalled(now_s + silence_s)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("losses", "diverged_at"),
    [
        pytest.param([1.0, 2.0, 3.0], None, id="numbers"),
        pytest.param([1.0, NAN, NAN], None, id="two are not enough"),
        pytest.param([1.0, NAN, NAN, NAN], 2, id="three are, and the first is told"),
        pytest.param([NAN, NAN, 1.0, NAN, NAN], None, id="not in a row"),
        pytest.param([INF, -INF, NAN], 1, id="infinite is no number either"),
        pytest.param([1.0, NAN, NAN, NAN, NAN, NAN], 2, id="still the first"),
        pytest.param([], None, id="nothing said"),
    ],
)
def test_divergence(losses: list[float], diverged_at: int | None) -> None:
    divergence = Divergence()
    told = None
    for iteration, loss in enumerate(losses, start=1):
        told = divergence.hear(progress(iteration, loss))
        assert divergence.hear(Saving("x")) == told
    assert told == diverged_at
