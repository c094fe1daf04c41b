"""Where others go wrong: what a pull does with everything that a Drive, a disk and a user can be like.

names                       test_names_that_no_file_can_have, test_names_that_are_odd
twins                       test_of_files_with_one_name_the_newest_comes
a case-blind disk           test_names_that_a_case_blind_disk_cannot_tell
Google Docs                 test_google_docs_are_reported
shortcuts                   TestShortcuts: followed, dangling, looping
trashed files               test_what_is_trashed_does_not_come
a link that leads out       test_a_local_link_that_leads_out_is_not_followed
a file for a folder         test_a_local_file_where_a_folder_should_be
it changes while it is read TestItsRevisionMoves
it was changed here         TestChangedHere: kept, --theirs
over 4 GB                   test_a_file_over_4_gb
a disk that is too small    TestTooSmallADisk
shared drives, ids, keys    test_where_a_tree_may_be, test_a_folder_that_a_link_with_a_key_opens
nothing outside TREE        each of the above leaves what lies beside the tree as it was
the run bit                 test_the_run_bit_comes_back
the time                    test_the_time_comes_back
damaged three times         test_damaged_three_times
"""

from __future__ import annotations

import mmap
import os
import struct
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import DiskFullError, LocalWriteError
from drivesync.files import RemoteFile
from drivesync.index import Index
from drivesync.pull import PullResult, pull
from drivesync.pulling.parts import Parts
from drivesync.pulling.plan import PullOptions
from drivesync.push import Pusher, push
from drivesync.remotes.drive.remote import DriveRemote
from drivesync.testing import file_calls
from drivesync.testing.entries import FOLDER_TYPE, SHORTCUT_TYPE, Content
from drivesync.testing.metadata import Metadata
from drivesync.testing.trees import find, make_folders, put_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from drivesync.acceptance import Accept
    from drivesync.config import Settings
    from drivesync.testing import DriveEmulator
    from drivesync.testing.entries import Entry
    from drivesync.testing.service import Request
    from drivesync.testing.store import Store
    from drivesync.testing.wire import Answer
    from tests.drivesync.conftest import Ended, Notes

