"""What has changed since a listing: always the same as a new listing would say, or a word that one is needed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import NotAllowedError, StaleMarkError
from drivesync.files import RemoteFile, Skipped
from drivesync.remotes.drive.entries import SHORTCUT
from drivesync.testing import ErrorAnswer, Fault
from drivesync.testing.entries import Content
from drivesync.testing.metadata import Metadata
from drivesync.testing.resources import USER

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivesync.remotes.base import Remote
    from drivesync.remotes.drive.remote import DriveRemote
    from tests.drivesync.remotes.conftest import Drive, Listed

    ListAll = Callable[[Remote], Listed]
    Enter = Callable[[str], DriveRemote]
    Change = Callable[[Drive], object]


class Kept:
    """A listing that is kept, and brought up to date by changes."""

    def __init__(self, remote: DriveRemote, list_all: ListAll) -> None:
        self._remote = remote
        self._list_all = list_all
        self.mark = remote.mark()
        listed = list_all(remote)
        self.folders = listed.folders
        self.entries = _by_id(listed)

    def follow(self) -> None:
        changes = self._remote.changes(self.mark, self.folders)
        for gone in changes.gone:
            self.entries.pop(gone, None)
        for entry in changes.entries:
            assert entry.id in changes.gone
            self.entries[entry.id] = entry
        self.mark = changes.mark

    def check(self) -> None:
        """It is what a new listing says."""
        assert self.entries == _by_id(self._list_all(self._remote))


def _by_id(listed: Listed) -> dict[str, RemoteFile | Skipped]:
    return {entry.id: entry for entry in listed.entries if isinstance(entry, (RemoteFile, Skipped))}


@pytest.fixture
def tree(drive: Drive) -> Drive:
    """A tree with a neighbour."""
    for number in range(3):
        drive.add("darknet/data", f"{number}.png", b"png")
    drive.add("darknet/backup", "last.weights", b"weights")
    drive.add("darknet", "Makefile", b"make", at_s=1000)
    drive.add("elsewhere", "a", b"a")
    return drive


def rename(path: str, name: str) -> Change:
    return lambda drive: drive.change(drive.id_of(path), Metadata(name=name))


def move(path: str, to: str) -> Change:
    return lambda drive: drive.change(drive.id_of(path), Metadata(), to=drive.id_of(to))


def touch(path: str) -> Change:
    return lambda drive: drive.change(drive.id_of(path), Metadata(starred=True))


def update(drive: Drive) -> None:
    with drive.emulator.locked() as store:
        store.update(drive.emulator.put("darknet/Makefile", b"x"), Metadata(), Content.of(b"changed"))


FOLLOWED = [
    pytest.param(lambda _drive: None, id="nothing"),
    pytest.param(update, id="a file has another content"),
    pytest.param(lambda drive: drive.add("darknet/data", "3.png", b"new"), id="a file is new"),
    pytest.param(lambda drive: drive.add("darknet", "Makefile", b"twin"), id="a file has a twin"),
    pytest.param(lambda drive: drive.trash("darknet/data/1.png"), id="a file is in the trash"),
    pytest.param(lambda drive: drive.delete("darknet/data/1.png"), id="a file is deleted"),
    pytest.param(rename("darknet/data/1.png", "one.png"), id="a file has another name"),
    pytest.param(rename("darknet/data/1.png", "a/b"), id="a file has a name that can be no local file's"),
    pytest.param(rename("darknet/Makefile", ""), id="a file has no name"),
    pytest.param(rename("darknet/Makefile", "data"), id="a file has the name of a folder beside it"),
    pytest.param(rename("darknet/Makefile", ".drivesync"), id="a file has the name of our own state"),
    pytest.param(move("darknet/data/1.png", "darknet/backup"), id="a file is moved within the tree"),
    pytest.param(move("darknet/data/1.png", "elsewhere"), id="a file is moved out"),
    pytest.param(move("elsewhere/a", "darknet/data"), id="a file is moved in"),
    pytest.param(
        lambda drive: drive.add_other("darknet", "notes", "application/vnd.google-apps.document"),
        id="a Google Doc is new",
    ),
    pytest.param(lambda drive: drive.add("elsewhere", "b"), id="a file elsewhere"),
    pytest.param(lambda drive: drive.add_folder("elsewhere/folder"), id="a folder elsewhere"),
    pytest.param(lambda drive: drive.add_folder("darknet 2"), id="a folder beside the tree"),
    pytest.param(touch("darknet/data"), id="a folder is touched"),
    pytest.param(lambda drive: drive.add("darknet/.drivesync", "x"), id="our own state is there"),
    pytest.param(touch("darknet"), id="the tree's own folder is touched"),
    pytest.param(touch(""), id="My Drive is touched"),
    pytest.param(
        lambda drive: drive.add_other("elsewhere", "x", SHORTCUT, target_id=drive.id_of("darknet")),
        id="a shortcut elsewhere",
    ),
]


@pytest.mark.parametrize("change", FOLLOWED)
def test_followed(remote: DriveRemote, tree: Drive, list_all: ListAll, change: Change) -> None:
    kept = Kept(remote, list_all)
    change(tree)
    kept.follow()
    kept.check()
    tree.add("darknet/backup", "later.weights")
    kept.follow()
    kept.check()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda drive: drive.add_folder("darknet/new"), id="a folder is new"),
        pytest.param(
            lambda drive: drive.add_shortcut("darknet/link", drive.id_of("elsewhere")), id="a shortcut is new"
        ),
        pytest.param(rename("darknet/data", "images"), id="a folder has another name"),
        pytest.param(lambda drive: drive.trash("darknet/data"), id="a folder is in the trash"),
        pytest.param(lambda drive: drive.delete("darknet/data"), id="a folder is deleted"),
        pytest.param(move("darknet/data", "elsewhere"), id="a folder is moved out"),
        pytest.param(move("elsewhere", "darknet"), id="a folder is moved in"),
        pytest.param(rename("darknet", "other"), id="the tree has another name"),
        pytest.param(lambda drive: drive.trash("darknet"), id="the tree is in the trash"),
        pytest.param(
            lambda drive: drive.add_folder("darknet"), id="there is another folder of the tree's name"
        ),
        pytest.param(
            lambda drive: drive.add_shortcut("darknet", drive.id_of("elsewhere")),
            id="there is a shortcut of the tree's name",
        ),
    ],
)
def test_told_only_by_a_new_listing(
    remote: DriveRemote, tree: Drive, list_all: ListAll, change: Change
) -> None:
    kept = Kept(remote, list_all)
    change(tree)
    with pytest.raises(StaleMarkError):
        kept.follow()


@pytest.mark.parametrize(
    ("change", "is_stale_by_path", "is_stale_by_id"),
    [
        pytest.param(lambda drive: drive.trash("a"), True, True, id="in the trash"),
        pytest.param(lambda drive: drive.delete("a"), True, True, id="deleted"),
        pytest.param(rename("a", "other"), True, False, id="renamed"),
        pytest.param(move("a/b", "elsewhere"), True, False, id="moved"),
        pytest.param(touch("a"), False, False, id="touched"),
    ],
)
def test_a_folder_above_the_tree_is_changed(
    enter: Enter,
    drive: Drive,
    list_all: ListAll,
    change: Change,
    *,
    is_stale_by_path: bool,
    is_stale_by_id: bool,
) -> None:
    drive.add("a/b/darknet", "file")
    drive.add("elsewhere", "file")
    by_path = Kept(enter("a/b/darknet"), list_all)
    by_id = Kept(enter(f"id:{drive.id_of('a/b/darknet')}"), list_all)
    change(drive)
    for kept, is_stale in ((by_path, is_stale_by_path), (by_id, is_stale_by_id)):
        if is_stale:
            with pytest.raises(StaleMarkError):
                kept.follow()
        else:
            kept.follow()
            kept.check()


def test_nothing_changed_costs_two_requests(enter: Enter, tree: Drive, list_all: ListAll) -> None:
    kept = Kept(enter("darknet"), list_all)
    second = enter("darknet")
    tree.emulator.counters().reset()
    changes = second.changes(kept.mark, kept.folders)
    assert (changes.gone, changes.entries) == (frozenset(), ())
    assert tree.requests("changes.list") == tree.requests("about.get") == 1
    assert tree.emulator.counters().total().requests == 2
    assert second.usage.by_kind["list"].requests == 1


def test_a_first_pull_costs_three_requests_beyond_the_listing(
    remote: DriveRemote, tree: Drive, list_all: ListAll
) -> None:
    Kept(remote, list_all)
    assert tree.requests("changes.getStartPageToken") == 1
    # The folder itself once for both; what is in it; what is in its two folders.
    assert tree.requests("files.list") == 3
    assert tree.requests("about.get") == 1
    assert tree.emulator.counters().total().requests == 5


@pytest.mark.usefixtures("tree")
def test_somebody_else_logs_in(
    remote: DriveRemote, list_all: ListAll, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a folder of the same name, and a log in which every token is good and this tree does not occur."""
    kept = Kept(remote, list_all)
    monkeypatch.setitem(USER, "permissionId", "98765432109876543210")
    with pytest.raises(StaleMarkError, match="another account's"):
        kept.follow()


