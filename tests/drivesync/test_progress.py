"""What people see: plain lines in a log, a bar on a terminal, and nothing that a file's name could do to either."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest
from rich.console import Console

from drivesync import progress
from drivesync.progress import TerminalReporter, printable


def test_a_note_is_one_line_as_it_is() -> None:
    out = io.StringIO()
    with TerminalReporter(Console(file=out, width=20)) as reporter:
        reporter.note("a line that is longer than the log is wide: [red]:smile:[/red] it's 日本")
    assert out.getvalue() == "a line that is longer than the log is wide: [red]:smile:[/red] it's 日本\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("it's 日本 ünï.txt", "it's 日本 ünï.txt", id="letters stay"),
        pytest.param("a\x1b[2Jb", "a\\x1b[2Jb", id="clear the screen"),
        pytest.param("a\r\nb\tc", "a\\r\\nb\\tc", id="line breaks"),
        pytest.param("a\u202eb", "a\\u202eb", id="right to left"),
        pytest.param("a\ud800b", "a\\ud800b", id="half a letter"),
    ],
)
def test_control_characters_are_shown_and_not_obeyed(text: str, shown: str) -> None:
    assert printable(text) == shown
    out = io.StringIO()
    TerminalReporter(Console(file=out, width=200)).note(text)
    assert out.getvalue() == f"{shown}\n"


def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    with TerminalReporter(Console(file=out, width=200)) as reporter:
        reporter.begin("pull", 3, 3_000_000)
        reporter.advance(files=1, size_bytes=1_000_000)
        assert out.getvalue() == ""
        monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
        reporter.advance(files=1, size_bytes=1_000_000)
        reporter.advance(size_bytes=-500_000)
    assert out.getvalue().splitlines() == [
        "pull: 2/3 files, 2.0 MB of 3.0 MB",
        "pull: 2/3 files, 1.5 MB of 3.0 MB",
    ]


def test_a_terminal_gets_a_bar_with_notes_above_it() -> None:
    out = io.StringIO()
    with TerminalReporter(Console(file=out, force_terminal=True, width=100)) as reporter:
        reporter.begin("pull", 2, 100)
        reporter.advance(files=1, size_bytes=50)
        reporter.note("a note")
        reporter.begin("pull", 2, 100)
        reporter.advance(files=2, size_bytes=100)
    assert "a note" in out.getvalue()
    assert "pull 2/2" in out.getvalue()


def test_a_reader_that_is_gone_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    stdout_before = os.fstat(1)
    with os.fdopen(write_end, "w", buffering=1) as broken, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", broken)
        reporter = TerminalReporter()
        reporter.note("one")
        reporter.note("two")
        # What was never read cannot be flushed either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), write_end)
    assert os.path.sameopenfile(1, 1)
    assert os.fstat(1) == stdout_before


def test_a_full_disk_under_the_log_ends_nothing() -> None:
    log = Path("/dev/full").open("w", buffering=1)  # noqa: SIM115 - closing it fails, and that is the point
    reporter = TerminalReporter(Console(file=log))
    reporter.note("one")
    reporter.note("two")
    with pytest.raises(OSError, match="No space left"):
        log.close()
