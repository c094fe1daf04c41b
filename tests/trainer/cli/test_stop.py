"""``stop``: whatever the supervisor does, it is gone afterwards, and so is darknet, or the user knows why not."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from drivesync.daemon import is_alive
from trainer.cli import run, stop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.trainer.cli.conftest import StandIn


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop, "STOP_WAIT_S", 0.5)
    monkeypatch.setattr(stop, "AT_ONCE_WAIT_S", 0.5)
    monkeypatch.setattr(stop, "ENDED_WAIT_S", 0.2)


@pytest.mark.parametrize(
    ("more", "number"), [([], "SIGTERM"), (["--now"], "SIGQUIT")], ids=["stop", "stop --now"]
)
def test_one_that_answers(
    more: list[str],
    number: str,
    tree: Path,
    play_supervisor: Callable[..., StandIn],
    capsys: pytest.CaptureFixture[str],
) -> None:
    one = play_supervisor()
    assert run(["stop", *more, str(tree)]) == 0
    assert capsys.readouterr().out.splitlines()[1:3] == ["stopped at iteration 7", f"stopped by {number}"]
    assert one.process.wait() == 0
    assert not any(map(is_alive, one.family))


def test_one_that_was_suspended_answers(
    tree: Path, play_supervisor: Callable[..., StandIn], capsys: pytest.CaptureFixture[str]
) -> None:
    one = play_supervisor()
    os.kill(one.process.pid, signal.SIGSTOP)
    assert run(["stop", str(tree)]) == 0
    assert "stopped by SIGTERM" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("state", "said"),
    [
        pytest.param("training", "has not answered in 0.5 s. To kill it: trainer stop --now.", id="silent"),
        pytest.param("pushing", "is still pushing. Wait for it with `trainer status --watch`", id="pushing"),
    ],
)
def test_one_that_does_not_end(
    state: str,
    said: str,
    tree: Path,
    play_supervisor: Callable[..., StandIn],
    capsys: pytest.CaptureFixture[str],
) -> None:
    one = play_supervisor(state, deaf=True)
    assert run(["stop", str(tree)]) == 75
    assert f"process {one.process.pid} {said}" in capsys.readouterr().err
    assert all(map(is_alive, one.family))


def test_one_that_does_not_answer_is_killed_with_all_it_started(
    tree: Path, play_supervisor: Callable[..., StandIn], capsys: pytest.CaptureFixture[str]
) -> None:
    one = play_supervisor(deaf=True)
    assert run(["stop", "--now", str(tree)]) == 0
    said = capsys.readouterr().out
    assert f"process {one.process.pid} did not answer, and was killed with all that it had started" in said
    assert "The supervisor is gone" in said
    assert one.process.wait() == -signal.SIGKILL
    assert not any(map(is_alive, one.family))
    assert run(["stop", "--now", str(tree)]) == 66
