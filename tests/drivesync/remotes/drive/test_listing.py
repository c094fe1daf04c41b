"""A tree on Drive, listed: nothing is missed, nothing is asked twice, and what cannot be a file is said to be so."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import NotFoundError, TransientError
from drivesync.files import RemoteFile, RemoteFolder
from drivesync.remotes.drive.entries import FOLDER, SHORTCUT_MARK
from drivesync.remotes.drive.listing import MOST_PATHS
from drivesync.testing import Delay, ErrorAnswer, Fault, OmittedParent
from drivesync.testing.metadata import Metadata

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivesync.remotes.base import Remote
    from drivesync.remotes.drive.remote import DriveRemote
    from tests.drivesync.remotes.conftest import Drive, Listed

    ListAll = Callable[[Remote], Listed]
    Enter = Callable[[str], DriveRemote]

DOCUMENT = "application/vnd.google-apps.document"
HOSTILE = [
    pytest.param("it's", id="quote"),
    pytest.param('say "hello"', id="double quotes"),
    pytest.param("back\\slash", id="backslash"),
    pytest.param("\\'", id="backslash and quote"),
    pytest.param("' or name != '", id="an injection"),
    pytest.param("100% #1?a=b&c+d", id="what means something in addresses"),
    pytest.param("日本語 ünïcödé 🦊", id="other alphabets"),
    pytest.param(" leading, trailing. ", id="spaces around"),
    pytest.param("line\nbreak", id="a control character"),
]


def test_what_a_file_is(remote: DriveRemote, drive: Drive, list_all: ListAll) -> None:
    file_id = drive.add("darknet/data", "a.txt", b"content", at_s=1_700_000_000.123)
    assert list_all(remote).entries == [
        RemoteFolder("", drive.id_of("darknet")),
        RemoteFolder("data", drive.id_of("darknet/data")),
        RemoteFile(
            path="data/a.txt",
            id=file_id,
            size=7,
            md5="9a0364b9e99bb480dd25e1f0284c8555",
            modified_s=1_700_000_000.123,
            sha256=hashlib.sha256(b"content").hexdigest(),
            revision_id=drive.entries("darknet/data")[0].revisions[0].id,
        ),
    ]


@pytest.mark.parametrize(("said", "executable"), [("true", True), ("false", False), (None, None)])
def test_the_run_bit_is_what_a_push_recorded(
    remote: DriveRemote, drive: Drive, list_all: ListAll, said: str | None, *, executable: bool | None
) -> None:
    properties = {} if said is None else {"executable": said}
    drive.change(drive.add("darknet", "darknet"), Metadata(app_properties={**properties, "iteration": "7"}))
    assert list_all(remote).files["darknet"].executable is executable


def test_an_empty_folder_is_told(remote: DriveRemote, drive: Drive, list_all: ListAll) -> None:
    drive.add_folder("darknet/backup/old")
    listed = list_all(remote)
    assert (listed.files, listed.paths) == ({}, {"backup", "backup/old"})


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name(enter: Enter, drive: Drive, list_all: ListAll, name: str) -> None:
    drive.add(f"{name}/{name}", name, b"content")
    remote = enter(name)
    listed = list_all(remote)
    assert (set(listed.files), listed.paths) == ({f"{name}/{name}"}, {name})
    assert remote.find(f"{name}/{name}") == listed.files[f"{name}/{name}"]


class TestWhatIsLeftOut:
    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            pytest.param("a/b", "its name holds a character that no file name can hold", id="a slash"),
            pytest.param("../../x", "its name holds a character that no file name can hold", id="a way out"),
            pytest.param("n\0ull", "its name holds a character that no file name can hold", id="zero byte"),
            pytest.param("..", "its name is '..'", id="two dots"),
            pytest.param(".", "its name is '.'", id="one dot"),
            pytest.param("", "its name is ''", id="no name"),
            pytest.param("x" * 256, "its name is longer than 255 bytes", id="over 255 bytes"),
            pytest.param("日" * 86, "its name is longer than 255 bytes", id="over 255 bytes, of 86 letters"),
        ],
    )
    def test_names_that_can_be_no_local_files_are_skipped_once_with_all_below_them(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll, name: str, reason: str
    ) -> None:
        folder_id = drive.add_other("darknet", name, FOLDER)
        drive.add_in(folder_id, "below")
        drive.add("darknet", "good")
        listed = list_all(remote)
        assert (set(listed.files), listed.paths) == ({"good"}, set())
        assert listed.skipped == {name: reason}
        drive.add("darknet", name)
        assert len(list_all(remote).entries) == len(listed.entries) + 1

    def test_google_docs(self, remote: DriveRemote, drive: Drive, list_all: ListAll) -> None:
        drive.add_other("darknet", "notes", DOCUMENT)
        drive.add_other("darknet", "table", "application/vnd.google-apps.spreadsheet")
        assert list_all(remote).skipped == {
            "notes": "it is a Google document, not a file",
            "table": "it is a Google spreadsheet, not a file",
        }

    def test_trashed_files_and_what_lies_in_trashed_folders(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll
    ) -> None:
        drive.add("darknet", "kept")
        drive.add("darknet", "thrown away")
        drive.add("darknet/folder", "below")
        drive.trash("darknet/thrown away")
        drive.trash("darknet/folder")
        assert len(list_all(remote).entries) == 2
        assert set(list_all(remote).files) == {"kept"}

    def test_what_drivesync_keeps_in_a_tree_for_itself(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll
    ) -> None:
        drive.add("darknet/.drivesync", "index.sqlite")
        drive.add("darknet", ".drivesync")
        drive.add("darknet/data/.drivesync", "somebody's")
        listed = list_all(remote)
        assert set(listed.files) == {"data/.drivesync/somebody's"}
        assert (listed.paths, listed.skipped) == ({"data", "data/.drivesync"}, {})


class TestOneName:
    """Several things with one path."""

    def test_of_several_files_the_newest_comes_first(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll
    ) -> None:
        for at_s in (20, 10, 40, 30):
            drive.add("darknet", "twin", str(at_s).encode(), at_s=at_s)
        listed = list_all(remote)
        times = [entry.modified_s for entry in listed.entries if isinstance(entry, RemoteFile)]
        assert times == [40, 30, 20, 10]
        assert remote.find("twin") == listed.files["twin"]

    def test_of_several_files_of_one_moment_find_takes_the_same(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll
    ) -> None:
        for number in range(4):
            drive.add("darknet", "twin", str(number).encode(), at_s=10)
        assert remote.find("twin") == list_all(remote).files["twin"]

    def test_two_folders_are_merged_and_their_files_put_in_order(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll
    ) -> None:
        for number in range(3):
            folder_id = drive.add_folder("darknet/data")
            drive.add_in(folder_id, f"in {number}")
            drive.add_in(folder_id, "in each", at_s=[20, 30, 10][number])
            below = drive.add_folder_in(folder_id, "below")
            drive.add_in(below, f"deeper in {number}")
        listed = list_all(remote)
        both = {f"data/{name}" for name in ("in 0", "in 1", "in 2", "in each")}
        assert set(listed.files) == both | {f"data/below/deeper in {number}" for number in range(3)}
        assert listed.files["data/in each"].modified_s == 30
        assert [sorted(listed.folders.values()).count(path) for path in ("data", "data/below")] == [3, 3]
        for path, file in listed.files.items():
            assert remote.find(path) == file

    def test_merged_folders_of_which_drive_leaves_one_out_without_a_word(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll
    ) -> None:
        left_out = drive.add_folder("darknet/data")
        other = drive.add_folder("darknet/data")
        drive.add_in(left_out, "a", at_s=20)
        drive.add_in(other, "a", at_s=10)
        drive.emulator.inject(Fault(OmittedParent(left_out), "files.list", times=None))
        assert list_all(remote).files["data/a"].modified_s == 20

    def test_more_folders_of_one_name_than_a_query_takes(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll
    ) -> None:
        for number in range(120):
            drive.add_in(drive.add_folder("darknet/data"), f"{number}")
        assert set(list_all(remote).files) == {f"data/{number}" for number in range(120)}

    @pytest.mark.parametrize("at_s", [1, 4_000_000_000], ids=["older", "newer"])
    def test_a_file_beside_a_folder(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll, at_s: int
    ) -> None:
        drive.add("darknet/data", "below")
        drive.add("darknet", "data", b"content", at_s=at_s)
        listed = list_all(remote)
        assert (set(listed.files), listed.paths) == ({"data/below"}, {"data"})
        assert listed.skipped == {"data": "a folder of the same name is beside it"}
        assert remote.find("data") is None

    def test_where_drive_keeps_no_order_nothing_is_named_as_a_file_and_a_folder(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        drive.add("darknet", "data", b"content")
        for number in range(1000):
            drive.add("darknet", f"{number}")
        drive.add("darknet/data", "below")
        # As Drive does it in accounts of a million files.
        monkeypatch.setattr("drivesync.testing.file_calls.sort_entries", lambda _entries, _order: None)
        listed = list_all(remote)
        assert "data" in listed.files
        assert listed.skipped == {"data": "a file of the same name is beside it"}

    def test_a_document_beside_a_file(self, remote: DriveRemote, drive: Drive, list_all: ListAll) -> None:
        drive.add("darknet", "notes", b"content")
        drive.add_other("darknet", "notes", DOCUMENT)
        listed = list_all(remote)
        assert (set(listed.files), set(listed.skipped)) == ({"notes"}, {"notes"})
        assert remote.find("notes") == listed.files["notes"]

    def test_names_that_differ_by_case_are_two(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll
    ) -> None:
        drive.add("darknet/data", "a")
        drive.add("darknet/DATA", "A")
        assert set(list_all(remote).files) == {"data/a", "DATA/A"}


class TestRequests:
    def test_a_tree_of_600_folders_costs_a_twentieth_of_them_and_the_pages(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll
    ) -> None:
        for number in range(600):
            for file in range(6):
                drive.add(f"darknet/{number % 20}/{number}", f"{file}")
        listed = list_all(remote)
        assert (len(listed.files), len(listed.paths)) == (3600, 620)
        spent = remote.usage.by_kind
        assert set(spent) == {"list"}
        pages = -(-len(listed.entries) // 1000)
        assert spent["list"].requests <= 620 // 20 + pages
        # And in fact: the folder itself, what is in it, a query for its 20 folders, 12 for the 600.
        assert spent["list"].requests == 15

    def test_more_than_a_page(self, remote: DriveRemote, drive: Drive, list_all: ListAll) -> None:
        for number in range(2001):
            drive.add("darknet/many", f"{number}.txt")
        assert set(list_all(remote).files) == {f"many/{number}.txt" for number in range(2001)}
        # One for the folder itself, one for what is in it, three pages.
        assert drive.requests("files.list") == 5

    def test_pages_come_as_drive_tells_them(self, remote: DriveRemote, drive: Drive) -> None:
        for number in range(1500):
            drive.add("darknet", f"{number}.txt")
        pages = remote.list()
        assert (len(next(pages).entries), drive.requests("files.list")) == (1, 1)
        assert (len(next(pages).entries), drive.requests("files.list")) == (1000, 2)
        assert [(len(page.entries), page.ends) for page in pages] == [(500, False), (0, True)]

    def test_an_empty_folder_among_others_is_asked_for_alone_once_more(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll
    ) -> None:
        for number in range(3):
            drive.add(f"darknet/{number}", "file")
        drive.add_folder("darknet/empty")
        assert len(list_all(remote).files) == 3
        assert drive.requests("files.list") == 1 + 1 + 1 + 1

    def test_a_folder_that_drive_leaves_out_without_a_word_is_not_missed(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll
    ) -> None:
        for number in range(70):
            drive.add(f"darknet/{number}", "file")
        drive.emulator.inject(Fault(OmittedParent(), "files.list", times=None))
        assert set(list_all(remote).files) == {f"{number}/file" for number in range(70)}

    def test_some_queries_are_on_their_way_at_once(
        self, remote: DriveRemote, drive: Drive, wait_for: Callable[[Callable[[], object]], None]
    ) -> None:
        for number in range(200):
            drive.add(f"darknet/{number}", "file")
        drive.emulator.inject(Fault(Delay(60), "files.list", skip=2, times=None))
        with ThreadPoolExecutor(1) as pool:
            listing = pool.submit(lambda: list(remote.list()))
            wait_for(lambda: drive.requests("files.list") == 1 + 1 + 4)
            remote.cancel()
            assert isinstance(listing.exception(), TransientError)

    def test_a_listing_that_is_left_leaves_no_thread(self, remote: DriveRemote, drive: Drive) -> None:
        for number in range(400):
            drive.add(f"darknet/{number}", "file")
        pages = remote.list()
        for _ in range(4):
            next(pages)
        del pages
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("list")]

    def test_deep_folders(self, remote: DriveRemote, drive: Drive, list_all: ListAll) -> None:
        path = "/".join("abcdefghijklmnopqrst")
        drive.add(f"darknet/{path}", "file")
        assert set(list_all(remote).files) == {f"{path}/file"}


class TestWhatChangesMeanwhile:
    def test_a_folder_that_is_deleted_takes_no_other_with_it(self, remote: DriveRemote, drive: Drive) -> None:
        for number in range(3):
            drive.add(f"darknet/{number}", "file")
        pages = remote.list()
        entries = [*next(pages).entries, *next(pages).entries]
        drive.delete("darknet/1")
        for page in pages:
            entries += page.entries
        assert {entry.path for entry in entries if isinstance(entry, RemoteFile)} == {"0/file", "2/file"}

    def test_the_trees_own_folder_is_deleted(self, remote: DriveRemote, drive: Drive) -> None:
        drive.add("darknet", "a")
        pages = remote.list()
        next(pages)
        drive.delete("darknet")
        with pytest.raises(NotFoundError):
            list(pages)

    @pytest.mark.parametrize("below", ["", "/data/obj"])
    def test_one_that_is_thrown_away_while_it_is_listed_is_not_empty(
        self, remote: DriveRemote, drive: Drive, below: str
    ) -> None:
        drive.add(f"darknet{below}", "a")
        pages = remote.list()
        next(pages)
        drive.trash("darknet")
        with pytest.raises(NotFoundError, match="thrown into Drive's trash while it was listed"):
            list(pages)

    @pytest.mark.parametrize("trash_only", [True, False])
    def test_another_folder_has_its_name_the_next_time(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll, *, trash_only: bool
    ) -> None:
        drive.add("darknet", "old")
        assert set(list_all(remote).files) == {"old"}
        drive.trash("darknet") if trash_only else drive.delete("darknet")
        drive.add("darknet", "new")
        assert set(list_all(remote).files) == {"new"}


class TestShortcuts:
    def test_one_to_a_file_is_the_file_at_its_own_name(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll, read: Callable[..., bytes]
    ) -> None:
        target = drive.add("elsewhere", "target.weights", b"content", at_s=12)
        drive.add_shortcut("darknet/backup/mine.weights", target)
        (file,) = list_all(remote).files.values()
        assert (file.path, file.id, file.size, file.modified_s) == ("backup/mine.weights", target, 7, 12)
        assert remote.find("backup/mine.weights") == file
        assert remote.renew(file) == file
        assert read(remote, file) == b"content"

    def test_one_to_a_folder_is_listed_at_its_own_path(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll
    ) -> None:
        drive.add("images/train", "1.png", b"png")
        drive.add_shortcut("darknet/data", drive.id_of("images"))
        listed = list_all(remote)
        assert set(listed.files) == {"data/train/1.png"}
        assert {"data", "data/train"} <= listed.paths
        assert remote.find("data/train/1.png") == listed.files["data/train/1.png"]

    def test_a_folder_that_is_reached_by_two_paths_is_at_both(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll
    ) -> None:
        drive.add("darknet/data", "1.png")
        drive.add_shortcut("darknet/again", drive.id_of("darknet/data"))
        drive.add_shortcut("darknet/other/again", drive.id_of("darknet/data"))
        assert set(list_all(remote).files) == {"data/1.png", "again/1.png", "other/again/1.png"}

    @pytest.mark.parametrize("delete", [True, False])
    def test_a_dangling_one_is_reported(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll, *, delete: bool
    ) -> None:
        drive.add_shortcut("darknet/file", drive.add("elsewhere", "file"))
        drive.add_shortcut("darknet/folder", drive.id_of("elsewhere"))
        drive.delete("elsewhere") if delete else drive.trash("elsewhere")
        said = "that is gone, or is not shared with you" if delete else "in Drive's trash"
        reason = f"it is a shortcut to something {said}"
        listed = list_all(remote)
        assert listed.skipped == {"file": reason, "folder": reason}
        assert (listed.files, remote.find("file")) == ({}, None)

    def test_a_looping_one_is_reported(self, remote: DriveRemote, drive: Drive, list_all: ListAll) -> None:
        drive.add("darknet/data/deep", "file")
        drive.add_shortcut("darknet/data/deep/to the tree", drive.id_of("darknet"))
        drive.add_shortcut("darknet/data/deep/to data", drive.id_of("darknet/data"))
        drive.add_shortcut("darknet/data/deep/to itself", drive.id_of("darknet/data/deep"))
        drive.add_shortcut("darknet/data/deep/to my drive", drive.emulator.store.root_id)
        listed = list_all(remote)
        assert set(listed.files) == {"data/deep/file"}
        assert listed.skipped == {
            f"data/deep/{name}": "it leads back to a folder above it"
            for name in ("to the tree", "to data", "to itself", "to my drive")
        }

    def test_a_loop_of_two_is_reported(self, remote: DriveRemote, drive: Drive, list_all: ListAll) -> None:
        drive.add("one", "1")
        drive.add("two", "2")
        drive.add_shortcut("one/to two", drive.id_of("two"))
        drive.add_shortcut("two/to one", drive.id_of("one"))
        drive.add_shortcut("darknet/start", drive.id_of("one"))
        listed = list_all(remote)
        assert set(listed.files) == {"start/1", "start/to two/2"}
        assert set(listed.skipped) == {"start/to two/to one"}

    def test_one_to_a_shortcut_is_reported(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll
    ) -> None:
        between = drive.add_shortcut("elsewhere/between", drive.add("elsewhere", "file"))
        drive.add_shortcut("darknet/link", between)
        assert list_all(remote).skipped == {"link": "it is a shortcut to a shortcut"}

    def test_one_to_a_google_document_is_reported(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll
    ) -> None:
        drive.add_shortcut("darknet/link", drive.add_other("elsewhere", "notes", DOCUMENT))
        reason = "it is a shortcut to a Google document, not to a file"
        assert list_all(remote).skipped == {"link": reason}

    def test_one_to_what_may_not_be_seen_is_reported_and_the_rest_listed(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll
    ) -> None:
        drive.add_shortcut("darknet/link", drive.add("elsewhere", "file"))
        drive.add("darknet", "good")
        drive.emulator.inject(Fault(ErrorAnswer(403, "insufficientFilePermissions"), "files.get"))
        listed = list_all(remote)
        assert set(listed.files) == {"good"}
        assert "403 insufficientFilePermissions" in listed.skipped["link"]

    def test_one_whose_name_can_be_no_file(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll
    ) -> None:
        drive.add_other(
            "darknet", "a/b", "application/vnd.google-apps.shortcut", target_id=drive.add("elsewhere", "file")
        )
        assert set(list_all(remote).skipped) == {"a/b"}
        assert drive.requests("files.get") == 0

    @pytest.mark.parametrize("at_s", [1, 4_000_000_000], ids=["older", "newer"])
    def test_it_gives_way_to_a_file_of_its_name(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll, at_s: int
    ) -> None:
        own = drive.add("darknet", "a", b"own", at_s=1000)
        drive.add_shortcut("darknet/a", drive.add("elsewhere", "file", b"other", at_s=at_s))
        drive.add_shortcut("darknet/a", drive.id_of("elsewhere"))
        listed = list_all(remote)
        assert [file.id for file in listed.files.values()] == [own]
        assert listed.skipped == {"a": "a file of the same name is beside it"}
        assert remote.find("a") == listed.files["a"]

    def test_it_gives_way_to_a_folder_of_its_name_or_is_merged_with_it(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll
    ) -> None:
        drive.add("darknet/data", "own")
        drive.add("elsewhere", "other")
        drive.add_shortcut("darknet/data", drive.id_of("elsewhere/other"))
        drive.add_shortcut("darknet/data", drive.id_of("elsewhere"))
        listed = list_all(remote)
        assert set(listed.files) == {"data/own", "data/other"}
        assert listed.skipped == {"data": "a folder of the same name is beside it"}
        for path in ("data/own", "data/other"):
            assert remote.find(path) == listed.files[path]

    def test_of_several_the_newest_target_is_taken(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll
    ) -> None:
        for at_s in (20, 30, 10):
            drive.add_shortcut("darknet/a", drive.add("elsewhere", f"{at_s}", at_s=at_s))
        listed = list_all(remote)
        assert listed.files["a"].modified_s == 30
        assert remote.find("a") == listed.files["a"]

    def test_two_to_one_folder_at_one_path_are_one(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll
    ) -> None:
        drive.add("elsewhere", "file")
        for _ in range(2):
            drive.add_shortcut("darknet/data", drive.id_of("elsewhere"))
        listed = list_all(remote)
        assert [entry.path for entry in listed.entries].count("data/file") == 1

    def test_those_inside_each_other_do_not_multiply_without_end(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll
    ) -> None:
        depth = 12
        for level in range(depth):
            drive.add(f"hostile/{level}", "file")
        for level in range(depth - 1):
            for side in ("left", "right"):
                drive.add_shortcut(f"hostile/{level}/{side}", drive.id_of(f"hostile/{level + 1}"))
        drive.add_shortcut("darknet/start", drive.id_of("hostile/0"))
        listed = list_all(remote)
        assert len(listed.files) == 1 + 2 + 4 + 8 + (depth - 4) * MOST_PATHS
        assert listed.skipped
        assert set(listed.skipped.values()) == {
            f"shortcuts lead to its folder on more than {MOST_PATHS} paths"
        }

    def test_a_target_is_asked_for_once(self, remote: DriveRemote, drive: Drive, list_all: ListAll) -> None:
        target = drive.add("elsewhere", "file")
        for number in range(3):
            drive.add_shortcut(f"darknet/{number}/link", target)
        assert len(list_all(remote).files) == 3
        assert drive.requests("files.get") == 1

    def test_a_listing_says_that_it_met_some(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll
    ) -> None:
        drive.add("darknet/data", "file")
        assert not [
            folder_id for folder_id in list_all(remote).folders if folder_id.startswith(SHORTCUT_MARK)
        ]
        for number in range(2):
            drive.add_shortcut(f"darknet/data/{number}", drive.id_of("darknet/data"))
        marked = {
            path
            for folder_id, path in list_all(remote).folders.items()
            if folder_id.startswith(SHORTCUT_MARK)
        }
        assert marked == {"data"}


class TestResourceKeys:
    def test_a_folder_by_a_link_with_its_key(
        self, enter: Enter, drive: Drive, list_all: ListAll, read: Callable[..., bytes]
    ) -> None:
        drive.add("shared/data", "open", b"open")
        locked = drive.add("shared/data", "locked", b"locked")
        folder = drive.add("shared/locked folder", "file", b"file") and drive.id_of("shared/locked folder")
        drive.lock(locked, "0-file")
        drive.lock(folder, "0-folder")
        root = drive.id_of("shared")
        drive.lock(root, "0-root")
        remote = enter(f"https://drive.google.com/drive/folders/{root}?resourcekey=0-root")
        listed = list_all(remote)
        assert set(listed.files) == {"data/open", "data/locked", "locked folder/file"}
        assert listed.files["data/locked"].resource_key == "0-file"
        for path, file in listed.files.items():
            assert remote.renew(file) == file
            assert remote.find(path) == file
            assert read(remote, file).decode() == path.rpartition("/")[2]

    def test_without_its_key_there_is_no_such_folder(self, enter: Enter, drive: Drive) -> None:
        drive.add("shared", "file")
        root = drive.id_of("shared")
        drive.lock(root, "0-root")
        with pytest.raises(NotFoundError, match="not shared with this account"):
            list(enter(f"id:{root}").list())

    def test_a_shortcut_brings_the_key_of_its_target(
        self, remote: DriveRemote, drive: Drive, list_all: ListAll, read: Callable[..., bytes]
    ) -> None:
        file_id, folder_id = drive.add("theirs", "file", b"content"), drive.id_of("theirs")
        drive.add_shortcut("darknet/file", file_id)
        drive.add_shortcut("darknet/folder", folder_id)
        drive.lock(file_id, "0-file")
        drive.lock(folder_id, "0-folder")
        listed = list_all(remote)
        assert set(listed.files) == {"file", "folder/file"}
        assert {read(remote, file) for file in listed.files.values()} == {b"content"}


class TestSharedDrives:
    def test_a_folder_in_one(self, enter: Enter, drive: Drive, list_all: ListAll) -> None:
        drive.make_shared_drive("team", "darknet/data/1.png", "darknet/Makefile", "other")
        remote = enter("Shareddrives/team/darknet")
        listed = list_all(remote)
        assert set(listed.files) == {"data/1.png", "Makefile"}
        assert remote.find("data/1.png") == listed.files["data/1.png"]

    def test_a_folder_in_one_of_which_one_is_no_member(
        self, enter: Enter, drive: Drive, list_all: ListAll
    ) -> None:
        paths = {f"data/{number}.png" for number in range(1500)}
        drive_id = drive.make_shared_drive("team", *(f"darknet/{path}" for path in paths))
        (root,) = drive.emulator.store.children(drive_id)
        del drive.emulator.store.drives[drive_id]
        remote = enter(f"id:{root.id}")
        listed = list_all(remote)
        assert set(listed.files) == paths
        assert remote.find("data/7.png") == listed.files["data/7.png"]

    def test_a_shortcut_into_one(self, remote: DriveRemote, drive: Drive, list_all: ListAll) -> None:
        drive_id = drive.make_shared_drive("team", "images/1.png")
        drive.add("darknet/data", "own")
        drive.add_shortcut("darknet/data", drive_id)
        assert set(list_all(remote).files) == {"data/own", "data/images/1.png"}