DOCUMENT = "application/vnd.google-apps.document"
MIB = 1 << 20


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Where the tree is made; nothing else may be there afterwards."""
    place = tmp_path / "home"
    (place / "beside").mkdir(parents=True)
    (place / "beside" / "mine").write_bytes(b"mine")
    yield place
    assert {path.relative_to(place).as_posix() for path in place.rglob("*") if "tree" not in path.parts} == {
        "beside",
        "beside/mine",
    }
    assert (place / "beside" / "mine").read_bytes() == b"mine"


@pytest.fixture
def tree(home: Path) -> Path:
    """Not there yet."""
    return home / "tree"


@pytest.fixture
def bring(settings: Settings, tree: Path, notes: Notes) -> Callable[..., PullResult]:
    """``bring("darknet", theirs=True)`` pulls with that option."""

    def run(remote: str = "darknet", place: Path = tree, *, theirs: bool = False) -> PullResult:
        with DriveRemote(remote, settings, first_wait_s=0.001) as entered:
            return pull(entered, place, reporter=notes, options=PullOptions(theirs=theirs))

    return run


@pytest.fixture
def store(drive_emulator: DriveEmulator) -> Store:
    """What Drive holds, to be changed while nobody asks."""
    return drive_emulator.store


def contents(tree: Path) -> dict[str, bytes]:
    return {
        file.relative_to(tree).as_posix(): file.read_bytes()
        for file in tree.rglob("*")
        if file.is_file() and ".drivesync" not in file.parts
    }


def add(store: Store, folder: str, name: str, data: bytes = b"x", *, at_ms: int | None = None) -> str:
    parent = make_folders(store, folder).id
    return store.create(Metadata(name=name, parents=(parent,), modified_ms=at_ms), Content.of(data)).id


def add_other(store: Store, folder: str, name: str, mime_type: str, target_id: str | None = None) -> str:
    parent = make_folders(store, folder).id
    return store.create(
        Metadata(name=name, parents=(parent,), mime_type=mime_type, shortcut_target_id=target_id)
    ).id


def reasons(result: PullResult) -> dict[str, str]:
    return {entry.path: entry.reason for entry in result.skipped}


NO_NAMES = ["../../x", "..", ".", "a/b", "/etc/x", "..\0", "x" * 256, "日" * 90]
ODD_NAMES = [
    "..x",
    "...",
    "a\\b",
    "..\\x",
    "\x1b]0;title\x07",
    "line\nbreak",
    "x" * 255,
    "-rf",
    "~",
    "CON",
    " ",
]


def test_names_that_no_file_can_have(store: Store, bring: Callable[..., PullResult], tree: Path) -> None:
    for name in NO_NAMES:
        add(store, "darknet", name)
        folder_id = add_other(store, "darknet", name, FOLDER_TYPE)
        store.create(Metadata(name="inside", parents=(folder_id,)), Content.of(b"evil"))
    result = bring()
    assert contents(tree) == {}
    assert sorted(entry.path for entry in result.skipped) == sorted(NO_NAMES * 2)
    assert all(entry.reason.startswith("its name ") for entry in result.skipped)


def test_names_that_are_odd(store: Store, bring: Callable[..., PullResult], tree: Path) -> None:
    for name in ODD_NAMES:
        add(store, f"darknet/{name}", name, name.encode())
    assert bring().skipped == []
    assert contents(tree) == {f"{name}/{name}": name.encode() for name in ODD_NAMES}


def test_of_files_with_one_name_the_newest_comes(
    store: Store, bring: Callable[..., PullResult], tree: Path
) -> None:
    for at_ms, data in ((1000, b"old"), (3000, b"new"), (2000, b"middle")):
        add(store, "darknet", "a", data, at_ms=at_ms)
    for _ in range(2):
        result = bring()
        assert contents(tree) == {"a": b"new"}
        assert [(entry.path, entry.reason) for entry in result.skipped] == [
            ("a", "a newer file of the same name is beside it")
        ] * 2
    newest = find(store, "darknet/a")
    assert newest is not None
    for entry in list(store.children(newest.parents[0])):
        if entry.modified_ms == 3000:
            store.delete(entry.id)
    bring()
    assert contents(tree) == {"a": b"middle"}, "and the next when that is gone"


def test_names_that_a_case_blind_disk_cannot_tell(
    store: Store, bring: Callable[..., PullResult], case_blind_disk: Path
) -> None:
    place = case_blind_disk / "tree"
    add(store, "darknet/data", "Cat.txt", b"newer", at_ms=2000)
    add(store, "darknet/data", "cat.TXT", b"older", at_ms=1000)
    add(store, "darknet/Data", "dog.txt", b"dog")
    add(store, "darknet", ".DRIVESYNC", b"evil")
    for _ in range(2):
        result = bring(place=place)
        assert {path.lower(): data for path, data in contents(place).items()} == {
            "data/cat.txt": b"newer",
            "data/dog.txt": b"dog",
        }
        assert reasons(result) == {"data/cat.TXT": "this disk cannot tell its name from 'data/Cat.txt'"}
        assert (result.conflicts, result.failed) == ([], [])


def test_google_docs_are_reported(store: Store, bring: Callable[..., PullResult], tree: Path) -> None:
    add(store, "darknet", "a")
    add_other(store, "darknet", "notes", DOCUMENT)
    result = bring()
    assert contents(tree) == {"a": b"x"}
    assert reasons(result) == {"notes": "it is a Google document, not a file"}
    result.raise_failure()


class TestShortcuts:
    def test_they_are_followed(self, store: Store, bring: Callable[..., PullResult], tree: Path) -> None:
        file_id = add(store, "elsewhere", "weights", b"weights")
        add(store, "elsewhere/folder/deep", "a", b"a")
        folder = find(store, "elsewhere/folder")
        assert folder is not None
        add_other(store, "darknet", "run.weights", SHORTCUT_TYPE, file_id)
        add_other(store, "darknet", "data", SHORTCUT_TYPE, folder.id)
        assert bring().skipped == []
        assert contents(tree) == {"run.weights": b"weights", "data/deep/a": b"a"}
        store.update(file_id, Metadata(), Content.of(b"newer"))
        assert bring().downloaded_files == 1
        assert contents(tree)["run.weights"] == b"newer"

    def test_those_that_lead_nowhere_are_reported(
        self, store: Store, bring: Callable[..., PullResult], tree: Path
    ) -> None:
        add(store, "darknet", "a")
        file_id = add(store, "elsewhere", "weights")
        add_other(store, "darknet", "gone", SHORTCUT_TYPE, file_id)
        store.delete(file_id)
        result = bring()
        assert contents(tree) == {"a": b"x"}
        assert list(reasons(result)) == ["gone"]
        result.raise_failure()

    def test_those_that_lead_in_a_circle_are_reported(
        self, store: Store, bring: Callable[..., PullResult], tree: Path
    ) -> None:
        add(store, "darknet/data", "a")
        for target in ("darknet", "darknet/data"):
            folder = find(store, target)
            assert folder is not None
            add_other(store, "darknet/data", f"to {target[-4:]}", SHORTCUT_TYPE, folder.id)
        result = bring()
        assert contents(tree) == {"data/a": b"x"}
        assert reasons(result) == dict.fromkeys(
            ("data/to data", "data/to knet"), "it leads back to a folder above it"
        )
        result.raise_failure()


def test_what_is_trashed_does_not_come(store: Store, bring: Callable[..., PullResult], tree: Path) -> None:
    add(store, "darknet", "a")
    store.update(add(store, "darknet", "b"), Metadata(trashed=True))
    add(store, "darknet/old", "c")
    folder = find(store, "darknet/old")
    assert folder is not None
    store.update(folder.id, Metadata(trashed=True))
    result = bring()
    assert contents(tree) == {"a": b"x"}
    assert result.skipped == []


def test_a_local_link_that_leads_out_is_not_followed(
    store: Store, bring: Callable[..., PullResult], tree: Path, home: Path
) -> None:
    for path in ("out/mine", "out/deep/new", "link", "in/a"):
        add(store, f"darknet/{path}".rpartition("/")[0], path.rpartition("/")[2], b"theirs")
    tree.mkdir()
    (tree / "out").symlink_to(home / "beside")
    (tree / "link").symlink_to(home / "beside" / "mine")
    result = bring(theirs=True)
    assert [(path, str(error).split(": ")[1]) for path, error in result.failed] == [
        (path, f"{tree}/{folder} leads out of {tree}")
        for path, folder in (("out/deep/new", "out"), ("out/mine", "out"))
    ]
    assert contents(tree / "in") == {"a": b"theirs"}
    assert not (tree / "link").is_symlink(), "a link to a file is replaced, and what it led to left alone"


def test_a_local_file_where_a_folder_should_be(
    store: Store, bring: Callable[..., PullResult], tree: Path
) -> None:
    for folder in ("darknet/data/obj", "darknet/cfg"):
        add(store, folder, "a", b"theirs")
    tree.mkdir()
    (tree / "data").write_bytes(b"mine")
    result = bring(theirs=True)
    assert contents(tree) == {"data": b"mine", "cfg/a": b"theirs"}
    assert [path for path, _ in result.failed] == ["data/obj/a"]
    with pytest.raises(LocalWriteError, match=r"a file is where the folder .* should be"):
        result.raise_failure()


class TestItsRevisionMoves:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            pytest.param(bytes(1000), b"\1" * 1000, id="small, of the same size"),
            pytest.param(bytes(1000), b"\1" * 10, id="small, shorter"),
            pytest.param(bytes(10), b"\1" * (6 * MIB), id="it has become large"),
            pytest.param(bytes(20 * MIB), b"\1" * (20 * MIB), id="large, of the same size"),
            pytest.param(bytes(20 * MIB), b"\1" * 10, id="it was large"),
        ],
    )
    def test_it_is_fetched_again(
        self,
        store: Store,
        bring: Callable[..., PullResult],
        tree: Path,
        notes: Notes,
        monkeypatch: pytest.MonkeyPatch,
        before: bytes,
        after: bytes,
    ) -> None:
        put_file(store, "darknet/a", before)
        answer_media, answers = file_calls.answer_media, count()

        def answer(request: Request, _data: object, mime_type: str) -> Answer:
            # One range of a large file comes before the change, the others after it.
            if next(answers) == (len(before) > 5 * MIB):
                put_file(store, "darknet/a", after)
            entry = find(store, "darknet/a")
            assert entry is not None
            assert entry.head is not None
            return answer_media(request, entry.head.content.data, mime_type)

        monkeypatch.setattr(file_calls, "answer_media", answer)
        bring().raise_failure()
        assert contents(tree) == {"a": after}
        assert notes.size_bytes == len(after)


class TestChangedHere:
    @pytest.fixture(autouse=True)
    def _changed(self, drive_emulator: DriveEmulator, bring: Callable[..., PullResult], tree: Path) -> None:
        for path in ("cfg/a", "cfg/b"):
            drive_emulator.put(f"darknet/{path}", b"first")
        bring()
        (tree / "cfg" / "a").write_bytes(b"mine")
        for path in ("cfg/a", "cfg/b"):
            drive_emulator.put(f"darknet/{path}", b"theirs")

    def test_it_is_kept_and_reported(self, bring: Callable[..., PullResult], tree: Path) -> None:
        for _ in range(2):
            result = bring()
            assert contents(tree) == {"cfg/a": b"mine", "cfg/b": b"theirs"}
            assert result.conflicts == ["cfg/a"]
            result.raise_failure()

    def test_theirs_overwrites_it(self, bring: Callable[..., PullResult], tree: Path) -> None:
        result = bring(theirs=True)
        assert contents(tree) == {"cfg/a": b"theirs", "cfg/b": b"theirs"}
        assert (result.conflicts, result.downloaded_files) == ([], 2)
        assert bring().kept_files == 2


HUGE_ZEROS = (1 << 32) + MIB
HUGE_TAIL = b"\xff" * (2 * MIB)
HUGE_MD5 = "649ad821dd9de37cb6a5108ad5ada3d6"
"""Of so many zeros and that tail, by md5sum."""


@pytest.fixture
def hollow(tmp_path: Path) -> Iterator[Path]:
    """A folder in which holes of files are read at once, if there is one: in memory they take no pages."""
    memory = Path("/dev/shm")  # noqa: S108 - what is made there has a name of its own
    with TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as place:
        yield Path(place)


def test_a_file_over_4_gb(
    store: Store,
    drive_emulator: DriveEmulator,
    bring: Callable[..., PullResult],
    hollow: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All but its last 4 MiB are there already: on disk a hole, and so in Drive."""
    size = HUGE_ZEROS + len(HUGE_TAIL)
    there = (1 << 32) - MIB
    with (hollow / "in Drive").open("w+b") as made:
        made.seek(HUGE_ZEROS)
        made.write(HUGE_TAIL)
        made.flush()
        # It goes with the emulator that holds it.
        mapped = memoryview(mmap.mmap(made.fileno(), size, access=mmap.ACCESS_READ))
    parent = make_folders(store, "darknet").id
    metadata = Metadata(name="huge", parents=(parent,), modified_ms=5000)
    entry = store.create(metadata, Content(mapped, HUGE_MD5, "", ""))
    part, journal = map(Path, Parts(hollow / "tree")._paths(listed(entry)))
    part.touch()
    os.truncate(part, size)
    journal.write_bytes(struct.pack("<QQ", 0, there - 1))
    # The hole needs no room, but nobody can know.
    monkeypatch.setattr("drivesync.pull.free_bytes", lambda _tree: 1 << 40)
    result = bring(place=hollow / "tree")
    result.raise_failure()
    assert result.downloaded_bytes == size == (hollow / "tree" / "huge").stat().st_size
    assert drive_emulator.counters()["files.get.media"].bytes_down == size - there
    with (hollow / "tree" / "huge").open("rb") as came:
        came.seek(there - 1)
        assert came.read() == bytes(HUGE_ZEROS - there + 1) + HUGE_TAIL


