"""The values that travel between a remote, a disk and the code that decides; no effects here."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

STATE_FOLDER = ".drivesync"
"""What drivesync keeps in a tree for itself; never pushed, never pulled."""

TRAINERS_FOLDER = ".trainer"
"""What a training keeps in a tree, most of it of the machine that it runs on."""

TRAVELLING = frozenset({f"{TRAINERS_FOLDER}/attempts.jsonl", f"{TRAINERS_FOLDER}/learned.json"})
"""What of that the next machine is to know; nothing else of it is pulled."""

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
        properties: what a push recorded with it, by name; a listing may leave it empty.
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
    properties: Mapping[str, str] = field(default_factory=dict, compare=False)


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
        remote: the name of the remote that holds it as it is; empty where nothing says that one does.
    """

    path: str
    size: int
    mtime_ns: int
    md5: str = ""
    revision_id: str = ""
    remote: str = ""


class Role(Enum):
    """What a checkpoint is to its run."""

    FINAL = "final"
    """The training's result."""
    LAST = "last"
    """The newest state, written over by each newer one."""
    BEST = "best"
    """The best state by its score, written over by each better one."""
    NUMBERED = "numbered"
    """The state at one iteration, kept beside the others."""
    OTHER = "other"
    """No checkpoint of a run, as far as anybody knows."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the owner of a format says of a file: whether it is whole, and how far the training in it is.

    Attributes:
        accepted: False keeps the file from ever being pushed.
        reason: why it was refused, as a clause ("12 bytes shorter than cfg/remote.cfg implies").
        iteration: of a checkpoint, as people count; None for other files.
        run: which run a checkpoint belongs to; one session at a time may push those of a run. Empty for other files.
        role: what it is to that run.
        score: of ``Role.BEST``, higher is better; None where nobody knows it.
        progress: of a checkpoint, in a measure that stays the same where another setting makes iterations longer or
            shorter (what has been learned from, say): of two of a run the one with more is further. None for other
            files, and where nobody knows it: then iterations are compared, for want of better.
    """

    accepted: bool
    reason: str = ""
    iteration: int | None = None
    run: str = ""
    role: Role = Role.OTHER
    score: float | None = None
    progress: int | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that a revision on the remote carries our checksum.

    ``at_s`` is Unix time; ``iteration`` is None for files that are no checkpoints, ``run``, ``role`` (a ``Role``'s
    value) and ``progress`` are as in ``Verdict``; an earlier version did not write the progress. ``proven`` is False
    where the remote cannot prove that what it took will stay: a mounted Drive, which syncs later. ``deleted``: it was
    removed from the remote again, to make room, at ``at_s``. ``remote`` is the name of the remote; an earlier version
    did not write it, and its receipts prove nothing of any.
    """

    path: str
    size: int
    md5: str
    sha256: str
    file_id: str
    revision_id: str
    at_s: float
    iteration: int | None = None
    run: str = ""
    role: str = Role.OTHER.value
    proven: bool = True
    deleted: bool = False
    progress: int | None = None
    remote: str = ""


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """One session's turn as the only writer of a run, as the remote keeps it.

    Attributes:
        run: what the lease is on.
        epoch: counts the turns of a run, from 1.
        id: the remote's own name for this record.
        next_id: that of the record that will end this turn; whoever makes it has the next.
        holder: a session's random name for itself.
        who: the session in words, for people ("root@1a2b3c, process 812").
        since_s, renewed_s: Unix time by the remote's clock.
        released: the session has given it back.
    """

    run: str
    epoch: int
    id: str
    next_id: str
    holder: str
    who: str
    since_s: float
    renewed_s: float
    released: bool = False


@dataclass(frozen=True, slots=True)
class Room:
    """What a remote can hold, in bytes; ``limit`` is None where there is none that it tells of."""

    limit: int | None
    used: int
    trashed: int = 0

    @property
    def free(self) -> int | None:
        """What still fits; None where nobody can tell."""
        return None if self.limit is None else max(self.limit - self.used, 0)


def refuse_path(path: str) -> str:
    """Say why ``path``, which may be anything, cannot be a file's in a tree; empty if it can."""
    return next(filter(None, map(refuse_name, path.split("/"))), "")


def spell_path(path: str) -> str:
    r"""``path`` as text, whatever bytes the system has for it: those that are no UTF-8 are spelled ``\xff``."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


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
