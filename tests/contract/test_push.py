"""What ``drivesync.remotes.base.Remote`` promises to a push: writes that end as they should, room, time, tidiness."""

from __future__ import annotations

import hashlib
import io
import random
import time
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from drivesync.config import Settings
from drivesync.errors import (
    LeaseError,
    NotFoundError,
    RemoteError,
    RemoteFullError,
    TransientError,
    UsageError,
)
from drivesync.files import RemoteFile, Room, Skipped
from drivesync.remotes import open_remote
from drivesync.spooling.notes import MemoryNote
from drivesync.testing import TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from drivesync.remotes.base import Note, Remote
    from drivesync.testing import DriveEmulator
    from tests.contract.conftest import Place

RANDOM = random.Random(4)
MODIFIED_S = 1_700_000_000.123
HOSTILE_PATHS = [
    pytest.param("../x", id="out of the tree"),
    pytest.param("backup/../../x", id="out of the tree from a folder"),
    pytest.param("/x", id="absolute"),
    pytest.param("backup//x", id="an empty name"),
    pytest.param("backup/.", id="the folder itself"),
    pytest.param("backup/" + "x" * 256, id="a name too long"),
]


class Cut(BaseException):
    """The process ends."""


def read(remote: Remote, file: RemoteFile) -> bytes:
    blocks: list[bytes] = []

    class Sink:
        def write(self, block: bytes) -> None:
            blocks.append(bytes(block))

    remote.read(file, Sink())
    return b"".join(blocks)


def write(
    remote: Remote,
    path: str,
    content: bytes,
    *,
    properties: Mapping[str, str] | None = None,
    replaces: RemoteFile | None = None,
    before_end: Callable[[], None] = lambda: None,
    note: Note | None = None,
) -> RemoteFile:
    return remote.write(
        path,
        io.BytesIO(content),
        size=len(content),
        modified_s=MODIFIED_S,
        properties=properties or {},
        executable=False,
        replaces=replaces,
        before_end=before_end,
        note=note,
    )


def found(remote: Remote, path: str) -> RemoteFile:
    file = remote.find(path)
    assert file is not None
    return file


def listed(remote: Remote) -> list[RemoteFile]:
    """All files, twins included; nothing in the tree may be in anybody's way."""
    entries = [entry for page in remote.list() for entry in page.entries]
    assert not [entry for entry in entries if isinstance(entry, Skipped)]
    return [entry for entry in entries if isinstance(entry, RemoteFile)]


def paths(remote: Remote) -> list[str]:
    return sorted(file.path for file in listed(remote))


def md5_of(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def raising(error: BaseException) -> Callable[[], None]:
    def raise_it() -> None:
        raise error

    return raise_it


# A write's end.


@pytest.mark.parametrize("size", [0, 1, 1_000_003])
def test_before_the_end_of_a_write_the_old_content_is_there(
    remote: Remote, writable: Place, size: int
) -> None:
    old = write(remote, "backup/a", b"old")
    seen: list[str] = []

    with writable.open() as other:

        def look() -> None:
            seen.append(found(other, "backup/a").md5)

        new = write(remote, "backup/a", RANDOM.randbytes(size), replaces=old, before_end=look)
        assert found(other, "backup/a").md5 == new.md5 != old.md5
    assert seen == [old.md5]


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(LeaseError("another session has the run"), id="lost lease"),
        pytest.param(TransientError("nobody can tell who has the run"), id="unknown lease"),
        pytest.param(OSError("something else"), id="any other"),
    ],
)
@pytest.mark.parametrize("size", [0, 1, 1_000_003])
def test_what_is_raised_before_the_end_leaves_everything_as_it_is(
    remote: Remote, error: Exception, size: int
) -> None:
    old = write(remote, "a", b"old", properties={"iteration": "1"})
    calls: list[None] = []

    def refuse() -> None:
        calls.append(None)
        raise error

    for path, replaces in (("a", old), ("b", None)):
        with pytest.raises(type(error)) as caught:
            write(
                remote,
                path,
                RANDOM.randbytes(size),
                properties={"iteration": "2"},
                replaces=replaces,
                before_end=refuse,
            )
        assert caught.value is error
    assert len(calls) == 2, "it was asked again though it had answered"
    assert remote.find("a") == old
    assert found(remote, "a").properties["iteration"] == "1"
    assert read(remote, old) == b"old"
    assert remote.find("b") is None
    assert paths(remote) == ["a"]
    assert remote.usage.retries == 0


