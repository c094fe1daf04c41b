"""What people see: plain lines in a log, a bar on a terminal, and nothing that a file's name could do to either."""

from __future__ import annotations

import io
import os
import pty
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drivesync.progress import Log, TerminalReporter, open_display, printable
from drivesync.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO


def test_a_note_is_one_line_as_it_is() -> None:
    out = io.StringIO()
    with TerminalReporter(Log(out)) as reporter:
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
    TerminalReporter(Log(out)).note(text)
    assert out.getvalue() == f"{shown}\n"


class Clock:
    """Seconds that go on when told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_log_gets_a_line_soon_and_then_every_few_seconds(clock: Clock) -> None:
    out = io.StringIO()
    with TerminalReporter(Log(out), clock) as reporter:
        reporter.begin("pull")
        reporter.expect(files=200, size_bytes=200_000_000)
        for _ in range(40):
            clock.now_s += 0.5
            reporter.advance(files=5, size_bytes=5_000_000)
            reporter.show()
    assert out.getvalue().splitlines() == [
        "pull: 10 of 200+ files, 10.0 MB of 200.0 MB+, 10 files/s, 10.0 MB/s, over 0:19 left",
        "pull: 60 of 200 files, 60.0 MB of 200.0 MB, 10 files/s, 10.0 MB/s, 0:14 left",
        "pull: 110 of 200 files, 110.0 MB of 200.0 MB, 10 files/s, 10.0 MB/s, 0:09 left",
        "pull: 160 of 200 files, 160.0 MB of 200.0 MB, 10 files/s, 10.0 MB/s, 0:04 left",
    ]


def test_a_job_that_waits_says_for_what_and_does_not_repeat_itself(clock: Clock) -> None:
    out = io.StringIO()
    with TerminalReporter(Log(out), clock) as reporter:
        reporter.begin("pull", lambda: "Drive's rate limit")
        reporter.expect(files=2, size_bytes=10)
        for _ in range(100):
            clock.now_s += 1.0
            reporter.show()
    assert out.getvalue().splitlines() == [
        "pull: 0 of 2+ files, 0 bytes of 10 bytes+, slowed by Drive's rate limit, 0 files/s, 0 bytes/s",
        "pull: 0 of 2 files, 0 bytes of 10 bytes, slowed by Drive's rate limit, 0 files/s, 0 bytes/s",
    ]


def test_of_a_job_that_is_done_nothing_more_is_told(clock: Clock) -> None:
    out = io.StringIO()
    with TerminalReporter(Log(out), clock) as reporter:
        reporter.begin("pull")
        reporter.expect(files=1, size_bytes=10)
        reporter.advance(files=1, size_bytes=10)
        clock.now_s += 100.0
        reporter.show()
    assert out.getvalue() == ""


def test_a_new_job_begins_at_nothing(clock: Clock) -> None:
    out = io.StringIO()
    with TerminalReporter(Log(out), clock) as reporter:
        reporter.begin("pull")
        reporter.expect(files=1, size_bytes=10)
        reporter.begin("verify")
        clock.now_s += 1.0
        reporter.show()
    assert out.getvalue() == "verify: nothing to do so far\n"


def test_no_count_is_lost_between_threads(clock: Clock) -> None:
    out = io.StringIO()
    with TerminalReporter(Log(out), clock) as reporter:
        reporter.begin("pull")
        reporter.expect(files=16_001)

        def work() -> None:
            for _ in range(2_000):
                reporter.advance(files=1, size_bytes=3)

        with ThreadPoolExecutor(8) as pool:
            for _ in range(8):
                pool.submit(work)
        clock.now_s += 1.0
        reporter.show()
    assert out.getvalue().startswith("pull: 16,000 of 16,001+ files, 48.0 kB of ")


def test_a_terminal_gets_a_bar_with_notes_above_it_which_goes_at_the_end(clock: Clock) -> None:
    out = io.StringIO()
    with TerminalReporter(Screen(out, width=100), clock) as reporter:
        reporter.begin("pull")
        reporter.expect(files=2, size_bytes=100)
        reporter.advance(files=1, size_bytes=50)
        clock.now_s += 0.25
        reporter.show()
        drawn = out.getvalue()
        reporter.note("a note")
        assert "a note" in out.getvalue()
        assert "a note" not in drawn
    assert "━" in drawn
    assert "pull: 1 of 2+ files, 50 bytes of 100 bytes+ " in drawn
    assert "4.0 files/s, 200 bytes/s, over 0:00 left" in drawn
    assert out.getvalue().endswith("\x1b[1A\x1b[2K")


def test_it_is_drawn_without_being_asked() -> None:
    out = io.StringIO()
    with TerminalReporter(Screen(out, width=100)) as reporter:
        reporter.begin("pull")
        reporter.expect(files=2, size_bytes=100)
        give_up_s = time.monotonic() + 20
        while "pull: 0 of 2+ files" not in out.getvalue():
            assert time.monotonic() < give_up_s
            time.sleep(0.01)


class TestDisplay:
    @pytest.fixture
    def terminal(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[TextIO]:
        """To be standard error."""
        monkeypatch.delenv("JPY_PARENT_PID", raising=False)
        monkeypatch.setenv("TERM", "xterm")
        here, there = pty.openpty()
        with os.fdopen(there, "w") as stream:
            yield stream
        os.close(here)

    def test_a_terminal_is_one(self, terminal: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stderr", terminal)
        assert open_display().draws

    def test_one_that_cannot_move_its_cursor_is_a_log(
        self, terminal: TextIO, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setenv("TERM", "dumb")
        assert not open_display().draws

    def test_a_cell_is_a_log_though_it_has_a_terminal(
        self, terminal: TextIO, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setenv("JPY_PARENT_PID", "3")
        monkeypatch.setenv("FORCE_COLOR", "1")
        assert not open_display().draws

    def test_a_log_is_one_whatever_color_is_wished(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stderr", io.StringIO())
        monkeypatch.setenv("FORCE_COLOR", "1")
        assert not open_display().draws


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
    reporter = TerminalReporter(Log(log))
    reporter.note("one")
    reporter.note("two")
    with pytest.raises(OSError, match="No space left"):
        log.close()
