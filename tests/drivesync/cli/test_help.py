"""Every command explains itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from drivesync.cli import cli, run_command

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.drivesync.conftest import Ended

    Run = Callable[..., Ended]

COMMANDS = ("pull", "push", "watch", "pack", "status", "ls", "verify", "login", "logout", "whoami")


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("command", [*COMMANDS, None])
def test_every_command_explains_itself_with_an_example(
    capsys: pytest.CaptureFixture[str], command: str | None, option: str
) -> None:
    assert run_command(cli, [*([command] if command else []), option]) == 0
    out, err = capsys.readouterr()
    assert f"python -m drivesync {command or 'pull'}" in out
    assert err == ""


@pytest.mark.parametrize("command", ["pull", "push", "watch", "ls", "verify"])
def test_what_a_remote_may_be_is_shown_where_one_is_taken(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    run_command(cli, [command, "--help"])
    out = capsys.readouterr().out
    for example in (
        "work/darknet",
        "Shareddrives/NAME",
        "https://drive.google.com/",
        "github:USER/REPO[@REF]",
    ):
        assert example in out


def test_without_a_command_there_is_help_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(cli, []) == 64
    out, err = capsys.readouterr()
    assert out.splitlines()[0].startswith("Usage: ")
    assert err == ""


def test_the_commands_are_listed_in_order_and_named_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    run_command(cli, ["--help"])
    listed = capsys.readouterr().out.partition("Commands:\n")[2].splitlines()
    assert tuple(line.split()[0] for line in listed) == COMMANDS
    assert not any(line.endswith("...") for line in listed)


def test_the_statuses_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    run_command(cli, ["--help"])
    out = capsys.readouterr().out
    assert set(re.findall(r"\b(0|6\d|7\d)\b", out)) == {
        "0",
        "64",
        "65",
        "66",
        "69",
        "73",
        "75",
        "76",
        "77",
        "78",
    }


def test_version(drivesync: Run) -> None:
    assert re.fullmatch(r".*\d+\.\d+.*\n", drivesync("--version").out)