def test_more_than_a_page(remote: DriveRemote, tree: Drive, list_all: ListAll) -> None:
    kept = Kept(remote, list_all)
    for number in range(2500):
        tree.add("darknet/data", f"new {number}.png")
    tree.emulator.counters().reset()
    kept.follow()
    assert tree.requests("changes.list") == 3
    kept.check()


def test_more_changes_than_a_listing_costs(remote: DriveRemote, tree: Drive, list_all: ListAll) -> None:
    kept = Kept(remote, list_all)
    with tree.emulator.locked() as store:
        for number in range(10_001):
            store.changes.note(f"of another tree {number}", 0)
    with pytest.raises(StaleMarkError, match="more than 10000 changes"):
        kept.follow()


@pytest.mark.parametrize("status", [400, 404, 410])
def test_a_refused_token(remote: DriveRemote, tree: Drive, list_all: ListAll, status: int) -> None:
    kept = Kept(remote, list_all)
    tree.emulator.inject(Fault(ErrorAnswer(status, "invalid"), "changes.list"))
    with pytest.raises(StaleMarkError, match="no longer knows"):
        kept.follow()


def test_a_dead_login_is_no_stale_mark(remote: DriveRemote, tree: Drive, list_all: ListAll) -> None:
    kept = Kept(remote, list_all)
    tree.emulator.inject(Fault(ErrorAnswer(403, "insufficientPermissions"), "changes.list"))
    with pytest.raises(NotAllowedError):
        kept.follow()


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda _mark: "", id="empty"),
        pytest.param(lambda mark: mark[:-3], id="torn"),
        pytest.param(lambda _mark: "[]", id="of another kind"),
        pytest.param(lambda mark: json.dumps({**json.loads(mark), "more": 1}), id="of another version"),
        pytest.param(lambda mark: json.dumps({**json.loads(mark), "name": "other"}), id="of another remote"),
    ],
)
def test_a_mark_that_is_none_costs_no_request(
    remote: DriveRemote, tree: Drive, list_all: ListAll, spoil: Callable[[str], str]
) -> None:
    kept = Kept(remote, list_all)
    kept.mark = spoil(kept.mark)
    tree.emulator.counters().reset()
    with pytest.raises(StaleMarkError):
        kept.follow()
    assert tree.emulator.counters().total().requests == 0