@pytest.mark.parametrize("is_new", [True, False], ids=["new", "replaced"])
def test_a_write_that_was_cut_is_one_file_after_it_was_done_again(writable: Place, *, is_new: bool) -> None:
    content, note = RANDOM.randbytes(3_000_000), MemoryNote()
    with writable.open() as remote:
        old = None if is_new else write(remote, "backup/a", b"old")
        with pytest.raises(Cut):
            write(remote, "backup/a", content, replaces=old, before_end=raising(Cut()), note=note)
    with writable.open() as remote:
        there = remote.find("backup/a")
        assert there == old
        written = write(remote, "backup/a", content, replaces=there, note=note)
        assert (written.size, written.md5) == (len(content), md5_of(content))
        assert old is None or written.id == old.id
        assert [(file.path, file.id) for file in listed(remote)] == [("backup/a", written.id)]
        assert read(remote, written) == content


def test_a_note_of_another_write_does_no_harm(writable: Place) -> None:
    note = MemoryNote()
    with writable.open() as remote, pytest.raises(Cut):
        write(remote, "a", RANDOM.randbytes(2_000_000), before_end=raising(Cut()), note=note)
    shorter = RANDOM.randbytes(1_000_000)
    with writable.open() as remote:
        written = write(remote, "a", shorter, note=note)
        assert (written.size, written.md5) == (len(shorter), md5_of(shorter))
        assert read(remote, written) == shorter
        assert paths(remote) == ["a"]


@pytest.mark.parametrize(
    "text", ["no note at all", "{}", "http://127.0.0.1:1/upload?upload_id=x", "[" * 10_000]
)
def test_a_note_that_is_none_does_no_harm(remote: Remote, text: str) -> None:
    note = MemoryNote()
    note.write(text)
    written = write(remote, "a", b"content", note=note)
    assert read(remote, written) == b"content"
    assert paths(remote) == ["a"]


# What is kept with a file.


def test_properties_are_told_by_whoever_tells_the_checksum(remote: Remote, writable: Place) -> None:
    given = {"iteration": "7", "score": "61.2 %", "who": "ünï 🦊", "quote": 'it\'s "so"\n'}
    written = write(remote, "backup/a", b"content", properties=given)
    with writable.open() as other:
        for file in (written, found(other, "backup/a"), other.renew(written)):
            assert file is not None
            assert given.items() <= file.properties.items()


@pytest.mark.parametrize("content", [b"other", b"same"])
@pytest.mark.parametrize("by_listing", [False, True], ids=["found", "listed"])
def test_properties_that_are_not_given_stay(remote: Remote, content: bytes, *, by_listing: bool) -> None:
    old = write(remote, "a", b"same", properties={"iteration": "1", "run": "yolo"})
    if by_listing:
        [old] = listed(remote)
    new = write(remote, "a", content, properties={"iteration": "2", "epoch": "3"}, replaces=old)
    expected = {"iteration": "2", "run": "yolo", "epoch": "3"}
    assert expected.items() <= new.properties.items()
    assert expected.items() <= found(remote, "a").properties.items()


def test_properties_are_of_one_file(remote: Remote) -> None:
    write(remote, "a", b"content", properties={"iteration": "1"})
    write(remote, "b", b"content")
    write(remote, "folder/a", b"content", properties={"iteration": "2"})
    told = {path: found(remote, path).properties.get("iteration") for path in ("a", "b", "folder/a")}
    assert told == {"a": "1", "b": None, "folder/a": "2"}


