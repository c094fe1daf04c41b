"""The card as text: lines that move no cursor."""

from __future__ import annotations

from dataclasses import replace

import pytest

from trainer.seeing.card import make_card
from trainer.seeing.text import Span, to_lines, to_spans
from trainer.testing.standings import NOW_S, STANDINGS, ZONE


@pytest.mark.parametrize("name", STANDINGS)
def test_nothing_moves_a_cursor(name: str) -> None:
    assert all(line.isprintable() for line in to_lines(make_card(STANDINGS[name], NOW_S, zone=ZONE)))


def test_what_is_safe_comes_first_and_is_seen_at_a_glance() -> None:
    first, second, *_ = to_spans(make_card(STANDINGS["Drive is full"], NOW_S, zone=ZONE))
    assert first == (Span("safe up to iteration 2,700 · pushed 40 s ago · verified", "trouble", strong=True),)
    assert second[0].tone == "trouble"


@pytest.mark.parametrize(
    ("iteration", "bar"),
    [
        (0, "░" * 40 + " 0.0 %"),
        (5999, "█" * 39 + "░ 99.9 %"),
        (6000, "█" * 40 + " 100.0 %"),
    ],
)
def test_the_bar_is_full_at_the_end_and_not_before(iteration: int, bar: str) -> None:
    status = replace(STANDINGS["training"], iteration=iteration)
    assert to_lines(make_card(status, NOW_S, zone=ZONE))[2] == bar
