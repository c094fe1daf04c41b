"""A tree listed level by level: up to 50 folders a query, and some queries at once.

What is relied upon, and what is not: names are not unique in a folder. Drive can leave the children of some parents
out of an OR-ed query's answer without a word (incompleteSearch stays false), as rclone's authors found; so each parent
that came back empty is asked for alone once more. Order is asked for (folders first, then by name, of twins the newest
first), but accounts with about a million files get none, so nothing stands on it but the choice between twins, and how
soon packs can be read, which hold files by their names.

Where several things have one path: folders are merged; a folder stays before a file, and what lies there itself
before a shortcut; of several files the newest comes first.
"""

from __future__ import annotations

from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from drivesync.errors import NotFoundError
from drivesync.files import STATE_FOLDER, Page, RemoteFile, RemoteFolder, Skipped, refuse_name
from drivesync.remotes.drive.entries import (
    SHORTCUT_MARK,
    Folder,
    Json,
    is_folder,
    is_shortcut,
    join,
    order_of,
    to_value,
)
from drivesync.remotes.drive.search import PARENTS_A_QUERY, Answer, Search, ask, ask_on, for_queries, look_up
from drivesync.remotes.drive.shortcuts import follow, target_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from drivesync.files import Entry
    from drivesync.remotes.drive.client import DriveClient

MOST_PATHS = 16
"""On so many paths at most one folder is listed: shortcuts inside each other could else make 2^n of them."""

_QUERIES_AT_ONCE = 4
_ACTION = "listing"
_FOLDER_BESIDE = "a folder of the same name is beside it"
_FILE_BESIDE = "a file of the same name is beside it"

_Level: TypeAlias = "dict[str, dict[str, Folder]]"
"""Folders by path, and those of one path by id."""


def list_tree(client: DriveClient, root: Folder) -> Iterator[Page]:
    """Everything below ``root``, as ``Remote.list`` promises.

    Where a shortcut was met, the folder that it lies in is named a second time with an id that begins with
    SHORTCUT_MARK: whoever keeps the listing so keeps what ``changes`` has to know of it.

    Raises:
        NotFoundError: ``root`` is gone, perhaps while it was listed.
    """
    with ThreadPoolExecutor(_QUERIES_AT_ONCE, thread_name_prefix="list") as pool:
        yield from _Lister(client, root, pool).pages()


@dataclass(slots=True)
class _Group:
    """Folders that are listed together, among them all that share a path with one of them.

    Attributes:
        folders: of one shared drive or of none, unless ``merged``.
        merged: some share a path, so that what is in them can be put in order only once all of it is there.
        searches: how many are not answered yet.
        held: what waits to be put in order.
        files: paths of the files so far.
        shortcuts: those so far, each with the folder that it lies in.
    """

    folders: Sequence[Folder]
    merged: bool
    searches: int = 0
    held: list[Json] = field(default_factory=list)
    files: set[str] = field(default_factory=set)
    shortcuts: list[tuple[Folder, Json]] = field(default_factory=list)

    def places(self) -> Mapping[str, Sequence[Folder]]:
        """By id: through shortcuts one folder may be in several places."""
        found: dict[str, list[Folder]] = {}
        for folder in self.folders:
            found.setdefault(folder.id, []).append(folder)
        return found


