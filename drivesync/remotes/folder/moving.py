"""Files that go away, or elsewhere, with what is kept of them; each step may be repeated."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from drivesync.errors import MovedError, NotFoundError, RemoteError
from drivesync.files import STATE_FOLDER, refuse_name
from drivesync.remotes.folder.placing import sync_folder
from drivesync.remotes.folder.seen import revision_of, see_file, to_file

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from drivesync.files import RemoteFile
    from drivesync.remotes.folder.mount import FileSystem
    from drivesync.remotes.folder.placing import Placing
    from drivesync.remotes.folder.properties import Properties
    from drivesync.remotes.folder.root import Root


def check_path(action: str, path: str) -> None:
    """See that there can be a file of the tree at ``path``.

    Raises:
        RemoteError: it leads out of the tree, has a name that no file can have, or is drivesync's own.
    """
    names = path.split("/")
    if any(refuse_name(name) for name in names):
        raise RemoteError(f"{action}: {path!r} is no path in a folder")
    if names[0] == STATE_FOLDER:
        raise RemoteError(f"{action}: what is in {STATE_FOLDER} is drivesync's own")


def delete_file(root: Root, properties: Properties, file: RemoteFile) -> None:
    """See ``Remote.delete``."""
    action = f"deleting {file.path}"
    check_path(action, file.id)
    # Of a Drive that is not mounted nothing is gone.
    root.find()
    root.call(action, partial(_delete, root, file))
    root.call(action, partial(properties.forget, file.id))


def move_file(
    root: Root, placing: Placing, properties: Properties, file: RemoteFile, path: str
) -> RemoteFile:
    """See ``Remote.move``; a directory has no way to do it only if nothing is there, so that is looked at before."""
    action = f"moving {file.path} to {path}"
    check_path(action, file.id)
    check_path(action, path)
    root.find()

    def move() -> None:
        place, id_ = placing.make_folders(path)
        if id_ == file.id:
            return
        here, there = _find_file(root, file.id), _look(root.system, place)
        if there is None:
            if here is None:
                raise NotFoundError(f"{action}: it is gone")
            # Before the file: of what is not there yet they say nothing.
            properties.copy(file.id, id_)
            root.system.rename(here, place)
            sync_folder(root.system, place.parent)
            sync_folder(root.system, here.parent)
        elif here is not None or revision_of(there) != file.revision_id:
            raise RemoteError(
                f"{action}: something is there already", hint="Move that away and run the same command again."
            )
        properties.forget(file.id)

    root.call(action, move)
    found = root.call(action, partial(see_file, root.system, root.path, path))
    if found is None:
        raise MovedError(f"{action}: something else is there now")
    moved = to_file(path, found[1])
    if moved.revision_id != file.revision_id:
        return moved
    return replace(moved, md5=file.md5, sha256=file.sha256, properties=file.properties)


def _delete(root: Root, file: RemoteFile) -> None:
    place = _find_file(root, file.id)
    if place is not None:
        root.system.remove(place)
        sync_folder(root.system, place.parent)


def _find_file(root: Root, id_: str) -> Path | None:
    """Where the file with this id is, if it is there; one that its path leads to by now through a link is another."""
    with suppress(FileNotFoundError, NotADirectoryError):
        found = see_file(root.system, root.path, id_)
        if found is not None and found[1].id == id_:
            return found[0] / id_
    return None


def _look(system: FileSystem, place: Path) -> os.stat_result | None:
    with suppress(FileNotFoundError):
        return system.lstat(place)
    return None
