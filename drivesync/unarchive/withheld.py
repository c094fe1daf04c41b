"""The listing without the archives that are unpacked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from drivesync.config import (
    ARCHIVE_ENDS,
    TREE_SETTINGS,
    TreeSettings,
    parse_tree_settings,
    read_tree_settings,
)
from drivesync.disk import hash_file, look
from drivesync.errors import SettingsError
from drivesync.files import Page, RemoteFile, Skipped
from drivesync.pulling.plan import plan_pull

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from drivesync.files import Entry, LocalFile
    from drivesync.index import Index
    from drivesync.pulling.plan import PullOptions
    from drivesync.remotes.base import Remote

_MOST_SETTINGS_BYTES = 1 << 20


class Withheld:
    """Takes the archives that are to be unpacked out of a listing.

    The tree's settings, which name them, may only just be coming, and come with the listing's first folder: no archive
    is let through before they are known.

    Args:
        remote: entered.
        tree: the local tree.
        index: of ``tree``.
        options: of the pull.
    """

    def __init__(self, remote: Remote, tree: Path, index: Index, options: PullOptions) -> None:
        self._remote = remote
        self._tree = tree
        self._index = index
        self._options = options
        self._settings: TreeSettings | None = None
        self._found: dict[str, RemoteFile] = {}

    @property
    def archives(self) -> list[RemoteFile]:
        """Those that were in the listing, sorted by path."""
        return [file for _path, file in sorted(self._found.items())]

    @property
    def packs(self) -> str:
        """Whether packs are made and read, as ``TreeSettings.packs`` has it."""
        return self._options.packs or (self._settings or TreeSettings()).packs

    @property
    def absent(self) -> list[str]:
        """Paths that were named, and are not in the listing; sorted."""
        return [] if self._options.only else sorted((self._named or frozenset()) - self._found.keys())

    def filter(self, pages: Iterable[Page]) -> Iterator[Page]:
        """``pages`` without them; asked anew, it tells anew.

        Raises:
            SettingsError: the tree's settings cannot be what they say.
            RemoteError: they cannot be had.
        """
        self._found.clear()
        held: list[Entry] = []
        settings: RemoteFile | None = None
        for page in pages:
            if self._settings is None:
                settings = settings or _find_settings(page)
                if page.ends:
                    self._settings = self._read_settings(settings)
            if self._named is None or held:
                held += [entry for entry in page.entries if entry.path.endswith(ARCHIVE_ENDS)]
                others = [entry for entry in page.entries if not entry.path.endswith(ARCHIVE_ENDS)]
                if self._named is not None:
                    others += held
                    held = []
                page = replace(page, entries=tuple(others))  # noqa: PLW2901 - the same page, without them
            yield page if self._named is None else self._without(page, self._named)

    def _without(self, page: Page, named: frozenset[str]) -> Page:
        """``page`` without the archives, which are kept."""
        entries: list[Entry] = []
        for entry in page.entries:
            if not isinstance(entry, RemoteFile) or entry.path not in named or not self._is_wanted(entry):
                entries.append(entry)
            elif entry.path in self._found:
                entries.append(Skipped(entry.path, "a newer file of the same name is beside it", entry.id))
            else:
                self._found[entry.path] = entry
        return replace(page, entries=tuple(entries))

    def _is_wanted(self, file: RemoteFile) -> bool:
        return not self._options.only or file.path.startswith(self._options.only)

    @property
    def _named(self) -> frozenset[str] | None:
        """What is to be unpacked; None as long as that is not known."""
        if not self._options.unpack_as_set:
            return frozenset(self._options.unpack)
        if self._settings is None:
            return None
        return frozenset((*self._options.unpack, *self._settings.unpack))

    def _read_settings(self, there: RemoteFile | None) -> TreeSettings:
        """The settings that the tree will have when this pull is done."""
        here = look(self._tree, TREE_SETTINGS)
        if there is not None and self._is_coming(there, here):
            return parse_tree_settings(self._fetch(there), f"{TREE_SETTINGS} of {self._remote.name}", {})
        return read_tree_settings(self._tree, {})

    def _is_coming(self, there: RemoteFile, here: LocalFile | None) -> bool:
        """Whether what is ``there`` will be what is here."""
        local = {} if here is None else {TREE_SETTINGS: hash_file(self._tree, here)}
        synced = self._index.among([TREE_SETTINGS])
        return bool(plan_pull([there], local, synced, theirs=self._options.theirs).download)

    def _fetch(self, there: RemoteFile) -> bytes:
        if there.size > _MOST_SETTINGS_BYTES:
            raise SettingsError(f"{there.path} on the remote is {there.size:,} bytes long, and no settings")
        sink = _Memory()
        self._remote.read(there, sink)
        return bytes(sink.content)


class _Memory:
    """Takes bytes."""

    def __init__(self) -> None:
        self.content = bytearray()

    def write(self, block: bytes) -> None:
        self.content += block


def _find_settings(page: Page) -> RemoteFile | None:
    files = (entry for entry in page.entries if isinstance(entry, RemoteFile))
    return next((file for file in files if file.path == TREE_SETTINGS), None)
