"""What is particular to leases in a folder: file systems without links, half-written records, disks that are away."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

import pytest

from drivesync.config import Settings
from drivesync.errors import NotFoundError, TransientError
from drivesync.remotes.folder.leases import FolderLeases
from drivesync.remotes.folder.mount import FileSystem
from drivesync.remotes.folder.root import Root
from drivesync.remotes.repeats import Repeats
from drivesync.remotes.usage import Usage

if TYPE_CHECKING:
    from pathlib import Path

    from drivesync.files import LeaseRecord

NOW_S = 1_800_000_000.0
SETTINGS = Settings(retries=2, retry_wait_s=0.001)


def refuse_links(_source: Path, _target: Path) -> None:
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


def open_leases(
    folder: Path, *, system: FileSystem | None = None, has_links: bool = True, mount: Path | None = None
) -> FolderLeases:
    repeats = Repeats(SETTINGS, Usage(), lambda _line: None)
    root = Root(str(folder), system or FileSystem(), repeats, mount or folder / "nowhere")
    return FolderLeases(root, lambda: NOW_S, link=os.link if has_links else refuse_links)


def claim(leases: FolderLeases, after: LeaseRecord | None, holder: str) -> LeaseRecord:
    taken = leases.claim("run", after, holder, f"who {holder}")
    assert taken is not None
    return taken


def files(folder: Path) -> list[str]:
    return sorted(place.name for place in (folder / ".drivesync").iterdir())


@pytest.mark.parametrize("has_links", [True, False], ids=["links", "no links"])
def test_one_file_for_each_turn_and_nothing_else(tmp_path: Path, has_links: bool) -> None:  # noqa: FBT001 - pytest names it
    leases = open_leases(tmp_path, has_links=has_links)
    first = claim(leases, None, "a")
    assert leases.claim("run", None, "b", "") is None
    assert leases.claim("run", None, "a", "who a") == first
    second = claim(leases, first, "b")
    assert leases.renew(second, release=True).released
    assert leases.find("run") == leases.next(first)
    assert files(tmp_path) == [first.id, second.id]


def test_of_a_disk_full_of_errors_one_has_the_turn(tmp_path: Path) -> None:
    class Failing(FileSystem):
        """Does what it is asked, and every other time says that it did not."""

        calls = 0

        def fsync(self, descriptor: int) -> None:
            super().fsync(descriptor)
            Failing.calls += 1
            if Failing.calls % 2:
                raise OSError(errno.EIO, os.strerror(errno.EIO))

    failing = open_leases(tmp_path, system=Failing())
    first = claim(failing, None, "a")
    assert open_leases(tmp_path).claim("run", None, "b", "") is None
    assert open_leases(tmp_path).find("run") == first


def test_a_record_whose_maker_died_before_it_was_written_goes_stale_as_any_other(tmp_path: Path) -> None:
    leases = open_leases(tmp_path)
    place = tmp_path / ".drivesync" / claim(leases, None, "a").id
    for torn in (b"", b'{"since": 17', b"[]"):
        place.write_bytes(torn)
        os.utime(place, (NOW_S, NOW_S))
        found = leases.find("run")
        assert found is not None
        assert (found.epoch, found.holder, found.since_s, found.renewed_s) == (1, "", NOW_S, NOW_S)
        assert "has not said who it is" in found.who
        assert leases.claim("run", None, "b", "") is None
    assert claim(leases, found, "b").epoch == 2


def test_a_renewal_does_not_make_a_removed_record_again(tmp_path: Path) -> None:
    leases = open_leases(tmp_path)
    mine = claim(leases, None, "a")
    (tmp_path / "data").mkdir()
    (tmp_path / ".drivesync" / mine.id).unlink()
    for renew in (leases.renew, leases.next):
        with pytest.raises(NotFoundError):
            renew(mine)
    assert files(tmp_path) == []
    (tmp_path / ".drivesync").rmdir()
    with pytest.raises(NotFoundError):
        leases.next(mine)


def test_a_disk_that_is_away_does_not_end_a_lease(tmp_path: Path) -> None:
    tree = tmp_path / "disk" / "darknet"
    leases = open_leases(tree)
    mine = claim(leases, None, "a")
    (tmp_path / "disk").rename(tmp_path / "away")
    for work in (leases.next, leases.renew):
        with pytest.raises(TransientError):
            work(mine)
    tree.mkdir(parents=True)
    with pytest.raises(TransientError, match="empty"):
        leases.next(mine)
    tree.rmdir()
    tree.parent.rmdir()
    (tmp_path / "away").rename(tmp_path / "disk")
    assert leases.next(mine) is None


def test_where_drive_is_not_mounted_nothing_is_made(tmp_path: Path) -> None:
    leases = open_leases(tmp_path / "drive" / "darknet", mount=tmp_path / "drive")
    (tmp_path / "drive").mkdir()
    with pytest.raises(NotFoundError, match="not mounted"):
        leases.find("run")
    with pytest.raises(NotFoundError, match="not mounted"):
        leases.claim("run", None, "a", "")
    assert list((tmp_path / "drive").iterdir()) == []


def test_a_renewal_changes_the_time_and_not_the_size(tmp_path: Path) -> None:
    leases = open_leases(tmp_path)
    mine = claim(leases, None, "a")
    place = tmp_path / ".drivesync" / mine.id
    os.utime(place, (NOW_S, NOW_S))
    before = place.stat()
    assert leases.renew(mine).renewed_s > mine.renewed_s - 1
    leases.renew(mine, release=True)
    after = place.stat()
    assert stat.S_ISREG(after.st_mode)
    assert (after.st_ino, after.st_size) == (before.st_ino, before.st_size)
    assert after.st_mtime != before.st_mtime
