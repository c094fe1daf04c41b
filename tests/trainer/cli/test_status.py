"""``status``, looked at once or until the end."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from trainer.background import RunLock
from trainer.cli import run
from trainer.cli import status as command
from trainer.cli.status import NEWS_EVERY_S, PROGRESS_EVERY_S, Lines
from trainer.cli.words import card_now, existing_status
from trainer.seeing.text import to_lines
from trainer.status import Status, StatusWriter
from trainer.testing.standings import TRAINING as FULL

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
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == ["nothing is safe on Drive yet", "stopped at iteration 7 of 30"]
    assert re.fullmatch(r"ended      \d\d:\d\d, \d s ago", said[-1])
    assert run(["status", "--json", str(tree)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["state"], answer["iteration"], answer["exit_code"], answer["restarts"]) == (
        "stopped",
        7,
        75,
        [],
    )
    assert (answer["card"]["headline"], answer["card"]["tone"]) == (said[0], "over")


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
    StatusWriter(tree, replace(TRAINING, life=("3 attempts", "1 restart"))).flush()
    assert run(["status", str(tree)]) == 0
    assert capsys.readouterr().out.splitlines()[-3:] == ["", "3 attempts", "1 restart"]


def test_colours_are_for_those_who_see_them(
    tree: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    StatusWriter(tree, Status("gave up", 1, 2.0, message="so it is")).flush()
    assert run(["status", str(tree)]) == 0
    assert "\x1b" not in capsys.readouterr().out
    monkeypatch.setattr("click.utils.should_strip_ansi", lambda *_args: False)
    assert run(["status", str(tree)]) == 0
    assert "\x1b[31m\x1b[1mso it is" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "lines"),
    [
        pytest.param(
            [], ["nothing is safe on Drive yet", "stopped at iteration 7 of 30", "█", "ended "], id="people"
        ),
        pytest.param(["--json"], ['{"state": "stopped"'], id="programs"),
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
    whole = len(to_lines(card_now(iteration(0, safe_iteration=0, attempts=1))))
    assert 3600 / PROGRESS_EVERY_S <= len(printed) - whole <= 3600 / PROGRESS_EVERY_S + 10
    assert re.fullmatch(r"\d\d:\d\d:\d\d training at iteration \d+ of 9,000", printed[whole])
    lines.show(Status("finished", 1, 2.0, iteration=9000, max_batches=9000), last=True)
    end = capsys.readouterr().out.splitlines()
    assert end[:2] == ["nothing is safe on Drive yet", "finished at iteration 9,000 of 9,000"]


def test_a_line_tells_what_people_wait_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Not that the GPU is as busy as before, nor how full the disk is."""
    clock = Clock()
    lines = Lines(clock)
    first = iteration(7, left_s=7200.0, avg_loss=2.0, updated_s=time.time(), disk_free_bytes=1)
    lines.show(first, last=False)
    capsys.readouterr()
    clock.now_s = PROGRESS_EVERY_S
    lines.show(replace(first, iteration=8, avg_loss=1.5, disk_free_bytes=2, map_best=0.5), last=False)
    (line,) = capsys.readouterr().out.splitlines()
    assert line[9:] == "training at iteration 8 of 9,000; avg loss 1.5; mAP best 50.0 %"


def test_news_come_soon_but_not_in_a_flood(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    lines = Lines(clock)
    for look in range(100):
        clock.now_s = 0.1 * look
        lines.show(iteration(7, safe_iteration=look), last=False)
    said = capsys.readouterr().out.splitlines()
    whole = len(to_lines(card_now(iteration(7, safe_iteration=0))))
    assert len(said) == whole + 10 // NEWS_EVERY_S - 1
    assert said[-1].endswith("safe up to iteration 50 · verified")


def test_nothing_new_is_nothing_printed(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    lines = Lines(clock)
    for clock.now_s in (0.0, 100.0, 200.0):
        lines.show(TRAINING, last=False)
    assert len(capsys.readouterr().out.splitlines()) == len(to_lines(card_now(TRAINING)))


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
        while b"23.3 %" not in said:
            said += os.read(mine, 4096)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
        said += os.read(mine, 4096) if drawn else b""
        os.close(mine)
    text = said.decode()
    assert ("\x1b[?25l" in text) is drawn
    assert text.count("\x1b[?25h") == (1 if drawn else 0)
    assert "stopped" not in text


BLOCKING = """
import resource, signal, sys
from pathlib import Path

tree, answers = sys.argv[1], ("status.json", "supervisor.pid", "supervisor.lock")

def hang(on):
    print("it hangs on", on, flush=True)
    signal.pause()

def block(event, args):
    what = str(args[0]) if args else ""
    if event.startswith("socket.connect") or event in {"subprocess.Popen", "os.posix_spawn", "os.fork"}:
        hang(event)
    elif event == "open" and what.startswith(tree) and not what.endswith(answers):
        hang(what)

sys.addaudithook(block)
from trainer.cli import run
status = run(["status", tree])
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime, *sorted(sys.modules), file=sys.stderr)
sys.exit(status)
"""
SLOW = {
    "numpy",
    "matplotlib",
    "googleapiclient",
    "google",
    "watchdog",
    "rich.live",
    "rich.console",
    "PIL",
    "pynvml",
}
ANSWER_S = 0.3


def test_it_answers_at_once_while_everything_else_hangs(tree: Path) -> None:
    """All but the one file: other files of the tree, the network, any other program.

    The time is that which it computes: how long it waits for a processor is not its doing.
    """
    taken_s = []
    with RunLock(tree):
        StatusWriter(tree, replace(FULL, pid=os.getpid())).flush()
        for name in ("attempts.jsonl", "learned.json", "run.json"):
            os.mkfifo(tree / ".trainer" / name)
        for _ in range(3):
            argv = [sys.executable, "-c", BLOCKING, str(tree)]
            done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=True)
            assert done.stdout.startswith("safe up to iteration 2,700 · pushed ")
            assert done.stdout.endswith(f"{FULL.life[-1]}\n")
            used_s, *modules = done.stderr.split()
            assert not SLOW & set(modules)
            taken_s.append(float(used_s))
            if taken_s[-1] < ANSWER_S:
                break
    assert min(taken_s) < ANSWER_S


def test_a_reader_that_asks_for_more_would_hang(tree: Path) -> None:
    """The hook above does block, so that the test above can fail."""
    StatusWriter(tree, FULL).flush()
    (tree / "cfg").touch()
    more = BLOCKING.replace('run(["status", tree])', 'open(tree + "/cfg")')
    with subprocess.Popen(
        [sys.executable, "-c", more, str(tree)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"it hangs on {tree}/cfg\n"
        assert process.poll() is None
        process.kill()
