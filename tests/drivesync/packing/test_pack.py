"""Packing a tree, and what a pull has of it afterwards."""

from __future__ import annotations

import gzip
import os
import tarfile
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest

from drivesync.disk import lock_state
from drivesync.errors import (
    DamagedError,
    NotFoundError,
    RemoteFullError,
    UnfinishedError,
    UsageError,
)
from drivesync.mirror import push_all
from drivesync.mirroring.upload_plan import MirrorOptions
from drivesync.pulling.manifest import MANIFEST, PACKS_FOLDER, Manifest, write_manifest
from drivesync.remotes.folder.remote import FolderRemote
from drivesync.testing import CorruptUpload, Fault, LostAnswer, trees
from drivesync.testing.entries import SHORTCUT_TYPE, Content
from drivesync.testing.metadata import Metadata
from tests.drivesync.packing.conftest import make_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.config import Settings
    from drivesync.packing.plan import PackingPlan
    from drivesync.remotes.drive.remote import DriveRemote
    from tests.drivesync.packing.conftest import Site

FILES = make_files()
PACKED = {path: content for path, content in FILES.items() if 0 < len(content) <= 10_000}
DOWNLOAD, CREATE = "files.get.media", "files.create.resumable"


def test_small_files_are_packed_and_come_from_there(site: Site) -> None:
    before = site.contents()
    plans: list[PackingPlan] = []
    result = site.pack(on_plan=plans.append)
    assert plans == [result.plan]
    assert (result.packed_files, result.packs, result.changed) == (len(PACKED), 2, [])
    assert site.contents() == before == FILES
    site.assert_tidy()
    for pack in site.manifest().packs:
        content = site.drive.read_tree("darknet")[pack.path]
        assert len(content) == pack.size
        with tarfile.open(fileobj=BytesIO(content)) as tar:
            for entry in tar:
                found = tar.extractfile(entry)
                assert found
                assert found.read() == FILES[entry.name]
    downloads = site.drive.counters()[DOWNLOAD]
    begun = downloads.requests
    pulled = site.pull_anew()
    assert pulled.packed_files == len(PACKED)
    assert downloads.requests - begun <= 5, "manifest, two packs, the large one"
    assert site.notes.files >= len(PACKED)


def test_packed_again_nothing_is_done(site: Site) -> None:
    site.pack()
    names = site.names()
    created = site.drive.counters()[CREATE].requests
    again = site.pack()
    assert again.plan
    assert again.plan.is_empty
    assert (again.packs, again.deleted_packs) == (0, 0)
    assert site.names() == names
    assert site.drive.counters()[CREATE].requests == created


def test_a_dry_run_does_nothing(site: Site) -> None:
    state = sorted(site.tree.rglob("*"))
    result = site.pack(dry_run=True)
    assert result.plan
    assert result.plan.new_files == len(PACKED)
    assert site.names() == []
    assert sorted(site.tree.rglob("*")) == state


def test_what_is_not_here_or_another_here_is_left_out(site: Site) -> None:
    (site.tree / "data/obj/003.jpg").unlink()
    (site.tree / "data/obj/004.jpg").write_bytes(bytes(1500))
    (site.tree / "data/obj/005.jpg").write_bytes(b"shorter")
    status = (site.tree / "data/obj/006.jpg").stat()
    os.utime(site.tree / "data/obj/006.jpg", ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    result = site.pack()
    assert (result.packed_files, result.plan and result.plan.absent) == (len(PACKED) - 3, 3)
    named = {member.path for pack in site.manifest().packs for member in pack.members}
    assert PACKED.keys() - named == {f"data/obj/00{number}.jpg" for number in (3, 4, 5)}
    site.pull_anew()


def test_changes_make_small_new_packs(site: Site) -> None:
    site.pack()
    (first, second) = site.manifest().packs
    site.put(**{f"data/obj/00{number}.jpg": bytes([number]) * 700 for number in range(5)})
    site.put(**{"data/obj/new": b"new", "data/obj/newer": b"newer"})
    with site.drive.locked() as store:
        gone = trees.find(store, "darknet/data/obj/010.txt")
        assert gone
        store.delete(gone.id)
    pulled = site.pull_anew()
    assert pulled.packed_files == len(PACKED) - 6
    site.pull()
    result = site.pack()
    assert (result.packed_files, result.packs, result.deleted_packs) == (7, 1, 0)
    packs = site.manifest().packs
    assert packs[:2] == (first, second)
    assert packs[2].size < 30_000
    assert site.pull_anew().packed_files == len(PACKED) + 1
    site.assert_tidy()


def test_with_more_than_a_quarter_dead_packs_are_written_anew(site: Site) -> None:
    site.pack()
    old = {pack.name for pack in site.manifest().packs}
    site.put(**{f"data/obj/0{number}.jpg": bytes([number]) * 1500 for number in range(10, 35)})
    site.pull()
    result = site.pack()
    assert result.plan
    assert result.plan.rewrite
    assert result.deleted_packs == len(result.plan.drop) >= 1
    assert old - {pack.name for pack in site.manifest().packs}
    site.assert_tidy()
    assert site.pull_anew().packed_files == len(PACKED)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda _raw: b"", id="emptied"),
        pytest.param(lambda raw: raw[:-20], id="torn"),
        pytest.param(lambda _raw: write_manifest(Manifest()), id="another"),
    ],
)
def test_a_manifest_that_is_of_no_use_is_made_anew(site: Site, spoil: Callable[[bytes], bytes]) -> None:
    site.pack()
    site.put(**{MANIFEST: spoil(site.drive.read_tree("darknet")[MANIFEST])})
    site.pull_anew()
    result = site.pack()
    assert (result.packs, result.packed_files) == (2, len(PACKED))
    assert site.pull_anew().packed_files == len(PACKED)
    assert len(site.manifest().packs) == 2


