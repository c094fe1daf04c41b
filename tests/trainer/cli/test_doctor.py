"""``doctor``: what it prints for people and for programs, and its exit status."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from drivesync.cli.running import run_command
from trainer.cli.doctor import doctor_command
from trainer.testing import make_tree

if TYPE_CHECKING:
    from pathlib import Path

    from drivesync.testing import DriveEmulator


def doctor(*arguments: str) -> int:
    return run_command(doctor_command, list(arguments))


@pytest.fixture
def tree(tree: Path) -> Path:
    make_tree(tree, images=2, negatives=0)
    # As the original, so that nothing depends on what is installed here.
    (tree / "darknet").write_bytes(b"#!/bin/sh\n# %f rate, %lf seconds, \n")
    (tree / "darknet").chmod(0o755)
    return tree


def test_a_page(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor("--no-drive", str(tree)) == 0
    output = capsys.readouterr()
    assert output.err == ""
    lines = output.out.splitlines()
    assert len(lines) <= 24
    assert f"good     darknet    {tree}/darknet: the original darknet (2018)" in lines
    assert all(line.startswith(("good ", "warning ", " " * 19)) for line in lines)


def test_drive(
    tree: Path,
    capsys: pytest.CaptureFixture[str],
    drive_emulator: DriveEmulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drive_emulator.put("darknet/x", b"")
    for name, value in drive_emulator.environment().items():
        monkeypatch.setenv(name, value)
    assert doctor(str(tree)) == 0
    assert "good     Drive      reached as Emulated User" in capsys.readouterr().out


def test_json(tree: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIVE_EMULATOR_HOST", "http://127.0.0.1:1")
    monkeypatch.setenv("DRIVESYNC_RETRIES", "0")
    assert doctor("--json", str(tree)) == 78
    output = capsys.readouterr()
    said = json.loads(output.out)
    assert said["tree"] == str(tree)
    assert said["passed"] is False
    assert {line["level"] for line in said["lines"]} <= {"good", "warning", "bad"}
    (bad,) = [line for line in said["lines"] if line["level"] == "bad"]
    assert bad["topic"] == "Drive"
    assert bad["remedy"]
    assert "1 line of" in output.err


def test_no_terminal_is_moved(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor("--no-drive", str(tree.parent / "a\x1b[2Jb")) in {0, 78}
    assert "\x1b" not in capsys.readouterr().out


def test_it_changes_nothing(tree: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in tree.rglob("*")}
    doctor("--no-drive", str(tree))
    assert {path: path.stat().st_mtime_ns for path in tree.rglob("*")} == before


@pytest.mark.parametrize("arguments", [["--what"], ["a", "b"], ["--remote"]])
def test_called_wrongly(arguments: list[str]) -> None:
    assert doctor(*arguments) == 64
