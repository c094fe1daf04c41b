"""The commands: what they print, and the exit status of each; started processes are in tests/e2e."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from trainer.background import RunLock
from trainer.cli import run
from trainer.status import Status, StatusWriter
from trainer.testing import make_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """A command takes the process's signals for itself; here they are pytest's again afterwards."""
    taken = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in taken]
    yield
    for number, handler in zip(taken, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return tmp_path / "my tree"


@pytest.mark.parametrize(
    ("argv", "status", "said"),
    [
        pytest.param(["supervise", "--no-such-flag"], 64, "No such option", id="unknown flag"),
        pytest.param(["supervise", "a", "b"], 64, "unexpected extra argument", id="two trees"),
        pytest.param(
            ["supervise", "--grace", "soon"], 64, "'soon' is no time; write 20s or 2m", id="no time"
        ),
        pytest.param(["supervise", "--grace", "-1"], 64, "'-1' is no time", id="a time before now"),
        pytest.param(["supervise", "--fresh-as", ""], 64, "a start needs a name", id="no name"),
        pytest.param(["sing"], 64, "No such command", id="unknown command"),
        pytest.param(["status", "no such tree"], 66, "nothing has been trained in no such tree", id="status"),
        pytest.param(["stop", "no such tree"], 66, "no supervisor runs in no such tree", id="stop"),
    ],
)
def test_one_line_and_an_exit_status(
    argv: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(argv) == status
    output = capsys.readouterr()
    assert output.out == ""
    assert said in output.err
    assert len(output.err.splitlines()) == 1


@pytest.mark.parametrize("argv", [["--help"], ["supervise", "--help"], ["status", "-h"], ["stop", "-h"]])
def test_help(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(argv) == 0
    assert capsys.readouterr().out.startswith("Usage: ")


def test_status_for_people_and_for_programs(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
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


def test_what_follows_two_dashes_is_darknets(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_tree(tree, images=4, negatives=1, max_batches=30)
    assert run(["supervise", str(tree), "--no-push", "--", "--no-push", "--help"]) == 78
    assert "does not know --no-push" in capsys.readouterr().err


def test_a_second_one_in_the_background_is_no_failure(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with RunLock(tree):
        StatusWriter(tree, Status("training", 1, 2.0)).flush()
        assert run(["supervise", "--background", str(tree)]) == 0
    assert f"supervises {tree} already\nnothing is safe on Drive yet\ntraining\n" in capsys.readouterr().out


def test_a_second_one_in_the_foreground_is_a_mistake(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with RunLock(tree):
        assert run(["supervise", str(tree), "--no-push"]) == 64
    assert "trains " in capsys.readouterr().err


@pytest.mark.parametrize("command", [["supervise"], ["supervise", "--background"]])
def test_a_setting_that_is_none(
    command: list[str], tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DRIVESYNC_RETRIES", "-1")
    assert run([*command, str(tree)]) == 78
    assert "DRIVESYNC_RETRIES is '-1'" in capsys.readouterr().err
    assert not tree.exists()


@pytest.mark.parametrize("command", [["supervise", "--no-push"], ["supervise", "--background"]])
def test_a_tree_that_is_a_file(command: list[str], tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree.touch()
    assert run([*command, str(tree)]) == 73
    assert str(tree) in capsys.readouterr().err