# What goes away.


def test_what_is_deleted_is_gone_and_may_be_deleted_again(remote: Remote, writable: Place) -> None:
    first = write(remote, "backup/a", b"content", properties={"iteration": "1"})
    write(remote, "backup/b", b"another")
    with writable.open() as other:
        remote.delete(first)
        remote.delete(first)
        other.delete(first)
        assert other.find("backup/a") is None
        assert other.renew(first) is None
        assert paths(other) == ["backup/b"]
    again = write(remote, "backup/a", b"content")
    assert "iteration" not in again.properties
    assert paths(remote) == ["backup/a", "backup/b"]


@pytest.mark.parametrize("path", ["line\nfeed/tab\t", "-rf", "x" * 255, "..x", "back\\slash", "it's", "*"])
def test_names_that_are_odd_are_deleted_and_moved_as_they_are(remote: Remote, path: str) -> None:
    kept = write(remote, "kept", b"kept")
    file = write(remote, "a", b"content")
    moved = remote.move(file, path)
    assert paths(remote) == sorted([path, "kept"])
    assert read(remote, found(remote, path)) == b"content"
    remote.delete(moved)
    assert paths(remote) == ["kept"]
    assert remote.find("kept") == kept


def test_a_file_that_is_moved_is_the_same_elsewhere(remote: Remote, writable: Place) -> None:
    file = write(remote, "backup/a", b"content", properties={"iteration": "7"})
    moved = remote.move(file, "backup/archive-2026-11-23/a")
    assert moved.path == "backup/archive-2026-11-23/a"
    assert (moved.id == file.id) == writable.has_ids
    with writable.open() as other:
        assert paths(other) == ["backup/archive-2026-11-23/a"]
        assert other.find("backup/a") is None
        there = found(other, moved.path)
        assert there == replace(file, path=moved.path, id=moved.id)
        assert there.properties["iteration"] == "7"
        assert read(other, there) == b"content"
        assert read(other, moved) == b"content"
        assert other.renew(moved) == there
    new = write(remote, "backup/a", b"content")
    assert "iteration" not in new.properties
    assert new.id != moved.id


def test_a_file_may_be_moved_within_its_folder_and_to_the_top(remote: Remote) -> None:
    file = write(remote, "backup/a", b"content")
    file = remote.move(file, "backup/b")
    file = remote.move(file, "c")
    assert paths(remote) == ["c"]
    assert read(remote, file) == b"content"


def test_a_move_may_be_done_again(remote: Remote) -> None:
    file = write(remote, "a", b"content", properties={"iteration": "7"})
    moved = remote.move(file, "archive/a")
    # Of the first an answer was lost, or the process ended before it wrote that down.
    assert remote.move(file, "archive/a") == moved
    assert remote.move(moved, "archive/a") == moved
    assert paths(remote) == ["archive/a"]
    assert found(remote, "archive/a").properties["iteration"] == "7"


def test_nothing_is_moved_over_another_file(remote: Remote) -> None:
    file = write(remote, "a", b"content")
    other = write(remote, "archive/a", b"another")
    with pytest.raises(RemoteError, match="there already"):
        remote.move(file, "archive/a")
    assert remote.find("a") == file
    assert remote.find("archive/a") == other
    assert paths(remote) == ["a", "archive/a"]


def test_what_is_gone_cannot_be_moved(remote: Remote) -> None:
    file = write(remote, "a", b"content")
    remote.delete(file)
    with pytest.raises(NotFoundError):
        remote.move(file, "b")
    assert paths(remote) == []


@pytest.mark.parametrize("path", HOSTILE_PATHS)
def test_a_file_is_not_moved_to_where_none_can_be(remote: Remote, path: str) -> None:
    file = write(remote, "backup/a", b"content")
    with pytest.raises(RemoteError):
        remote.move(file, path)
    assert remote.find("backup/a") == file
    assert paths(remote) == ["backup/a"]


