"""What ``drivesync.remotes.base.Remote`` promises, asked of every remote there is.

Whatever can be pushed to was given all that is looked at through the remote itself. On a real account the folder
``drivesync contract`` is left in My Drive, for whoever ran it to look at and to remove.
"""

from __future__ import annotations

import hashlib
import io
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import (
    MovedError,
    NotFoundError,
    StaleMarkError,
    TransientError,
    UsageError,
)
from drivesync.files import RemoteFile, RemoteFolder, Skipped
from drivesync.testing.repository import COMMITTED_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivesync.remotes.base import Remote
    from tests.contract.conftest import Place

RANDOM = random.Random(3)
MODIFIED_S = 1_700_000_000.123
ODD_NAMES = [
    "it's",
    'say "hello"',
    "back\\slash",
    "100% #1?a=b&c+d",
    "日本語 ünïcödé 🦊",
    "e\u0301 is not \u00e9",
    " spaces ",
    "line\nfeed\ttab",
    "..x",
    "-rf",
    "x" * 255,
]


@dataclass(frozen=True)
class Listed:
    """A listing: of several files with one path the first."""

    files: dict[str, RemoteFile]
    folders: dict[str, str]
    skipped: tuple[Skipped, ...]


def read(remote: Remote, file: RemoteFile, first: int = 0, last: int | None = None) -> bytes:
    blocks: list[bytes] = []

    class Sink:
        def write(self, block: bytes) -> None:
            blocks.append(bytes(block))

    remote.read(file, Sink(), first, last)
    return b"".join(blocks)


def look(remote: Remote) -> Listed:
    """List everything, and hold the pages to what is promised of them."""
    pages = list(remote.list())
    assert pages[-1].ends, "the last page does not end what it is about"
    entries = [entry for page in pages for entry in page.entries]
    folders = {entry.path: entry.id for entry in entries if isinstance(entry, RemoteFolder)}
    assert entries[0] == RemoteFolder("", folders[""]), "the tree's own folder does not come first"
    files: dict[str, RemoteFile] = {}
    for entry in entries:
        if isinstance(entry, RemoteFile):
            newer = files.setdefault(entry.path, entry)
            assert newer.modified_s >= entry.modified_s, f"{entry.path}: the newest does not come first"
    assert not files.keys() & folders.keys(), "a file has the path of a folder"
    above = {path[:cut] for path in files for cut in range(len(path)) if path[cut] == "/"}
    assert above | {""} <= folders.keys(), "a folder is not told"
    return Listed(files, folders, tuple(entry for entry in entries if isinstance(entry, Skipped)))


def as_listed(file: RemoteFile, told: RemoteFile) -> RemoteFile:
    """``file`` without its checksums if ``told``, from a listing, has none."""
    return file if told.md5 else replace(file, md5="", sha256="")


def md5_of(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def write(
    remote: Remote,
    path: str,
    content: bytes,
    *,
    replaces: RemoteFile | None = None,
    executable: bool = False,
    modified_s: float = MODIFIED_S,
) -> RemoteFile:
    return remote.write(
        path,
        io.BytesIO(content),
        size=len(content),
        modified_s=modified_s,
        properties={"iteration": "7"},
        executable=executable,
        replaces=replaces,
    )


def found(remote: Remote, path: str) -> RemoteFile:
    file = remote.find(path)
    assert file is not None
    return file


# What holds of every remote.


def test_what_is_not_there(place: Place) -> None:
    with place.open() as remote:
        with pytest.raises(NotFoundError):
            list(remote.list())
        assert remote.find("a") is None
        assert remote.find("backup/a") is None


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 1_000_003])
def test_what_is_there_is_listed_found_and_read(place: Place, size: int) -> None:
    content = RANDOM.randbytes(size)
    place.put("backup/a.weights", content)
    with place.open() as remote:
        listed = look(remote).files["backup/a.weights"]
        file = found(remote, "backup/a.weights")
        assert (file.path, file.size, file.md5) == ("backup/a.weights", size, md5_of(content))
        assert file.sha256 in {"", hashlib.sha256(content).hexdigest()}
        assert file.modified_s == pytest.approx(COMMITTED_S, abs=0.001)
        assert listed == as_listed(file, listed)
        assert remote.renew(listed) == file
        assert read(remote, file) == content
        assert read(remote, listed) == content


def test_a_range_is_read_with_both_its_ends(place: Place) -> None:
    content = RANDOM.randbytes(3_000_000)
    place.put("a", content)
    ranges = [
        (0, 0),
        (1, 1),
        (17, 1_500_000),
        (1_048_576, 2_097_151),
        (2_500_000, None),
        (2_500_000, 2_999_999),
        (2_999_999, 2_999_999),
    ]
    with place.open() as remote:
        file = found(remote, "a")
        for first, last in ranges:
            expected = content[first : None if last is None else last + 1]
            assert read(remote, file, first, last) == expected, (first, last)


