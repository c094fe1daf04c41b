"""A whole tree comes byte for byte, whatever the Drive is like and however often the pull is killed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from drivesync.testing import CorruptDownload, Costs, CutDownload, ErrorAnswer, Fault
from drivesync.testing.entries import Content
from drivesync.testing.metadata import Metadata
from drivesync.testing.trees import make_folders

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from drivesync.testing import DriveEmulator

RANDOM = random.Random(2)
LARGE_BYTES = 100_000_000
NAMES = [
    "{n}.txt",
    "name with spaces {n} .jpg",
    "it's {n}.jpg",
    'say "hello" {n}.jpg',
    "back\\slash {n}.jpg",
    "日本語 ünïcödé 🦊 {n}.png",
    "100% #{n}?a=b&c+d.jpg",
    "{n}\nline\ttab.txt",
    "' or name contains '{n}",
    "{n:0250}.dat",
]
FOLDERS = ["data/obj", "data/it's data", "backup", "cfg", "データ/深い/フォルダ"]


def make_files() -> dict[str, bytes]:
    """300 files: every third empty or tiny, one of 100 MB."""
    files = {"large.bin": RANDOM.randbytes(LARGE_BYTES)}
    for number in range(299):
        name = NAMES[number % len(NAMES)].format(n=number)
        size = (0, 1, RANDOM.randrange(20_000))[number % 3]
        files[f"{FOLDERS[number % len(FOLDERS)]}/{name}"] = RANDOM.randbytes(size)
    return files


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return make_files()


@pytest.fixture
def drive(drive_emulator: DriveEmulator, files: Mapping[str, bytes]) -> DriveEmulator:
    for path, content in files.items():
        drive_emulator.put(f"darknet/{path}", content)
    return drive_emulator


def start_pull(drive: DriveEmulator, tree: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "drivesync", "pull", "darknet", str(tree)],
        env={**os.environ, **drive.environment(), "DRIVESYNC_RETRY_WAIT_S": "0.01"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish_pull(drive: DriveEmulator, tree: Path) -> str:
    process = start_pull(drive, tree)
    said, _ = process.communicate(timeout=100)
    assert process.returncode == 0, said
    return said


def assert_equal(tree: Path, files: Mapping[str, bytes]) -> None:
    found = {
        file.relative_to(tree).as_posix()
        for file in tree.rglob("*")
        if file.is_file() and file.relative_to(tree).parts[0] != ".drivesync"
    }
    assert found == files.keys()
    assert [path for path in files if (tree / path).read_bytes() != files[path]] == []
    assert list((tree / ".drivesync" / "partial").iterdir()) == []


def test_300_files_byte_for_byte(drive: DriveEmulator, files: dict[str, bytes], tmp_path: Path) -> None:
    assert len(files) == 300
    said = finish_pull(drive, tmp_path / "tree")
    assert "pull: 300 files" in said
    assert_equal(tmp_path / "tree", files)
    assert "pull: 0 files (0 bytes)" in finish_pull(drive, tmp_path / "tree")


@pytest.mark.parametrize(
    "effect",
    [
        pytest.param(ErrorAnswer(403, "userRateLimitExceeded"), id="403 userRateLimitExceeded"),
        pytest.param(ErrorAnswer(429, "rateLimitExceeded"), id="429"),
        pytest.param(ErrorAnswer(500, "backendError"), id="500"),
        pytest.param(ErrorAnswer(503, "backendError"), id="503"),
        pytest.param(CutDownload(after_bytes=10_000), id="cut"),
    ],
)
def test_with_trouble_in_every_twentieth_request(
    drive: DriveEmulator, files: dict[str, bytes], tmp_path: Path, effect: ErrorAnswer | CutDownload
) -> None:
    drive.inject(Fault(effect, times=None, probability=0.05))
    finish_pull(drive, tmp_path / "tree")
    assert_equal(tmp_path / "tree", files)
    assert drive.counters().total().injected > 3


def test_with_damage_in_every_twentieth_answer(
    drive: DriveEmulator, files: dict[str, bytes], tmp_path: Path
) -> None:
    drive.inject(Fault(CorruptDownload(), times=None, probability=0.05))
    tree = tmp_path / "tree"
    # The one that comes in a dozen answers always comes. A small one that comes damaged three times is given up, which
    # befalls one pull of such a tree in forty, and hardly ever the next as well.
    for _run in range(2):
        process = start_pull(drive, tree)
        said, _ = process.communicate(timeout=100)
        here = {path for path in files if (tree / path).exists()}
        assert [path for path in here if (tree / path).read_bytes() != files[path]] == []
        assert "large.bin" in here
        if process.returncode == 0:
            break
        assert process.returncode == 65, said
        assert "came damaged: expected" in said
        assert len(here) > 290
    assert_equal(tree, files)
    assert drive.counters().total().injected > 3


def test_killed_at_random_and_run_again(
    drive: DriveEmulator, files: dict[str, bytes], tmp_path: Path
) -> None:
    # So slow that a kill can strike at any point of it.
    drive.set_costs(Costs(latency_s=0.005, bandwidth_bytes_per_s=50_000_000))
    tree = tmp_path / "tree"
    mine = tree / FOLDERS[0] / "mine.txt"
    for _ in range(5):
        process = start_pull(drive, tree)
        # Python alone takes half a second to start.
        time.sleep(0.5 + RANDOM.random())
        process.kill()
        process.communicate()
        mine.parent.mkdir(parents=True, exist_ok=True)
        mine.write_bytes(b"mine")
        for file in tree.glob("data/*/*"):
            assert file == mine or file.read_bytes() == files[file.relative_to(tree).as_posix()]
    drive.reset()
    finish_pull(drive, tree)
    assert_equal(tree, {**files, mine.relative_to(tree).as_posix(): b"mine"})
    assert [entry.name for entry in tmp_path.iterdir()] == ["tree"]


def test_hostile_names_write_nothing_outside(drive_emulator: DriveEmulator, tmp_path: Path) -> None:
    refused = ["../../x", "..", ".", "a/b", "/etc/x", "..\0", "x" * 256, "日" * 90]
    allowed = ["..x", "...", "a\\b", "\x1b]0;title\x07", "bell\a", "x" * 255, "-rf", "~", "$HOME", "CON"]
    with drive_emulator.locked() as store:
        top = make_folders(store, "darknet")
        for name in [*refused, *allowed]:
            store.create(Metadata(name=name, parents=(top.id,)), Content.of(name.encode()))
        for name in refused:
            folder = store.create(Metadata(name=name, parents=(top.id,), mime_type=top.mime_type))
            store.create(Metadata(name="inside", parents=(folder.id,)), Content.of(b"evil"))
    said = finish_pull(drive_emulator, tmp_path / "home" / "tree")
    assert_equal(tmp_path / "home" / "tree", {name: name.encode() for name in allowed})
    assert [entry.name for entry in tmp_path.iterdir()] == ["home"]
    assert [entry.name for entry in (tmp_path / "home").iterdir()] == ["tree"]
    assert said.replace("\n", "").isprintable()


def test_what_was_changed_here_is_kept(drive_emulator: DriveEmulator, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    before = {"cfg/remote.cfg": b"[net]", "backup/remote_last.weights": b"100", "data/a.txt": b"0"}
    for path, content in before.items():
        drive_emulator.put(f"darknet/{path}", content)
    finish_pull(drive_emulator, tree)
    (tree / "cfg/remote.cfg").write_bytes(b"[net] mine")
    (tree / "backup/remote_last.weights").write_bytes(b"200")
    for path in before:
        drive_emulator.put(f"darknet/{path}", b"150")
    said = finish_pull(drive_emulator, tree)
    assert_equal(
        tree, {"cfg/remote.cfg": b"[net] mine", "backup/remote_last.weights": b"200", "data/a.txt": b"150"}
    )
    assert "2 files changed here, kept; --theirs overwrites:" in said
