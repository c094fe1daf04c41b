"""``_last`` is saved about as often as the user can bear to lose training, and never so that it is not saved at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.darknet.program import Flavour
from trainer.learning.window import FIRST_SAVELAST, choose_savelast, reads_savelast, saveweights_of

YOLOV4_BYTES = 257_717_640


def choose(
    iteration_s: float | None,
    *,
    max_loss_s: float = 120.0,
    push_s: float | None = None,
    saveweights: int = 1000,
    weights_bytes: int = 24_251_276,
    written: int | None = None,
) -> int | None:
    return choose_savelast(
        iteration_s=iteration_s,
        max_loss_s=max_loss_s,
        push_s=push_s,
        saveweights=saveweights,
        weights_bytes=weights_bytes,
        written=written,
    )


@pytest.mark.parametrize(
    ("chosen", "savelast"),
    [
        pytest.param(choose(None), FIRST_SAVELAST, id="not measured yet"),
        pytest.param(choose(6.0), 20, id="two minutes of a slow network"),
        pytest.param(choose(0.5), 240, id="two minutes of a fast one"),
        pytest.param(choose(0.413), 290, id="rounded down"),
        pytest.param(choose(300.0), 1, id="each iteration takes longer than may be lost"),
        pytest.param(choose(1.2), None, id="as often as darknet does by itself"),
        pytest.param(choose(6.0, max_loss_s=30.0), 5, id="the user cannot bear to lose much"),
        pytest.param(choose(1.0, push_s=150.0), 150, id="a push takes longer"),
        pytest.param(choose(1.0, push_s=10.0, max_loss_s=200.0), 200, id="a push is quick"),
        pytest.param(choose(1.0, max_loss_s=10.0, weights_bytes=YOLOV4_BYTES), 64, id="saving costs"),
        pytest.param(choose(0.01), 999, id="numbered weights come oftener than that"),
        pytest.param(choose(None, saveweights=20), 19, id="and oftener than the first guess"),
        pytest.param(choose(None, saveweights=2), 1, id="every other iteration"),
        pytest.param(choose(None, saveweights=1), None, id="each one is numbered"),
        pytest.param(choose(6.0, written=500), None, id="the user's own stands"),
        pytest.param(choose(6.0, written=999), None, id="the user's own, just below"),
        pytest.param(choose(6.0, written=1000), 20, id="not so that _last is never saved"),
        pytest.param(choose(1.2, written=1000), 100, id="nor where darknet's own would do"),
        pytest.param(
            choose(None, saveweights=50, written=100), FIRST_SAVELAST, id="their saveweights below it"
        ),
    ],
)
def test_choose_savelast(chosen: int | None, savelast: int | None) -> None:
    assert chosen == savelast


_TIMES = st.floats(1e-4, 1e5)


@given(_TIMES, _TIMES, st.none() | _TIMES, st.integers(2, 20_000), st.integers(0, 10**9))
def test_it_is_always_one_that_darknet_heeds(
    iteration_s: float, max_loss_s: float, push_s: float | None, saveweights: int, weights_bytes: int
) -> None:
    savelast = choose_savelast(
        iteration_s=iteration_s,
        max_loss_s=max_loss_s,
        push_s=push_s,
        saveweights=saveweights,
        weights_bytes=weights_bytes,
    )
    assert 1 <= (savelast or 100) < saveweights
    longest_s = max(max_loss_s, push_s or 0.0, weights_bytes / 4e6)
    assert (savelast or 100) * iteration_s <= max(longest_s, iteration_s) * 1.0001


@pytest.mark.parametrize(
    ("written", "max_batches", "saveweights"), [(None, 9999, 1000), (None, 10_000, 10_000), (7, 10_000, 7)]
)
def test_numbered_weights(written: int | None, max_batches: int, saveweights: int) -> None:
    assert saveweights_of(written, max_batches) == saveweights


def test_only_alexeyabs_lets_itself_be_told() -> None:
    assert [flavour for flavour in Flavour if reads_savelast(flavour)] == [Flavour.AX]
