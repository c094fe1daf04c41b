"""A member of an archive, of whatever format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Content(Protocol):
    """The bytes of a member, from the front."""

    def read(self, size: int, /) -> bytes:
        """Up to ``size`` of them; none at the end."""


@dataclass(frozen=True, slots=True)
class Member:
    """What an archive says of one member.

    Attributes:
        name: with slashes between its parts; may hold anything.
        size: in bytes, as declared.
        modified_s: Unix time.
        executable: its run bit.
        refused: why it is not unpacked, as a clause ("it is a link"); empty if it is a file.
        open: gives the content; called at most once, and before the next member is asked for.
    """

    name: str
    size: int
    modified_s: float
    executable: bool
    refused: str
    open: Callable[[], Content]


class Archive(Protocol):
    """An archive that is being read; both raise ``MalformedError``, and what its parser raises."""

    def declared(self) -> dict[str, int] | None:
        """The size in bytes of each member that is a file, by name; None where that shows only as it is read."""

    def members(self) -> Iterator[Member]:
        """All but folders, in the order in which they lie there."""


LATEST_S = float(1 << 33)


def to_modified_s(said_s: float) -> float:
    """``said_s`` as a time that every disk takes: an archive can say anything."""
    return said_s if 0.0 <= said_s <= LATEST_S else 0.0
