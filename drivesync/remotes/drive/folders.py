"""Folders by their paths: found, followed where they are shortcuts, and made."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from drivesync.errors import NotFoundError, UsageError
from drivesync.remotes.drive.entries import FIELDS, FOLDER, Folder, is_folder, is_shortcut, join
from drivesync.remotes.drive.ids import make_once
from drivesync.remotes.drive.search import EVERYWHERE, FOLDERS_ONLY, ask_by_name, look_up
from drivesync.remotes.drive.shortcuts import follow
from drivesync.remotes.places import DriveId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from drivesync.remotes.drive.client import DriveClient
    from drivesync.remotes.drive.entries import Json
    from drivesync.remotes.places import DrivePath

_MY_DRIVE = "root"
"""Drive's own alias (https://developers.google.com/workspace/drive/api/guides/folder)."""

_ROOT_FIELDS = f"{FIELDS},ownedByMe,trashed"
_HINT = "Name the folder that holds the darknet tree: python -m drivesync pull REMOTE."


@dataclass(frozen=True, slots=True)
class Root:
    """The tree's own folder.

    Attributes:
        folder: itself.
        mine: it belongs to the user.
        direct: no shortcut led there.
        above: the ids of the folders above it with the name that leads on from each; the name is empty where the
            tree was named by its id.
    """

    folder: Folder
    mine: bool
    direct: bool
    above: tuple[tuple[str, str], ...]


