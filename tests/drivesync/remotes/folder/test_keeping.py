"""A folder that keeps properties, moves and deletes: killed anywhere, misled, full; its room and its clock."""

from __future__ import annotations

import errno
import io
import json
import os
import time
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from drivesync.config import Settings
from drivesync.errors import NotFoundError, RemoteError, RemoteFullError
from drivesync.files import RemoteFile, Room
from drivesync.remotes.folder.clock import Clock
from drivesync.remotes.folder.mount import FileSystem
from drivesync.remotes.folder.placing import Placing
from drivesync.remotes.folder.remote import FolderRemote
from drivesync.remotes.folder.root import Root
from drivesync.remotes.repeats import Repeats
from drivesync.remotes.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

SETTINGS = Settings(retries=3, retry_wait_s=0.001)
MODIFIED_S = 1_700_000_000.5


class Killed(BaseException):
    """The process ends here."""


class Dying(FileSystem):
    """Does so many calls; the process is killed before the next one, and whatever it would do after that."""

    def __init__(self, calls: int) -> None:
        self._left = calls

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name.startswith("_"):
            return found

        def call(*arguments: Any) -> Any:
            self._left -= 1
            if self._left < 0:
                raise Killed(name)
            return found(*arguments)

        return call

    @property
    def _is_alive(self) -> bool:
        return self._left >= 0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "tree"


@pytest.fixture
def remote(root: Path) -> FolderRemote:
    return FolderRemote(str(root), SETTINGS)


def write(
    remote: FolderRemote,
    path: str,
    content: bytes,
    properties: Mapping[str, str] | None = None,
    replaces: RemoteFile | None = None,
) -> RemoteFile:
    return remote.write(
        path,
        io.BytesIO(content),
        size=len(content),
        modified_s=MODIFIED_S,
        properties=properties or {},
        executable=False,
        replaces=replaces,
    )


def found(remote: FolderRemote, path: str) -> RemoteFile:
    file = remote.find(path)
    assert file is not None
    return file


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


def records(root: Path) -> list[dict[str, Any]]:
    """What is kept of files, by path."""
    texts = [path.read_text() for path in root.glob(".drivesync/properties/*/*.json")]
    return sorted((json.loads(text) for text in texts), key=lambda record: str(record["path"]))


def in_many_lives(root: Path, do: Callable[[FolderRemote], object], check: Callable[[], object]) -> int:
    """``do`` something in a process that is killed one call later each time; how often it was."""
    for calls in range(500):
        system = Dying(calls)
        with suppress(Killed):
            do(FolderRemote(str(root), SETTINGS, system=system))
        check()
        if system._is_alive:
            return calls
    raise AssertionError("it never ends")


# Killed anywhere.


def test_a_write_that_is_killed_anywhere_leaves_each_content_with_its_own_properties(
    root: Path, remote: FolderRemote
) -> None:
    contents = {b"old": {"iteration": "1", "run": "yolo"}, b"new": {"iteration": "2", "run": "yolo"}}
    seen = set()

    def replace_it(dying: FolderRemote) -> None:
        write(dying, "backup/a", b"new", {"iteration": "2"}, replaces=found(remote, "backup/a"))

    def look_and_put_back() -> None:
        now = (root / "backup" / "a").read_bytes()
        seen.add(now)
        assert found(remote, "backup/a").properties == contents[now]
        if now == b"new":
            write(remote, "backup/a", b"old", contents[b"old"], replaces=found(remote, "backup/a"))

    write(remote, "backup/a", b"old", contents[b"old"])
    assert in_many_lives(root, replace_it, look_and_put_back) > 40
    assert seen == contents.keys()
    write(remote, "backup/a", b"new", replaces=found(remote, "backup/a"))
    [record] = records(root)
    assert len(record["contents"]) == 1, "what is of no content any more stays for ever"


def test_what_a_killed_write_left_goes_with_the_next(root: Path, remote: FolderRemote) -> None:
    write(remote, "a", b"old", {"iteration": "1"})
    kept = files_below(root)

    def check() -> None:
        # Each process looks into a folder once: a new one clears what is there.
        later = FolderRemote(str(root), SETTINGS)
        write(later, "a", b"old", {"iteration": str(next(iterations))})
        assert files_below(root) == kept

    iterations = count()
    in_many_lives(root, lambda dying: write(dying, "a", b"new", {"iteration": "2"}), check)


