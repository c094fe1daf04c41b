"""How often a drain wakes up; what it reads is told by test_process."""

from __future__ import annotations

import pytest

from trainer.running.drain import Pace

ROOM_BYTES = 1 << 20


@pytest.mark.parametrize(
    ("bytes_per_s", "wakes_per_s"),
    [
        pytest.param(15e3, 5, id="a hundred lines a second"),
        pytest.param(3e6, 24, id="20,000"),
        pytest.param(20e6, 160, id="a flood"),
    ],
)
def test_a_steady_stream_wakes_seldom_and_never_fills_the_pipe(
    bytes_per_s: float, wakes_per_s: float
) -> None:
    pace = Pace(ROOM_BYTES)
    gather_s = Pace.SHORTEST_S
    waits_s = []
    for _ in range(200):
        read_bytes = int(bytes_per_s * gather_s)
        assert read_bytes <= ROOM_BYTES / 2
        gather_s = pace.next_s(read_bytes, 0.0)
        waits_s.append(gather_s)
    assert 100 / sum(waits_s[100:]) == pytest.approx(wakes_per_s, rel=0.1)


def test_a_full_pipe_is_read_again_at_once() -> None:
    assert Pace(ROOM_BYTES).next_s(ROOM_BYTES, 0.0) == 0.0


def test_after_a_silence_nothing_is_late() -> None:
    pace = Pace(ROOM_BYTES)
    for _ in range(20):
        pace.next_s(100, 0.0)
    assert pace.next_s(100, 0.0) == Pace.LONGEST_S
    assert pace.next_s(100, Pace.LONGEST_S) == Pace.SHORTEST_S
