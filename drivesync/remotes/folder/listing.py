"""All that is below a folder remote's folder: in the order of names, the nearest folders first."""

from __future__ import annotations

import os
import stat
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from drivesync.errors import NotAllowedError, NotFoundError, TransientError
from drivesync.files import STATE_FOLDER, Page, RemoteFolder, Skipped, refuse_name
from drivesync.remotes.folder.placing import is_part
from drivesync.remotes.folder.seen import ROOT_ID, see, to_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from drivesync.files import Entry
    from drivesync.remotes.folder.root import Root
    from drivesync.remotes.folder.seen import Seen

_PAGE_ENTRIES = 1000


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder that is to be listed.

    Attributes:
        top: of the tree, without links.
        path: as it is listed.
        real: where it is, without links.
        above: itself and what the walk came through, without links; who comes back there goes in a circle.
    """

    top: Path
    path: str
    real: Path
    above: frozenset[Path]


def list_tree(root: Root, on_scan: Callable[[], None]) -> Iterator[Page]:
    """See ``Remote.list``.

    Args:
        root: of the tree.
        on_scan: called before a folder is read.
    """
    top, device = root.find(), root.find_device()
    yield Page((RemoteFolder("", ROOT_ID),), ends=False)
    queue = deque([_Folder(top, "", top, frozenset({top}))])
    while queue:
        folder = queue.popleft()
        on_scan()
        for page in _list_folder(root, folder):
            yield page
            for entry in page.entries:
                if isinstance(entry, RemoteFolder):
                    real = top / entry.id
                    queue.append(_Folder(top, entry.path, real, folder.above | {real}))
    # A Drive that was unmounted meanwhile looks like one that holds nothing, or like the empty place for it.
    if root.find_device() != device:
        raise TransientError(f"{root.path} was unmounted while it was listed", hint=root.hint)


def _list_folder(root: Root, folder: _Folder) -> Iterator[Page]:
    try:
        names = root.call(f"listing {folder.real}", partial(root.system.names, folder.real))
    except NotFoundError:
        if not folder.path:
            raise
        names = []
    except NotAllowedError as error:
        if not folder.path:
            raise
        yield Page((Skipped(folder.path, _clause(error)),), ends=True)
        return
    starts = range(0, len(names), _PAGE_ENTRIES) or (0,)
    for start in starts:
        looks = (_look(root, folder, name) for name in names[start : start + _PAGE_ENTRIES])
        yield Page(tuple(entry for entry in looks if entry is not None), ends=start == starts[-1])


def _look(root: Root, folder: _Folder, name: str) -> Entry | None:
    """What is called ``name`` in ``folder``; None for what is gone already, or is drivesync's own."""
    path = f"{folder.path}/{name}" if folder.path else name
    if path == STATE_FOLDER or is_part(name):
        return None
    if reason := refuse_name(name):
        return Skipped(os.fsencode(path).decode("utf-8", "backslashreplace"), reason)
    try:
        seen = root.call(f"looking at {path}", partial(see, root.system, folder.top, folder.real / name))
    except NotFoundError:
        return None
    except NotAllowedError as error:
        seen = _clause(error)
    return Skipped(path, seen) if isinstance(seen, str) else _to_entry(folder, path, seen)


def _to_entry(folder: _Folder, path: str, seen: Seen) -> Entry:
    if not stat.S_ISDIR(seen.status.st_mode):
        return to_file(path, seen)
    if folder.top / seen.id in folder.above:
        return Skipped(path, "it is a link to a folder that it is in")
    return RemoteFolder(path, seen.id)


def _clause(error: NotAllowedError) -> str:
    reason = error.__cause__.strerror if isinstance(error.__cause__, OSError) else None
    return f"it cannot be read ({reason or error})"