def test_packs_that_are_gone_or_spoilt_are_made_anew(site: Site) -> None:
    site.pack()
    first, second = site.manifest().packs
    with site.drive.locked() as store:
        store.delete(first.file_id)
    site.put(**{second.path: bytes(second.size)})
    site.pull_anew()
    result = site.pack()
    assert (result.packs, result.packed_files, result.deleted_packs) == (2, len(PACKED), 1)
    site.assert_tidy()
    assert site.pull_anew().packed_files == len(PACKED)


def test_thrown_away_they_are_made_anew(site: Site) -> None:
    site.pack()
    with site.drive.locked() as store:
        folder = trees.find(store, "darknet/.drivesync")
        assert folder
        store.delete(folder.id)
    site.pull_anew()
    assert site.pack().packed_files == len(PACKED)
    site.assert_tidy()


def test_a_file_that_changes_meanwhile_is_in_no_pack(site: Site) -> None:
    def change(_plan: PackingPlan) -> None:
        (site.tree / "data/obj/007.jpg").write_bytes(b"changed")
        place = site.tree / "data/obj/008.jpg"
        before = place.stat()
        place.write_bytes(bytes(before.st_size))
        os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))

    result = site.pack(on_plan=change)
    assert sorted(result.changed) == ["data/obj/007.jpg", "data/obj/008.jpg"]
    assert result.packed_files == len(PACKED) - 2
    site.assert_tidy()
    site.pull_anew()


@pytest.mark.parametrize("upload", range(4), ids=["pack", "manifest", "second pack", "second manifest"])
def test_what_came_damaged_is_sent_again(site: Site, upload: int) -> None:
    site.drive.inject(Fault(CorruptUpload(), call="upload.final", skip=upload))
    result = site.pack()
    assert result.packed_files == len(PACKED)
    site.assert_tidy()
    site.pull_anew()


def test_what_always_comes_damaged_is_an_error_and_nobody_reads_it(site: Site) -> None:
    site.drive.inject(Fault(CorruptUpload(), call="upload.final", times=None))
    with pytest.raises(DamagedError, match="not on the remote as it was sent"):
        site.pack()
    assert MANIFEST not in site.drive.read_tree("darknet")
    site.drive.reset()
    result = site.pack()
    assert result.deleted_packs == 3
    site.assert_tidy()


def test_lost_answers_make_no_twins(site: Site) -> None:
    site.drive.inject(Fault(LostAnswer(), call="upload.final", times=3), Fault(LostAnswer(), call=CREATE))
    site.pack()
    site.assert_tidy()
    site.pull_anew()


def test_without_twice_the_room_nothing_is_sent(site: Site) -> None:
    with site.drive.locked() as store:
        store.storage_limit_bytes = sum(map(len, FILES.values())) + 150_000
    with pytest.raises(RemoteFullError, match="are made only where"):
        site.pack()
    assert site.names() == []
    with site.drive.locked() as store:
        store.storage_limit_bytes = None
    site.pack()


def test_packs_are_for_drive(site: Site, settings: Settings, tmp_path: Path) -> None:
    with FolderRemote(str(tmp_path), settings) as folder, pytest.raises(UsageError, match="keeps no packs"):
        site.pack(remote=folder)


def test_a_folder_that_is_not_there_is_not_made(settings: Settings, site: Site) -> None:
    from drivesync.remotes.drive.remote import DriveRemote  # noqa: PLC0415 - opened by name, unlike all others

    with DriveRemote("elsewhere", settings, first_wait_s=0.001) as remote, pytest.raises(NotFoundError):
        site.pack(remote=remote)


def test_one_packing_at_a_time_in_a_tree(site: Site) -> None:
    with lock_state(site.tree, "pack"), pytest.raises(UnfinishedError, match="another pack"):
        site.pack()


