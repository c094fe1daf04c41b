"""``run``: which steps a training waits for, and which it does without."""

from __future__ import annotations

import io
import os
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from trainer.cli import run, training
from trainer.testing.tree import make_tree

if TYPE_CHECKING:
    from pathlib import Path

    from drivesync.testing import DriveEmulator


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The wishes of each training that would have begun."""
    began: list[Any] = []
    monkeypatch.setattr(training, "supervise", lambda wishes, *_told, **_more: began.append(wishes))
    return began


@pytest.fixture
def drive(drive_emulator: DriveEmulator, monkeypatch: pytest.MonkeyPatch) -> DriveEmulator:
    """A Drive that holds nothing."""
    for name, value in {**drive_emulator.environment(), "DRIVESYNC_RETRIES": "0"}.items():
        monkeypatch.setenv(name, value)
    return drive_emulator


def test_a_tree_that_is_here_needs_no_drive(
    tree: Path,
    drive: DriveEmulator,
    trained: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_tree(tree, images=2, negatives=0)
    assert drive.url
    monkeypatch.setenv("DRIVE_EMULATOR_HOST", "http://127.0.0.1:1")
    assert run(["run", "darknet", str(tree)]) == 0
    assert "pull: left out, the tree is here and " in capsys.readouterr().out
    assert [wishes.tree for wishes in trained] == [tree]


@pytest.mark.parametrize(
    ("remote", "is_here", "status"),
    [
        pytest.param("darknet", True, os.EX_NOINPUT, id="a remote that was named is to be there"),
        pytest.param("nothing", False, os.EX_NOINPUT, id="neither here nor there"),
    ],
)
def test_what_is_nowhere_is_not_trained(
    tree: Path, drive: DriveEmulator, trained: list[Any], remote: str, status: int, *, is_here: bool
) -> None:
    assert drive.url
    if is_here:
        make_tree(tree, images=2, negatives=0)
    tree.parent.mkdir(exist_ok=True)
    assert run(["run", remote, str(tree)]) == status
    assert not trained


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(["--no-build"], "build: left out, by --no-build", id="no build"),
        pytest.param(["--darknet", "darknet"], "build: left out, by --darknet", id="a darknet that is named"),
        pytest.param(["--no-check"], "check: left out, by --no-check", id="no check"),
    ],
)
def test_what_is_left_out_is_said(
    tree: Path, trained: list[Any], options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make_tree(tree, images=2, negatives=0)
    assert run(["run", "--no-push", "darknet", str(tree), *options]) == 0
    out = capsys.readouterr().out
    assert "pull: left out, by --no-push" in out
    assert said in out
    assert len(trained) == 1


def test_the_last_step_alone_is_left_where_the_others_have_passed(
    tree: Path, trained: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    make_tree(tree, images=2, negatives=0)
    for expected in ("check: nothing is wrong", "nothing has changed since"):
        assert run(["run", "--no-push", "darknet", str(tree)]) == 0
        assert expected in capsys.readouterr().out
    (tree / "cfg/remote.cfg").write_text("[net]\n")
    assert run(["run", "--no-push", "darknet", str(tree)]) == os.EX_CONFIG
    assert len(trained) == 2


def test_archives_that_the_environment_names_are_unpacked(
    tree: Path, drive: DriveEmulator, trained: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("obj/1.txt", "content")
    drive.put("darknet/data/obj.zip", made.getvalue())
    monkeypatch.setenv("DRIVESYNC_UNPACK", "data/obj.zip")
    assert run(["run", "darknet", str(tree), "--no-check", "--no-build"]) == 0
    assert (tree / "data/obj/1.txt").read_text() == "content"
    assert not (tree / "data/obj.zip").exists()
    assert len(trained) == 1
