"""What the ends before make of an end: by tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from trainer.deciding.endings import AttemptEnd, Changes, Diagnosis, Ending
from trainer.deciding.past import Judged, find_trouble, look_back

CRASH, KILL = -11, -9


def one(
    at: int | None = 150,
    status: int = CRASH,
    *,
    resumed_from: int = 100,
    highest: tuple[int, int] = (100, 100),
    ending: Ending = Ending.UNKNOWN,
    changes: Changes | None = None,
) -> Judged:
    end = AttemptEnd(
        started_s=1000.0,
        ended_s=1060.0,
        resumed_from=resumed_from,
        highest_before=highest[0],
        highest_after=highest[1],
        first_iteration=None if at is None else resumed_from + 1,
        last_iteration=at,
        exit_status=status,
        changes=changes or Changes(),
    )
    return Judged(end, Diagnosis(ending, "it ended"))


def earlier(judged: Judged) -> Judged:
    """The same, in an earlier session."""
    return replace(judged, end=replace(judged.end, earlier_session=True))


def diverged(place: int, *, highest: tuple[int, int] = (100, 100)) -> Judged:
    judged = one(place + 2, highest=highest, ending=Ending.DIVERGED)
    return replace(judged, end=replace(judged.end, diverged_at=place))


@pytest.mark.parametrize(
    ("before", "now", "gained", "highest"),
    [
        pytest.param([], one(), False, 100, id="nothing"),
        pytest.param([], one(highest=(100, 200)), True, 200, id="a checkpoint more"),
        pytest.param([], one(highest=(100, 0)), False, 100, id="one less"),
        pytest.param(
            [one(highest=(900, 1000))],
            one(highest=(900, 1000)),
            False,
            1000,
            id="the same once more, where a save was torn meanwhile",
        ),
        pytest.param(
            [one(highest=(900, 1000)), one(highest=(1000, 900))],
            one(highest=(900, 1100)),
            True,
            1100,
            id="beyond all that there ever was",
        ),
        pytest.param(
            [earlier(one(highest=(4900, 5000)))],
            one(highest=(0, 100)),
            True,
            100,
            id="what an earlier session had is another run's, or was started over",
        ),
        pytest.param(
            [], diverged(190, highest=(100, 200)), False, 100, id="a checkpoint from after the trouble"
        ),
        pytest.param([], diverged(250, highest=(100, 200)), True, 200, id="a checkpoint from before it"),
        pytest.param([], diverged(50, highest=(100, 100)), False, 100, id="trouble below what there was"),
    ],
)
def test_gains(before: list[Judged], now: Judged, *, gained: bool, highest: int) -> None:
    past = look_back(now, before)
    assert (past.gained, past.highest) == (gained, highest)
    assert gained == (past.spent == 0)


@pytest.mark.parametrize(
    ("before", "now", "same"),
    [
        pytest.param([], one(), 1, id="the first"),
        pytest.param([one()], one(), 2, id="the same"),
        pytest.param([one(), one(160)], one(), 2, id="another between"),
        pytest.param([one(160)], one(), 1, id="at another iteration"),
        pytest.param([one(status=-6)], one(), 1, id="of another signal"),
        pytest.param([one(ending=Ending.STALLED)], one(), 1, id="of another kind"),
        pytest.param(
            [one(status=-15, ending=Ending.STALLED)],
            one(status=-9, ending=Ending.STALLED),
            2,
            id="how hard it was to end tells nothing",
        ),
        pytest.param([one(changes=Changes(32))], one(), 1, id="with other settings"),
        pytest.param([one(resumed_from=0)], one(), 2, id="from another checkpoint"),
        pytest.param([one(highest=(0, 100))], one(), 2, id="the one that gained counts"),
        pytest.param([one(), one(160, highest=(100, 200))], one(), 1, id="those before it do not"),
        pytest.param([one(None)], one(None), 2, id="before the first iteration"),
        pytest.param([one(status=KILL)], one(status=KILL), 2, id="kills at one iteration"),
        pytest.param(
            [one(status=KILL), one(160, KILL)],
            one(status=KILL),
            1,
            id="kills that do not follow on each other",
        ),
        pytest.param(
            [one(None, KILL)], one(None, KILL), 1, id="kills before the first iteration tell of the killer"
        ),
        pytest.param(
            [one(None, ending=Ending.DRIVER)],
            one(None, ending=Ending.DRIVER),
            1,
            id="no GPU at the start tells of the machine",
        ),
        pytest.param(
            [one(ending=Ending.DRIVER)], one(ending=Ending.DRIVER), 2, id="CUDA fails at one iteration"
        ),
        pytest.param(
            [one(1, resumed_from=200, ending=Ending.WEIGHTS)],
            one(1, resumed_from=100, ending=Ending.WEIGHTS),
            1,
            id="another file that cannot be loaded",
        ),
        pytest.param([one(1, ending=Ending.WEIGHTS)], one(1, ending=Ending.WEIGHTS), 2, id="one file, twice"),
    ],
)
def test_same_ends(before: list[Judged], now: Judged, same: int) -> None:
    past = look_back(now, before)
    assert past.same == past.known == same


def test_what_was_learned_before_this_session_is_known_but_not_counted() -> None:
    past = look_back(one(), [earlier(one()), earlier(one())])
    assert (past.same, past.known, past.spent) == (1, 3, 1)
    past = look_back(one(), [earlier(one()), one(140, highest=(0, 100))])
    assert (past.same, past.known) == (1, 1)
    past = look_back(one(), [earlier(one()), earlier(one(140, highest=(0, 100)))])
    assert (past.same, past.known) == (1, 1)


def test_each_kind_of_end_has_its_own_budget() -> None:
    ends = [one(101), one(102, KILL), one(103, ending=Ending.STALLED), one(104), one(105, KILL)]
    assert look_back(one(106), ends).spent == 3
    assert look_back(one(107, KILL), ends).spent == 3
    assert look_back(one(108, ending=Ending.STALLED), ends).spent == 2
    assert look_back(one(109), [*ends, one(107, highest=(100, 200))]).spent == 1


@pytest.mark.parametrize(
    ("before", "now", "places"),
    [
        pytest.param([], diverged(150), [150], id="the first time"),
        pytest.param([diverged(150)], diverged(160), [150, 160], id="again"),
        pytest.param([diverged(150), one()], diverged(140), [150, 140], id="a crash between"),
        pytest.param([earlier(diverged(150))], diverged(150), [150, 150], id="in an earlier session"),
        pytest.param(
            [diverged(150), one(highest=(100, 200))], diverged(250), [250], id="it had got beyond the place"
        ),
        pytest.param(
            [diverged(150)], diverged(250, highest=(100, 200)), [250], id="beyond the place in this attempt"
        ),
        pytest.param(
            [diverged(150), one(highest=(0, 100))], diverged(160), [150, 160], id="not as far as the place"
        ),
        pytest.param(
            [diverged(150), one(highest=(200, 200))],
            diverged(150),
            [150, 150],
            id="what was there all along proves nothing",
        ),
    ],
)
def test_trouble(before: list[Judged], now: Judged, places: list[int]) -> None:
    assert [judged.end.diverged_at for judged in find_trouble(now, before)] == places