def test_any_name_that_a_local_file_can_have(place: Place) -> None:
    for name in ODD_NAMES:
        place.put(f"{name}/{name}", name.encode())
    with place.open() as remote:
        listed = look(remote)
        assert listed.files.keys() == {f"{name}/{name}" for name in ODD_NAMES}
        assert not listed.skipped
        for name in ODD_NAMES:
            file = found(remote, f"{name}/{name}")
            assert listed.files[file.path] == as_listed(file, listed.files[file.path])
            assert read(remote, file) == name.encode()


def test_names_differ_by_case(place: Place) -> None:
    place.put("a", b"lower")
    place.put("A", b"upper")
    with place.open() as remote:
        assert look(remote).files.keys() == {"a", "A"}
        assert [read(remote, found(remote, name)) for name in "aA"] == [b"lower", b"upper"]


def test_folders_in_folders_are_told_and_walked(place: Place) -> None:
    deep = "/".join(f"level {level}" for level in range(20))
    paths = [f"{deep}/a", "b", "data/1/c", "data/2/c"]
    for path in paths:
        place.put(path, path.encode())
    with place.open() as remote:
        listed = look(remote)
        assert listed.files.keys() == set(paths)
        assert {"data", "data/1", "data/2", deep} < listed.folders.keys()
        assert read(remote, found(remote, f"{deep}/a")) == f"{deep}/a".encode()
        assert remote.find("data") is None, "a folder is no file"
        assert remote.find("b/a") is None, "a file is no folder"


def test_the_run_bit_is_told(place: Place) -> None:
    place.put("darknet", b"program", executable=True)
    place.put("notes", b"text")
    with place.open() as remote:
        files = look(remote).files
        assert [files["darknet"].executable, found(remote, "darknet").executable] == [True, True]
        assert not files["notes"].executable


def test_what_was_asked_for_is_counted(place: Place) -> None:
    place.put("a", b"content")
    with place.open() as remote:
        look(remote)
        listing = sum(spent.requests for spent in remote.usage.by_kind.values())
        read(remote, found(remote, "a"))
        assert 0 < listing < sum(spent.requests for spent in remote.usage.by_kind.values())
        assert remote.usage.retries == 0
        assert remote.slowed_by == ""


def test_most_bytes_bound_what_comes(place: Place) -> None:
    place.put("a", b"content")
    place.put("b", b"more")
    with place.open() as remote:
        most = remote.most_bytes()
        assert most is None or most >= sum(file.size for file in look(remote).files.values())


def test_changes_since_a_mark_are_told_or_a_new_listing_is_asked_for(place: Place) -> None:
    place.put("data/a", b"old")
    with place.open() as remote:
        mark = remote.mark()
        before = look(remote)
    folders = {id_: path for path, id_ in before.folders.items()}
    with place.open() as remote:
        if not mark:
            with pytest.raises(StaleMarkError):
                remote.changes(mark, folders)
            return
        changes = remote.changes(mark, folders)
        assert not {file.path for file in changes.entries} - {"data/a"}
        mark = changes.mark
    place.put("data/a", b"newer")
    place.put("data/b", b"new")
    with place.open() as remote:
        try:
            changes = remote.changes(mark, folders)
        except StaleMarkError:
            assert remote.mark() != mark
            return
        files = {entry.path: entry for entry in changes.entries if isinstance(entry, RemoteFile)}
        assert {path: file.size for path, file in files.items()} == {"data/a": 5, "data/b": 3}
        assert before.files["data/a"].id in changes.gone
        again = remote.changes(changes.mark, folders)
        assert not {file.path for file in again.entries} - files.keys()


def test_a_mark_that_is_none_is_stale(place: Place) -> None:
    place.put("a", b"content")
    with place.open() as remote, pytest.raises(StaleMarkError):
        remote.changes("no mark at all", {})


def test_a_file_that_has_changed_is_not_read_as_what_it_was(place: Place) -> None:
    place.put("a", RANDOM.randbytes(100_000))
    with place.open() as remote:
        old = look(remote).files["a"]
    place.put("a", b"shorter")
    with place.open() as remote:
        with pytest.raises(MovedError):
            read(remote, old)
        now = remote.renew(old)
        assert now is not None
        assert (now.id, now.size, now.md5) == (old.id, 7, md5_of(b"shorter"))
        assert read(remote, now) == b"shorter"


def test_many_threads_read(place: Place) -> None:
    contents = {f"data/{number}": RANDOM.randbytes(10_000 * number) for number in range(12)}
    for path, content in contents.items():
        place.put(path, content)
    with place.open() as remote:
        files = look(remote).files
        with ThreadPoolExecutor(remote.workers) as pool:
            read_ = dict(zip(files, pool.map(lambda file: read(remote, file), files.values()), strict=True))
    assert read_ == contents


