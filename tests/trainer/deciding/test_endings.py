"""What an end says of itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from trainer.deciding.endings import AttemptEnd, is_killed, signal_of

END = AttemptEnd(
    started_s=1000.0,
    ended_s=1100.0,
    resumed_from=100,
    highest_before=100,
    highest_after=100,
    first_iteration=101,
    last_iteration=150,
    exit_status=0,
)


@pytest.mark.parametrize(
    ("status", "number", "killed"),
    [
        pytest.param(0, 0, False, id="ended by itself"),
        pytest.param(1, 0, False, id="with a status"),
        pytest.param(-11, 11, False, id="crashed"),
        pytest.param(-6, 6, False, id="aborted"),
        pytest.param(-9, 9, True, id="SIGKILL"),
        pytest.param(-15, 15, True, id="SIGTERM"),
        pytest.param(137, 9, True, id="SIGKILL, as a shell around it says"),
        pytest.param(139, 11, False, id="crashed, as a shell says"),
        pytest.param(128, 0, False, id="no signal has the number 0"),
        pytest.param(255, 0, False, id="exit(-1) is no signal either"),
    ],
)
def test_signals(status: int, number: int, *, killed: bool) -> None:
    end = replace(END, exit_status=status)
    assert (signal_of(end), is_killed(end)) == (number, killed)


def test_gained_is_never_below_0() -> None:
    assert END.gained == 0
    assert replace(END, highest_after=200).gained == 100
    assert replace(END, highest_after=0).gained == 0
