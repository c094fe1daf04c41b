from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drivesync.testing.entries import FOLDER_TYPE, Content
from drivesync.testing.matching import find_matches, sort_entries
from drivesync.testing.metadata import Metadata
from drivesync.testing.query import Both, Compare, Either, Member, Not, named_parents, parse_query
from drivesync.testing.wire import ApiError

if TYPE_CHECKING:
    from drivesync.testing.store import Store

_TRASHED = Compare("trashed", "=", value=True)


def test_and_and_or_are_read_from_left_to_right() -> None:
    a, b, c = (Member(name, "parents") for name in "abc")
    assert parse_query("'a' in parents or 'b' in parents and 'c' in parents") == Both(Either((a, b)), c)
    assert parse_query("'a' in parents and 'b' in parents or 'c' in parents") == Either((Both(a, b), c))
    assert parse_query("'a' in parents or ('b' in parents and 'c' in parents)") == Either((a, Both(b, c)))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param(r"name = 'it\'s'", "it's", id="quote"),
        pytest.param(r"name = 'a\\b'", r"a\b", id="backslash"),
        pytest.param(r"name = 'a\\\'b'", r"a\'b", id="both"),
        pytest.param("name='a and (b)'", "a and (b)", id="words and signs inside a string"),
        pytest.param("name = ''", "", id="empty"),
        pytest.param("name = 'ümlaut\n'", "ümlaut\n", id="anything else"),
    ],
)
def test_strings(text: str, name: str) -> None:
    assert parse_query(text) == Compare("name", "=", name)


def test_not_binds_to_the_next_term() -> None:
    assert parse_query("not trashed = true and 'a' in parents") == Both(Not(_TRASHED), Member("a", "parents"))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("name", id="no operator"),
        pytest.param("name = ", id="no value"),
        pytest.param("name = 'a", id="open quote"),
        pytest.param("name < 'a'", id="operator of another field"),
        pytest.param("nmae = 'a'", id="unknown field"),
        pytest.param("trashed = 'true'", id="a string for a flag"),
        pytest.param("name = true", id="a flag for a string"),
        pytest.param("modifiedTime > 'yesterday'", id="no time"),
        pytest.param("'a' in children", id="unknown collection"),
        pytest.param("(trashed = true", id="open parenthesis"),
        pytest.param("trashed = true trashed = true", id="no connective"),
        pytest.param("trashed = true and", id="nothing behind and"),
        pytest.param("properties has {key='a'}", id="half a property"),
        pytest.param("name = 'a' ; drop", id="strange sign"),
    ],
)
def test_bad_query_is_400_invalid(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_query(text)
    assert (caught.value.status, caught.value.reason, caught.value.location) == (400, "invalid", "q")


@pytest.mark.parametrize(
    ("text", "parents"),
    [
        pytest.param("'a' in parents", {"a"}, id="one"),
        pytest.param("('a' in parents or 'b' in parents) and trashed = false", {"a", "b"}, id="several"),
        pytest.param("trashed = false and 'a' in parents", {"a"}, id="on the right"),
        pytest.param(
            "'a' in parents or trashed = true", None, id="or something else: any parent may be right"
        ),
        pytest.param("not 'a' in parents", None, id="denied"),
        pytest.param("trashed = true", None, id="none"),
    ],
)
def test_named_parents(text: str, parents: set[str] | None) -> None:
    assert named_parents(parse_query(text)) == parents


@pytest.fixture
def library(store: Store) -> Store:
    """Two folders with files that differ in everything that a query can ask for; ids are the store's, names ours."""
    docs = store.create(Metadata(name="docs", mime_type=FOLDER_TYPE))
    pics = store.create(Metadata(name="Pics", mime_type=FOLDER_TYPE, starred=True))
    store.create(
        Metadata(
            name="Cat.JPG",
            mime_type="image/jpeg",
            parents=(pics.id,),
            modified_ms=600_000,
            properties={"k": "v"},
        ),
        Content.of(b"cat" * 9),
    )
    store.create(
        Metadata(
            name="dog 10.jpg",
            mime_type="image/jpeg",
            parents=(pics.id,),
            modified_ms=660_000,
            description="Rex",
        ),
        Content.of(b"dog"),
    )
    store.create(
        Metadata(
            name="dog 9.txt", mime_type="text/plain", parents=(docs.id,), app_properties={"role": "o'ne"}
        ),
        Content.of(b""),
    )
    store.create(Metadata(name="gone", parents=(docs.id,), trashed=True))
    trashed = store.create(Metadata(name="old", mime_type=FOLDER_TYPE, trashed=True))
    store.create(Metadata(name="in old", parents=(trashed.id,)))
    shared = store.create(Metadata(name="theirs"))
    store.disown(shared.id)
    return store


_LIVE = {"docs", "Pics", "Cat.JPG", "dog 10.jpg", "dog 9.txt", "theirs"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        pytest.param("name = 'CAT.jpg'", {"Cat.JPG"}, id="equality ignores case"),
        pytest.param("name contains 'dog'", {"dog 10.jpg", "dog 9.txt"}, id="contains"),
        pytest.param("name contains '10'", {"dog 10.jpg"}, id="contains, from the start of a word"),
        pytest.param("name contains 'og'", set(), id="not from within a word"),
        pytest.param("fullText contains 'rex'", {"dog 10.jpg"}, id="full text: the description"),
        pytest.param("mimeType = 'image/jpeg'", {"Cat.JPG", "dog 10.jpg"}, id="type"),
        pytest.param("mimeType contains 'image/'", {"Cat.JPG", "dog 10.jpg"}, id="start of the type"),
        pytest.param(
            "modifiedTime > '1970-01-01T00:10:00Z' and modifiedTime <= '1970-01-01T00:11:00'",
            {"dog 10.jpg"},
            id="times",
        ),
        pytest.param("modifiedTime = '1970-01-01T02:10:00+02:00'", {"Cat.JPG"}, id="time with an offset"),
        pytest.param("trashed = true", {"gone", "old", "in old"}, id="trashed, also by a folder above"),
        pytest.param("trashed = false", _LIVE, id="not trashed"),
        pytest.param("trashed != true and not starred = true", _LIVE - {"Pics"}, id="unequal and not"),
        pytest.param("starred = true", {"Pics"}, id="starred"),
        pytest.param("sharedWithMe", {"theirs"}, id="shared with me"),
        pytest.param("'me' in owners and trashed = false", _LIVE - {"theirs"}, id="owner"),
        pytest.param("properties has { key='k' and value='v' }", {"Cat.JPG"}, id="property"),
        pytest.param(r"appProperties has {key='role' and value='o\'ne'}", {"dog 9.txt"}, id="app property"),
        pytest.param("appProperties has {key='k' and value='v'}", set(), id="the two kinds do not mix"),
        pytest.param(
            "'root' in parents and trashed = false", {"docs", "Pics"}, id="alias of My Drive's root"
        ),
        pytest.param("name = 'gone' or name = 'docs'", {"gone", "docs"}, id="or"),
        pytest.param("'nowhere' in parents", set(), id="unknown parent"),
    ],
)
def test_matches(library: Store, text: str, names: set[str]) -> None:
    assert {entry.name for entry in find_matches(library, parse_query(text))} == names


