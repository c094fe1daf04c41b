"""``supervise``: how it is handed on, to the session and into the background."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from trainer.background import RunLock
from trainer.cli import detach, run, training
from trainer.hooks import Hooks
from trainer.status import Status, StatusWriter

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.trainer.cli.conftest import StandIn

URL = "https://hooks.example/secret"


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the session would have been told."""
    told: dict[str, Any] = {}

    def note(wishes: object, settings: object, terms: object, **more: object) -> None:
        told.update(more, wishes=wishes, settings=settings, terms=terms)

    monkeypatch.setattr(training, "supervise", note)
    monkeypatch.delenv("TRAINER_NOTIFY", raising=False)
    return told


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Sequence[str], Path]]:
    """What would have been launched; it is gone at once."""
    calls: list[tuple[Sequence[str], Path]] = []

    def note(argv: Sequence[str], log: Path) -> int:
        calls.append((argv, log))
        return -1

    monkeypatch.setattr(detach, "launch", note)
    monkeypatch.setenv("TRAINER_NOTIFY", "https://hooks.example/before")
    return calls


@pytest.mark.parametrize(
    ("argv", "variable", "hooks", "in_place"),
    [
        pytest.param([], None, Hooks(), False, id="nothing asked for"),
        pytest.param(["--notify", URL], None, Hooks(URL), False, id="told by the command line"),
        pytest.param([], URL, Hooks(URL), False, id="told by the environment"),
        pytest.param(["--notify", URL], "https://other", Hooks(URL), False, id="the command line goes first"),
        pytest.param([], "", Hooks(), False, id="a variable that is set to nothing"),
        pytest.param(["--unassign", "--in-place"], None, Hooks(unassign=True), True, id="the others"),
    ],
)
def test_what_the_session_is_told(
    argv: list[str],
    variable: str | None,
    hooks: Hooks,
    *,
    in_place: bool,
    tree: Path,
    session: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if variable is not None:
        monkeypatch.setenv("TRAINER_NOTIFY", variable)
    assert run(["supervise", str(tree), *argv]) == 0
    assert (session["hooks"], session["in_place"]) == (hooks, in_place)
    assert URL not in repr(session["hooks"])


def test_signals_reach_the_session(
    tree: Path, session: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, threading.Event] = {}

    def play(*_arguments: object, stop: threading.Event, hurry: threading.Event, **_more: object) -> None:
        told.update(stop=stop, hurry=hurry)
        signal.raise_signal(signal.SIGQUIT)
        assert hurry.wait(5.0)

    monkeypatch.setattr(training, "supervise", play)
    assert run(["supervise", str(tree)]) == 0
    assert told["stop"].is_set()
    assert not session


@pytest.mark.parametrize(
    ("argv", "kept"),
    [
        pytest.param(["--background"], ["--grace=20.0s"], id="nothing else"),
        pytest.param(
            ["--no-push", "--background", "--cfg", "-x"],
            ["--cfg=-x", "--grace=20.0s", "--no-push"],
            id="others stay",
        ),
        pytest.param(
            ["--notify", URL, "--background", "--unassign"], ["--grace=20.0s", "--unassign"], id="no URL"
        ),
        pytest.param([f"--notify={URL}", "--background"], ["--grace=20.0s"], id="no URL, in one word"),
        pytest.param(
            ["--background", "--", "-map", "--background", "--notify"],
            ["--grace=20.0s", "--", "-map", "--background", "--notify"],
            id="what is darknet's stays",
        ),
    ],
)
def test_what_is_launched(
    argv: list[str],
    kept: list[str],
    tree: Path,
    launched: list[tuple[Sequence[str], Path]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["supervise", str(tree), *argv]) == 70
    ((command, log),) = launched
    assert command == [sys.executable, "-m", "trainer", "supervise", str(tree), *kept]
    assert log == tree / ".trainer/supervisor.log"
    given = any(URL in word for word in argv)
    assert os.environ["TRAINER_NOTIFY"] == (URL if given else "https://hooks.example/before")
    said = capsys.readouterr().err
    assert f"the supervisor ended before it began: it said nothing. All of it is in {log}." in said


def test_what_is_launched_does_all_that_was_asked_for(
    tree: Path,
    session: dict[str, Any],
    launched: list[tuple[Sequence[str], Path]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = {option: f"the {option[2:]}" for option in ("--data", "--cfg", "--weights", "--darknet")}
    values |= {"--remote": "work/darknet", "--fresh-as": "second", "--grace": "3m", "--notify": URL}
    flags = ["--in-place", "--take-over", "--no-check", "--unassign"]
    asked = [*(word for pair in values.items() for word in pair), *flags, "--", "-map"]
    monkeypatch.chdir(tree.parent)
    assert run(["supervise", tree.name, "--background", *asked]) == 70
    monkeypatch.undo()
    monkeypatch.setattr(training, "supervise", lambda *told, **more: session.update(more, told=told))
    monkeypatch.setenv("TRAINER_NOTIFY", URL)
    heard = []
    for words in (["supervise", str(tree), *asked], launched[0][0][3:]):
        assert run(words) == 0
        for event in ("stop", "hurry", "reporter", "while_pulling"):
            del session[event]
        heard.append(dict(session))
    assert heard[0] == heard[1]
    assert heard[0]["told"][0].extra == ("-map",)


def test_a_rerun_attaches(
    tree: Path, play_supervisor: Callable[..., StandIn], capsys: pytest.CaptureFixture[str]
) -> None:
    one = play_supervisor()
    assert run(["supervise", "--background", str(tree)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"trainer: process {one.process.pid} supervises {tree} already",
        "nothing is safe on Drive yet",
        "training at iteration 7",
    ]
    assert run(["supervise", "--no-push", str(tree)]) == 64
    assert f"(process {one.process.pid}) trains {tree} already" in capsys.readouterr().err


def test_a_stale_pid_file_is_no_obstacle(
    tree: Path, launched: list[tuple[Sequence[str], Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    with RunLock(tree):
        StatusWriter(tree, Status("training", 1, 2.0)).flush()
        left = (tree / ".trainer/supervisor.pid").read_text()
    (tree / ".trainer/supervisor.pid").write_text(left)
    assert run(["supervise", "--background", str(tree)]) == 70
    assert len(launched) == 1
    assert "already" not in capsys.readouterr().out


def test_the_cells_stop_ends_the_wait_and_not_the_training(
    tree: Path,
    launched: list[tuple[Sequence[str], Path]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(_pid: int) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(detach, "is_alive", interrupt)
    assert run(["supervise", "--background", str(tree)]) == 0
    assert f"supervising {tree} as process -1" in capsys.readouterr().out
    assert len(launched) == 1


def test_the_word_of_one_that_ended_before_it_began(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / ".trainer").mkdir(parents=True)
    (tree / ".trainer/supervisor.log").write_text("of another time\n")
    assert run(["supervise", "--background", "--no-push", "--unassign", str(tree)]) == 70
    said = capsys.readouterr().err
    assert "ended before it began: trainer: with --no-push, a machine that is given back" in said


def test_a_setting_that_is_wrong_is_told_before_anything_is_launched(
    tree: Path, launched: list[tuple[Sequence[str], Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    tree.mkdir()
    (tree / "trainer.toml").write_text("in_place = 7\n")
    assert run(["supervise", "--background", str(tree)]) == 78
    assert f"{tree}/trainer.toml: in_place" in capsys.readouterr().err
    assert not launched