class TestTooSmallADisk:
    """Eight MiB, all of which may be filled here."""

    @pytest.fixture(autouse=True)
    def _no_spare(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("drivesync.pull._SPARE_BYTES", 0)

    @pytest.fixture(params=["darknet", "Shareddrives/Team/darknet"], ids=["bound told", "no bound told"])
    def remote(self, request: pytest.FixtureRequest) -> str:
        """My Drive tells how much it holds, a shared drive does not."""
        name: str = request.param
        return name

    @pytest.fixture
    def put(self, remote: str, store: Store) -> Callable[[str, int], Entry]:
        """Puts a file of so many bytes there."""
        top = store.get("root").id if remote == "darknet" else store.create_drive("Team").id
        folder = store.create(Metadata(name="darknet", mime_type=FOLDER_TYPE, parents=(top,))).id
        return lambda name, size: store.create(
            Metadata(name=name, parents=(folder,)), Content.of(name.encode() * size)
        )

    def test_it_is_said_before_the_first_byte(
        self,
        remote: str,
        put: Callable[[str, int], Entry],
        drive_emulator: DriveEmulator,
        bring: Callable[..., PullResult],
        small_disk: Path,
    ) -> None:
        for number in range(9):
            put(f"{number}", MIB)
        said = r"9\.5 MB are to come, and the disk of .* has 8\.\d MB "
        with pytest.raises(DiskFullError, match=said):
            bring(remote, small_disk / "tree")
        assert drive_emulator.counters()["files.get.media"].requests == 0
        assert contents(small_disk) == {}

    def test_what_fits_comes(
        self,
        remote: str,
        put: Callable[[str, int], Entry],
        bring: Callable[..., PullResult],
        small_disk: Path,
    ) -> None:
        for number in range(5):
            put(f"{number}", MIB)
        assert bring(remote, small_disk / "tree").downloaded_files == 5
        for number in range(5, 7):
            put(f"{number}", MIB)
        # All seven would not fit once more.
        assert bring(remote, small_disk / "tree").downloaded_files == 2

    def test_what_has_arrived_needs_no_more_room_and_what_nobody_wants_goes(
        self,
        remote: str,
        put: Callable[[str, int], Entry],
        bring: Callable[..., PullResult],
        drive_emulator: DriveEmulator,
        small_disk: Path,
    ) -> None:
        wanted, partial = put("a", 5 * MIB), small_disk / "tree" / ".drivesync" / "partial"
        put("b", MIB)
        begin(wanted, small_disk / "tree", b"a" * (4 * MIB))
        (partial / "0123.part").write_bytes(bytes(2 * MIB))
        assert bring(remote, small_disk / "tree").downloaded_files == 2
        assert drive_emulator.counters()["files.get.media"].bytes_down == 2 * MIB
        assert contents(small_disk / "tree") == {"a": b"a" * (5 * MIB), "b": b"b" * MIB}
        assert list(partial.iterdir()) == []


def begin(entry: Entry, tree: Path, content: bytes) -> None:
    """What a pull that was killed left of a file at the tree's top."""
    with suppress(KeyboardInterrupt), Parts(tree).open(listed(entry), resumable=True) as part:
        part.write_at(0, content)
        part.note_arrived(0, len(content) - 1)
        raise KeyboardInterrupt


def listed(entry: Entry) -> RemoteFile:
    """A file at the tree's top, as the remote lists it."""
    assert entry.head is not None
    content = entry.head.content
    modified_s = entry.modified_ms / 1000
    return RemoteFile(
        entry.name, entry.id, content.size_bytes, content.md5, modified_s, revision_id=entry.head.id
    )


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("id:{id}", id="an id"),
        pytest.param("https://drive.google.com/drive/folders/{id}", id="an address"),
        pytest.param("https://drive.google.com/drive/u/1/folders/{id}?usp=sharing", id="a link"),
        pytest.param("https://drive.google.com/open?id={id}", id="an old link"),
    ],
)
@pytest.mark.parametrize("shared", [False, True], ids=["in My Drive", "in a shared drive"])
def test_where_a_tree_may_be(
    store: Store,
    bring: Callable[..., PullResult],
    tree: Path,
    name: str,
    shared: bool,  # noqa: FBT001
) -> None:
    top = store.create_drive("Team").id if shared else make_folders(store, "deep/down").id
    folder = store.create(Metadata(name="darknet", mime_type=FOLDER_TYPE, parents=(top,)))
    below = store.create(Metadata(name="cfg", mime_type=FOLDER_TYPE, parents=(folder.id,)))
    store.create(Metadata(name="a", parents=(below.id,)), Content.of(b"content"))
    for kept in (0, 1):
        assert bring(name.format(id=folder.id)).kept_files == kept
        assert contents(tree) == {"cfg/a": b"content"}


