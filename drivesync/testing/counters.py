"""How often each call was made and what it moved. PURE."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass


@dataclass(slots=True)
class CallCount:
    """Totals of one kind of call.

    ``bytes_up`` and ``bytes_down`` are of bodies; ``units`` are quota units of requests that were let through;
    ``errors`` are answers from 400 on; ``rate_limited`` of them were refused by a rate; ``injected`` requests were
    struck by a fault (of delays and omitted parents only the fault itself counts how often it ``struck``).
    """

    requests: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    units: int = 0
    errors: int = 0
    rate_limited: int = 0
    injected: int = 0

    def add(self, other: CallCount) -> None:
        """Add another's totals to these."""
        self.requests += other.requests
        self.bytes_up += other.bytes_up
        self.bytes_down += other.bytes_down
        self.units += other.units
        self.errors += other.errors
        self.rate_limited += other.rate_limited
        self.injected += other.injected


class Counters:
    """Totals by kind of call; a kind that was never called counts nothing."""

    def __init__(self) -> None:
        self._counts: defaultdict[str, CallCount] = defaultdict(CallCount)

    def __getitem__(self, kind: str) -> CallCount:
        return self._counts[kind]

    def total(self) -> CallCount:
        """The sum over all calls."""
        summed = CallCount()
        for count in self._counts.values():
            summed.add(count)
        return summed

    def reset(self) -> None:
        """Count from zero again."""
        self._counts.clear()

    def to_json(self) -> dict[str, dict[str, int]]:
        """Totals by kind, in the order of the kinds' names, with their sum under ``total``."""
        by_kind = {kind: asdict(count) for kind, count in sorted(self._counts.items())}
        return {**by_kind, "total": asdict(self.total())}
