"""A command line's end: where nobody listens, where nothing can be written, and where the program is wrong."""

from __future__ import annotations

import runpy
import subprocess
import sys
from types import ModuleType
from typing import TYPE_CHECKING

import click
import pytest

from drivesync.cli import run_command

if TYPE_CHECKING:
    from pathlib import Path

    from drivesync.testing import DriveEmulator


@pytest.mark.parametrize(
    ("line", "status"),
    [
        pytest.param("drivesync ls 2>&1 | true", 0, id="the reader has seen enough"),
        pytest.param("drivesync pull 2>&1 | true", 0, id="nobody reads what was done"),
        pytest.param("drivesync pull absent 2>&1 | true", 66, id="nobody reads what went wrong"),
        pytest.param("drivesync pull absent --json > /dev/full", 66, id="what went wrong comes first"),
        pytest.param("drivesync pull --json > /dev/full", 73, id="no room for what was done"),
        pytest.param("drivesync pull --no-such-option 2> /dev/full", 64, id="no room for the complaint"),
        pytest.param("drivesync pull 2>&-", 0, id="no standard error"),
        pytest.param("drivesync pull absent 2>&-", 66, id="no standard error to complain on"),
        pytest.param("drivesync pull >&-", 0, id="no standard output"),
        pytest.param("LANG=C drivesync pull", 0, id="no locale"),
    ],
)
def test_the_status_tells_what_was_done(
    environment: dict[str, str], full: DriveEmulator, tmp_path: Path, line: str, status: int
) -> None:
    command = f'drivesync() {{ {sys.executable} -m drivesync "$@"; }}; {line}; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", command], env=environment, cwd=tmp_path, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == status
    assert b"Traceback" not in done.stderr
    if "absent" not in line and "--no" not in line and "ls" not in line:
        assert (tmp_path / "darknet/cfg/run.cfg").read_bytes() == full.read_tree("darknet")["cfg/run.cfg"]


def test_70_an_error_in_the_program_is_told_with_what_to_report(capsys: pytest.CaptureFixture[str]) -> None:
    @click.command
    def wrong() -> None:
        raise ZeroDivisionError("by none")

    assert run_command(wrong, ["--"]) == 70
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("Traceback")
    assert lines[-1].endswith(
        ": an error in this program (ZeroDivisionError). Please report it with the lines above."
    )


def test_75_stopped_while_the_program_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    class Loading(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "drivesync.cli", Loading("drivesync.cli"))
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("drivesync", run_name="__main__")
    assert ended.value.code == 75


def test_78_names_that_cannot_be_written_here(environment: dict[str, str], tmp_path: Path) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "drivesync", "pull"],
        env=environment | ascii_only,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 78
    assert "by the locale, and cannot be those in Drive. Set PYTHONUTF8=1" in done.stderr
    assert list(tmp_path.iterdir()) == []