def test_a_shared_drive_by_its_name(store: Store, bring: Callable[..., PullResult], tree: Path) -> None:
    drive_id = store.create_drive("Team").id
    store.create(Metadata(name="a", parents=(drive_id,)), Content.of(b"content"))
    bring("Shareddrives/Team")
    assert contents(tree) == {"a": b"content"}


def test_a_folder_that_a_link_with_a_key_opens(
    store: Store, bring: Callable[..., PullResult], tree: Path
) -> None:
    add(store, "theirs/cfg", "a", b"content")
    weights_id = add(store, "elsewhere", "weights", b"weights")
    add_other(store, "theirs", "run.weights", SHORTCUT_TYPE, weights_id)
    store.disown(weights_id, resource_key="0-weights")
    folder = find(store, "theirs")
    assert folder is not None
    store.disown(folder.id, resource_key="0-folder")
    bring(f"https://drive.google.com/drive/folders/{folder.id}?resourcekey=0-folder")
    assert contents(tree) == {"cfg/a": b"content", "run.weights": b"weights"}


@pytest.mark.parametrize(
    ("data", "pushed", "program"),
    [
        pytest.param(b"\x7fELF\2\1", None, True, id="ELF"),
        pytest.param(b"#!/bin/sh\n", None, True, id="a script"),
        pytest.param(b"plain", None, False, id="neither"),
        pytest.param(b"plain", True, True, id="a push recorded it"),
        pytest.param(b"#!/bin/sh\n", False, False, id="a push recorded that there was none"),
    ],
)
def test_the_run_bit_comes_back(
    store: Store,
    bring: Callable[..., PullResult],
    tree: Path,
    data: bytes,
    pushed: bool | None,  # noqa: FBT001
    program: bool,  # noqa: FBT001
) -> None:
    file_id = add(store, "darknet", "a", data)
    if pushed is not None:
        store.update(file_id, Metadata(app_properties={"executable": str(pushed).lower()}))
    bring()
    assert os.access(tree / "a", os.X_OK) == program