class _Lister:
    def __init__(self, client: DriveClient, root: Folder, pool: ThreadPoolExecutor) -> None:
        self._client = client
        self._root = root
        self._pool = pool
        self._below: _Level = {}
        self._visits = Counter({root.id: 1})
        self._targets: dict[str, Json | str] = {}
        self._met_shortcut = False

    def pages(self) -> Iterator[Page]:
        yield Page((RemoteFolder("", self._root.id),), ends=False)
        level: _Level = {"": {self._root.id: self._root}}
        found = True
        while level:
            self._below = {}
            found = False
            for group, search, answer in self._ask_ahead(_plan_searches(level)):
                for entries in self._read_on(search, answer):
                    found |= bool(entries)
                    if group.merged:
                        group.held.extend(entries)
                    else:
                        yield Page(tuple(self._place(group, entries)), ends=False)
                group.searches -= 1
                if not group.searches:
                    held = self._place(group, group.held)
                    yield Page((*held, *self._place_shortcuts(group)), ends=True)
            level = self._below
        if not found:
            self._refuse_trashed()

    def _refuse_trashed(self) -> None:
        """See that the last folders are empty, and not in the trash: of what lies there no answer tells."""
        root = look_up(self._client, _ACTION, self._root.id, self._root.resource_key, fields="trashed")
        if root["trashed"]:
            raise NotFoundError(
                "the folder was thrown into Drive's trash while it was listed",
                hint="Restore it, or name another, and run the same command again.",
            )

    # Asking

    def _ask_ahead(
        self, searches: Iterable[tuple[_Group, Search]]
    ) -> Iterator[tuple[_Group, Search, Answer | None]]:
        """The first page of each answer, in order; those of the next searches are asked for meanwhile."""
        coming = iter(searches)
        waiting: deque[tuple[_Group, Search, Future[Answer | None]]] = deque()
        try:
            while True:
                for group, search in islice(coming, _QUERIES_AT_ONCE - len(waiting)):
                    waiting.append((group, search, self._pool.submit(self._ask_first, search)))
                if not waiting:
                    return
                group, search, answer = waiting.popleft()
                yield group, search, answer.result()
        finally:
            for _, _, answer in waiting:
                answer.cancel()

    def _ask_first(self, search: Search) -> Answer | None:
        """None where one of the folders was deleted since it was listed: Drive then answers for none of them."""
        try:
            return ask(self._client, search)
        except NotFoundError:
            if self._root in search.folders:
                raise
            return None

    def _read_on(self, search: Search, answer: Answer | None) -> Iterator[Sequence[Json]]:
        """All that lies in the folders of ``search``, whose first answer is there already."""
        answered: set[str] = set()
        while answer is not None:
            answered.update(parent for entry in answer.entries for parent in entry.get("parents", ()))
            yield answer.entries
            answer = ask_on(self._client, search, answer)
        if len(search.folders) > 1:
            silent = {folder.id: folder for folder in search.folders if folder.id not in answered}
            alone = _Group(tuple(silent.values()), merged=False)
            again = ((alone, Search((folder,), _ACTION)) for folder in alone.folders)
            for _, search_alone, first in self._ask_ahead(again):
                yield from self._read_on(search_alone, first)

    # Placing

    def _place(self, group: _Group, entries: Iterable[Json]) -> Iterator[Entry]:
        places = group.places()
        for entry in sorted(entries, key=order_of, reverse=True):
            for parent in entry.get("parents", ()):
                for folder in places.get(parent, ()):
                    yield from self._place_one(group, folder, entry)

    def _place_one(self, group: _Group, folder: Folder, entry: Json) -> Iterator[Entry]:
        path = join(folder.path, entry["name"])
        if path == STATE_FOLDER:
            return
        if is_shortcut(entry) and not self._met_shortcut:
            self._met_shortcut = True
            yield RemoteFolder(folder.path, f"{SHORTCUT_MARK}{entry['id']}")
        if reason := refuse_name(entry["name"]):
            yield Skipped(path, reason, entry["id"])
        elif is_shortcut(entry):
            group.shortcuts.append((folder, entry))
        elif is_folder(entry):
            yield from self._enter(group, folder.child(entry, path))
        elif path in self._below:
            yield Skipped(path, _FOLDER_BESIDE, entry["id"])
        else:
            value = to_value(entry, path)
            if isinstance(value, RemoteFile):
                group.files.add(path)
            yield value

    def _enter(self, group: _Group, folder: Folder) -> Iterator[Entry]:
        """List ``folder`` with the next level, if it may be."""
        path, folder_id = folder.path, folder.id
        if folder_id in self._below.get(path, {}):
            return
        if folder.above is not None and folder.above.leads_back_to(folder_id):
            yield Skipped(path, "it leads back to a folder above it", folder_id)
        elif path in group.files:
            yield Skipped(path, _FILE_BESIDE, folder_id)
        elif self._visits[folder_id] >= MOST_PATHS:
            yield Skipped(path, f"shortcuts lead to its folder on more than {MOST_PATHS} paths", folder_id)
        else:
            self._visits[folder_id] += 1
            self._below.setdefault(path, {})[folder_id] = folder
            yield RemoteFolder(path, folder_id)

    def _place_shortcuts(self, group: _Group) -> Iterator[Entry]:
        """What the group's shortcuts stand for; only now, since they give way to what lies there itself."""
        self._follow(shortcut for _, shortcut in group.shortcuts)
        good: list[tuple[Json, Folder, Json]] = []
        for folder, shortcut in group.shortcuts:
            target = self._targets[target_id(shortcut)]
            if isinstance(target, str):
                yield Skipped(join(folder.path, shortcut["name"]), target, shortcut["id"])
            else:
                good.append((target, folder, shortcut))
        for target, folder, shortcut in sorted(good, key=lambda found: order_of(found[0]), reverse=True):
            path = join(folder.path, shortcut["name"])
            if is_folder(target):
                yield from self._enter(group, folder.child(target, path))
            elif path in self._below or path in group.files:
                beside = _FOLDER_BESIDE if path in self._below else _FILE_BESIDE
                yield Skipped(path, beside, shortcut["id"])
            else:
                value = to_value(target, path, by_shortcut=True)
                if isinstance(value, RemoteFile):
                    group.files.add(path)
                yield value

    def _follow(self, shortcuts: Iterable[Json]) -> None:
        """Ask once, and at once, for each target that is not known yet."""
        named = {target_id(shortcut): shortcut for shortcut in shortcuts}
        wanted = {known: named[known] for known in named if known not in self._targets}
        targets = self._pool.map(partial(follow, self._client), wanted.values())
        self._targets.update(zip(wanted, targets, strict=True))


def _plan_searches(level: _Level) -> Iterator[tuple[_Group, Search]]:
    """One search for each group, but for groups of merged folders, which may need more."""
    for group in _group(level):
        searches = [Search(folders, _ACTION) for folders in for_queries(group.folders)]
        group.searches = len(searches)
        for search in searches:
            yield group, search


def _group(level: _Level) -> Iterator[_Group]:
    alone = (next(iter(folders.values())) for folders in level.values() if len(folders) == 1)
    for folders in for_queries(alone):
        yield _Group(folders, merged=False)
    together: list[Folder] = []
    for path in (list(folders.values()) for folders in level.values() if len(folders) > 1):
        if together and len(together) + len(path) > PARENTS_A_QUERY:
            yield _Group(together, merged=True)
            together = []
        together += path
    if together:
        yield _Group(together, merged=True)
