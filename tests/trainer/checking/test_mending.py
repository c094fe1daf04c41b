"""What is mechanical is mended, shown before, kept beside; and whatever else is wrong, nothing of it is left."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivesync.errors import LocalWriteError, UnfinishedError
from trainer.checking.dataset import Dataset, check_dataset
from trainer.checking.files import TextKind, check_text
from trainer.checking.findings import Finding, Severity
from trainer.checking.folding import FoldedFinding
from trainer.checking.mending import Mending, describe_diff, mend, plan_mending
from trainer.darknet.program import Flavour
from trainer.testing import make_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK = b"\xef\xbb\xbf"
LISTS = ("data/train.txt", "data/test.txt")


def mendable(path: str, code: str) -> Finding:
    return Finding(Severity.ERROR, code, path, None, "What.", "Effect.", "Fix.", mendable=True)


def look(tree: Path, flavour: Flavour = Flavour.PJ) -> list[Finding]:
    """As ``check`` does, of what this is about."""
    texts: Iterator[Finding] = (
        finding
        for path in LISTS
        if (tree / path).is_file()
        for finding in check_text(path, (tree / path).read_bytes(), TextKind.LIST, flavour=flavour)
    )
    return [*texts, *check_dataset(tree, Dataset(*LISTS, classes=2, flavour=flavour))]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "darknet", images=8, negatives=2).root


@pytest.mark.parametrize(
    ("path", "code", "before", "after"),
    [
        pytest.param(
            "cfg/remote.cfg", "carriage-returns", b"a\r\nb\r\r\nc\rd\r", b"a\nb\nc\nd\n", id="line ends"
        ),
        pytest.param("cfg/remote.data", "byte-order-mark", MARK * 2 + b"a\n", b"a\n", id="marks"),
        pytest.param(
            "data/train/1.txt", "label-bom", MARK + b"0 1 1 1 1", b"0 1 1 1 1", id="mark of a label"
        ),
        pytest.param("data/train.txt", "list-space", b" a \nb\t\n\xff \n", b"a\nb\n\xff\n", id="spaces"),
        pytest.param("data/train.txt", "list-backslash", b"a\\b\n", b"a/b\n", id="backslashes"),
        pytest.param("data/train.txt", "list-blank-line", b"\na\n\n", b"a\n", id="blank lines"),
        pytest.param("data/train.txt", "list-duplicate", b"a\nb\na\n", b"a\nb\n", id="duplicates"),
    ],
)
def test_mended(tree: Path, path: str, code: str, before: bytes, after: bytes) -> None:
    (tree / path).write_bytes(before)
    mendings = plan_mending(tree, [mendable(path, code)])
    assert mendings == (Mending(path, before, after),)
    assert (tree / path).read_bytes() == before
    assert mend(tree, mendings) == (f"{path}.orig",)
    assert (tree / path).read_bytes() == after
    assert (tree / f"{path}.orig").read_bytes() == before


def test_a_folder_is_made(tree: Path) -> None:
    (tree / "backup").rmdir()
    mendings = plan_mending(tree, [mendable("backup", "no-backup-folder")])
    assert [describe_diff(mending) for mending in mendings] == ["new folder backup/\n"]
    assert mend(tree, mendings) == ()
    assert (tree / "backup").is_dir()


def test_declared_negatives_get_empty_labels(tree: Path) -> None:
    label = tree / "data/train/3.txt"
    label.unlink()
    (tree / "data/negatives.txt").write_text("data/train/3.png\n")
    mendings = plan_mending(tree, look(tree))
    assert [describe_diff(mending) for mending in mendings] == ["new empty file data/train/3.txt\n"]
    assert mend(tree, mendings) == ()
    assert label.read_bytes() == b""
    assert look(tree) == []


def test_what_is_folded_is_mended_too(tree: Path) -> None:
    for path in (tree / "data/train").glob("*.txt"):
        path.write_bytes(MARK + b"0 0.5 0.5 0.2 0.2\n")
    (tree / "data/train.txt").write_text("".join(f"data/train/{number}.png\n" for number in range(1, 9)) * 4)
    findings = look(tree)
    assert any(isinstance(one, FoldedFinding) and one.code == "label-bom" for one in findings)
    mend(tree, plan_mending(tree, findings))
    assert look(tree) == []


def test_what_is_not_mendable_is_left(tree: Path) -> None:
    (tree / "data/train/3.txt").write_text("cat 0.5 0.5 0.2 0.2\n")
    assert plan_mending(tree, look(tree)) == ()


def test_nothing_outside_the_tree_is_written(tree: Path) -> None:
    outside = tree.parent / "list"
    outside.write_bytes(b"a\r\n")
    (tree / "link").symlink_to(outside)
    found = [
        mendable(path, "carriage-returns")
        for path in ("link", "../list", str(outside), "gone", "data", "a\0b")
    ]
    assert plan_mending(tree, found) == ()
    with pytest.raises(LocalWriteError, match="leads out of"):
        mend(tree, [Mending("link", b"a\r\n", b"a\n")])
    assert outside.read_bytes() == b"a\r\n"


def test_a_link_in_the_tree_stays_one(tree: Path) -> None:
    (tree / "data/list").write_bytes(b"a\r\n")
    (tree / "link").symlink_to("data/list")
    assert mend(tree, plan_mending(tree, [mendable("link", "carriage-returns")])) == ("data/list.orig",)
    assert (tree / "link").is_symlink()
    assert (tree / "data/list").read_bytes() == b"a\n"


def test_an_original_is_never_overwritten(tree: Path) -> None:
    path = tree / "data/list"
    for content in (b"1\r\n", b"2\r\n", b"3\r\n"):
        path.write_bytes(content)
        mend(tree, plan_mending(tree, [mendable("data/list", "carriage-returns")]))
    kept = [(tree / f"data/list{ending}").read_bytes() for ending in (".orig", ".orig.2", ".orig.3")]
    assert kept == [b"1\r\n", b"2\r\n", b"3\r\n"]


def test_who_may_read_it_stays_the_same(tree: Path) -> None:
    path = tree / "data/list"
    path.write_bytes(b"a\r\n")
    path.chmod(0o600)
    mend(tree, plan_mending(tree, [mendable("data/list", "carriage-returns")]))
    for name in ("list", "list.orig"):
        assert stat.S_IMODE((tree / "data" / name).stat().st_mode) == 0o600


def test_what_has_changed_meanwhile_is_not_overwritten(tree: Path) -> None:
    path = tree / "data/list"
    path.write_bytes(b"a\r\n")
    mendings = plan_mending(tree, [mendable("data/list", "carriage-returns")])
    path.write_bytes(b"b\r\n")
    with pytest.raises(UnfinishedError, match="changed meanwhile"):
        mend(tree, mendings)
    assert path.read_bytes() == b"b\r\n"
    assert not (tree / "data/list.orig").exists()


def test_the_diff_names_the_file() -> None:
    assert describe_diff(Mending("data/train.txt", b"a\r\n", b"a\n")) == (
        "--- data/train.txt\n+++ data/train.txt, mended\n@@ -1,1 +1,1 @@\n-a\\r\n+a\n"
    )


_PIECES = [
    b"data/train/1.png", b"data/train/2.png", b"data/test/1.png", b"data\\train\\3.png", b"./data/train/1.png",
    b"data/none.png", b"\n", b"\n", b"\r\n", b"\r", b" ", b"\t", b"\0", b"\\", b"/", MARK, b"\xff", b"$(touch x)",
    b"\xff\xfe", b"\xc2\x85", b"\xe2\x80\xa8", b"\x0c",
]  # fmt: skip
_lists = st.lists(st.sampled_from(_PIECES) | st.binary(max_size=4), max_size=14).map(b"".join)
_ROWS = [
    b"0 0.5 0.5 0.2 0.2", b"1 1 1 1 1", b"2 .5 .5 .5 .5", b"cat 0 0 0 0", b"0.0 1 1 1 1", b"0 nan 1e999 1 1",
    b"0,1", b"\n", b"\n", b"\r\n", b" ", MARK, b"\0", b"\xff",
]  # fmt: skip
_labels = st.lists(st.sampled_from(_ROWS) | st.binary(max_size=4), max_size=8).map(b"".join)
_images = st.binary(max_size=40) | st.sampled_from(
    [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"P6 1 1 9\n"]
)


@settings(max_examples=200)
@given(
    lists=st.tuples(_lists, _lists | st.none()),
    label=_labels | st.none(),
    image=_images | st.none(),
    negatives=_lists | st.none(),
    flavour=st.sampled_from(Flavour),
)
def test_of_any_mixture_nothing_mendable_is_left(
    lists: tuple[bytes, bytes | None],
    label: bytes | None,
    image: bytes | None,
    negatives: bytes | None,
    flavour: Flavour,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tree = make_tree(Path(folder), images=2, negatives=1, size_px=32).root
        contents = {
            LISTS[0]: lists[0],
            LISTS[1]: lists[1],
            "data/train/1.txt": label,
            "data/train/2.png": image,
            "data/negatives.txt": negatives,
        }
        for path, content in contents.items():
            (tree / path).unlink(missing_ok=True)
            if content is not None:
                (tree / path).write_bytes(content)
        files = sum(len(names) for _, _, names in os.walk(tree))
        mendings = plan_mending(tree, look(tree, flavour))
        diffs = [describe_diff(mending) for mending in mendings]
        kept = mend(tree, mendings)
        assert [one.code for one in look(tree, flavour) if one.mendable] == []
        assert all(diff.isascii() or diff.replace("\n", "").isprintable() for diff in diffs)
        assert len(kept) == sum(mending.before is not None for mending in mendings)
        assert sum(len(names) for _, _, names in os.walk(tree)) == files + len(mendings)