def test_a_move_that_is_killed_anywhere_leaves_one_file_with_its_properties(
    root: Path, remote: FolderRemote
) -> None:
    seen = set()
    paths = ("backup/a", "backup/archive/a")

    def where() -> str:
        [path] = [path for path in paths if (root / path).exists()]
        return path

    def check() -> None:
        seen.add(where())
        file = found(remote, where())
        assert file.properties == {"iteration": "1"}
        # Done again it ends as it should.
        moved = remote.move(original, paths[1])
        assert found(remote, paths[1]) == moved
        assert moved.properties == {"iteration": "1"}
        assert files_below(root / "backup") == {"archive/a"}
        assert [record["path"] for record in records(root)] == ["backup/archive/a"]
        remote.move(moved, paths[0])

    original = write(remote, paths[0], b"content", {"iteration": "1"})
    assert in_many_lives(root, lambda dying: dying.move(original, paths[1]), check) > 20
    assert seen == set(paths)


def test_a_delete_that_is_killed_anywhere_can_be_done_again(root: Path, remote: FolderRemote) -> None:
    file = write(remote, "a", b"content", {"iteration": "1"})

    def check() -> None:
        remote.delete(file)
        assert files_below(root) == set()
        write(remote, "a", b"content", {"iteration": "1"})

    assert in_many_lives(root, lambda dying: dying.delete(file), check) > 5


# Properties.


def test_a_file_that_was_replaced_by_hand_has_no_properties(root: Path, remote: FolderRemote) -> None:
    file = write(remote, "a", b"content", {"iteration": "1"})
    (root / "a").write_bytes(b"CONTENT")
    os.utime(root / "a", (MODIFIED_S, MODIFIED_S))
    assert found(remote, "a").properties == {}
    (root / "a").write_bytes(b"content")
    now = remote.renew(file)
    assert now is not None
    assert now.properties == {"iteration": "1"}, "it is what was pushed, again"


@pytest.mark.parametrize(
    "text",
    ["", "no json", "[]", "{}", '{"contents": 7}', '{"contents": {"": 7}}', "[" * 100_000, "\udcff"],
    ids=lambda text: text[:20],
)
def test_a_record_that_no_push_has_written_says_nothing(root: Path, remote: FolderRemote, text: str) -> None:
    write(remote, "a", b"content", {"iteration": "1"})
    [record] = root.glob(".drivesync/properties/*/*.json")
    record.write_bytes(text.encode(errors="surrogateescape"))
    file = found(remote, "a")
    assert file.properties == {}
    assert write(remote, "a", b"content", {"run": "yolo"}, replaces=file).properties == {"run": "yolo"}


def test_files_without_properties_leave_nothing_beside_them(root: Path, remote: FolderRemote) -> None:
    file = write(remote, "data/a", b"content")
    assert files_below(root) == {"data/a"}
    file = write(remote, "data/a", b"content", {"iteration": "1"}, replaces=file)
    assert [record["path"] for record in records(root)] == ["data/a"]
    write(remote, "data/a", b"content")
    assert files_below(root) == {"data/a"}, "a new file has what an old one had"


def test_properties_follow_a_link_to_the_file_that_has_them(root: Path, remote: FolderRemote) -> None:
    written = write(remote, "data/" + "x" * 255, b"content", {"iteration": "1"})
    (root / "link").symlink_to(written.id)
    assert found(remote, "link").properties == {"iteration": "1"}
    remote.delete(found(remote, "link"))
    assert remote.find(written.path) is None


def test_a_state_folder_that_leads_out_of_the_tree_is_not_written_to(
    root: Path, tmp_path: Path, remote: FolderRemote
) -> None:
    (tmp_path / "outside").mkdir()
    root.mkdir()
    (root / ".drivesync").symlink_to(tmp_path / "outside")
    with pytest.raises(RemoteError, match="leads out of"):
        write(remote, "a", b"content", {"iteration": "1"})
    with pytest.raises(RemoteError, match="leads out of"):
        remote.now_s()
    assert files_below(tmp_path / "outside") == set()
    assert remote.find("a") is None


def test_a_disk_that_is_full_once_the_file_is_in_its_place_does_no_harm(
    root: Path, remote: FolderRemote
) -> None:
    class FullAfter(FileSystem):
        def __init__(self) -> None:
            self.is_placed = False

        def rename(self, source: Path, target: Path) -> None:
            super().rename(source, target)
            self.is_placed |= target == root / "a"

        def write(self, descriptor: int, block: bytes | memoryview) -> int:
            if self.is_placed:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(descriptor, block)

    old = write(remote, "a", b"old", {"iteration": "1"})
    full = FolderRemote(str(root), SETTINGS, system=FullAfter())
    new = write(full, "a", b"new", {"iteration": "2"}, replaces=old)
    assert new.properties == found(remote, "a").properties == {"iteration": "2"}
    with pytest.raises(RemoteFullError):
        write(full, "a", b"newer", {"iteration": "3"}, replaces=new)
    assert found(remote, "a") == new


# What is deleted and moved.