def test_nothing_else_shows_sends_or_brings_them(site: Site, drivesync: Callable[..., Any]) -> None:
    assert drivesync("pull", "darknet", site.tree).status == 0
    quiet = [
        ("ls", "darknet"),
        ("status", site.tree),
        ("verify", site.tree),
        ("push", "--all", "--dry-run", site.tree, "darknet"),
        ("pull", "--dry-run", "darknet", site.tree),
    ]
    before = [drivesync(*command, "--json") for command in quiet]
    assert drivesync("pack", site.tree, "darknet").status == 0
    after = [drivesync(*command, "--json") for command in quiet]
    for command, was, now in zip(quiet, before, after, strict=True):
        assert now.status == was.status, command
        assert ".drivesync/" not in now.out.replace(str(site.tree), ""), command
    names = site.names()
    push_all(site.remote, site.tree, reporter=site.notes, options=MirrorOptions(ours=True)).raise_failure()
    site.pull()
    assert site.names() == names
    assert not (site.tree / ".drivesync/packs").exists()


def make_older(site: Site, by_s: float) -> None:
    """Have all packs written so long ago, as the Drive tells it."""
    with site.drive.locked() as store:
        folder = trees.find(store, f"darknet/{PACKS_FOLDER}")
        assert folder
        for child in list(store.children(folder.id)):
            store.update(child.id, Metadata(modified_ms=child.modified_ms - int(1000 * by_s)))


def test_what_other_sessions_left_goes_when_they_cannot_be_at_work_any_more(site: Site) -> None:
    left = f"{PACKS_FOLDER}/{'5' * 32}.tar"
    site.pack()
    site.put(**{left: b"begun elsewhere", f"{PACKS_FOLDER}/notes.txt": b"a user's"})
    make_older(site, 3500.0)
    assert site.pack().deleted_packs == 0
    make_older(site, 200.0)
    assert site.pack().deleted_packs == 1
    assert f"{PACKS_FOLDER}/notes.txt" in site.drive.read_tree("darknet")
    assert site.pull_anew().packed_files == len(PACKED)


def test_older_twins_of_the_manifest_go_the_same_way(site: Site) -> None:
    site.pack()
    with site.drive.locked() as store:
        folder = trees.find(store, f"darknet/{PACKS_FOLDER}")
        assert folder
        name = MANIFEST.rpartition("/")[2]
        store.create(Metadata(name=name, parents=(folder.id,), modified_ms=1000), Content.of(b"older"))
    assert site.names().count(name) == 2
    site.pack()
    assert site.names().count(name) == 1
    site.assert_tidy()


def test_what_a_shortcut_in_its_place_leads_to_is_not_written_over(site: Site) -> None:
    with site.drive.locked() as store:
        target = trees.find(store, "darknet/data/obj/000.jpg")
        assert target
        shortcut = Metadata(
            name=MANIFEST.rpartition("/")[2],
            mime_type=SHORTCUT_TYPE,
            parents=(trees.make_folders(store, f"darknet/{PACKS_FOLDER}").id,),
            shortcut_target_id=target.id,
        )
        store.create(shortcut)
    site.pack()
    assert site.contents() == FILES


def test_where_the_manifest_cannot_be_read_nothing_is_deleted(site: Site) -> None:
    site.pack()
    later = gzip.compress(b'{"format": 2}')
    site.put(**{MANIFEST: later})
    make_older(site, 5000.0)
    for path in PACKED:
        (site.tree / path).unlink()
    result = site.pack()
    assert (result.packs, result.deleted_packs) == (0, 0)
    assert site.drive.read_tree("darknet")[MANIFEST] == later
    assert len(site.names()) == 3


class Meanwhile:
    """A remote during whose nth request something else happens."""

    def __init__(self, remote: DriveRemote, nth: int, happens: Callable[[], object]) -> None:
        self._remote = remote
        self._left = nth
        self._happens = happens

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._remote, name)
        if name not in {"write", "delete", "read", "find", "renew", "files_in", "room"}:
            return found

        def call(*arguments: Any, **options: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                self._happens()
            return found(*arguments, **options)

        return call


def test_two_sessions_that_pack_at_once_do_no_harm(site: Site) -> None:
    other = site.trees / "other"
    site.pull(other)
    happened: list[int] = []
    for nth in range(1, 100, 2):
        # A fifth of it is new each time: both have packs to make, and some old ones to drop.
        site.put(**{f"data/obj/{one:03}.jpg": bytes([nth, one]) * 700 for one in range(nth // 2 % 5, 60, 5)})
        site.pull()
        site.pull(other)
        begun = len(happened)

        def pack_there(nth: int = nth) -> None:
            happened.append(nth)
            site.pack(other)

        site.pack(remote=Meanwhile(site.remote, nth, pack_there))
        if len(happened) == begun:
            break
        if nth % 8 == 1:
            site.pull_anew()
    assert len(happened) >= 7, "requests from the first to the last have had their turn"
    make_older(site, 5000.0)
    site.pack()
    site.assert_tidy()
    assert site.pull_anew().packed_files == len(PACKED)
