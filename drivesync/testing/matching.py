"""Which entries a query matches, and in which order they are listed. PURE."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from drivesync.testing.entries import Entry
from drivesync.testing.query import Both, Compare, Either, Has, Member, Not, Query, named_parents
from drivesync.testing.wire import invalid

if TYPE_CHECKING:
    from drivesync.testing.store import Store

USER_EMAIL = "user@example.com"

Test: TypeAlias = Callable[[Entry], bool]
_SortKey: TypeAlias = "Callable[[Entry], tuple[object, ...]]"

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def find_matches(store: Store, query: Query | None) -> list[Entry]:
    """All entries that match, root folders left out, in the order in which they were made or moved.

    A query that names parents looks only at their children, so that a listing costs what it returns.
    """
    parents = named_parents(query) if query is not None else None
    candidates: Iterable[Entry]
    if parents is None:
        candidates = store.entries.values()
    else:
        known = dict.fromkeys(store.resolve(parent_id) for parent_id in sorted(parents))
        candidates = (child for parent_id in known for child in store.children(parent_id))
    matches = compile_query(store, query) if query is not None else _match_all
    return [
        entry
        for entry in candidates
        if entry.id != store.root_id and entry.id not in store.drives and matches(entry)
    ]


def compile_query(store: Store, query: Query) -> Test:
    """A test of one entry."""
    if isinstance(query, Compare):
        return _compile_compare(store, query)
    if isinstance(query, Member):
        return _compile_member(store, query)
    if isinstance(query, Has):
        return _compile_has(query)
    if isinstance(query, Not):
        inner = compile_query(store, query.term)
        return lambda entry: not inner(entry)
    if isinstance(query, Both):
        left, right = compile_query(store, query.left), compile_query(store, query.right)
        return lambda entry: left(entry) and right(entry)
    return _compile_either(store, query)


def sort_entries(entries: list[Entry], order_by: str) -> None:
    """Sort in place by Drive's ``orderBy``: keys by comma, each with ``desc`` behind it or not.

    Raises:
        ApiError: 400 for an unknown key.
    """
    keys = [part.split() for part in order_by.split(",") if part.strip()]
    # Sorting is stable: from the last key to the first gives the order that the keys name.
    for name, *direction in reversed(keys):
        if name not in _SORT_KEYS or direction not in ([], ["desc"]):
            raise invalid("Invalid Value", location="orderBy")
        entries.sort(key=_SORT_KEYS[name], reverse=bool(direction))


def _match_all(_: Entry) -> bool:
    return True


def _compile_either(store: Store, query: Either) -> Test:
    """Parents, of which there may be fifty, are looked up in one set; other terms are tried in turn."""
    parents = frozenset(
        store.resolve(term.value)
        for term in query.terms
        if isinstance(term, Member) and term.collection == "parents"
    )
    others = [
        compile_query(store, term)
        for term in query.terms
        if not (isinstance(term, Member) and term.collection == "parents")
    ]

    def matches(entry: Entry) -> bool:
        return not parents.isdisjoint(entry.parents) or any(test(entry) for test in others)

    return matches


def _compile_member(store: Store, query: Member) -> Test:
    if query.collection == "parents":
        parent_id = store.resolve(query.value)
        return lambda entry: parent_id in entry.parents
    is_me = query.value in {"me", USER_EMAIL}
    return lambda entry: is_me and entry.owned_by_me and not entry.drive_id


def _compile_has(query: Has) -> Test:
    if query.collection == "properties":
        return lambda entry: entry.properties.get(query.key) == query.value
    return lambda entry: entry.app_properties.get(query.key) == query.value


def _compile_compare(store: Store, query: Compare) -> Test:
    if query.operator == "contains":
        return _compile_contains(query.field, str(query.value))
    compare, value = _COMPARISONS[query.operator], query.value
    if query.field == "name":
        folded = str(value).casefold()
        return lambda entry: compare(entry.name.casefold(), folded)
    read = _readers(store)[query.field]

    def matches(entry: Entry) -> bool:
        found = read(entry)
        return found is not None and compare(found, value)

    return matches


def _compile_contains(field: str, value: str) -> Test:
    if field == "mimeType":
        return lambda entry: entry.mime_type.startswith(value)
    # Drive matches from the start of each word: "world" is found in "hello world", not in "helloworld".
    pattern = re.compile(r"(?<!\w)" + re.escape(value), re.IGNORECASE)
    if field == "name":
        return lambda entry: pattern.search(entry.name) is not None
    return lambda entry: any(pattern.search(text) for text in (entry.name, entry.description))


def _readers(store: Store) -> dict[str, Callable[[Entry], object]]:
    return {
        "mimeType": lambda entry: entry.mime_type,
        "modifiedTime": lambda entry: entry.modified_ms,
        "createdTime": lambda entry: entry.created_ms,
        "viewedByMeTime": lambda entry: entry.viewed_ms,
        "sharedWithMeTime": lambda entry: entry.shared_with_me_ms,
        "trashed": store.is_trashed,
        "starred": lambda entry: entry.starred,
        "sharedWithMe": lambda entry: entry.shared_with_me_ms is not None,
        "visibility": lambda entry: "anyoneWithLink" if entry.resource_key else "limited",
        "shortcutDetails.targetId": lambda entry: entry.shortcut_target_id or None,
    }


def _natural(name: str) -> tuple[object, ...]:
    parts = re.split(r"(\d+)", name.casefold())
    return tuple(int(part) if at % 2 else part for at, part in enumerate(parts))


_SORT_KEYS: dict[str, _SortKey] = {
    "createdTime": lambda entry: (entry.created_ms,),
    "folder": lambda entry: (not entry.is_folder,),
    "modifiedByMeTime": lambda entry: (entry.modified_ms,),
    "modifiedTime": lambda entry: (entry.modified_ms,),
    "name": lambda entry: (entry.name.casefold(), entry.name),
    "name_natural": lambda entry: _natural(entry.name),
    "quotaBytesUsed": lambda entry: (entry.quota_bytes,),
    "recency": lambda entry: (max(entry.modified_ms, entry.viewed_ms or 0, entry.created_ms),),
    "sharedWithMeTime": lambda entry: (entry.shared_with_me_ms or 0,),
    "starred": lambda entry: (not entry.starred,),
    "viewedByMeTime": lambda entry: (entry.viewed_ms or 0,),
}
