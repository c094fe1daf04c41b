"""``logs``: what is printed of a log, and when following it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from trainer.background import RunLock
from trainer.cli import run
from trainer.running.pipes import RotatedLog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def log(tree: Path) -> Path:
    (tree / ".trainer").mkdir(parents=True)
    return tree / ".trainer/darknet.log"


@pytest.fixture
def following(tree: Path, log: Path) -> Iterator[subprocess.Popen[str]]:
    """``logs -f`` of a tree that is supervised, for as long as the test says, as yet without a log."""
    assert not log.exists()
    argv = [sys.executable, "-m", "trainer", "logs", "-f", str(tree)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        yield process
        process.kill()


def test_the_last_lines_of_either_log(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.write_bytes(b"a\n\x1b[31mb\x1b[0m\n\nc\nunfinished")
    log.with_name("supervisor.log").write_text("resuming\n")
    tree = str(log.parents[1])
    assert run(["logs", tree]) == 0
    assert capsys.readouterr().out == "a\nb\nc\nunfinished\n"
    assert run(["logs", "-n", "2", tree]) == 0
    assert capsys.readouterr().out == "c\nunfinished\n"
    assert run(["logs", "-n", "0", tree]) == 0
    assert capsys.readouterr().out == ""
    assert run(["logs", "--supervisor", tree]) == 0
    assert capsys.readouterr().out == "resuming\n"


def test_following_what_has_ended(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.write_bytes(b"a\nb\nunfinished")
    assert run(["logs", "-f", "-n", "1", str(log.parents[1])]) == 0
    assert capsys.readouterr().out == "b\nunfinished\n"


def test_following_until_the_supervisor_has_ended(
    log: Path, tree: Path, request: pytest.FixtureRequest
) -> None:
    with RunLock(tree):
        process: subprocess.Popen[str] = request.getfixturevalue("following")
        assert process.stdout is not None
        with RotatedLog(log, limit_bytes=1000) as darknet:
            darknet.write(b"begin\n")
            assert process.stdout.readline() == "begin\n"
            for number in range(20):
                darknet.write(b"%d %s\n" % (number, b"." * 60))
            darknet.write(b"the last word")
    said, _ = process.communicate()
    assert process.returncode == 0
    assert [line.split()[0] for line in said.splitlines()] == [*map(str, range(20)), "the"]
    assert log.with_name("darknet.log.1").exists()


def test_ctrl_c_ends_it_quietly(tree: Path, log: Path, request: pytest.FixtureRequest) -> None:
    with RunLock(tree):
        process: subprocess.Popen[str] = request.getfixturevalue("following")
        assert process.stdout is not None
        log.write_text("begin\n")
        assert process.stdout.readline() == "begin\n"
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate()
    assert said == ""
    assert process.returncode == 0


def test_a_reader_that_goes_away(log: Path) -> None:
    log.write_bytes(b"line\n" * 200_000)
    reading, writing = os.pipe()
    os.close(reading)
    argv = [sys.executable, "-m", "trainer", "logs", "-n", "200000", str(log.parents[1])]
    done = subprocess.run(argv, stdout=writing, stderr=subprocess.PIPE, check=False, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")