class TestWhereChangesWouldNotTell:
    def test_a_tree_with_a_shortcut(self, remote: DriveRemote, tree: Drive, list_all: ListAll) -> None:
        tree.add_shortcut("darknet/link", tree.id_of("elsewhere/a"))
        kept = Kept(remote, list_all)
        tree.emulator.counters().reset()
        with pytest.raises(StaleMarkError, match="shortcuts"):
            kept.follow()
        assert tree.emulator.counters().total().requests == 0

    def test_a_tree_that_a_shortcut_leads_to(self, enter: Enter, tree: Drive) -> None:
        link = tree.add_shortcut("link", tree.id_of("darknet"))
        assert enter("link").mark() == ""
        assert enter(f"id:{link}").mark() == ""

    @pytest.mark.parametrize("key", ["", "0-key"])
    def test_somebody_elses_tree(self, enter: Enter, tree: Drive, key: str) -> None:
        root = tree.id_of("elsewhere")
        tree.lock(root, key)
        assert enter(f"https://drive.google.com/drive/folders/{root}?resourcekey={key}").mark() == ""

    def test_a_folder_of_a_shared_drive_of_which_one_is_no_member(self, enter: Enter, drive: Drive) -> None:
        drive_id = drive.make_shared_drive("team", "darknet/1.png")
        (root,) = drive.emulator.store.children(drive_id)
        del drive.emulator.store.drives[drive_id]
        assert enter(f"id:{root.id}").mark() == ""


class TestSharedDrive:
    def test_followed(self, enter: Enter, drive: Drive, list_all: ListAll) -> None:
        drive.make_shared_drive("team", "darknet/data/1.png")
        kept = Kept(enter("Shareddrives/team/darknet"), list_all)
        with drive.emulator.locked() as store:
            (data,) = (entry for entry in store.entries.values() if entry.name == "data")
            store.create(Metadata(name="2.png", parents=(data.id,)))
        drive.add("in my drive", "a")
        kept.follow()
        assert {entry.path for entry in kept.entries.values()} == {"data/1.png", "data/2.png"}
        kept.check()

    def test_gone(self, enter: Enter, drive: Drive, list_all: ListAll) -> None:
        drive_id = drive.make_shared_drive("team", "darknet/data/1.png")
        kept = Kept(enter("Shareddrives/team/darknet"), list_all)
        with drive.emulator.locked() as store:
            del store.drives[drive_id]
        with pytest.raises(StaleMarkError):
            kept.follow()
