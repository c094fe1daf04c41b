"""What a remote has been asked for: requests and quota units by kind, and repeats."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from typing import Final

_UNITS: Final = {"get": 5, "list": 100, "download": 200, "edit": 50, "other": 5}
"""Of Drive, since May 2026: https://developers.google.com/workspace/drive/api/guides/limits"""


def units_of(kind: str) -> int:
    """Quota units of one request; 0 for a kind that costs none."""
    return _UNITS.get(kind, 0)


@dataclass(frozen=True, slots=True)
class Spent:
    """Requests, and the quota units that they cost."""

    requests: int = 0
    units: int = 0


class Usage:
    """Counts; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[str] = Counter()
        self._retries = 0

    def count(self, kind: str) -> None:
        """One request of ``kind`` (get, list, download, edit, other) goes out."""
        with self._lock:
            self._requests[kind] += 1

    def count_retry(self) -> None:
        """A request has to be repeated; the repeat is counted as a request, too."""
        with self._lock:
            self._retries += 1

    @property
    def by_kind(self) -> dict[str, Spent]:
        """A copy of what was counted."""
        with self._lock:
            return {kind: Spent(count, count * units_of(kind)) for kind, count in self._requests.items()}

    @property
    def retries(self) -> int:
        """How many requests had to be repeated."""
        return self._retries