@pytest.mark.parametrize("path", HOSTILE_PATHS)
def test_nothing_is_written_to_where_no_file_can_be(remote: Remote, path: str) -> None:
    write(remote, "a", b"content")
    with pytest.raises(RemoteError):
        write(remote, path, b"content")
    assert paths(remote) == ["a"]


def test_after_cancel_nothing_is_deleted_or_moved(remote: Remote, writable: Place) -> None:
    file = write(remote, "a", b"content")
    remote.cancel()
    with pytest.raises(TransientError):
        remote.delete(file)
    with pytest.raises(TransientError):
        remote.move(file, "b")
    with writable.open() as other:
        assert other.find("a") == file


# Room and time.


def test_room_is_told_in_bytes_or_not_at_all(remote: Remote) -> None:
    write(remote, "a", RANDOM.randbytes(100_000))
    room = remote.room()
    if room is None:
        return
    assert room.used >= 100_000
    assert 0 <= room.trashed <= room.used
    assert room.limit is None or room.limit >= room.used
    assert room.free is None or room.free >= 0


def test_a_place_that_is_full_says_so_and_takes_what_still_fits(small: Place) -> None:
    with small.open() as remote:
        before = remote.room()
        old = write(remote, "a", RANDOM.randbytes(5_000_000))
        after = remote.room()
        assert isinstance(before, Room)
        assert isinstance(after, Room)
        assert after.limit == before.limit == 8 << 20
        assert after.used - before.used == pytest.approx(5_000_000, abs=100_000)
        with pytest.raises(RemoteFullError) as caught:
            write(remote, "b", RANDOM.randbytes(5_000_000))
        assert caught.value.hint
        assert remote.usage.retries == 0, "a full place does not become emptier by asking again"
        assert paths(remote) == ["a"]
        assert remote.room() == after
        assert remote.find("a") == old
        write(remote, "c", RANDOM.randbytes(1_000_000))
        remote.delete(old)
        write(remote, "b", RANDOM.randbytes(5_000_000))
        assert paths(remote) == ["b", "c"]


def test_sessions_share_a_clock_that_goes_on(remote: Remote, writable: Place) -> None:
    with writable.open() as other:
        told = [each.now_s() for each in (remote, other) for _ in range(3)]
    # Drive tells whole seconds.
    assert told == pytest.approx([time.time()] * 6, abs=5.0)
    assert all(later > earlier - 1.5 for earlier, later in pairwise(told))
    assert told[:3] == sorted(told[:3])


def test_only_drive_itself_proves(writable: Place) -> None:
    with writable.open() as remote:
        assert remote.proves == writable.has_ids


# What Drive does beyond that.


def test_drive_goes_on_where_a_write_was_cut(drive_emulator: DriveEmulator) -> None:
    settings = Settings(drive_emulator.url, TOKEN)
    content, note = RANDOM.randbytes(3_000_000), MemoryNote()
    for _ in range(2):
        with open_remote("darknet", settings, print) as remote, pytest.raises(Cut):
            write(remote, "a", content, before_end=raising(Cut()), note=note)
    with open_remote("darknet", settings, print) as remote:
        assert read(remote, write(remote, "a", content, note=note)) == content
    assert drive_emulator.counters()["files.create.resumable"].requests == 1, "a session was opened anew"


# What is pulled from only.


def test_what_is_pulled_from_only_changes_nothing(pull_only: Place) -> None:
    pull_only.put("a", b"content")
    with pull_only.open() as remote:
        file = found(remote, "a")
        with pytest.raises(UsageError, match="pulled from only") as caught:
            remote.delete(file)
        assert "Push to Drive" in caught.value.hint
        with pytest.raises(UsageError, match="pulled from only"):
            remote.move(file, "b")
        with pytest.raises(UsageError, match="pulled from only"):
            write(remote, "a", b"more", replaces=file)
        assert remote.room() is None
        assert remote.now_s() == pytest.approx(time.time(), abs=5.0)
        assert not remote.proves
        assert remote.find("a") == file
