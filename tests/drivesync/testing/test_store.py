from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivesync.testing.entries import FOLDER_TYPE, SHORTCUT_TYPE, Content, Digester
from drivesync.testing.ids import seeded_ids
from drivesync.testing.metadata import Metadata, parse_metadata
from drivesync.testing.revisions import all_revisions, delete_revision, find_revision, pin_revision
from drivesync.testing.store import Store
from drivesync.testing.trees import find, make_folders, put_file, read_tree
from drivesync.testing.upload_sessions import UPLOAD_LIFETIME_MS
from drivesync.testing.wire import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

_DAY_MS = 24 * 3600 * 1000


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_ms = 0

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def clocked(clock: Clock) -> Store:
    return Store(now_ms=clock, new_id=seeded_ids(1))


def test_create_describes_what_it_made(store: Store) -> None:
    folder = store.create(Metadata(name="f", mime_type=FOLDER_TYPE))
    entry = store.create(
        Metadata(name="a", parents=(folder.id,)), Content.of(b"abc"), content_type="text/plain"
    )
    assert (entry.name, entry.mime_type, entry.parents) == ("a", "text/plain", (folder.id,))
    assert entry.head is not None
    assert entry.head.content.md5 == hashlib.md5(b"abc", usedforsecurity=False).hexdigest()
    assert entry.head.content.sha256 == hashlib.sha256(b"abc").hexdigest()
    assert list(store.children(folder.id)) == [entry]


def test_without_metadata_a_file_is_untitled_and_lies_in_the_root(store: Store) -> None:
    entry = store.create(Metadata())
    assert (entry.name, entry.mime_type, entry.parents) == (
        "Untitled",
        "application/octet-stream",
        (store.root_id,),
    )
    assert entry.head is not None
    assert entry.head.content.size_bytes == 0


def test_names_are_not_unique(store: Store) -> None:
    assert store.create(Metadata(name="same")).id != store.create(Metadata(name="same")).id


@pytest.mark.parametrize(
    ("metadata", "status", "reason"),
    [
        pytest.param(Metadata(id="mine"), 400, "invalid", id="an id that was never generated"),
        pytest.param(Metadata(parents=("nowhere",)), 404, "notFound", id="missing parent"),
        pytest.param(Metadata(parents=("root", "root")), 400, "invalid", id="two parents"),
        pytest.param(Metadata(mime_type=SHORTCUT_TYPE), 400, "invalid", id="shortcut without a target"),
        pytest.param(
            Metadata(mime_type=SHORTCUT_TYPE, shortcut_target_id="x"), 404, "notFound", id="to nothing"
        ),
    ],
)
def test_create_refuses(store: Store, metadata: Metadata, status: int, reason: str) -> None:
    with pytest.raises(ApiError) as caught:
        store.create(metadata)
    assert (caught.value.status, caught.value.reason) == (status, reason)
    assert list(store.children("root")) == []


def test_a_generated_id_is_good_once_even_after_deletion(store: Store) -> None:
    (file_id,) = store.ids.generate(1)
    assert store.create(Metadata(id=file_id)).id == file_id
    for _ in range(2):
        with pytest.raises(ApiError) as caught:
            store.create(Metadata(id=file_id))
        assert (caught.value.status, caught.value.reason) == (409, "fileIdInUse")
        if file_id in store.entries:
            store.delete(file_id)


def test_update_makes_a_revision_and_a_version(store: Store) -> None:
    entry = store.create(Metadata(name="a"), Content.of(b"one"))
    first = entry.head
    store.update(entry.id, Metadata(), Content.of(b"three"), content_type="text/plain")
    assert [revision.content.data for revision in entry.revisions] == [b"one", b"three"]
    assert (entry.version, entry.mime_type, store.used_bytes) == (2, "text/plain", 5)
    assert first is not None
    assert find_revision(store, entry.id, first.id).content.data == b"one"
    assert find_revision(store, entry.id, "head").content.data == b"three"


def test_metadata_alone_makes_no_revision_and_keeps_the_time(store: Store) -> None:
    entry = store.create(Metadata(name="a"), Content.of(b"one"))
    before_ms = entry.modified_ms
    store.update(entry.id, Metadata(name="b", app_properties={"k": "v"}))
    store.update(entry.id, Metadata(app_properties={"k": None, "l": "w"}))
    assert (entry.name, len(entry.revisions), entry.modified_ms) == ("b", 1, before_ms)
    assert (entry.app_properties, entry.version) == ({"l": "w"}, 3)


