"""What ``push --all`` sends, decided as a value before anything moves. Pure.

A file on the remote is replaced only while it holds what it held when both were last the same. Whatever else it holds
was put there by somebody: it is kept, and told.

What a pull has unpacked of an archive is in that archive, and goes as a file of its own only once somebody has changed
it, or the archive is gone. While another archive lies there it waits, as does any file that was changed there and not
here: sent, it would lie in the way of what the next session unpacks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from drivesync.files import (
    STATE_FOLDER,
    TRAINERS_FOLDER,
    LocalFile,
    RemoteFile,
    RemoteFolder,
    Skipped,
    refuse_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drivesync.files import Entry

_OF_OTHERS = {
    STATE_FOLDER: "drivesync keeps it for itself",
    ".git": "git keeps it for itself; git pushes it",
    TRAINERS_FOLDER: "it is of the training on this machine",
}
_TEMPORARY = re.compile(r".*\.tmp|\.drivesync-.*\.part", re.DOTALL)


@dataclass(frozen=True, slots=True)
class MirrorOptions:
    """What a user may want otherwise.

    Attributes:
        ours: overwrite what was changed on the remote.
        dry_run: say what would be done, and do nothing.
        unpack: paths of archives that pulls unpack into the tree, as far as settings name them.
    """

    ours: bool = False
    dry_run: bool = False
    unpack: tuple[str, ...] = ()


DEFAULT_MIRROR_OPTIONS = MirrorOptions()


class Standing(Enum):
    """What the remote has of an archive that was unpacked here; the best comes first."""

    THERE = "there"
    """It is what was unpacked."""
    CHANGED = "changed"
    """It is another, or was not unpacked to its end: a pull has yet to bring what is in it."""
    GONE = "gone"
    """Nothing."""
    UNKNOWN = "unknown"
    """It is to be unpacked, and what of it lies here is not remembered."""


@dataclass(frozen=True, slots=True)
class Member:
    """What pulls have put in a file's place out of one archive.

    Attributes:
        archive: its path in the tree.
        standing: of the archive.
        states: the file as one of them left it, with its md5; several where one did not come to its end.
    """

    archive: str
    standing: Standing
    states: tuple[LocalFile, ...]


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A file that is still what a pull unpacked, and that the remote does not have as a file.

    Attributes:
        here: as it is in the tree.
        state: what it was when it was unpacked; but for the time they are the same.
        archive: out of which it came.
        standing: of the archive.
    """

    here: LocalFile
    state: LocalFile
    archive: str
    standing: Standing


@dataclass(frozen=True, slots=True)
class Pair:
    """A file of the tree and what the remote has at its path.

    Attributes:
        here: as it is in the tree.
        there: what the remote has; None for nothing.
        then: what the file was when it last equalled the remote's; None if it never did.
        blocked_by: the path of a file on the remote that is where a folder of this one's path should be.
        members: what archives have there, those of the best standing first; of no matter where the remote has a file.
    """

    here: LocalFile
    there: Entry | None
    then: LocalFile | None
    blocked_by: str = ""
    members: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to send; ``replaces`` is what lies there, None for nothing."""

    here: LocalFile
    replaces: RemoteFile | None


@dataclass(frozen=True, slots=True)
class UploadPlan:
    """What a ``push --all`` will do; every tuple in the order of the pairs.

    Attributes:
        upload: sent.
        keep: on the remote already, byte for byte.
        conflicts: paths of files that are other ones here and there, and not only because they were changed here: kept
            there.
        behind: paths of files that were changed there and not here: kept there.
        skipped: not to be sent, with the reason.
        unpacked: what came out of archives; not sent, but for what ``goes_singly`` tells, which is in ``upload``, too.
    """

    upload: tuple[Upload, ...] = ()
    keep: tuple[LocalFile, ...] = ()
    conflicts: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    unpacked: tuple[Unpacked, ...] = ()


def refuse_entry(name: str) -> str:
    """Say why a file or folder called ``name``, which may hold anything, is not sent; empty if it is."""
    if _TEMPORARY.fullmatch(name):
        return "it is a temporary file"
    return _OF_OTHERS.get(name) or refuse_name(name)


def is_apart(path: str, patterns: Iterable[str]) -> bool:
    """Whether ``path`` matches one of ``patterns``, globs whose ``*`` ends at a slash."""
    names = path.split("/")
    for pattern in patterns:
        globs = pattern.split("/")
        if len(globs) == len(names) and all(map(fnmatchcase, names, globs)):
            return True
    return False


def recall(pair: Pair) -> Pair:
    """``pair`` with the checksums that can be told from what was the same when both were."""
    here, there, then = pair.here, pair.there, pair.then
    if then is None:
        return pair
    if not here.md5 and _is_unchanged(here, then):
        pair = replace(pair, here=replace(here, md5=then.md5))
    if isinstance(there, RemoteFile) and not there.md5 and _is_revision_of(there, then):
        pair = replace(pair, there=replace(there, md5=then.md5))
    return pair


def wants_local_md5(pair: Pair) -> bool:
    """Whether only the file's content can tell whether the remote has it; ``pair`` is from ``recall``."""
    here, there = pair.here, pair.there
    if here.md5:
        return False
    if isinstance(there, RemoteFile):
        return there.size == here.size
    may_be_unpacked = any(state.size == here.size for member in pair.members for state in member.states)
    return may_be_unpacked and find_unpacked(pair) is None


