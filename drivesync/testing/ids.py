"""Ids that look like Drive's and come out the same for the same seed. Pure."""

from __future__ import annotations

import random
import string
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_ALPHABET = string.ascii_letters + string.digits + "-_"


def seeded_ids(seed: int) -> Callable[[], str]:
    """A source of 33-character ids; two sources with one seed give the same ids in the same order."""
    chosen = random.Random(seed)  # noqa: S311 - ids of a test server need to be repeatable, not secret

    def new_id() -> str:
        return "1" + "".join(chosen.choices(_ALPHABET, k=32))

    return new_id