def test_modified_time_is_the_clients_to_say(store: Store) -> None:
    entry = store.create(Metadata(modified_ms=42), Content.of(b""))
    assert entry.modified_ms == 42
    store.update(entry.id, Metadata(modified_ms=43), Content.of(b"x"))
    assert entry.modified_ms == 43
    store.update(entry.id, Metadata(), Content.of(b"y"))
    assert entry.modified_ms > 43


def test_move(store: Store) -> None:
    one, two = (make_folders(store, name) for name in ("one", "two"))
    entry = store.create(Metadata(name="a", parents=(one.id,)))
    with pytest.raises(ApiError, match="number of parents"):
        store.update(entry.id, Metadata(), add_parents=(two.id,))
    store.update(entry.id, Metadata(), add_parents=(two.id,), remove_parents=(one.id,))
    assert (list(store.children(one.id)), list(store.children(two.id))) == ([], [entry])


def test_a_folder_cannot_be_moved_into_itself(store: Store) -> None:
    outer, inner = make_folders(store, "outer"), make_folders(store, "outer/inner")
    for target in (outer, inner):
        with pytest.raises(ApiError, match="into itself"):
            store.update(outer.id, Metadata(), add_parents=(target.id,), remove_parents=("root",))


def test_trash_reaches_down_and_comes_back(store: Store) -> None:
    file = put_file(store, "a/b/c.txt", b"x")
    top = make_folders(store, "a")
    store.update(top.id, Metadata(trashed=True))
    assert store.is_trashed(file)
    assert file.trashed_ms is None
    assert (store.used_bytes, store.trashed_bytes()) == (1, 1)
    store.update(top.id, Metadata(trashed=False))
    assert not store.is_trashed(file)


def test_delete_takes_a_folders_children_along(store: Store) -> None:
    file = put_file(store, "a/b/c.txt", b"x")
    store.delete(make_folders(store, "a").id)
    assert file.id not in store.entries
    assert (store.used_bytes, read_tree(store, "")) == (0, {})


def test_empty_trash(store: Store) -> None:
    put_file(store, "keep", b"1")
    for path in ("gone/x", "gone too"):
        put_file(store, path, b"22")
    for path in ("gone", "gone too"):
        entry = find(store, path)
        assert entry is not None
        store.update(entry.id, Metadata(trashed=True))
    store.empty_trash()
    assert (store.used_bytes, read_tree(store, "")) == (1, {"keep": b"1"})


@pytest.mark.parametrize("action", ["delete", "trash", "move"])
def test_the_root_stays(store: Store, action: str) -> None:
    folder = make_folders(store, "a")
    attempts: dict[str, Callable[[], object]] = {
        "delete": lambda: store.delete("root"),
        "trash": lambda: store.update("root", Metadata(trashed=True)),
        "move": lambda: store.update("root", Metadata(), add_parents=(folder.id,)),
    }
    with pytest.raises(ApiError) as caught:
        attempts[action]()
    assert caught.value.status == 403


def test_storage_is_full(store: Store) -> None:
    store.storage_limit_bytes = 10
    entry = store.create(Metadata(name="a"), Content.of(b"8 bytes."))
    attempts: list[Callable[[], object]] = [
        lambda: store.create(Metadata(), Content.of(b"abc")),
        lambda: store.update(
            entry.id, Metadata(name="b"), Content.of(b"11 bytes..."), content_type="text/plain"
        ),
        lambda: store.copy(entry.id, Metadata()),
    ]
    for attempt in attempts:
        with pytest.raises(ApiError) as caught:
            attempt()
        assert (caught.value.status, caught.value.reason) == (403, "storageQuotaExceeded")
    assert (entry.name, entry.mime_type, store.used_bytes) == ("a", "application/octet-stream", 8)
    store.update(entry.id, Metadata(), Content.of(b"10 bytes.."))
    assert store.used_bytes == 10


