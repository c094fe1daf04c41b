"""What changed in which order: what changes.list reads. PURE."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """The last change of a file; numbers grow by one with every change of any file."""

    number: int
    file_id: str
    at_ms: int


class ChangeLog:
    """The last change of each file, oldest first: earlier ones of the same file are forgotten, as Drive does it."""

    def __init__(self) -> None:
        self._last: dict[str, Change] = {}
        self.next_number = 1
        """The number that the next change will have; as text it is Drive's page token."""

    def note(self, file_id: str, at_ms: int) -> None:
        """A file has been made, changed or deleted."""
        self._last.pop(file_id, None)
        self._last[file_id] = Change(self.next_number, file_id, at_ms)
        self.next_number += 1

    def since(self, first: int) -> list[Change]:
        """The changes from number ``first`` on, oldest first; costs as much as it returns."""
        found = []
        for change in reversed(self._last.values()):
            if change.number < first:
                break
            found.append(change)
        return found[::-1]
