"""A folder as a remote: links, odd entries, and a mount that fails as Colab's does."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from drivesync.config import Settings
from drivesync.errors import (
    LocalWriteError,
    MovedError,
    NotAllowedError,
    NotFoundError,
    RemoteError,
    RemoteFullError,
    TransientError,
)
from drivesync.files import RemoteFile, RemoteFolder, Skipped
from drivesync.remotes.folder.mount import FileSystem
from drivesync.remotes.folder.remote import FolderRemote

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.files import Page

SETTINGS = Settings(retries=3, retry_wait_s=0.001)
CALLS = ("names", "stat", "lstat", "resolve", "open", "read", "write", "fsync", "close", "rename")


class Mount(FileSystem):
    """The real file system; each call fails first with the errors that a test has put before it."""

    def __init__(self) -> None:
        self.errors: dict[str, list[int]] = {}
        self.reads: list[int] = []
        self.before: dict[str, Callable[[], object]] = {}
        self.mounted = False

    def _begin(self, call: str) -> None:
        if self.errors.get(call):
            number = self.errors[call].pop()
            raise OSError(number, os.strerror(number))
        if call in self.before:
            self.before.pop(call)()

    def names(self, folder: Path) -> list[str]:
        self._begin("names")
        return super().names(folder)

    def stat(self, place: Path) -> os.stat_result:
        self._begin("stat")
        return super().stat(place)

    def lstat(self, place: Path) -> os.stat_result:
        self._begin("lstat")
        return super().lstat(place)

    def resolve(self, place: Path) -> Path:
        self._begin("resolve")
        return super().resolve(place)

    def is_mount(self, place: Path) -> bool:
        return self.mounted or super().is_mount(place)

    def open(self, place: Path, flags: int) -> int:
        self._begin("open")
        return super().open(place, flags)

    def read(self, descriptor: int, size: int, offset: int) -> bytes:
        self.reads.append(offset)
        self._begin("read")
        return super().read(descriptor, size, offset)

    def write(self, descriptor: int, block: bytes | memoryview) -> int:
        self._begin("write")
        # A file system may take less than it is given.
        return super().write(descriptor, block[:300_000])

    def fsync(self, descriptor: int) -> None:
        self._begin("fsync")
        super().fsync(descriptor)

    def close(self, descriptor: int) -> None:
        super().close(descriptor)
        self._begin("close")

    def rename(self, source: Path, target: Path) -> None:
        self._begin("rename")
        super().rename(source, target)


@pytest.fixture
def mount() -> Mount:
    return Mount()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    return folder


@pytest.fixture
def remote(root: Path, mount: Mount) -> FolderRemote:
    return FolderRemote(str(root), SETTINGS, system=mount)


def entries(remote: FolderRemote) -> dict[str, RemoteFile | RemoteFolder | Skipped]:
    return {entry.path: entry for page in remote.list() for entry in page.entries}


def reasons(remote: FolderRemote) -> dict[str, str]:
    return {path: entry.reason for path, entry in entries(remote).items() if isinstance(entry, Skipped)}


def file_at(remote: FolderRemote, path: str) -> RemoteFile:
    file = entries(remote)[path]
    assert isinstance(file, RemoteFile)
    return file


def write(remote: FolderRemote, path: str, content: bytes, replaces: RemoteFile | None = None) -> RemoteFile:
    return remote.write(
        path,
        io.BytesIO(content),
        size=len(content),
        modified_s=1_700_000_000.5,
        properties={},
        executable=False,
        replaces=replaces,
    )


def read(remote: FolderRemote, file: RemoteFile, first: int = 0) -> bytes:
    sink = io.BytesIO()
    remote.read(file, _Sink(sink), first)
    return sink.getvalue()


class _Sink:
    def __init__(self, into: io.BytesIO) -> None:
        self._into = into

    def write(self, block: bytes) -> None:
        self._into.write(block)


def below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


# What is listed.


def test_pages_are_of_a_thousand_entries_and_the_last_of_a_folder_ends_it(
    root: Path, remote: FolderRemote
) -> None:
    (root / "data").mkdir()
    for number in range(2001):
        (root / "data" / f"{number}.txt").touch()
    (root / "empty").mkdir()
    pages: list[Page] = list(remote.list())
    assert [(len(page.entries), page.ends) for page in pages] == [
        (1, False),
        (2, True),
        (1000, False),
        (1000, False),
        (1, True),
        (0, True),
    ]


@pytest.mark.parametrize(
    ("link", "target", "reason"),
    [
        pytest.param("a", "nothing", "leads to nothing", id="dangling"),
        pytest.param("a", "file/below", "leads to nothing", id="below a file"),
        pytest.param("a", "a", "leads in a circle", id="to itself"),
        pytest.param("a", "../outside/secret", "not in the tree", id="out of the folder"),
        pytest.param("a", "/etc/passwd", "not in the tree", id="out of the folder, absolutely"),
        pytest.param("folder/a", "../../outside", "not in the tree", id="to a folder outside"),
        pytest.param("a", ".drivesync/index", "not in the tree", id="to what is drivesync's own"),
        pytest.param("folder/a", "..", "a folder that it is in", id="to the root"),
        pytest.param("folder/a", ".", "a folder that it is in", id="to its own folder"),
    ],
)
def test_links_that_are_not_followed(
    root: Path, remote: FolderRemote, link: str, target: str, reason: str
) -> None:
    (root / "folder").mkdir()
    (root / "file").touch()
    (root / ".drivesync").mkdir()
    (root / ".drivesync" / "index").touch()
    (root.parent / "outside").mkdir()
    (root.parent / "outside" / "secret").touch()
    (root / link).symlink_to(target)
    told = reasons(remote)
    assert told.keys() == {link}
    assert reason in told[link]
    assert remote.find(link) is None


def test_links_that_stay_in_the_folder_are_followed(root: Path, remote: FolderRemote) -> None:
    (root / "data" / "train").mkdir(parents=True)
    (root / "data" / "train" / "1.txt").write_bytes(b"label")
    (root / "all").symlink_to("data")
    (root / "one").symlink_to("all/train/1.txt")
    told = entries(remote)
    assert not [entry for entry in told.values() if isinstance(entry, Skipped)]
    assert told["all/train"] == RemoteFolder("all/train", "data/train")
    for path in ("data/train/1.txt", "all/train/1.txt", "one"):
        file = told[path]
        assert isinstance(file, RemoteFile)
        assert file.id == "data/train/1.txt"
        assert read(remote, file) == b"label"
        renewed = remote.renew(file)
        assert renewed is not None
        assert renewed.path == path


def test_two_folders_with_links_to_each_other_are_walked_once_each_way(
    root: Path, remote: FolderRemote
) -> None:
    for folder, other in (("a", "b"), ("b", "a")):
        (root / folder).mkdir()
        (root / folder / "file").touch()
        (root / folder / "other").symlink_to(f"../{other}")
    assert {path for path, entry in entries(remote).items() if isinstance(entry, RemoteFile)} == {
        "a/file",
        "a/other/file",
        "b/file",
        "b/other/file",
    }
    assert reasons(remote).keys() == {"a/other/other", "b/other/other"}


def test_what_is_no_file_is_skipped(root: Path, remote: FolderRemote) -> None:
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "socket"))
        told = reasons(remote)
    assert told == {"pipe": "it is a pipe, not a file", "socket": "it is a socket, not a file"}


def test_a_name_that_is_not_unicode_is_skipped_and_can_be_printed(root: Path, remote: FolderRemote) -> None:
    (root / os.fsdecode(b"caf\xe9")).touch()
    (root / "link").symlink_to(os.fsdecode(b"caf\xe9"))
    assert reasons(remote) == {
        "caf\\xe9": "its name is not valid Unicode",
        "link": "it is a link to a file whose name is not valid Unicode",
    }


def test_what_drivesync_keeps_for_itself_is_not_listed(root: Path, remote: FolderRemote) -> None:
    for path in (".drivesync/index.sqlite", "data/.drivesync/mine", "data/.drivesync-0123-ab.part"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    assert entries(remote).keys() == {"", "data", "data/.drivesync", "data/.drivesync/mine"}
    assert remote.find(".drivesync/index.sqlite") is None


def test_a_folder_that_may_not_be_read_is_skipped_with_the_reason(
    root: Path, remote: FolderRemote, mount: Mount
) -> None:
    (root / "secret").mkdir()
    (root / "secret" / "file").touch()
    pages = remote.list()
    next(pages)
    next(pages)
    mount.errors["names"] = [errno.EACCES]
    assert [page.entries for page in pages] == [(Skipped("secret", "it cannot be read (Permission denied)"),)]


def test_a_root_that_may_not_be_read_is_an_error(remote: FolderRemote, mount: Mount) -> None:
    mount.errors["names"] = [errno.EACCES]
    with pytest.raises(NotAllowedError, match="Permission denied"):
        list(remote.list())


def test_what_vanishes_while_it_is_listed_is_left_out(root: Path, remote: FolderRemote, mount: Mount) -> None:
    (root / "a").touch()
    (root / "b").touch()
    mount.before["lstat"] = (root / "a").unlink
    assert entries(remote).keys() == {"", "b"}


def test_a_mount_that_vanishes_while_it_is_listed_is_no_empty_folder(
    root: Path, remote: FolderRemote, mount: Mount
) -> None:
    (root / "data").mkdir()
    (root / "data" / "a").touch()
    mount.before["lstat"] = lambda: root.rename(root.parent / "elsewhere")
    with pytest.raises(NotFoundError):
        list(remote.list())


def test_another_file_system_in_its_place_is_no_empty_folder(root: Path) -> None:
    class Unmounted(FileSystem):
        def __init__(self) -> None:
            self.stats = 0

        def stat(self, place: Path) -> os.stat_result:
            self.stats += place == root
            facts = list(super().stat(place))
            facts[2] += self.stats  # the device
            return os.stat_result(facts)

    with pytest.raises(TransientError, match="unmounted while it was listed"):
        list(FolderRemote(str(root), SETTINGS, system=Unmounted()).list())


def test_a_file_is_no_folder(root: Path) -> None:
    (root / "file").touch()
    with pytest.raises(NotFoundError, match="a file, not a folder"):
        list(FolderRemote(str(root / "file"), SETTINGS).list())


# A mount that fails.


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "number",
    [errno.EIO, errno.ENOTCONN, errno.ETIMEDOUT, errno.ESTALE],
    ids=lambda number: errno.errorcode[number],
)
def test_a_call_that_fails_for_a_while_is_repeated(
    root: Path, remote: FolderRemote, mount: Mount, call: str, number: int
) -> None:
    (root / "a").write_bytes(b"x" * 1000)
    (root / "link").symlink_to("a")
    mount.errors[call] = [number, number]
    assert read(remote, file_at(remote, "link")) == b"x" * 1000
    written = write(remote, "backup/b", b"content")
    assert written.md5 == hashlib.md5(b"content", usedforsecurity=False).hexdigest()
    assert mount.errors[call] == []
    assert below(root) == {"a", "link", "backup", "backup/b"}
    # That a file which was only read cannot be closed harms nobody.
    assert remote.usage.retries == (1 if call == "close" else 2)


def test_a_read_goes_on_where_it_broke(root: Path, remote: FolderRemote, mount: Mount) -> None:
    content = os.urandom(3_500_000)
    (root / "a").write_bytes(content)
    file = file_at(remote, "a")

    def fail_the_third() -> None:
        mount.before["read"] = lambda: mount.errors.update(read=[errno.EIO])

    mount.before["read"] = fail_the_third
    assert read(remote, file) == content
    assert mount.reads == [0, 1 << 20, 2 << 20, 2 << 20, 3 << 20]
    assert remote.usage.retries == 1


def test_what_fails_for_good_says_how_to_mount_again(root: Path, mount: Mount) -> None:
    mount.mounted = True
    remote = FolderRemote(str(root), SETTINGS, system=mount, colab_mount=root.parent)
    mount.errors["names"] = [errno.ENOTCONN] * 4
    with pytest.raises(TransientError, match="Transport endpoint is not connected") as caught:
        list(remote.list())
    assert "force_remount=True" in caught.value.hint
    assert remote.usage.retries == 3


def test_a_drive_that_is_not_mounted_is_not_made_on_this_disk(tmp_path: Path) -> None:
    remote = FolderRemote(str(tmp_path / "drive" / "MyDrive"), SETTINGS, colab_mount=tmp_path / "drive")
    with pytest.raises(NotFoundError) as caught:
        list(remote.list())
    assert "drive.mount(" in caught.value.hint
    with pytest.raises(NotFoundError):
        write(remote, "backup/a", b"content")
    assert remote.find("backup/a") is None
    assert below(tmp_path) == set()


def test_a_wait_ends_with_cancel_and_says_meanwhile_what_is_wrong(root: Path, mount: Mount) -> None:
    mount.errors["names"] = [errno.EIO] * 10
    waiting = threading.Event()
    told: list[str] = []

    def on_wait(line: str) -> None:
        told.append(line)
        waiting.set()

    remote = FolderRemote(str(root), Settings(retry_wait_s=60.0), on_wait, system=mount)
    failed: list[Exception] = []

    def run() -> None:
        try:
            list(remote.list())
        except TransientError as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert waiting.wait(30)
    assert "Input/output error" in remote.slowed_by
    remote.cancel()
    thread.join(30)
    assert len(failed) == 1
    assert "trying again in" in told[0]


# Files that change.


def test_a_file_that_changes_while_it_is_read_is_an_error(
    root: Path, remote: FolderRemote, mount: Mount
) -> None:
    (root / "a").write_bytes(b"x" * 3_000_000)
    file = file_at(remote, "a")
    mount.before["read"] = lambda: (root / "a").write_bytes(b"y" * 3_000_000)
    with pytest.raises(MovedError):
        read(remote, file)


def test_a_file_that_is_cut_short_or_taken_away_while_it_is_read_is_an_error(
    root: Path, remote: FolderRemote, mount: Mount
) -> None:
    (root / "a").write_bytes(b"x" * 3_000_000)
    file = file_at(remote, "a")
    mount.before["read"] = lambda: os.truncate(root / "a", 5)
    with pytest.raises(MovedError):
        read(remote, file)
    file = file_at(remote, "a")
    mount.before["read"] = (root / "a").unlink
    with pytest.raises(MovedError, match="it is gone"):
        read(remote, file)
    assert remote.renew(file) is None


def test_a_checksum_is_that_of_one_content(root: Path, remote: FolderRemote, mount: Mount) -> None:
    (root / "a").write_bytes(b"old")
    mount.before["read"] = lambda: (root / "a").write_bytes(b"newer")
    file = remote.find("a")
    assert file is not None
    assert (file.size, file.md5) == (5, hashlib.md5(b"newer", usedforsecurity=False).hexdigest())


def test_a_link_that_turns_outwards_is_not_followed_any_more(root: Path, remote: FolderRemote) -> None:
    (root / "data").mkdir()
    (root / "data" / "a").write_bytes(b"content")
    file = file_at(remote, "data/a")
    (root / "data").rename(root.parent / "outside")
    (root / "data").symlink_to(root.parent / "outside")
    with pytest.raises(MovedError):
        read(remote, file)
    assert remote.renew(file) is None
    assert remote.find("data/a") is None


# What is written.


def test_what_is_returned_was_read_back(root: Path, remote: FolderRemote, mount: Mount) -> None:
    mount.before["rename"] = lambda: next(root.glob(".drivesync-*.part")).write_bytes(b"damaged")
    written = write(remote, "a", b"content")
    assert written.md5 == hashlib.md5(b"damaged", usedforsecurity=False).hexdigest()


def test_what_is_damaged_on_its_way_replaces_nothing(root: Path, remote: FolderRemote, mount: Mount) -> None:
    old = write(remote, "a", b"old")
    there: list[bytes] = []

    def damage() -> None:
        next(root.glob(".drivesync-*.part")).write_bytes(b"damaged")

    def look() -> None:
        there.append((root / "a").read_bytes())

    mount.before["close"] = damage
    written = remote.write(
        "a",
        io.BytesIO(b"content"),
        size=7,
        modified_s=0,
        properties={},
        executable=False,
        replaces=old,
        before_end=look,
    )
    assert there == [b"old"], "what was damaged was taken for whole"
    assert written.md5 == hashlib.md5(b"content", usedforsecurity=False).hexdigest()
    assert remote.usage.retries == 1
    assert below(root) == {"a"}


def test_what_is_damaged_each_time_is_an_error(root: Path, remote: FolderRemote, mount: Mount) -> None:
    old = write(remote, "a", b"old")

    def damage() -> None:
        next(root.glob(".drivesync-*.part")).write_bytes(b"damaged")
        mount.before["close"] = damage

    mount.before["close"] = damage
    with pytest.raises(TransientError, match="what was read back is not what was written"):
        write(remote, "a", b"content", replaces=old)
    assert (root / "a").read_bytes() == b"old"
    assert below(root) == {"a"}


@pytest.mark.parametrize("call", ["write", "fsync", "close", "rename"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    root: Path, remote: FolderRemote, mount: Mount, call: str
) -> None:
    old = write(remote, "a", b"old")
    mount.errors[call] = [errno.ENOSPC]
    with pytest.raises(RemoteFullError, match="the remote's disk is full"):
        write(remote, "a", b"new", replaces=old)
    assert remote.usage.retries == 0
    assert (root / "a").read_bytes() == b"old"
    assert below(root) == {"a"}


def test_what_a_killed_write_left_is_cleared_by_the_next(root: Path, remote: FolderRemote) -> None:
    class Killed(Mount):
        def rename(self, source: Path, target: Path) -> None:
            raise KeyboardInterrupt(source, target)

        def remove(self, place: Path) -> None:
            raise OSError(errno.EIO, "killed", place)

    with pytest.raises(KeyboardInterrupt):
        write(FolderRemote(str(root), SETTINGS, system=Killed()), "a", b"killed")
    left = below(root)
    assert len(left) == 1
    assert entries(remote).keys() == {""}
    write(remote, "b", b"another file's is left alone")
    assert below(root) == left | {"b"}
    write(remote, "a", b"content")
    assert below(root) == {"a", "b"}


def test_two_writers_of_one_file_both_succeed_one_after_the_other(
    root: Path, remote: FolderRemote, mount: Mount
) -> None:
    other = FolderRemote(str(root), SETTINGS)
    mount.before["fsync"] = lambda: write(other, "a", b"other")
    written = write(remote, "a", b"content")
    assert written.md5 == hashlib.md5(b"content", usedforsecurity=False).hexdigest()
    assert below(root) == {"a"}
    assert remote.usage.retries == 1


@pytest.mark.parametrize(
    ("path", "message"),
    [
        pytest.param("out/a", "leads out of", id="through a link"),
        pytest.param("out/made/a", "leads out of", id="through a link, making a folder"),
        pytest.param("../a", "no path in a folder", id="dots"),
        pytest.param("/a", "no path in a folder", id="absolute"),
        pytest.param("file/a", "a file is where the folder", id="below a file"),
        pytest.param(".drivesync/a", "drivesync's own", id="where drivesync keeps its own"),
        pytest.param("folder", "Is a directory", id="a folder in its place"),
    ],
)
def test_nothing_outside_is_written(root: Path, remote: FolderRemote, path: str, message: str) -> None:
    (root.parent / "outside").mkdir()
    (root / "out").symlink_to("../outside")
    (root / "file").touch()
    (root / "folder").mkdir()
    before = below(root.parent)
    with pytest.raises((RemoteError, NotFoundError), match=message):
        write(remote, path, b"content")
    assert below(root.parent) == before


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_written_through(
    root: Path, remote: FolderRemote
) -> None:
    (root.parent / "outside").write_bytes(b"untouched")
    (root / "a").symlink_to("../outside")
    write(remote, "a", b"content")
    assert (root / "a").read_bytes() == b"content"
    assert (root.parent / "outside").read_bytes() == b"untouched"


def test_a_file_that_a_link_leads_to_is_replaced_where_it_is(root: Path, remote: FolderRemote) -> None:
    (root / "backup").mkdir()
    (root / "backup" / "a").write_bytes(b"old")
    (root / "last").symlink_to("backup/a")
    old = file_at(remote, "last")
    written = write(remote, "last", b"content", replaces=old)
    assert (written.path, written.id) == ("last", "backup/a")
    assert (root / "last").is_symlink()
    assert (root / "backup" / "a").read_bytes() == b"content"


def test_a_source_that_ends_early_leaves_the_old_file(root: Path, remote: FolderRemote) -> None:
    (root / "a").write_bytes(b"old")
    with pytest.raises(RemoteError, match="the last 3 bytes of 10"):
        remote.write(
            "a", io.BytesIO(b"content"), size=10, modified_s=0, properties={}, executable=False, replaces=None
        )
    assert (root / "a").read_bytes() == b"old"
    assert below(root) == {"a"}


def test_a_source_that_cannot_be_read_is_no_fault_of_the_remote(root: Path, remote: FolderRemote) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(size))

    with pytest.raises(LocalWriteError, match="cannot read"):
        remote.write("a", Broken(), size=1, modified_s=0, properties={}, executable=False, replaces=None)
    assert remote.usage.retries == 0
    assert below(root) == set()


def test_a_relative_name_opens_the_same_place_from_anywhere(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "a").touch()
    monkeypatch.chdir(root.parent)
    name = FolderRemote("./tree", SETTINGS).name
    monkeypatch.chdir(tmp_path.parent)
    assert entries(FolderRemote(name, SETTINGS)).keys() == {"", "a"}
