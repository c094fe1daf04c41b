"""What the beginning of a session brings."""

from __future__ import annotations

import io
import zipfile
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from drivesync.config import Settings
from drivesync.progress import Silence
from drivesync.testing import TOKEN
from trainer.begin import Terms, begin
from trainer.config import Wishes
from trainer.status import Status, StatusWriter
from trainer.testing import make_tree

if TYPE_CHECKING:
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