def test_what_fails_in_the_sink_is_heard_and_harms_no_other_read(place: Place) -> None:
    content = RANDOM.randbytes(3_000_000)
    place.put("a", content)

    class FullDisk:
        def write(self, block: bytes) -> None:
            raise MemoryError(len(block))

    with place.open() as remote:
        file = found(remote, "a")
        with pytest.raises(MemoryError):
            remote.read(file, FullDisk())
        assert read(remote, file) == content


def test_the_name_opens_the_same_place_again(place: Place, open_name: Callable[[str], Remote]) -> None:
    place.put("backup/a", b"content")
    with place.open() as remote:
        name, files = remote.name, look(remote).files
    with open_name(name) as other:
        assert other.name == name
        assert look(other).files == files


def test_after_cancel_nothing_works(place: Place) -> None:
    place.put("a", b"content")
    with place.open() as remote:
        file = found(remote, "a")
        look(remote)
        remote.cancel()
        with pytest.raises(TransientError):
            remote.find("a")
        with pytest.raises(TransientError):
            remote.renew(file)
        with pytest.raises(TransientError):
            read(remote, file)
        with pytest.raises(TransientError):
            list(remote.list())


# What holds of those that can be pushed to.


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 1_000_003])
def test_what_is_written_is_found_listed_and_read(remote: Remote, size: int) -> None:
    content = RANDOM.randbytes(size)
    written = write(remote, "backup/a.weights", content)
    assert (written.path, written.size, written.md5) == ("backup/a.weights", size, md5_of(content))
    assert written.modified_s == pytest.approx(MODIFIED_S, abs=0.001)
    assert remote.find("backup/a.weights") == written
    assert remote.renew(written) == written
    listed = look(remote).files
    assert listed == {"backup/a.weights": as_listed(written, listed["backup/a.weights"])}
    assert read(remote, written) == content
    assert not remote.pull_only


def test_a_file_that_is_replaced_keeps_its_id_and_is_one(remote: Remote) -> None:
    first = write(remote, "a", b"first")
    second = write(remote, "a", b"second", replaces=first, executable=True)
    assert (first.executable or False, second.executable) == (False, True)
    assert second.id == first.id
    assert second.revision_id == "" or second.revision_id != first.revision_id
    assert found(remote, "a") == second
    assert look(remote).files.keys() == {"a"}
    assert read(remote, second) == b"second"


def test_of_two_files_with_one_path_the_newest_is_the_one(remote: Remote) -> None:
    write(remote, "data/a", b"newer", modified_s=MODIFIED_S + 60)
    last = write(remote, "data/a", b"old", modified_s=MODIFIED_S)
    listed = look(remote).files["data/a"]
    file = found(remote, "data/a")
    assert listed == as_listed(file, listed)
    # A remote that holds one file of a name has the one that was written last.
    assert file.md5 == md5_of(b"newer") or file == last


def test_many_threads_make_each_folder_once_and_each_file(remote: Remote) -> None:
    paths = [f"a/b/{number}" for number in range(8)]
    with ThreadPoolExecutor(4) as pool:
        written = list(pool.map(lambda path: write(remote, path, path.encode()), paths))
        assert list(pool.map(lambda file: read(remote, file), written)) == [path.encode() for path in paths]
    listed = look(remote)
    assert listed.folders.keys() == {"", "a", "a/b"}
    assert listed.files == {file.path: as_listed(file, listed.files[file.path]) for file in written}


def test_another_session_sees_the_same(remote: Remote, writable: Place) -> None:
    written = write(remote, "backup/a", b"content")
    with writable.open() as other:
        assert other.name == remote.name
        assert other.find("backup/a") == written
        write(other, "backup/b", b"other")
    assert look(remote).files.keys() == {"backup/a", "backup/b"}


def test_a_source_is_written_from_its_beginning(remote: Remote) -> None:
    source = io.BytesIO(b"content")
    source.seek(5)
    written = remote.write(
        "a", source, size=7, modified_s=MODIFIED_S, properties={}, executable=False, replaces=None
    )
    assert read(remote, written) == b"content"


def test_after_cancel_nothing_is_written(remote: Remote) -> None:
    written = write(remote, "a", b"content")
    remote.cancel()
    with pytest.raises(TransientError):
        write(remote, "a", b"more", replaces=written)
    with pytest.raises(TransientError):
        write(remote, "b", b"more")


# What holds of those that cannot.


def test_what_is_pulled_from_only_says_so(pull_only: Place) -> None:
    pull_only.put("a", b"content")
    with pull_only.open() as remote:
        assert remote.pull_only
        with pytest.raises(UsageError, match="pulled from only"):
            write(remote, "a", b"more")
