"""The values that travel between a remote, a disk and the code that decides; no effects here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

STATE_FOLDER = ".drivesync"
"""What drivesync keeps in a tree for itself; never pushed, never pulled."""

MAX_NAME_BYTES = 255


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file as the remote describes it.

    Attributes:
        path: POSIX path relative to the tree; every part of it has passed ``refuse_name``.
        id: the remote's own name for the file; two paths may have one (a shortcut was followed).
        size: in bytes.
        md5: lower-case hex; empty where the remote could tell it only by reading the file.
        modified_s: Unix time.
        sha256: lower-case hex; empty where the remote does not say.
        revision_id: names this content; empty where the remote keeps no revisions.
        executable: the run bit as a push recorded it; None where nobody has.
        resource_key: opens a file that is shared by a link with a key; a secret of sorts.
    """

    path: str
    id: str
    size: int
    md5: str
    modified_s: float
    sha256: str = ""
    revision_id: str = ""
    executable: bool | None = None
    resource_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class RemoteFolder:
    """One folder as the remote describes it; ``path`` is empty for the tree's own."""

    path: str
    id: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something in a tree that is not transferred, and why; ``id`` as in ``RemoteFile``."""

    path: str
    reason: str
    id: str = ""


Entry: TypeAlias = "RemoteFile | RemoteFolder | Skipped"


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a listing.

    Attributes:
        entries: in any order, but of several files with one path the newest comes first, and a file never has the
            path of a folder.
        ends: no later page holds anything of the folders that this page and those since the last end are about.
    """

    entries: tuple[Entry, ...]
    ends: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed in a remote tree.

    Attributes:
        gone: ids that no longer stand for what was listed: what there is of them now is in ``entries``.
        entries: what is new, or has changed.
        mark: of the moment up to which this is true.
    """

    gone: frozenset[str]
    entries: tuple[RemoteFile | Skipped, ...]
    mark: str


@dataclass(frozen=True, slots=True)
class LocalFile:
    """One file on disk.

    Attributes:
        path: POSIX path relative to the tree.
        size: in bytes.
        mtime_ns: Unix time.
        md5: lower-case hex; empty where nobody has read the file at this size and mtime yet.
        revision_id: of the remote's content that it was equal to; empty where that is not known.
    """

    path: str
    size: int
    mtime_ns: int
    md5: str = ""
    revision_id: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the owner of a format says of a file: whether it is whole, and how far the training in it is.

    Attributes:
        accepted: False keeps the file from ever being pushed.
        reason: why it was refused, as a clause ("12 bytes shorter than cfg/remote.cfg implies").
        iteration: of a checkpoint; None for other files.
    """

    accepted: bool
    reason: str = ""
    iteration: int | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that a revision on the remote carries our checksum.

    ``at_s`` is Unix time; ``iteration`` is None for files that are no checkpoints.
    """

    path: str
    size: int
    md5: str
    sha256: str
    file_id: str
    revision_id: str
    at_s: float
    iteration: int | None = None


def refuse_name(name: str) -> str:
    """Say why ``name``, which may hold anything, cannot be one name in a local folder; empty if it can."""
    if name in {"", ".", ".."}:
        return f"its name is {name!r}"
    if "/" in name or "\0" in name:
        return "its name holds a character that no file name can hold"
    try:
        size_bytes = len(name.encode())
    except UnicodeEncodeError:
        return "its name is not valid Unicode"
    return f"its name is longer than {MAX_NAME_BYTES} bytes" if size_bytes > MAX_NAME_BYTES else ""