def wants_remote_md5(pair: Pair) -> bool:
    """Whether only the remote's content can tell whether it is ours, or was; ``pair`` is from ``recall``."""
    there, then = pair.there, pair.then
    if not isinstance(there, RemoteFile) or there.md5:
        return False
    return there.size in {pair.here.size, pair.here.size if then is None else then.size}


def find_unpacked(pair: Pair) -> Unpacked | None:
    """What the file is if it is still what came out of an archive; ``pair`` is from ``recall``."""
    here = pair.here
    for member in pair.members:
        for state in member.states:
            is_equal = bool(here.md5) and (here.size, here.md5) == (state.size, state.md5)
            if is_equal or _is_unchanged(here, state):
                return Unpacked(here, state, member.archive, member.standing)
    return None


def goes_singly(standing: Standing, *, ours: bool) -> bool:
    """Whether what was unpacked of an archive of this standing is sent; ``ours`` as in ``plan_upload``."""
    return standing is Standing.GONE or (ours and standing is Standing.CHANGED)


def plan_upload(pairs: Iterable[Pair], *, ours: bool = False) -> UploadPlan:
    """Send every file whose content the remote has not; overwrite nothing that somebody else put there.

    What is here and no longer there is sent anew: nothing is ever deleted on either side.

    Args:
        pairs: from ``recall``, with the checksums that ``wants_local_md5`` and ``wants_remote_md5`` ask for.
        ours: overwrite what was changed on the remote.
    """
    upload: list[Upload] = []
    keep: list[LocalFile] = []
    conflicts: list[str] = []
    behind: list[str] = []
    skipped: list[Skipped] = []
    unpacked: list[Unpacked] = []
    for pair in pairs:
        here, there, then = pair.here, pair.there, pair.then
        found = None if isinstance(there, RemoteFile) else find_unpacked(pair)
        if found is not None:
            unpacked.append(found)
        if found is not None and not goes_singly(found.standing, ours=ours):
            continue
        if reason := _refuse(pair):
            skipped.append(Skipped(here.path, reason))
        elif not isinstance(there, RemoteFile):
            upload.append(Upload(here, None))
        elif there.size == here.size and there.md5 and there.md5 == here.md5:
            keep.append(replace(here, revision_id=there.revision_id))
        elif ours or (then is not None and _holds(there, then)):
            upload.append(Upload(here, there))
        elif then is not None and _is_unchanged(here, then):
            behind.append(here.path)
        else:
            conflicts.append(here.path)
    return UploadPlan(
        tuple(upload), tuple(keep), tuple(conflicts), tuple(behind), tuple(skipped), tuple(unpacked)
    )


def _refuse(pair: Pair) -> str:
    """Why the remote has no place for the file; empty if it has."""
    if pair.blocked_by:
        return f"{pair.blocked_by} is a file on the remote, not a folder"
    if isinstance(pair.there, RemoteFolder):
        return "a folder is in its place on the remote"
    if isinstance(pair.there, Skipped):
        return f"what is in its place on the remote cannot be replaced: {pair.there.reason}"
    return ""


def _holds(there: RemoteFile, then: LocalFile) -> bool:
    """Whether the remote has what it had when both were the same."""
    if there.md5:
        return (there.size, there.md5) == (then.size, then.md5)
    return _is_revision_of(there, then)


def _is_revision_of(there: RemoteFile, then: LocalFile) -> bool:
    return bool(there.revision_id) and there.revision_id == then.revision_id


def _is_unchanged(here: LocalFile, then: LocalFile) -> bool:
    return (here.size, here.mtime_ns) == (then.size, then.mtime_ns)
