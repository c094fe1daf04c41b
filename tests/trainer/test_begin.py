"""What the beginning of a session brings."""

from __future__ import annotations

import io
import zipfile
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from drivesync.config import Settings
from drivesync.errors import DrivesyncError
from drivesync.progress import Silence
from drivesync.testing import TOKEN
from trainer.begin import Terms, begin
from trainer.config import Wishes, resolve_run
from trainer.status import Status, StatusWriter
from trainer.testing import make_tree
from trainer.testing.stand_in import write_weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.testing import DriveEmulator


def make_zip(content: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("obj/1.txt", content)
    return made.getvalue()


@pytest.fixture
def settings(drive_emulator: DriveEmulator, tmp_path: Path) -> Settings:
    """Of a Drive with a tree, and two archives in it, of which its settings name one."""
    there = make_tree(tmp_path / "there", images=2, negatives=0).root
    (there / "drivesync.toml").write_text('unpack = ["a.zip"]')
    drive_emulator.seed(there, "darknet")
    for name in "ab":
        drive_emulator.put(f"darknet/{name}.zip", make_zip(name))
    return Settings(emulator_url=drive_emulator.url, access_token=TOKEN)


@pytest.mark.parametrize(
    ("environment", "content", "stays"),
    [
        pytest.param("", "a", "b.zip", id="as the tree's settings say"),
        pytest.param("b.zip", "b", "a.zip", id="the environment goes before them"),
    ],
)
def test_archives_are_unpacked(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: str,
    content: str,
    stays: str,
) -> None:
    monkeypatch.setenv("DRIVESYNC_UNPACK", environment)
    tree = tmp_path / "here"
    tree.mkdir()
    with ExitStack() as stack:
        begin(
            Wishes(tree),
            Terms("darknet"),
            settings,
            status=StatusWriter(tree, Status("starting", 1, 0.0)),
            reporter=Silence(),
            stack=stack,
        )
    assert (tree / "obj/1.txt").read_text() == content
    assert [path.name for path in tree.glob("*.zip")] == [stays]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        pytest.param(lambda tree: Wishes(tree, cfg="cfg/no.cfg"), "there is no cfg/no.cfg", id="cfg"),
        pytest.param(lambda tree: Wishes(tree, data="cfg/no.data"), "there is no cfg/no.data", id="data"),
        pytest.param(lambda tree: Wishes(tree, darknet="./no"), "is no program", id="darknet"),
        pytest.param(lambda tree: Wishes(tree, weights="no.weights"), "there is no no.weights", id="weights"),
    ],
)
def test_what_is_wrong_with_a_tree_that_is_here_is_said_before_a_lease_is_taken(
    tmp_path: Path, asked: Callable[[Path], Wishes], said: str
) -> None:
    tree = make_tree(tmp_path / "here", images=2, negatives=0).root
    (tmp_path / "there").mkdir()
    with ExitStack() as stack, pytest.raises(DrivesyncError, match=said):
        start(asked(tree), str(tmp_path / "there"), stack)
    assert list((tmp_path / "there").iterdir()) == []


def test_weights_may_come_with_the_checkpoints(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "here", images=2, negatives=0).root
    (tmp_path / "there/backup").mkdir(parents=True)
    (tmp_path / "there/backup/first.weights").write_bytes(b"weights")
    with ExitStack() as stack:
        start(Wishes(tree, weights="backup/first.weights"), str(tmp_path / "there"), stack)
    assert (tree / "backup/first.weights").read_bytes() == b"weights"


def test_a_machine_that_returns_goes_on_from_the_further_checkpoint(tmp_path: Path) -> None:
    there = tmp_path / "there"
    trees = [make_tree(tmp_path / name, images=2, negatives=0).root for name in ("one", "other")]
    network = resolve_run(Wishes(trees[0])).network
    last = "backup/remote_last.weights"
    (there / "backup").mkdir(parents=True)
    write_weights(there / last, network, 100)
    for tree in trees:
        with ExitStack() as stack:
            start(Wishes(tree), str(there), stack)
    write_weights(there / last, network, 300)
    write_weights(trees[0] / last, network, 200)
    write_weights(trees[1] / last, network, 400)
    kept = trees[1].joinpath(last).read_bytes()
    for tree in trees:
        with ExitStack() as stack:
            start(Wishes(tree), str(there), stack)
    assert (trees[0] / last).read_bytes() == (there / last).read_bytes()
    assert (trees[1] / last).read_bytes() == kept


def start(wishes: Wishes, remote: str, stack: ExitStack) -> None:
    begin(
        wishes,
        Terms(remote),
        Settings(),
        status=StatusWriter(wishes.tree, Status("starting", 1, 0.0)),
        reporter=Silence(),
        stack=stack,
    )
