"""The commands: what they print, and the exit status of each; started processes are in tests/e2e."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from trainer.cli import run
from trainer.testing import make_tree

if TYPE_CHECKING:
    from pathlib import Path


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
        pytest.param(["supervise", "--notify", "ftp://x/secret"], 64, "address to notify", id="no URL"),
        pytest.param(["supervise", "--notify", ""], 64, "address to notify", id="a variable that is not set"),
        pytest.param(["logs", "-n", "-1"], 64, "-1 is not in the range", id="lines before the first"),
        pytest.param(["sing"], 64, "No such command", id="unknown command"),
        pytest.param(["status", "no such tree"], 66, "nothing has been trained in no such tree", id="status"),
        pytest.param(["status", "--watch", "no"], 66, "nothing has been trained in no", id="status --watch"),
        pytest.param(["logs", "no such tree"], 66, "darknet has said nothing in no such tree", id="logs"),
        pytest.param(["logs", "-f", "no such tree"], 66, "darknet has said nothing", id="logs -f"),
        pytest.param(["logs", "--supervisor", "no"], 66, "no supervisor has left a log", id="its other log"),
        pytest.param(["stop", "--now", "no such tree"], 66, "no supervisor runs", id="stop --now"),
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
    assert "secret" not in output.err
    assert len(output.err.splitlines()) == 1


@pytest.mark.parametrize("command", ["supervise", "status", "logs", "stop"])
def test_help_has_examples_and_what_the_exit_status_says(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([command, "--help"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Usage: ")
    assert f"\n  trainer {command}\n" in said or f"\n  trainer {command}  " in said
    assert "Exit status: 0 " in said


def test_help_of_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["-h"]) == 0
    said = capsys.readouterr().out
    assert all(f"\n  {command} " in said for command in ("supervise", "status", "logs", "stop"))


def test_what_follows_two_dashes_is_darknets(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_tree(tree, images=4, negatives=1, max_batches=30)
    assert run(["supervise", str(tree), "--no-push", "--", "--no-push", "--help"]) == 78
    assert "does not know --no-push" in capsys.readouterr().err


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