def test_shared_drives_take_nothing_from_ones_storage(store: Store) -> None:
    store.storage_limit_bytes = 0
    drive = store.create_drive("team")
    entry = store.create(Metadata(name="a", parents=(drive.id,)), Content.of(b"abc"))
    assert (entry.drive_id, store.used_bytes) == (drive.id, 0)


def test_only_pinned_revisions_count(store: Store) -> None:
    entry = store.create(Metadata(), Content.of(b"22"))
    store.update(entry.id, Metadata(), Content.of(b"333"))
    assert store.used_bytes == 3
    pin_revision(store, entry.id, entry.revisions[0].id, keep_forever=True)
    assert store.used_bytes == 5
    delete_revision(store, entry.id, entry.revisions[1].id)
    assert (store.used_bytes, entry.head and entry.head.content.data) == (2, b"22")
    with pytest.raises(ApiError, match="only revision"):
        delete_revision(store, entry.id, "head")


def test_revisions_expire_after_thirty_days_unless_pinned(clocked: Store, clock: Clock) -> None:
    entry = clocked.create(Metadata(), Content.of(b"0"))
    for number in range(1, 4):
        clocked.update(entry.id, Metadata(), Content.of(b"%d" % number))
    pin_revision(clocked, entry.id, entry.revisions[1].id, keep_forever=True)
    clock.now_ms = 31 * _DAY_MS
    assert [revision.content.data for revision in all_revisions(clocked, entry.id)] == [b"1", b"3"]


def test_a_hundred_revisions_are_kept(clocked: Store) -> None:
    entry = clocked.create(Metadata(), Content.of(b"0"))
    for number in range(1, 151):
        clocked.update(entry.id, Metadata(), Content.of(b"%d" % number))
    kept = [revision.content.data for revision in all_revisions(clocked, entry.id)]
    assert kept == [b"%d" % number for number in range(51, 151)]


def test_copy(store: Store) -> None:
    source = store.create(
        Metadata(name="a", properties={"k": "v"}), Content.of(b"abc"), content_type="text/plain"
    )
    copied = store.copy(source.id, Metadata())
    assert (copied.name, copied.mime_type, copied.properties) == ("Copy of a", "text/plain", {"k": "v"})
    assert copied.head is not None
    assert copied.head.content.data == b"abc"
    with pytest.raises(ApiError, match="cannot be copied"):
        store.copy(make_folders(store, "d").id, Metadata())


def test_shortcut_outlives_its_target(store: Store) -> None:
    target = put_file(store, "a", b"x")
    shortcut = store.create(Metadata(name="to a", mime_type=SHORTCUT_TYPE, shortcut_target_id=target.id))
    assert (shortcut.shortcut_target_id, shortcut.shortcut_target_type) == (target.id, target.mime_type)
    store.delete(target.id)
    assert (shortcut.head, shortcut.shortcut_target_id) == (None, target.id)


def test_changes_name_each_file_once_at_its_last_change(store: Store) -> None:
    start = store.changes.next_number
    one, two = put_file(store, "one", b""), put_file(store, "two", b"")
    store.update(one.id, Metadata(name="uno"))
    assert [change.file_id for change in store.changes.since(start)] == [two.id, one.id]
    middle = store.changes.next_number
    store.delete(two.id)
    assert [change.file_id for change in store.changes.since(middle)] == [two.id]
    assert store.changes.since(store.changes.next_number) == []


def test_upload_sessions_live_a_week(clocked: Store, clock: Clock) -> None:
    session = clocked.uploads.start(object(), "", None)
    clock.now_ms = UPLOAD_LIFETIME_MS
    assert clocked.uploads.get(session.id) is session
    clock.now_ms += 1
    with pytest.raises(ApiError) as caught:
        clocked.uploads.get(session.id)
    assert caught.value.status == 410


