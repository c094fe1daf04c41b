"""What was built in a tree last, in ``TREE/.trainer/build.json``; it never travels, for neither do objects.

Written before a compiler starts, saying so: who finds it like that knows that the build was killed, and that objects
may be half written.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from drivesync.disk import local_errors, write_atomically
from trainer.config import STATE_FOLDER

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PATH = f"{STATE_FOLDER}/build.json"


class State(Enum):
    """How the last build stands."""

    BUILDING = "building"
    """A compiler runs, or was killed."""
    ENDED = "ended"
    """It ended by itself, or was stopped in order: objects are whole, though some may be missing."""


@dataclass(frozen=True, slots=True)
class BuildRecord:
    """The last build of a tree.

    Attributes:
        state: see there.
        inputs: names all that objects depend on.
        objects: size in bytes and mtime in ns of each that was there in the end, by its path in the tree.
        products: SHA-256 of each file that came of it, by its path in the tree; empty if it failed.
        where_from: "compiled", or "cache" where it was compiled on another machine.
    """

    state: State
    inputs: str
    objects: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    products: Mapping[str, str] = field(default_factory=dict)
    where_from: str = "compiled"


def read_record(tree: Path) -> BuildRecord | None:
    """What was built last; None if nothing was, or if that was lost or torn."""
    try:
        said = json.loads((tree / _PATH).read_bytes())
        return BuildRecord(
            State(said["state"]),
            str(said["inputs"]),
            {str(path): (int(size), int(time)) for path, (size, time) in said["objects"].items()},
            {str(path): str(digest) for path, digest in said["products"].items()},
            str(said["where_from"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write_record(tree: Path, record: BuildRecord) -> None:
    """Remember it.

    Raises:
        LocalWriteError: the disk cannot take it.
    """
    path = tree / _PATH
    with local_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    said = asdict(record) | {"state": record.state.value}
    write_atomically(path, json.dumps(said).encode() + b"\n")