@pytest.mark.parametrize("id_", ["../outside", "/outside", "a/../../outside", ".drivesync/clock", "", "."])
def test_an_id_that_leads_elsewhere_is_refused(root: Path, remote: FolderRemote, id_: str) -> None:
    remote.now_s()
    (root.parent / "outside").write_bytes(b"untouched")
    before = files_below(root.parent)
    file = RemoteFile(path="a", id=id_, size=0, md5="", modified_s=0.0)
    with pytest.raises(RemoteError):
        remote.delete(file)
    with pytest.raises(RemoteError):
        remote.move(file, "b")
    assert files_below(root.parent) == before


def test_what_lies_behind_a_link_by_now_is_another_file(root: Path, remote: FolderRemote) -> None:
    file = write(remote, "data/a", b"content")
    write(remote, "other/a", b"content")
    (root / "data").rename(root.parent / "outside")
    for target in (root.parent / "outside", root / "other"):
        (root / "data").symlink_to(target)
        remote.delete(file)
        with pytest.raises(NotFoundError):
            remote.move(file, "b")
        (root / "data").unlink()
    assert (root.parent / "outside" / "a").exists()
    assert (root / "other" / "a").exists()


def test_a_folder_is_neither_deleted_nor_moved_nor_moved_over(root: Path, remote: FolderRemote) -> None:
    file = write(remote, "a", b"content")
    (root / "folder").mkdir()
    there = RemoteFile(path="folder", id="folder", size=0, md5="", modified_s=0.0)
    remote.delete(there)
    with pytest.raises(NotFoundError):
        remote.move(there, "b")
    with pytest.raises(RemoteError, match="there already"):
        remote.move(file, "folder")
    assert (root / "folder").is_dir()
    assert (root / "a").exists()


def test_of_a_drive_that_is_not_mounted_nothing_is_gone(tmp_path: Path) -> None:
    remote = FolderRemote(str(tmp_path / "drive" / "MyDrive"), SETTINGS, colab_mount=tmp_path / "drive")
    file = RemoteFile(path="a", id="a", size=0, md5="", modified_s=0.0)
    with pytest.raises(NotFoundError, match="Drive is not mounted"):
        remote.delete(file)
    with pytest.raises(NotFoundError, match="Drive is not mounted"):
        remote.move(file, "b")
    with pytest.raises(NotFoundError, match="Drive is not mounted"):
        remote.room()
    with pytest.raises(NotFoundError, match="Drive is not mounted"):
        remote.now_s()
    with pytest.raises(NotFoundError, match="Drive is not mounted"):
        remote.find_lease("yolo")
    assert list(tmp_path.iterdir()) == []


# Room and time.


def test_room_is_that_of_the_disk_also_before_the_first_push(small_disk: Path) -> None:
    remote = FolderRemote(str(small_disk / "not" / "yet"), SETTINGS)
    assert remote.room() == Room(limit=8 << 20, used=0)
    assert list(small_disk.iterdir()) == []


def test_a_mount_that_tells_nothing_of_its_size_is_not_full(root: Path) -> None:
    class Silent(FileSystem):
        def room(self, place: Path) -> tuple[int, int]:
            return (0, 0 * len(place.parts))

    assert FolderRemote(str(root), SETTINGS, system=Silent()).room() is None


class Server(FileSystem):
    """Stamps files by a clock of its own.

    Attributes:
        ahead_s: of this machine's.
        looks: so often was it asked.
    """

    ahead_s = 3600.0
    looks = 0

    def stat(self, place: Path) -> os.stat_result:
        if place.name == "clock":
            self.looks += 1
            stamp_s = time.time() + self.ahead_s
            os.utime(place, (stamp_s, stamp_s))
        return super().stat(place)


def test_the_time_is_that_of_the_file_system(root: Path) -> None:
    remote = FolderRemote(str(root), SETTINGS, system=Server())
    assert remote.now_s() == pytest.approx(time.time() + 3600, abs=5)
    assert [entry.path for page in remote.list() for entry in page.entries] == [""]


def test_the_clock_is_read_once_a_minute_and_whenever_asked_goes_on(root: Path, tmp_path: Path) -> None:
    server, usage, elapsed_s = Server(), Usage(), [1000.0]
    place = Root(str(root), server, Repeats(SETTINGS, usage, print), tmp_path / "drive")
    clock = Clock(place, Placing(server, root), lambda: elapsed_s[0])
    first_s = clock.now_s()
    elapsed_s[0] += 59.0
    assert clock.now_s() == pytest.approx(first_s + 59.0)
    assert server.looks == 1
    # The server's clock is put right, and a minute is over.
    server.ahead_s = 0.0
    elapsed_s[0] += 2.0
    assert clock.now_s() == pytest.approx(time.time(), abs=5)
    assert server.looks == 2


def test_sessions_that_read_the_clock_at_once_agree(root: Path) -> None:
    one, other = (FolderRemote(str(root), SETTINGS) for _ in range(2))
    assert one.now_s() == pytest.approx(other.now_s(), abs=1.0)
