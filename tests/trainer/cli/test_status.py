"""``status``, looked at once or until the end."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from trainer.background import RunLock
from trainer.cli import run
from trainer.cli import status as command
from trainer.cli.status import NEWS_EVERY_S, PROGRESS_EVERY_S, Lines
from trainer.cli.words import existing_status
from trainer.darknet.cfg import parse_cfg
from trainer.deciding.endings import AttemptEnd
from trainer.learning.facts import read_facts
from trainer.learning.history import AttemptRecord, append_attempt
from trainer.status import Status, StatusWriter
from trainer.testing.tree import tiny_cfg

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.trainer.cli.conftest import StandIn

TRAINING = Status("training", 1, 2.0, iteration=7, max_batches=30)


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def iteration(number: int, **more: object) -> Status:
    return Status("training", 1, 2.0, iteration=number, max_batches=9000, **more)  # type: ignore[arg-type]


def test_for_people_and_for_programs(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    StatusWriter(tree, Status("stopped", 1, 2.0, iteration=7, max_batches=30, exit_code=75)).flush()
    assert run(["status", str(tree)]) == 0
    assert capsys.readouterr().out == "nothing is safe on Drive yet\nstopped at iteration 7 of 30\n"
    assert run(["status", "--json", str(tree)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["state"], said["iteration"], said["exit_code"], said["restarts"]) == ("stopped", 7, 75, [])


def test_the_default_tree_is_below_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("trainer.cli.arguments.default_tree", lambda: tmp_path / "darknet")
    StatusWriter(tmp_path / "darknet", Status("stopped", 1, 2.0)).flush()
    assert run(["status"]) == 0
    assert "stopped" in capsys.readouterr().out


def test_what_darknet_said_moves_no_cursor(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    StatusWriter(tree, Status("gave up", 1, 2.0, message="it said \x1b[2J and went")).flush()
    assert run(["status", str(tree)]) == 0
    assert "it said \\x1b[2J and went" in capsys.readouterr().out


def test_the_life_of_the_run_comes_last(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    StatusWriter(tree, Status("training", 1, 2.0, run="backup/remote")).flush()
    facts = read_facts(parse_cfg(tiny_cfg()))
    end = AttemptEnd(1_790_000_000.0, 1_790_000_060.0, 0, 0, 100, 1, 130, -9)
    for name in ("backup/remote", "backup/other"):
        append_attempt(tree, AttemptRecord(name, 1.0, "host", facts, end, "UNKNOWN", "killed", "restart"))
    assert run(["status", str(tree)]) == 0
    *_, empty, attempts, restarts, _ = capsys.readouterr().out.splitlines()
    assert empty == ""
    assert attempts.startswith("1 attempt in 1 session since 2026-09-21")
    assert restarts == "1 restart: 1 x darknet was killed from outside"


@pytest.mark.parametrize(
    ("more", "lines"),
    [
        pytest.param([], ["nothing is safe on Drive yet", "stopped at iteration 7 of 30"], id="for people"),
        pytest.param(["--json"], ['{"state": "stopped"'], id="for programs"),
    ],
)
def test_a_watch_of_what_has_ended_ends(
    more: list[str], lines: list[str], tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    StatusWriter(tree, Status("stopped", 1, 2.0, iteration=7, max_batches=30)).flush()
    assert run(["status", "--watch", *more, str(tree)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line[: len(begin)] for line, begin in zip(said, lines, strict=True)] == lines


@pytest.mark.parametrize(
    ("number", "states"),
    [
        pytest.param(signal.SIGTERM, ["training", "stopped"], id="ended"),
        pytest.param(signal.SIGKILL, ["training", "dead"], id="gone without a word"),
    ],
)
def test_a_watch_ends_with_the_run(
    number: signal.Signals,
    states: list[str],
    tree: Path,
    play_supervisor: Callable[..., StandIn],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command, "LOOK_EVERY_S", 0.01)
    one = play_supervisor()
    seen = []

    class Recorder:
        def show(self, status: Status, *, last: bool) -> None:
            seen.append((status.state, last))
            if not last:
                one.process.send_signal(number)
                one.process.wait()

    command._watch(lambda: existing_status(tree), Recorder())
    assert seen == [(states[0], False), (states[1], True)]


def test_little_is_added_to_what_stays(capsys: pytest.CaptureFixture[str]) -> None:
    """An hour of looks, two seconds apart, at a training that saves every ten minutes and is restarted once."""
    clock = Clock()
    lines = Lines(clock)
    for look in range(1800):
        clock.now_s = 2.0 * look
        saved, attempts = look // 300 * 100, 1 + (look > 900)
        lines.show(iteration(look, safe_iteration=saved, attempts=attempts), last=False)
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == ["safe up to iteration 0 · verified", "training at iteration 0 of 9,000"]
    assert 3600 / PROGRESS_EVERY_S <= len(printed) <= 3600 / PROGRESS_EVERY_S + 10
    assert re.fullmatch(r"\d\d:\d\d:\d\d training at iteration \d+ of 9,000", printed[2])
    lines.show(Status("finished", 1, 2.0, iteration=9000, max_batches=9000), last=True)
    end = capsys.readouterr().out.splitlines()
    assert end == ["nothing is safe on Drive yet", "finished at iteration 9,000 of 9,000"]


def test_news_come_soon_but_not_in_a_flood(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    lines = Lines(clock)
    for look in range(100):
        clock.now_s = 0.1 * look
        lines.show(iteration(7, safe_iteration=look), last=False)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2 + 10 // NEWS_EVERY_S - 1
    assert said[-1].endswith("safe up to iteration 50 · verified")


def test_nothing_new_is_nothing_printed(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    lines = Lines(clock)
    for clock.now_s in (0.0, 100.0, 200.0):
        lines.show(TRAINING, last=False)
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize(
    ("variables", "drawn"),
    [
        pytest.param({"TERM": "xterm"}, True, id="terminal"),
        pytest.param({"TERM": "xterm", "JPY_PARENT_PID": "1"}, False, id="cell of a notebook"),
        pytest.param({"TERM": "dumb"}, False, id="dumb terminal"),
    ],
)
def test_on_a_terminal(variables: dict[str, str], *, drawn: bool, tree: Path) -> None:
    """Ctrl-C ends it with no word, and the cursor is there again."""
    with RunLock(tree):
        StatusWriter(tree, TRAINING).flush()
        mine, its = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "trainer", "status", "--watch", str(tree)],
            stdin=its,
            stdout=its,
            stderr=its,
            env={name: value for name, value in os.environ.items() if name != "JPY_PARENT_PID"} | variables,
        )
        os.close(its)
        said = b""
        while b"of 30" not in said:
            said += os.read(mine, 4096)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
        said += os.read(mine, 4096) if drawn else b""
        os.close(mine)
    text = said.decode()
    assert ("\x1b[?25l" in text) is drawn
    assert text.count("\x1b[?25h") == (1 if drawn else 0)
    assert "stopped" not in text
