"""What is added to an event file is what sets right what every reader knows, by TensorBoard's own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.curves.conftest import Run
from trainer.curves import events
from trainer.curves.metrics import read_metrics

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("maps", "anew"),
    [
        pytest.param((290, 310), False, id="an older one stands"),
        pytest.param((250, 290, 310, 340), False, id="two are lost"),
        pytest.param((310,), True, id="the only one"),
    ],
)
def test_a_mean_average_precision_that_is_lost_is_forgotten(
    run: Run, maps: tuple[int, ...], *, anew: bool
) -> None:
    run.train(1, 340, maps=maps)
    first = run.events.read_bytes()
    run.train(301, 320, usages=True)
    run.check()
    assert run.events.read_bytes().startswith(first) is not anew


def test_a_file_that_knows_another_past_is_written_anew(run: Run, tmp_path: Path) -> None:
    run.train(1, 50)
    other = Run(tmp_path / "other")
    other.now_s += 500
    other.train(1, 40)
    run.events.write_bytes(other.events.read_bytes())
    run.update()
    run.check()


def test_a_file_that_has_been_thinned_goes_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.train(1, 150, maps=(75,))
    monkeypatch.setattr("trainer.curves.writer.POINTS_LIMIT", 100)
    run.train(151, 160)
    assert len(read_metrics(run.metrics).iteration) < 100
    steps = [step for step, _ in run.shown()["loss"]]
    assert steps == list(range(1, 161)), "what has been told stays"
    monkeypatch.setattr(events, "_SPARE_EVENTS", 0)
    run.train(161, 165)
    run.check()


def test_a_loss_that_is_no_number_is_shown_as_none(run: Run) -> None:
    with run.writer() as writer:
        for iteration, loss in enumerate((1.0, math.nan, math.inf), 1):
            writer.progress(iteration=iteration, loss=loss, avg_loss=loss, rate=0.1, seconds=1)
    run.update()
    run.check()
    assert math.isnan(run.shown()["loss"][2][1])


@settings(max_examples=25)
@given(
    sessions=st.lists(
        st.tuples(st.integers(1, 30), st.integers(0, 15), st.booleans(), st.booleans()), max_size=6
    ),
    torn=st.integers(0, 90),
)
def test_each_step_stands_once_whatever_happened(
    tmp_path_factory: pytest.TempPathFactory, sessions: list[tuple[int, int, bool, bool]], torn: int
) -> None:
    run = Run(tmp_path_factory.mktemp("run"))
    run.train(1, 30, maps=(10, 20, 25, 28), usages=True)
    for first, length, usages, tears in sessions:
        run.train(first, first + length, maps=(10, 20, 25, 28), usages=usages)
        run.check()
        if tears:
            run.events.write_bytes(run.events.read_bytes()[: -torn or None])
