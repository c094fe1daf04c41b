"""Ids that look like Drive's and come out the same for the same seed, and which of them a file may have. Pure."""

from __future__ import annotations

import random
import string
from typing import TYPE_CHECKING

from drivesync.testing.wire import ApiError, invalid

if TYPE_CHECKING:
    from collections.abc import Callable

_ALPHABET = string.ascii_letters + string.digits + "-_"


def seeded_ids(seed: int) -> Callable[[], str]:
    """A source of 33-character ids; two sources with one seed give the same ids in the same order."""
    chosen = random.Random(seed)  # noqa: S311 - ids of a test server need to be repeatable, not secret

    def new_id() -> str:
        return "1" + "".join(chosen.choices(_ALPHABET, k=32))

    return new_id


class FileIds:
    """The ids of one account's files: each is good for one file, for ever.

    Attributes:
        used: those that a file has, or had before it was deleted.

    Args:
        new_id: an unused id.
    """

    def __init__(self, new_id: Callable[[], str]) -> None:
        self.used: set[str] = set()
        self._new_id = new_id
        self._generated: set[str] = set()

    def generate(self, count: int) -> list[str]:
        """Ids that a later create may use."""
        ids = [self._new_id() for _ in range(count)]
        self._generated.update(ids)
        return ids

    def check_new(self, file_id: str) -> None:
        """Whether a create may use this id.

        Raises:
            ApiError: 409 fileIdInUse where it was used before, even by a file that is deleted now; 400 where it was
                never generated.
        """
        if file_id in self.used:
            raise ApiError(409, "fileIdInUse", "A file already exists with the provided ID.")
        if file_id not in self._generated:
            raise invalid("The provided file ID is not usable.", location="file.id")
