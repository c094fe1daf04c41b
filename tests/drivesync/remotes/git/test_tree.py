"""What of a commit becomes files: names that git lets pass, and what is no file."""

from __future__ import annotations

import pytest

from drivesync.files import RemoteFile, RemoteFolder, Skipped
from drivesync.remotes.git.tree import (
    TreeEntry,
    is_pointer,
    parse_blobs,
    parse_tree,
    possible_pointers,
    to_entries,
    to_pages,
)

ID = "0123456789abcdef0123456789abcdef01234567"
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'ab' * 32}\nsize 12345\n".encode()


def folder(path: bytes) -> TreeEntry:
    return TreeEntry("040000", ID, 0, path)


def file(path: bytes, mode: str = "100644", size: int = 3, id_: str = ID) -> TreeEntry:
    return TreeEntry(mode, id_, size, path)


def test_an_answer_of_ls_tree() -> None:
    lines = (
        f"040000 tree {ID}       -\ta",
        f"100755 blob {ID}      12\ta/b\tc\nd",
        f"160000 commit {ID}       -\te",
    )
    answer = "".join(f"{line}\0" for line in lines)
    assert parse_tree(answer.encode()) == (
        TreeEntry("040000", ID, 0, b"a"),
        TreeEntry("100755", ID, 12, b"a/b\tc\nd"),
        TreeEntry("160000", ID, 0, b"e"),
    )
    assert parse_tree(b"") == ()


def test_an_answer_of_cat_file() -> None:
    assert list(parse_blobs(f"{ID} blob 3\na\nb\n{ID} blob 0\n\n".encode())) == [(ID, b"a\nb"), (ID, b"")]


def test_files_and_folders() -> None:
    entries = to_entries([folder(b"a"), file(b"a/b", "100755"), file(b"c")], (), 5.0)
    assert entries == (
        RemoteFolder("a", "a"),
        RemoteFile("a/b", "a/b", 3, "", 5.0, revision_id=ID, executable=True),
        RemoteFile("c", "c", 3, "", 5.0, revision_id=ID, executable=None),
    )


@pytest.mark.parametrize(
    ("entries", "path", "reason"),
    [
        pytest.param([file(b"a", "120000")], "a", "symbolic link", id="link"),
        pytest.param([file(b"a", "160000")], "a", "submodule", id="submodule"),
        pytest.param([file(b"caf\xe9")], "caf\\xe9", "not valid Unicode", id="Latin-1"),
        pytest.param([file(b"x" * 256)], "x" * 256, "longer than 255 bytes", id="too long"),
        pytest.param([file(b"..")], "..", "its name is '..'", id="dots"),
        pytest.param([folder(b".."), file(b"../a")], "..", "its name is '..'", id="a folder of dots"),
        pytest.param([folder(b".git"), file(b".git/config")], ".git", "git keeps", id=".git"),
        pytest.param([folder(b".GIT"), file(b".GIT/config")], ".GIT", "git keeps", id=".GIT"),
        pytest.param([folder(b"caf\xe9"), file(b"caf\xe9/a")], "caf\\xe9", "Unicode", id="a folder"),
        pytest.param([file(b"a", size=130, id_="p")], "a", "in Git LFS", id="Git LFS"),
    ],
)
def test_what_is_no_file_here(entries: list[TreeEntry], path: str, reason: str) -> None:
    [told] = to_entries(entries, {"p"}, 5.0)
    assert isinstance(told, Skipped)
    assert told.path == path
    assert reason in told.reason


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        pytest.param([file(b"a"), folder(b"a"), file(b"a/b")], ["file a", "skipped a"], id="a file first"),
        pytest.param(
            [folder(b"a"), file(b"a/b"), file(b"a")],
            ["folder a", "file a/b", "skipped a"],
            id="a folder first",
        ),
        pytest.param([file(b"a"), file(b"a")], ["file a", "skipped a"], id="a file twice"),
        pytest.param(
            [folder(b".drivesync"), file(b".drivesync/remote.json")], [], id="what is drivesync's own"
        ),
    ],
)
def test_no_two_things_have_one_path(entries: list[TreeEntry], told: list[str]) -> None:
    kinds = {RemoteFile: "file", RemoteFolder: "folder", Skipped: "skipped"}
    assert [f"{kinds[type(entry)]} {entry.path}" for entry in to_entries(entries, (), 5.0)] == told


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        pytest.param(POINTER, True, id="a pointer"),
        pytest.param(POINTER.replace(b"\noid", b"\next-0-x sha256:12\noid"), True, id="with an extension"),
        pytest.param(b"0 0.5 0.5 0.1 0.1\n" * 8, False, id="a label"),
        pytest.param(b"# " + POINTER, False, id="a text about pointers"),
        pytest.param(POINTER + b"and more\n", False, id="with more behind it"),
    ],
)
def test_a_pointer_of_git_lfs(content: bytes, answer: bool) -> None:  # noqa: FBT001  # a table's column
    assert is_pointer(content) == answer
    assert possible_pointers([file(b"a", size=len(content))]) == {ID}


def test_large_files_and_links_are_not_looked_into() -> None:
    assert not possible_pointers(
        [file(b"a", size=1024), file(b"b", size=125), file(b"c", "120000", size=130)]
    )


def test_pages_end_with_their_folders() -> None:
    entries = to_entries(
        [folder(b"a"), *(file(b"a/%d" % n) for n in range(998)), file(b"b"), folder(b"c"), file(b"c/d")],
        (),
        5.0,
    )
    pages = list(to_pages(entries))
    assert pages[0].entries == (RemoteFolder("", "."),)
    assert [(len(page.entries), page.ends) for page in pages] == [(1, False), (1000, False), (2, True)]
    assert [entry.path for entry in pages[1].entries[:4]] == ["a", "b", "c", "a/0"]
    assert [(page.entries, page.ends) for page in to_pages(())] == [
        ((RemoteFolder("", "."),), False),
        ((), True),
    ]
