"""Files that a tree lacks because they are empty: found by whoever knows, and made without harm to anything."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from drivesync.empty_files import create_empty, find_missing
from drivesync.errors import LocalWriteError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """``install("name", "source")`` puts a distribution on the path whose module ``name`` has a ``find``."""

    def put(name: str, source: str) -> None:
        site = tmp_path / f"site-{name}"
        metadata = site / f"{name}-1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[drivesync.empty_files]\n{name} = {name}:find\n")
        (site / f"{name}.py").write_text(source)
        monkeypatch.syspath_prepend(site)
        monkeypatch.delitem(sys.modules, name, raising=False)

    return put


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree that lists two images, one of them without a label."""
    tree = tmp_path / "tree"
    (tree / "cfg").mkdir(parents=True)
    (tree / "cfg" / "remote.data").write_text("classes = 1\ntrain = train.txt\nnames = n\n")
    (tree / "train.txt").write_text("a.jpg\nb.jpg\n")
    for name in ("a.jpg", "b.jpg", "a.txt"):
        (tree / name).write_bytes(b"x")
    return tree


def test_darknets_labels_are_known_to_whoever_knows_darknet(tree: Path) -> None:
    assert find_missing(tree) == ("b.txt",)
    assert create_empty(tree, find_missing(tree)) == 1
    assert find_missing(tree) == ()
    assert (tree / "b.txt").read_bytes() == b""


def test_all_who_know_are_asked(tree: Path, install: Install) -> None:
    install("first", "def find(tree): return ['z', 'b.txt']")
    install("second", "def find(tree): return ['a']")
    assert find_missing(tree) == ("a", "b.txt", "z")


@pytest.mark.parametrize("source", ["import nothing_of_the_kind", "other = 1"])
def test_who_cannot_be_loaded_is_an_error(tree: Path, install: Install, source: str) -> None:
    install("broken", source)
    with pytest.raises(SettingsError, match="broken"):
        find_missing(tree)


def test_folders_are_made_and_what_is_there_stays(tree: Path) -> None:
    (tree / "link.txt").symlink_to("../outside.txt")
    assert create_empty(tree, ["a.txt", "data/labels/1.txt", "data/labels/2.txt", "link.txt"]) == 2
    assert (tree / "a.txt").read_bytes() == b"x"
    assert (tree / "data" / "labels" / "2.txt").read_bytes() == b""
    assert not (tree.parent / "outside.txt").exists()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        pytest.param("../a.txt", "no path in a tree", id="dots"),
        pytest.param("/tmp/a.txt", "no path in a tree", id="absolute"),  # noqa: S108  # never written
        pytest.param("out/a.txt", "leads out of", id="through a link"),
        pytest.param("out/made/a.txt", "leads out of", id="through a link, making a folder"),
        pytest.param("train.txt/a.txt", "cannot write", id="below a file"),
    ],
)
def test_nothing_outside_is_written(tree: Path, path: str, message: str) -> None:
    (tree.parent / "outside").mkdir()
    (tree / "out").symlink_to("../outside")
    before = sorted(tree.parent.rglob("*"))
    with pytest.raises(LocalWriteError, match=message):
        create_empty(tree, [path])
    assert sorted(tree.parent.rglob("*")) == before


def test_a_link_that_stays_in_the_tree_is_followed(tree: Path) -> None:
    (tree / "data").mkdir()
    (tree / "all").symlink_to("data")
    assert create_empty(tree, ["all/1.txt"]) == 1
    assert (tree / "data" / "1.txt").is_file()