def test_the_run_bit_that_a_push_recorded_comes_back(
    bring: Callable[..., PullResult],
    settings: Settings,
    tmp_path: Path,
    accept: Accept,
    tree: Path,
    notes: Notes,
) -> None:
    mine = tmp_path / "mine"
    (mine / "backup").mkdir(parents=True)
    (mine / "backup" / "tool").write_bytes(b"no ELF")
    (mine / "backup" / "tool").chmod(0o755)
    with DriveRemote("darknet", settings) as remote, Index(mine) as index:
        push(Pusher(mine, remote, index, accept, notes), mine, ["backup/*"])
    bring()
    assert os.access(tree / "backup" / "tool", os.X_OK)


def test_the_time_comes_back(store: Store, bring: Callable[..., PullResult], tree: Path) -> None:
    add(store, "darknet", "a", at_ms=1_234_567_890_123)
    add(store, "darknet", "b", bytes(5 * MIB), at_ms=1)
    bring()
    assert (tree / "a").stat().st_mtime_ns == 1_234_567_890_123_000_000
    assert (tree / "b").stat().st_mtime_ns == 1_000_000


@pytest.mark.parametrize("size", [10, 6 * MIB], ids=["small", "large"])
def test_damaged_three_times(
    store: Store,
    drive_emulator: DriveEmulator,
    drivesync: Callable[..., Ended],
    tree: Path,
    size: int,
) -> None:
    good = Content.of(bytes(size))
    cfg = make_folders(store, "darknet/cfg").id
    bad = store.create(Metadata(name="bad", parents=(cfg,)), replace(good, md5="0123456789abcdef" * 2))
    for number in range(20):
        add(store, "darknet", f"{number}")
    ended = drivesync("pull", "darknet", tree)
    assert ended.status == 65
    said = f"cfg/bad came damaged: expected {size} bytes with md5 {'0123456789abcdef' * 2}, got {size} bytes with"
    assert f"{said} md5 {good.md5}" in ended.complaint
    assert contents(tree).keys() == {f"{number}" for number in range(20)}
    assert drive_emulator.counters()["files.get.media"].requests == 20 + 3
    store.update(bad.id, Metadata(), good)
    assert drivesync("pull", "darknet", tree).status == 0
    assert contents(tree)["cfg/bad"] == bytes(size)
