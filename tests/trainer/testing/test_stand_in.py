"""A stand-in is taken for the darknet it stands in for, writes what that would write, and ends as it is told to."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from trainer.checkpoint import read_checkpoint, read_network
from trainer.darknet.program import Flavour, flavour_of
from trainer.testing import make_tree
from trainer.testing.stand_in import install

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Played:
    root: Path
    status: int
    out: str
    err: str

    def iteration(self, name: str) -> int | str:
        """How far a weights file is, or why it is not whole."""
        checkpoint = read_checkpoint(self.root / "backup" / name, read_network(self.root / "cfg/remote.cfg"))
        return checkpoint.iteration or checkpoint.verdict.reason


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "tree", images=2, negatives=1).root


def play(
    root: Path, transcript: str, *arguments: str, flavour: Flavour = Flavour.AX, again: bool = False
) -> Played:
    program = root / "darknet" if again else install(root, flavour, transcript)
    command = [str(program), "detector", "train", "cfg/remote.data", "cfg/remote.cfg", *arguments]
    ran = subprocess.run(command, cwd=root, capture_output=True, check=False, timeout=20)
    return Played(root, ran.returncode, ran.stdout.decode(), ran.stderr.decode())


@pytest.mark.parametrize("flavour", Flavour)
def test_it_is_told_apart_by_its_bytes(root: Path, flavour: Flavour) -> None:
    assert flavour_of(install(root, flavour, "exit 0").read_bytes()) is flavour


def test_it_prints_iterations_and_goes_on_from_weights(root: Path) -> None:
    transcript = (
        "when fresh\nerr new\nalways\neach\n out {i} {images}\nend\ntrain 2\nwhen before 2\n"
        "save remote_last.weights 2\nalways\ntrain 4\nout of {weights}"
    )
    played = play(root, transcript)
    assert (played.out, played.err) == ("1 4\n2 8\n3 12\n4 16\nof \n", "new\n")
    saved = "backup/remote_last.weights"
    before_ns = (root / saved).stat().st_mtime_ns
    again = play(root, transcript, saved, "-dont_show", again=True)
    assert (again.out, again.err) == (f"3 12\n4 16\nof {saved}\n", "")
    assert (root / saved).stat().st_mtime_ns == before_ns
    assert play(root, transcript, saved, "-clear", again=True).out.startswith("1 4\n")


def test_it_counts_its_attempts(root: Path) -> None:
    transcript = "when attempt 1\nexit 3\nwhen attempt 2+\nexit 4"
    statuses = [play(root, transcript, again=number > 0).status for number in range(3)]
    assert statuses == [3, 4, 4]


@pytest.mark.parametrize("flavour", Flavour)
def test_it_saves_whole_weights(root: Path, flavour: Flavour) -> None:
    assert (
        play(root, "save remote_final.weights 300", flavour=flavour).iteration("remote_final.weights") == 300
    )


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        pytest.param("torn", "shorter than", id="torn"),
        pytest.param("empty", "it is empty", id="empty"),
        pytest.param("nan", "NaN or infinite", id="nan"),
        pytest.param("wild", "far above", id="wild"),
    ],
)
def test_it_saves_what_is_not_whole(root: Path, harm: str, reason: str) -> None:
    said = play(root, f"save remote_last.weights 100 {harm}").iteration("remote_last.weights")
    assert reason in str(said)


@pytest.mark.parametrize(
    ("transcript", "status"),
    [
        pytest.param("out 1", 0, id="its last line"),
        pytest.param("exit 1\nexit 2", 1, id="a status"),
        pytest.param("signal 11", -11, id="a signal"),
        pytest.param("ignore SIGTERM\nsignal 9", -9, id="one that cannot be ignored"),
        pytest.param("ignore SIGTERM\nsignal 15", -15, id="one that was ignored"),
    ],
)
def test_it_ends(root: Path, transcript: str, status: int) -> None:
    assert play(root, transcript).status == status


def test_it_floods_at_a_rate(root: Path) -> None:
    began_s = time.monotonic()
    assert play(root, "flood 10000 2000").err.count("\n") == 2000
    assert time.monotonic() - began_s > 0.19


@pytest.mark.parametrize(
    ("where", "group"), [pytest.param("", True, id="in the group"), pytest.param("away", False, id="away")]
)
def test_its_child_lives_on(root: Path, where: str, group: bool) -> None:  # noqa: FBT001 - a table's column
    install(root, Flavour.AX, f"fork {where}\nexit 3")
    command = ["./darknet", "detector", "train", "cfg/remote.data", "cfg/remote.cfg"]
    with subprocess.Popen(command, cwd=root, start_new_session=True) as process:
        assert process.wait(20) == 3
    child = int((root / "darknet.child").read_text())
    try:
        assert (os.getpgid(child) == process.pid) is group
    finally:
        os.kill(child, signal.SIGKILL)
