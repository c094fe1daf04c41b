"""Programs that are asked something: whatever they do, there is an answer, and soon."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from trainer.machine.asking import Answer, ask, find_on_path
from trainer.testing.fake_gpu import fake_hanging_program


def write(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("script", "status", "text"),
    [
        pytest.param("echo 1.2", 0, "1.2\n", id="output"),
        pytest.param("echo hm >&2; exit 3", 3, "hm\n", id="a complaint is read, too"),
        pytest.param("kill -SEGV $$", -11, "", id="a signal"),
        pytest.param("printf '\\377x'", 0, "\ufffdx", id="bytes that are no text"),
        pytest.param("cat", 0, "", id="there is nothing to read"),
        pytest.param("echo $LC_ALL $WORD", 0, "C given\n", id="in English, in the environment that is given"),
    ],
)
def test_an_answer(tmp_path: Path, script: str, status: int, text: str) -> None:
    environ = {"PATH": os.defpath, "WORD": "given", "LC_ALL": "de_DE"}
    assert ask(write(tmp_path / "program", script), environ=environ) == Answer(status, text)


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] == "Z"
    except OSError:
        return True


def test_what_hangs_is_killed_with_what_it_started(tmp_path: Path) -> None:
    program = write(tmp_path / "program", f"sleep 600 & echo $! > {tmp_path}/child; wait")
    answer = ask(program, environ=os.environ, timeout_s=1.0)
    assert (answer.status, answer.trouble) == (None, "it did not answer within 1 s")
    child = int((tmp_path / "child").read_text())
    deadline_s = time.monotonic() + 10
    while not has_ended(child) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert has_ended(child)


def test_a_python_program_that_hangs(tmp_path: Path) -> None:
    assert not ask(fake_hanging_program(tmp_path / "x"), environ={}, timeout_s=0.3).is_good


def test_what_cannot_be_started(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"\x7fELF and no more")
    (tmp_path / "data").chmod(0o755)
    for name in ("data", "nothing"):
        answer = ask(tmp_path / name, environ={})
        assert answer.status is None
        assert answer.trouble.startswith("it cannot be started: ")


def test_what_is_on_the_path(tmp_path: Path) -> None:
    program = write(tmp_path / "program", "")
    (tmp_path / "data").touch()
    environ = {"PATH": str(tmp_path)}
    assert find_on_path("program", environ) == program
    assert find_on_path("data", environ) is None
    assert find_on_path("sh", environ) is None
    assert find_on_path("sh", {}) is not None


def test_the_first_line_is_one_that_says_something() -> None:
    assert Answer(0, "\n  \n one \ntwo").first_line == "one"
    assert Answer(0, "\n").first_line == ""
