"""What a pull transfers, decided as a value before anything moves."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivesync.files import STATE_FOLDER, TRAINERS_FOLDER, TRAVELLING, LocalFile, Page, RemoteFile, Skipped
from drivesync.pulling.packed import NO_PACKS, FromPack, Packed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

_NUMBERED = re.compile(r"(?P<run>backup/.+)_(?P<number>\d{1,12})\.weights")
_NUMBERED_NEEDED = 2
"""The newest, and one to go back to should that turn out to be torn."""

_ARCHIVED = re.compile(r"(.*/)?archive-\d{8}-\d{6}(-\d+)?/.*", re.DOTALL)
"""Where a run that was started over has left what there was of it."""

_URGENT = re.compile(r"(cfg|backup)/.*|.*\.(weights|conv\..*|data|names)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class PullOptions:
    """What a user may want otherwise.

    Attributes:
        theirs: overwrite what was changed here.
        all_checkpoints: bring checkpoints that a resume does not need, too.
        only: paths that begin with one of these; all where there are none.
        dry_run: say what would be done, and do nothing.
        unpack: paths of archives that are unpacked into the tree, and do not come as files.
        unpack_as_set: also those that the tree's own settings name.
        packs: as in the tree's own settings, and before them; empty for as they say.
    """

    theirs: bool = False
    all_checkpoints: bool = False
    only: tuple[str, ...] = ()
    dry_run: bool = False
    unpack: tuple[str, ...] = ()
    unpack_as_set: bool = True
    packs: str = ""


DEFAULT_OPTIONS = PullOptions()


@dataclass(frozen=True, slots=True)
class PullPlan:
    """What a pull will do; every tuple but ``packed`` is sorted by path.

    Attributes:
        download: fetched, and put in place of what is there.
        packed: of ``download``, those that come from packs, by pack and offset; all others come singly.
        keep: here already, byte for byte.
        conflicts: changed here since the last pull, or never pulled and different: kept as they are.
        left: old checkpoints, and archives of runs that were started over: they stay on the remote.
        skipped: not to be had as files, with the reason.
    """

    download: tuple[RemoteFile, ...] = ()
    keep: tuple[RemoteFile, ...] = ()
    conflicts: tuple[RemoteFile, ...] = ()
    left: tuple[RemoteFile, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    packed: tuple[FromPack, ...] = ()


@dataclass(frozen=True, slots=True)
class Chosen:
    """The files of a listing that stand for their paths.

    Attributes:
        files: to be had here.
        old: of ``files``, the paths of numbered checkpoints that a resume does not need, and of archives.
        skipped: not to be had, with the reason.
    """

    files: tuple[RemoteFile, ...]
    old: frozenset[str]
    skipped: tuple[Skipped, ...]


class Chooser:
    """Gives each path one file, page by page.

    A remote may hold any number of files of one name in a folder; the first that is listed is the newest. What it
    remembers of a folder is forgotten when that has ended, so that a tree of any size can be listed.

    Args:
        only: see ``PullOptions``.
        case_blind: the disk takes ``A`` and ``a`` for one name.
    """

    def __init__(self, *, only: tuple[str, ...] = (), case_blind: bool = False) -> None:
        self._only = only
        self._case_blind = case_blind
        self._taken: dict[str, str] = {}
        self._numbered: list[RemoteFile] = []

    def take(self, page: Page) -> Chosen:
        """The files to be had of ``page``, and those of earlier ones that had to wait for the end of their folder."""
        files: list[RemoteFile] = []
        skipped: list[Skipped] = []
        for entry in page.entries:
            if (self._only and not entry.path.startswith(self._only)) or self._is_state(entry.path):
                continue
            if isinstance(entry, Skipped):
                skipped.append(entry)
            elif isinstance(entry, RemoteFile):
                if reason := self._refuse(entry.path):
                    skipped.append(Skipped(entry.path, reason, entry.id))
                elif _NUMBERED.fullmatch(entry.path):
                    self._numbered.append(entry)
                else:
                    files.append(entry)
        old = frozenset(file.path for file in files if _ARCHIVED.fullmatch(file.path))
        if page.ends:
            old |= frozenset(_old_checkpoints(file.path for file in self._numbered))
            files += self._numbered
            self._numbered.clear()
            if not self._case_blind:
                self._taken.clear()
        return Chosen(tuple(files), old, tuple(skipped))

    def _is_state(self, path: str) -> bool:
        """Whether ``path`` would lie in what drivesync keeps for itself, or a training for its machine."""
        first = path.partition("/")[0]
        folder = _fold(first) if self._case_blind else first
        return folder == STATE_FOLDER or (folder == TRAINERS_FOLDER and path not in TRAVELLING)

    def _refuse(self, path: str) -> str:
        """Why there is no room for ``path`` beside what was taken; empty if there is, and it is taken now."""
        if self._case_blind and (reason := self._refuse_folders(path)):
            return reason
        key = _fold(path) if self._case_blind else path
        taken = self._taken.get(key)
        if taken is None:
            self._taken[key] = path
            return ""
        if taken == path:
            return "a newer file of the same name is beside it"
        return f"this disk cannot tell its name from {taken!r}"

    def _refuse_folders(self, path: str) -> str:
        for end in (at for at, letter in enumerate(path) if letter == "/"):
            # A slash at its end tells a folder from a file.
            taken = self._taken.setdefault(_fold(path[:end]), path[: end + 1])
            if not taken.endswith("/"):
                return f"this disk cannot tell its folder's name from {taken!r}"
        return ""


def _fold(path: str) -> str:
    """One text for all paths that a case-blind disk may take for one."""
    return unicodedata.normalize("NFC", path).casefold()


def _old_checkpoints(paths: Iterable[str]) -> Iterator[str]:
    """Of the numbered checkpoints of one folder those that a resume does not need."""
    runs: dict[str, list[tuple[int, str]]] = {}
    for path in paths:
        if _ARCHIVED.fullmatch(path):
            yield path
        elif match := _NUMBERED.fullmatch(path):
            runs.setdefault(match["run"], []).append((int(match["number"]), path))
    for numbered in runs.values():
        yield from (path for _, path in sorted(numbered)[:-_NUMBERED_NEEDED])


def plan_pull(
    files: Iterable[RemoteFile],
    local: Mapping[str, LocalFile],
    synced: Mapping[str, LocalFile],
    *,
    old: Collection[str] = (),
    theirs: bool = False,
    packed: Packed = NO_PACKS,
) -> PullPlan:
    """Fetch every remote file whose content is not already here; delete nothing, overwrite no local change.

    Args:
        files: what the remote holds, one for each path.
        local: what the disk holds, with ``md5`` wherever size alone does not tell it from the remote's.
        synced: what each local file was when it last equalled the remote's; a file that still has that
            size and mtime has not been changed here.
        old: paths that are left on the remote unless they are here.
        theirs: overwrite local changes.
        packed: what comes from packs where it is to be fetched.
    """
    download: list[RemoteFile] = []
    keep: list[RemoteFile] = []
    conflicts: list[RemoteFile] = []
    left: list[RemoteFile] = []
    for file in sorted(files, key=lambda file: file.path):
        here, then = local.get(file.path), synced.get(file.path)
        if here is None:
            (left if file.path in old else download).append(file)
        elif _is_equal(file, here, then):
            keep.append(file)
        elif theirs or _is_unchanged(here, then):
            download.append(file)
        else:
            conflicts.append(file)
    return PullPlan(tuple(download), tuple(keep), tuple(conflicts), tuple(left), packed=packed.take(download))


def _is_equal(file: RemoteFile, here: LocalFile, then: LocalFile | None) -> bool:
    if here.size != file.size:
        return False
    if file.md5:
        return here.md5 == file.md5
    # The remote tells no checksum without reading the file, but it names its content.
    return (
        then is not None
        and _is_unchanged(here, then)
        and bool(file.revision_id)
        and then.revision_id == file.revision_id
    )


def _is_unchanged(here: LocalFile, then: LocalFile | None) -> bool:
    return then is not None and (here.size, here.mtime_ns) == (then.size, then.mtime_ns)


def start_order(file: RemoteFile) -> tuple[bool, int, str]:
    """Sorts to the front what training waits for, then the largest, so that it does not start last."""
    return not _URGENT.fullmatch(file.path), -file.size, file.path


def missing_ranges(
    size: int, done: Iterable[tuple[int, int]], chunk_bytes: int
) -> tuple[tuple[int, int], ...]:
    """What is still to be fetched of ``size`` bytes, in ranges of at most ``chunk_bytes``.

    Args:
        size: of the whole.
        done: first and last byte (included) of each part that is there; may overlap, and reach beyond the end.
        chunk_bytes: of one request.

    Returns:
        First and last byte of each range, in order.
    """
    missing: list[tuple[int, int]] = []
    at = 0
    for first, last in [*sorted(done), (size, size)]:
        end = min(first, size)
        missing += [(start, min(start + chunk_bytes, end) - 1) for start in range(at, end, chunk_bytes)]
        at = max(at, last + 1)
    return tuple(missing)