@pytest.mark.parametrize(
    ("body", "creating", "reason"),
    [
        pytest.param([], True, "parseError", id="no object"),
        pytest.param({"name": 1}, True, "invalid", id="wrong type"),
        pytest.param({"modifiedTime": "now"}, True, "invalid", id="bad time"),
        pytest.param({"parents": "root"}, True, "invalid", id="parents is a list"),
        pytest.param({"md5Checksum": "0"}, True, "fieldNotWritable", id="output only"),
        pytest.param({"parents": ["root"]}, False, "fieldNotWritable", id="parents in an update"),
        pytest.param({"id": "x"}, False, "fieldNotWritable", id="id in an update"),
        pytest.param({"appProperties": {"k": "x" * 124}}, True, "invalid", id="125 bytes of property"),
        pytest.param(
            {"appProperties": {"k": "ü" * 62}}, True, "invalid", id="bytes of UTF-8, not characters"
        ),
    ],
)
def test_metadata_refuses(body: object, reason: str, *, creating: bool) -> None:
    with pytest.raises(ApiError) as caught:
        parse_metadata(body, creating=creating)
    assert caught.value.reason == reason


def test_metadata_reads_what_drive_documents() -> None:
    body = {
        "id": "i",
        "name": "n",
        "parents": ["p"],
        "modifiedTime": "1970-01-01T00:00:01Z",
        "createdTime": "1970-01-01T00:00:02Z",
        "appProperties": {"k": "x" * 123, "gone": None},
        "shortcutDetails": {"targetId": "t"},
        "contentHints": {"indexableText": "ignored"},
    }
    assert parse_metadata(body, creating=True) == Metadata(
        id="i",
        name="n",
        parents=("p",),
        modified_ms=1000,
        created_ms=2000,
        app_properties={"k": "x" * 123, "gone": None},
        shortcut_target_id="t",
    )


@given(st.lists(st.binary(max_size=50)))
def test_digester_does_not_care_how_bytes_arrive(pieces: list[bytes]) -> None:
    digester = Digester()
    for piece in pieces:
        digester.update(piece)
    data = b"".join(pieces)
    assert digester.content(data) == Content.of(data)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["file", "folder", "write", "move", "trash", "untrash", "copy", "delete", "empty", "pin"]
            ),
            st.integers(0, 20),
            st.integers(0, 20),
        ),
        max_size=40,
    )
)
def test_whatever_is_done_the_books_are_right(steps: list[tuple[str, int, int]]) -> None:
    """Storage used, who lies where, and what changed agree with the entries themselves after any history."""
    store = Store(now_ms=lambda: 0, new_id=seeded_ids(0))
    for action, one, other in steps:
        with contextlib.suppress(ApiError):
            _step(store, action, one, other)
    entries = [entry for entry in store.entries.values() if entry.id != store.root_id]
    assert store.used_bytes == sum(entry.quota_bytes for entry in entries)
    for entry in store.entries.values():
        assert {child.id for child in store.children(entry.id)} == {
            e.id for e in entries if entry.id in e.parents
        }
    assert {entry.id for entry in entries} <= {change.file_id for change in store.changes.since(1)}


def _step(store: Store, action: str, one: int, other: int) -> None:
    ids = list(store.entries)
    first, second = ids[one % len(ids)], ids[other % len(ids)]
    parents = store.get(first).parents
    data = Content.of(b"x" * other)
    steps: dict[str, Callable[[], object]] = {
        "file": lambda: store.create(Metadata(parents=(first,)), data),
        "folder": lambda: store.create(Metadata(parents=(first,), mime_type=FOLDER_TYPE)),
        "write": lambda: store.update(first, Metadata(), data),
        "move": lambda: store.update(first, Metadata(), add_parents=(second,), remove_parents=parents),
        "trash": lambda: store.update(first, Metadata(trashed=True)),
        "untrash": lambda: store.update(first, Metadata(trashed=False)),
        "copy": lambda: store.copy(first, Metadata()),
        "delete": lambda: store.delete(first),
        "empty": store.empty_trash,
        "pin": lambda: (
            pin_revision(store, first, store.get(first).revisions[0].id, keep_forever=bool(other % 2))
            if store.get(first).revisions
            else None
        ),
    }
    steps[action]()


def test_trees(store: Store) -> None:
    put_file(store, "a/b.txt", b"1")
    put_file(store, "a/b.txt", b"2")
    put_file(store, "/a/c/d", b"3")
    make_folders(store, "a/empty")
    assert read_tree(store, "a") == {"b.txt": b"2", "c/d": b"3"}
    assert read_tree(store, "nowhere") == {}
    entry = find(store, "a/b.txt")
    assert entry is not None
    assert len(entry.revisions) == 2
