"""What was fetched comes into the tree whole, or not at all, and never out of it."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import LocalWriteError
from trainer.building.fetched import Fetched, allow_run, create_file, discard, make_private_folder, place
from trainer.building.key import BuildKey
from trainer.building.manifest import Product

if TYPE_CHECKING:
    from pathlib import Path

FILES = {"build/src-lib/libdarknet.so": b"library", "darknet": b"program"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree").mkdir()
    return tmp_path / "tree"


def fetch(tree: Path) -> Fetched:
    """As ``fetch_build`` leaves it."""
    folder = make_private_folder(tree)
    for path, content in FILES.items():
        with create_file(folder, path) as file:
            file.write(content)
    products = tuple(
        Product(path, len(content), "", executable=path == "darknet") for path, content in FILES.items()
    )
    return Fetched(BuildKey("ab" * 32, ()), folder, products, 0.0)


def may_run(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o111)


def test_nothing_may_run_and_nobody_else_may_look_before_that_is_allowed(tree: Path) -> None:
    fetched = fetch(tree)
    assert stat.S_IMODE(fetched.folder.stat().st_mode) == 0o700
    assert not any(may_run(fetched.folder / path) for path in FILES)
    allow_run(fetched)
    assert [path for path in FILES if may_run(fetched.folder / path)] == ["darknet"]


def test_it_comes_into_the_tree(tree: Path) -> None:
    (tree / "darknet").write_bytes(b"an older program")
    fetched = fetch(tree)
    allow_run(fetched)
    place(fetched, tree)
    assert {path: (tree / path).read_bytes() for path in FILES} == FILES
    assert may_run(tree / "darknet")
    assert not fetched.folder.exists()


def test_a_link_in_the_programs_place_is_replaced_and_not_followed(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "system").write_bytes(b"of the system")
    (tree / "darknet").symlink_to(tmp_path / "system")
    place(fetch(tree), tree)
    assert (tmp_path / "system").read_bytes() == b"of the system"
    assert (tree / "darknet").read_bytes() == FILES["darknet"]


def test_a_folder_that_leads_out_of_the_tree_gets_nothing(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tree / "build").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LocalWriteError, match="leads out of"):
        place(fetch(tree), tree)
    assert not any(path.is_file() for path in (tmp_path / "elsewhere").rglob("*"))


def test_nor_does_the_private_place_lead_out(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tree / ".trainer").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LocalWriteError, match="leads out of"):
        make_private_folder(tree)


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_a_killed_process_has_left_goes(tree: Path, tmp_path: Path, kind: str) -> None:
    left = tree / ".trainer" / "fetched"
    left.parent.mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x").touch()
    if kind == "folder":
        fetch(tree)
    elif kind == "file":
        left.touch()
    else:
        left.symlink_to(tmp_path / "mine")
    assert list(make_private_folder(tree).iterdir()) == []
    assert (tmp_path / "mine" / "x").exists()


def test_what_is_discarded_is_gone(tree: Path) -> None:
    fetched = fetch(tree)
    discard(fetched)
    discard(fetched)
    assert list((tree / ".trainer").iterdir()) == []
