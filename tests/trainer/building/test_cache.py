"""The cache stands between a build and its remote: whatever goes wrong there, the build goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from drivesync.config import Settings
from drivesync.errors import UsageError
from drivesync.mirror import push_all
from drivesync.progress import Silence
from drivesync.pull import pull
from drivesync.remotes import open_remote
from drivesync.testing import TOKEN
from drivesync.testing.faults import CorruptDownload, CutUpload, ErrorAnswer, Fault
from drivesync.tree import TreeState, write_tree_state
from trainer.building.cache import open_cache
from trainer.building.key import BuildKey

if TYPE_CHECKING:
    from pathlib import Path

    from drivesync.testing import DriveEmulator

KEY = BuildKey("ab" * 32, ("GPU=1",), glibc="2.35")
PROGRAM = b"\x7fELF program" * 1000


class Said:
    """Keeps what people are told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def settings(drive_emulator: DriveEmulator) -> Settings:
    drive_emulator.put("darknet/obj.names", b"")
    return Settings(drive_emulator.url, TOKEN, retries=1, retry_wait_s=0.001)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """In which darknet was compiled, and that goes to Drive."""
    place = tmp_path / "tree"
    place.mkdir()
    (place / "darknet").write_bytes(PROGRAM)
    (place / "darknet").chmod(0o755)
    write_tree_state(place, TreeState("darknet", complete=True))
    return place


def store(tree: Path, settings: Settings, said: Said, given: str | None = None) -> bool:
    with open_cache(tree, given, settings, said) as cache:
        return cache.store(KEY, tree, ["darknet"])


def fetch(tree: Path, settings: Settings, said: Said, given: str | None = None) -> bytes | None:
    with open_cache(tree, given, settings, said) as cache:
        fetched = cache.fetch(KEY, tree)
        return (fetched.folder / "darknet").read_bytes() if fetched is not None else None


def test_what_one_session_has_kept_the_next_one_finds(tree: Path, settings: Settings, said: Said) -> None:
    assert fetch(tree, settings, said) is None
    assert store(tree, settings, said)
    assert fetch(tree, settings, said) == PROGRAM
    assert said.lines == []


def test_the_target_of_a_tree_is_asked_and_a_given_remote_before_it(
    tree: Path, tmp_path: Path, settings: Settings, said: Said
) -> None:
    write_tree_state(tree, TreeState("darknet", complete=True, target=str(tmp_path / "target")))
    assert store(tree, settings, said)
    assert (tmp_path / "target" / ".trainer" / "builds").is_dir()
    assert fetch(tree, settings, said, "darknet") is None
    assert fetch(tree, settings, said) == PROGRAM


@pytest.mark.parametrize(
    ("state", "asked"),
    [
        pytest.param(None, "", id="a tree that was never pulled"),
        pytest.param(TreeState("github:USER/REPO", complete=True), "", id="a tree from GitHub"),
        pytest.param(
            TreeState("github:USER/REPO", complete=True, target="darknet"), "darknet", id="to Drive"
        ),
    ],
)
def test_where_a_tree_has_no_remote_to_write_to_nothing_is_kept(
    tree: Path, settings: Settings, said: Said, state: TreeState | None, asked: str
) -> None:
    if state is None:
        (tree / ".drivesync" / "remote.json").unlink()
    else:
        write_tree_state(tree, state)
    with open_cache(tree, None, settings, said) as cache:
        assert cache.place == asked
    assert store(tree, settings, said) is bool(asked)
    assert said.lines == []


def test_drive_that_is_down_is_told_once(
    tree: Path, drive_emulator: DriveEmulator, settings: Settings, said: Said
) -> None:
    drive_emulator.inject(Fault(ErrorAnswer(503, "backendError"), times=None))
    with open_cache(tree, None, settings, said) as cache:
        assert cache.fetch(KEY, tree) is None
        asked = drive_emulator.counters().total().requests
        assert cache.place == ""
        assert not cache.store(KEY, tree, ["darknet"])
        assert drive_emulator.counters().total().requests == asked
    assert len(said.lines) == 1
    assert "no compiled darknet is looked for on darknet" in said.lines[0]


def test_nor_is_it_waited_for_long(tree: Path, drive_emulator: DriveEmulator, settings: Settings) -> None:
    drive_emulator.inject(Fault(ErrorAnswer(503, "backendError"), times=None))
    said = Said()
    fetch(tree, replace(settings, retries=50), said)
    assert drive_emulator.counters().total().requests <= 6


def test_without_an_account_the_build_goes_on(
    tree: Path, drive_emulator: DriveEmulator, settings: Settings, said: Said
) -> None:
    drive_emulator.inject(Fault(ErrorAnswer(403, "insufficientPermissions"), times=None))
    assert fetch(tree, settings, said) is None
    assert len(said.lines) == 1


def test_a_name_that_means_nothing_is_the_users_to_hear(tree: Path, settings: Settings, said: Said) -> None:
    with pytest.raises(UsageError), open_cache(tree, "https://example.org/x", settings, said):
        pass


def test_bytes_that_are_changed_on_the_way_are_not_used(
    tree: Path, drive_emulator: DriveEmulator, settings: Settings, said: Said
) -> None:
    assert store(tree, settings, said)
    drive_emulator.inject(Fault(CorruptDownload(), times=1))
    assert fetch(tree, settings, said) is None
    assert len(said.lines) == 1
    assert "is not used" in said.lines[0]
    assert not (tree / ".trainer" / "fetched").exists()
    assert fetch(tree, settings, said) == PROGRAM


def test_an_upload_that_is_cut_for_good_keeps_nothing(
    tree: Path, drive_emulator: DriveEmulator, settings: Settings, said: Said
) -> None:
    drive_emulator.inject(Fault(CutUpload(1), times=None))
    assert not store(tree, settings, said)
    drive_emulator.reset()
    assert fetch(tree, settings, said) is None
    assert len(said.lines) == 1


def test_a_disk_that_cannot_take_it_is_no_end(tree: Path, settings: Settings, said: Said) -> None:
    assert store(tree, settings, said)
    (tree / ".trainer").write_bytes(b"a file in the folder's place")
    assert fetch(tree, settings, said) is None
    assert len(said.lines) == 1


def test_a_pull_and_a_mirror_know_nothing_of_it(
    tree: Path, tmp_path: Path, drive_emulator: DriveEmulator, settings: Settings, said: Said
) -> None:
    assert store(tree, settings, said)
    there = drive_emulator.read_tree("darknet")
    assert len([path for path in there if path.startswith(".trainer/builds/")]) == 3
    copy = tmp_path / "copy"
    with open_remote("darknet", settings, said) as remote:
        pulled = pull(remote, copy, reporter=Silence())
        pulled.raise_failure()
        assert pulled.downloaded_files == 1
        assert pulled.skipped == []
        assert not (copy / ".trainer").exists()
        mirrored = push_all(remote, copy, reporter=Silence())
        mirrored.raise_failure()
    assert drive_emulator.read_tree("darknet") == there
