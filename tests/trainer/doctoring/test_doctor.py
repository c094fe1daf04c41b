"""All of it together: on machines that are not here, and on this one."""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from drivesync.config import Settings
from drivesync.errors import SettingsError
from drivesync.testing import Delay, DriveEmulator, Fault
from drivesync.tree import remember_target
from trainer.config import Wishes
from trainer.doctoring.doctor import Limits, examine
from trainer.doctoring.lines import Level, Line
from trainer.testing import make_tree
from trainer.testing.fake_gpu import fake_gpu, fake_hanging_program

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

LOCAL = [
    "GPU",
    "CUDA",
    "cuDNN",
    "OpenCV",
    "compiler",
    "processor",
    "memory",
    "darknet",
    "Python",
    "tree",
    "disk",
]
REMOTE = ["Drive", "scopes", "remote", "storage", "clock", "lease"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "tree", images=2, negatives=0).root


@pytest.fixture
def drive(drive_emulator: DriveEmulator) -> Callable[[], Settings]:
    drive_emulator.put("darknet/cfg/remote.cfg", b"[net]\n")
    settings = Settings.from_environment(drive_emulator.environment())
    return lambda: settings


def topics(lines: Sequence[Line]) -> list[str]:
    return [line.topic for line in lines]


def test_this_machine(tree: Path) -> None:
    """True lines: as the machine is, whatever it has."""
    began_s = time.monotonic()
    lines = examine(Wishes(tree), os.environ, None)
    assert time.monotonic() - began_s < 20
    found = {line.topic: line for line in lines}
    assert [topic for topic in LOCAL if topic not in found] == []
    assert 1 <= int(found["processor"].what.split()[0]) <= len(os.sched_getaffinity(0))
    assert (found["compiler"].level is Level.GOOD) is all(shutil.which(name) for name in ("c++", "make"))
    assert (found["darknet"].level is Level.GOOD) is (shutil.which("darknet") is not None)
    assert found["tree"].level is found["disk"].level is found["Python"].level is Level.GOOD
    if shutil.which("nvidia-smi") is None:
        assert found["GPU"].level is Level.WARNING


def test_another_machine(tree: Path, tmp_path: Path, drive: Callable[[], Settings]) -> None:
    fake_gpu(tmp_path / "bin", "NVIDIA L4", cuda=(12, 8))
    environ = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    lines = examine(Wishes(tree), environ, drive)
    assert topics(lines) == [LOCAL[0], "driver", *LOCAL[1:], *REMOTE]
    assert lines[0].what == "NVIDIA L4, 22.5 GiB, compute capability 8.9"
    assert lines[2].what == f"12.8, {tmp_path}/bin/nvcc"


def test_drive_is_down(tree: Path) -> None:
    lines = examine(Wishes(tree), os.environ, lambda: Settings("http://127.0.0.1:1", retry_wait_s=0.0))
    assert topics(lines) == [*LOCAL, "Drive"]
    assert lines[-1].level is Level.BAD


def test_settings_that_are_wrong(tree: Path) -> None:
    def refuse() -> Settings:
        raise SettingsError("DRIVESYNC_RETRIES is 'x'", hint="Set it to a number.")

    lines = examine(Wishes(tree), os.environ, refuse)
    assert lines[-1] == Line(Level.BAD, "remote", "DRIVESYNC_RETRIES is 'x'", "Set it to a number.")
    assert topics(lines) == [*LOCAL, "remote"]


def test_drive_does_not_answer(
    tree: Path, drive: Callable[[], Settings], drive_emulator: DriveEmulator
) -> None:
    drive_emulator.inject(Fault(Delay(4.0), call="files.*", times=None))
    began_s = time.monotonic()
    lines = examine(Wishes(tree), os.environ, drive, limits=Limits(remote_s=1.5))
    assert time.monotonic() - began_s < 30
    assert topics(lines)[: len(LOCAL)] == LOCAL
    assert lines[-1].level is Level.WARNING
    assert lines[-1].what == "no answer within 1.5 s"


def test_no_tree(tmp_path: Path, drive: Callable[[], Settings]) -> None:
    lines = examine(Wishes(tmp_path / "none"), os.environ, drive)
    assert Counter(topics(lines)) == Counter([*LOCAL, *REMOTE, "disk"])
    assert {line.topic for line in lines if line.level is Level.BAD} <= {"compiler", "darknet"}


def test_a_tree_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    lines = examine(Wishes(tmp_path / "file"), os.environ, None)
    assert [line.topic for line in lines if line.level is Level.BAD] == ["tree"]


def test_programs_that_hang(tree: Path, tmp_path: Path) -> None:
    fake_hanging_program(tmp_path / "bin/nvidia-smi")
    environ = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    lines = examine(Wishes(tree), environ, None, limits=Limits(program_s=1.0))
    assert topics(lines) == LOCAL
    assert lines[0].what == "nvidia-smi tells nothing: it did not answer within 2 s"


def test_the_remote_that_the_tree_remembers(tree: Path, tmp_path: Path) -> None:
    place = tmp_path / "somewhere"
    place.mkdir()
    remember_target(tree, str(place), "darknet")
    lines = examine(Wishes(tree), os.environ, Settings)
    assert f"{place} is there" in [line.what for line in lines]
    other = examine(Wishes(tree), os.environ, Settings, remote=str(tmp_path))
    assert f"{tmp_path} is there" in [line.what for line in other]


def test_requests_are_not_repeated_for_long(
    tree: Path, drive: Callable[[], Settings], drive_emulator: DriveEmulator
) -> None:
    many = replace(drive(), retries=7, retry_wait_s=0.001)
    drive_emulator.__exit__(None, None, None)
    began_s = time.monotonic()
    lines = examine(Wishes(tree), os.environ, lambda: many)
    assert time.monotonic() - began_s < 20
    assert lines[-1].level is Level.BAD
    drive_emulator.__enter__()