def test_several_parents_and_a_condition(library: Store) -> None:
    ids = [entry.id for entry in find_matches(library, parse_query(f"mimeType = '{FOLDER_TYPE}'"))]
    text = "(" + " or ".join(f"'{folder_id}' in parents" for folder_id in ids) + ") and trashed = false"
    found = [entry.name for entry in find_matches(library, parse_query(text))]
    assert sorted(found) == ["Cat.JPG", "dog 10.jpg", "dog 9.txt"]


def test_no_query_matches_all_but_roots(library: Store) -> None:
    assert {entry.name for entry in find_matches(library, None)} == _LIVE | {"gone", "old", "in old"}


@pytest.mark.parametrize(
    ("order_by", "names"),
    [
        pytest.param("name", ["Cat.JPG", "dog 10.jpg", "dog 9.txt"], id="name, case aside"),
        pytest.param("name desc", ["dog 9.txt", "dog 10.jpg", "Cat.JPG"], id="backwards"),
        pytest.param("name_natural", ["Cat.JPG", "dog 9.txt", "dog 10.jpg"], id="numbers as numbers"),
        pytest.param("quotaBytesUsed desc,name", ["Cat.JPG", "dog 10.jpg", "dog 9.txt"], id="size"),
        pytest.param("modifiedTime", ["dog 9.txt", "Cat.JPG", "dog 10.jpg"], id="time"),
        pytest.param("starred, name", ["Cat.JPG", "dog 10.jpg", "dog 9.txt"], id="two keys"),
    ],
)
def test_order(library: Store, order_by: str, names: list[str]) -> None:
    files = [
        entry
        for entry in find_matches(library, parse_query("trashed = false"))
        if entry.head and entry.owned_by_me
    ]
    sort_entries(files, order_by)
    assert [entry.name for entry in files] == names


def test_folders_first(library: Store) -> None:
    entries = find_matches(library, None)
    sort_entries(entries, "folder,name")
    assert [entry.is_folder for entry in entries] == sorted(
        (entry.is_folder for entry in entries), reverse=True
    )


def test_folders_first_and_then_the_newest(library: Store) -> None:
    entries = find_matches(library, None)
    sort_entries(entries, "folder,modifiedTime desc")
    expected = sorted(entries, key=lambda entry: (entry.is_folder, entry.modified_ms), reverse=True)
    assert [entry.name for entry in entries] == [entry.name for entry in expected]
    assert entries[0].is_folder
    assert not entries[-1].is_folder


@pytest.mark.parametrize("order_by", ["size", "name up", "name desc desc"])
def test_unknown_order_is_400(order_by: str) -> None:
    with pytest.raises(ApiError) as caught:
        sort_entries([], order_by)
    assert caught.value.status == 400
