"""What a pull transfers, decided as a value before anything moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivesync.files import STATE_FOLDER, LocalFile, RemoteFile, Skipped

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class PullPlan:
    """What a pull will do; every tuple is sorted by path.

    Attributes:
        download: fetched, and put in place of what is there.
        keep: here already, byte for byte.
        conflicts: changed here since the last pull, or never pulled and different: kept as they are.
        skipped: not to be had as files, with the reason.
    """

    download: tuple[RemoteFile, ...]
    keep: tuple[RemoteFile, ...]
    conflicts: tuple[RemoteFile, ...]
    skipped: tuple[Skipped, ...]

    @property
    def download_bytes(self) -> int:
        """Bytes to fetch."""
        return sum(file.size for file in self.download)


def resolve_names(listing: Iterable[RemoteFile | Skipped]) -> tuple[dict[str, RemoteFile], list[Skipped]]:
    """Give each path one file: of two with the same path the newer, and none where a folder must be.

    A remote may hold any number of files of one name in a folder, and a file beside a folder of its name.
    """
    files: dict[str, RemoteFile] = {}
    skipped: list[Skipped] = []
    for entry in listing:
        if isinstance(entry, Skipped):
            skipped.append(entry)
        elif entry.path.split("/", 1)[0] == STATE_FOLDER:
            continue
        elif (other := files.get(entry.path)) is None:
            files[entry.path] = entry
        else:
            older, newer = sorted((entry, other), key=lambda file: (file.modified_s, file.id))
            files[entry.path] = newer
            skipped.append(Skipped(older.path, "a newer file of the same name is beside it"))
    folders = {path[:cut] for path in files for cut in range(len(path)) if path[cut] == "/"}
    for path in sorted(folders & files.keys()):
        del files[path]
        skipped.append(Skipped(path, "a folder of the same name is beside it"))
    return files, skipped


def plan_pull(
    remote: Iterable[RemoteFile | Skipped],
    local: Mapping[str, LocalFile],
    synced: Mapping[str, LocalFile],
) -> PullPlan:
    """Fetch every remote file whose content is not already here; delete nothing, overwrite no local change.

    Args:
        remote: what the remote holds.
        local: what the disk holds, with ``md5`` wherever size alone does not tell it from the remote's.
        synced: what each local file was when it last equalled the remote's; a file that still has that
            size and mtime has not been changed here.
    """
    files, skipped = resolve_names(remote)
    download: list[RemoteFile] = []
    keep: list[RemoteFile] = []
    conflicts: list[RemoteFile] = []
    for path, file in sorted(files.items()):
        here = local.get(path)
        if here is None:
            download.append(file)
        elif here.size == file.size and here.md5 == file.md5:
            keep.append(file)
        elif _is_unchanged(here, synced.get(path)):
            download.append(file)
        else:
            conflicts.append(file)
    return PullPlan(
        tuple(download), tuple(keep), tuple(conflicts), tuple(sorted(skipped, key=lambda entry: entry.path))
    )


def _is_unchanged(here: LocalFile, then: LocalFile | None) -> bool:
    return then is not None and (here.size, here.mtime_ns) == (then.size, then.mtime_ns)
