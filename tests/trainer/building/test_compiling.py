"""Compilers are run to their end, or ended; told is how far they are, and not what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drivesync.daemon import is_alive
from drivesync.progress import Silence
from trainer.building.compiling import Interrupted, compile_all, run_logged
from trainer.building.project import Commands

if TYPE_CHECKING:
    from pathlib import Path

MAKE = (
    "gcc -c a.c -o obj/a.o\ngcc -c b.c -o obj/b.o\na.c:1: warning: unused\ng++ obj/a.o obj/b.o -o darknet\n"
)
CMAKE = (
    "[ 25%] Building C object a.c.o\n[ 75%] Building C object b.c.o\n[100%] Linking C executable darknet\n"
)


class Counts(Silence):
    """Remembers how far it was told that the job is."""

    def __init__(self) -> None:
        self.expected = 0
        self.done: list[int] = []

    def expect(self, *, files: int = 0, size_bytes: int = 0) -> None:
        assert size_bytes == 0
        self.expected += files

    def advance(self, *, files: int = 0, size_bytes: int = 0) -> None:
        assert size_bytes == 0
        self.done.append((self.done or [0])[-1] + files)


def saying(text: str, status: int = 0) -> tuple[str, ...]:
    return ("sh", "-c", f"printf '%s' '{text}'; exit {status}")


@pytest.mark.parametrize(
    ("commands", "expected", "done"),
    [
        pytest.param(
            Commands((), saying(MAKE), (), saying(MAKE)), 3, [1, 2, 3], id="make counts its steps before"
        ),
        pytest.param(
            Commands((), saying("", 2), (), saying(MAKE)), 0, [0, 0, 0], id="it could not say how many"
        ),
        pytest.param(
            Commands((), (), saying("-- Configuring\n"), saying(CMAKE)),
            100,
            [25, 75, 100],
            id="cmake's share",
        ),
    ],
)
def test_how_far_it_is(tmp_path: Path, commands: Commands, expected: int, done: list[int]) -> None:
    counts = Counts()
    assert compile_all(commands, tmp_path, tmp_path / "log", counts) == 0
    assert (counts.expected, counts.done) == (expected, done)


def test_the_log_is_that_of_this_build(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("of an earlier build\n")
    commands = Commands((), (), saying("configured\n"), saying("built\n", 2))
    assert compile_all(commands, tmp_path, log, Counts()) == 2
    assert log.read_text() == "configured\nbuilt\n"


def test_what_cannot_be_configured_is_not_built(tmp_path: Path) -> None:
    commands = Commands((), (), saying("CMake Error\n", 1), ("touch", "built"))
    assert compile_all(commands, tmp_path, tmp_path / "log", Counts()) == 1
    assert not (tmp_path / "built").exists()


@pytest.mark.parametrize(
    ("on_term", "in_order"),
    [
        pytest.param("rm half; exit 1", True, id="it removes what it was at"),
        pytest.param("", False, id="it is deaf"),
    ],
)
def test_who_stops_it_ends_it_with_all_that_it_has_started(
    tmp_path: Path, on_term: str, *, in_order: bool
) -> None:
    def stop(_line: str) -> None:
        raise KeyboardInterrupt

    script = f"trap '{on_term}' TERM; touch half; sleep 600 & echo $! > pid; echo gcc -c a.c -o obj/a.o; wait; wait"
    with pytest.raises(Interrupted) as caught:
        run_logged(("sh", "-c", script), tmp_path, tmp_path / "log", stop, grace_s=20 if in_order else 0.1)
    assert caught.value.in_order is in_order
    assert (tmp_path / "half").exists() is not in_order
    assert not is_alive(int((tmp_path / "pid").read_text()))