class Folders:
    """The folders of one remote, remembered once found; safe to use from several threads.

    Args:
        client: opened before the first call.
        place: the tree's own folder.
        name: as the user calls it.
        tell: is given a line when the tree's own folder is made: its name may have been mistyped.
    """

    def __init__(
        self,
        client: DriveClient,
        place: DrivePath | DriveId,
        name: str,
        tell: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self._client = client
        self._place = place
        self._name = name
        self._tell = tell
        self._lock = threading.Lock()
        self._root: Root | None = None
        self._known: dict[str, tuple[Folder, ...]] = {}
        self._not_files: set[str] = set()

    def root(self) -> Root:
        """The tree's own folder.

        Raises:
            NotFoundError: there is none.
            UsageError: it is a file.
        """
        with self._lock:
            root = self._find_root(make=False)
        if root is None:
            raise NotFoundError(f"there is no folder {self._name!r} in {self._where()}", hint=_HINT)
        return root

    def find(self, path: str) -> tuple[Folder, ...]:
        """The folders at ``path`` in the tree, which count as one; none where there is none."""
        with self._lock:
            return self._walk(path, make=False)

    def make(self, path: str) -> Folder:
        """The folder at ``path`` into which files are put: made with those above it where it is missing.

        Of several the oldest that is none by a shortcut, so that every session takes the same one.
        """
        with self._lock:
            return self._walk(path, make=True)[0]

    def note_file(self, path: str, *, is_folder: bool) -> None:
        """Take down whether a folder has the path of a file that was asked for."""
        with self._lock:
            (self._not_files.add if is_folder else self._not_files.discard)(path)

    def is_file_free(self, path: str) -> bool:
        """Whether no folder was seen at ``path`` by the last ``note_file``."""
        with self._lock:
            return path not in self._not_files

    def are_shared(self) -> bool:
        """Whether they lie in a shared drive, as far as that shows where the tree is not there yet."""
        with self._lock:
            root = self._find_root(make=False)
        if root is None:
            return not isinstance(self._place, DriveId) and bool(self._place.shared_drive)
        return bool(root.folder.drive_id)

    def forget(self) -> None:
        """Ask anew from now on: something that was remembered is no longer so."""
        with self._lock:
            self._root = None
            self._known.clear()

    def _walk(self, path: str, *, make: bool) -> tuple[Folder, ...]:
        root = self._find_root(make=make)
        folders: tuple[Folder, ...] = () if root is None else (root.folder,)
        at = ""
        for name in path.split("/") if path else ():
            if not folders:
                break
            at = join(at, name)
            if at not in self._known:
                found = tuple(
                    _child(folders, entry, target, at) for entry, target in self._named(folders, name)
                )
                if not found and not make:
                    return ()
                self._known[at] = found or (self._make(folders[0], name, at),)
            folders = self._known[at]
        return folders

    def _find_root(self, *, make: bool) -> Root | None:
        if self._root is None:
            self._root = self._look_for_root(make=make)
        return self._root

    def _look_for_root(self, *, make: bool) -> Root | None:
        place = self._place
        if isinstance(place, DriveId):
            return self._root_by_id(place.id, place.resource_key)
        drive_id = self._find_shared_drive(place.shared_drive) if place.shared_drive else ""
        if not place.names:
            return self._root_by_id(drive_id or _MY_DRIVE, "")
        start = Folder(drive_id or _MY_DRIVE, "", drive_id)
        root = self._root_by_names(start, place.names, make=False)
        if root is None and place.possible_id:
            try:
                root = self._root_by_id(place.possible_id, "")
            except NotFoundError:
                root = None
        return self._root_by_names(start, place.names, make=True) if root is None and make else root

    def _root_by_names(self, start: Folder, names: Sequence[str], *, make: bool) -> Root | None:
        folder, direct, mine, is_made = start, True, False, False
        above: list[tuple[str, str]] = []
        for name in names:
            entry, target = next(self._named((folder,), name), (None, None))
            if entry is None or target is None:
                if not make:
                    return None
                above.append((folder.id, name))
                folder, mine, is_made = self._make(folder, name, ""), True, True
                continue
            # What Drive says of a child has the id that the alias of My Drive stands for.
            folder = replace(folder, id=entry["parents"][0])
            above.append((folder.id, name))
            folder = folder.child(target, "")
            direct, mine = direct and not is_shortcut(entry), bool(target.get("ownedByMe"))
        if is_made:
            self._tell(f"made the folder {'/'.join(names)} in {self._where()}")
        return Root(folder, mine, direct, tuple(above))

    def _where(self) -> str:
        if not isinstance(self._place, DriveId) and self._place.shared_drive:
            return f"the shared drive {self._place.shared_drive!r}"
        return "My Drive"

    def _root_by_id(self, file_id: str, resource_key: str) -> Root:
        entry = self._look_up_root(file_id, resource_key)
        target: Json | str = follow(self._client, entry) if is_shortcut(entry) else entry
        if isinstance(target, str):
            raise NotFoundError(f"{self._name!r} is no folder: {target}", hint=_HINT)
        if not is_folder(target):
            hint = "Name the folder that it lies in."
            raise UsageError(f"{self._name!r} is a file in Drive, not a folder: {target['name']}", hint=hint)
        if target.get("trashed"):
            raise NotFoundError(f"{self._name!r} is in Drive's trash", hint="Restore it there.")
        folder = Folder(target["id"], "", target.get("driveId", ""), target.get("resourceKey", resource_key))
        above = tuple((parent, "") for parent in entry.get("parents", ()))
        return Root(folder, bool(target.get("ownedByMe")), not is_shortcut(entry), above)

    def _look_up_root(self, file_id: str, resource_key: str) -> Json:
        try:
            return look_up(
                self._client, f"looking for {self._name}", file_id, resource_key, fields=_ROOT_FIELDS
            )
        except NotFoundError:
            said = f"there is no folder {self._name!r}, or it is not shared with this account"
            raise NotFoundError(said, hint=_HINT) from None

    def _find_shared_drive(self, name: str) -> str:
        """The id of the shared drive that is called ``name``; of several the oldest's."""
        action, token = f"looking for the shared drive {name}", None
        found: list[Json] = []
        while True:
            request = self._client.drives.list(
                pageSize=100, pageToken=token, fields="nextPageToken,drives(id,name,createdTime)"
            )
            answer = self._client.execute(action, "list", request)
            found += (drive for drive in answer.get("drives", ()) if drive["name"] == name)
            token = answer.get("nextPageToken")
            if not token:
                break
        if not found:
            hint = "`drivesync whoami` says whose Drive this is."
            raise NotFoundError(f"there is no shared drive {name!r} for this account", hint=hint)
        oldest: str = min(found, key=lambda drive: (drive["createdTime"], drive["id"]))["id"]
        return oldest

    def _named(self, folders: Sequence[Folder], name: str) -> Iterator[tuple[Json, Json]]:
        """Each folder ``name`` in ``folders`` as what lies there, and what that stands for; shortcuts come last."""
        entries = ask_by_name(self._client, folders, name, FOLDERS_ONLY, fields=_ROOT_FIELDS)
        for entry in entries:
            if is_folder(entry):
                yield entry, entry
        for entry in entries:
            if is_shortcut(entry):
                target = follow(self._client, entry)
                if not isinstance(target, str) and is_folder(target):
                    yield entry, target

    def _make(self, parent: Folder, name: str, path: str) -> Folder:
        folder_id = self._client.ids.take()
        body = {"id": folder_id, "name": name, "parents": [parent.id], "mimeType": FOLDER}
        request = self._client.files.create(body=body, fields="id", **EVERYWHERE)
        make_once(self._client, request, f"making the folder {name}")
        return Folder(folder_id, path, parent.drive_id, above=parent)


def _child(folders: Sequence[Folder], entry: Json, target: Json, path: str) -> Folder:
    parents = entry.get("parents", ())
    parent = next((folder for folder in folders if folder.id in parents), folders[0])
    return parent.child(target, path)
