"""What requests cost: latency, bandwidth, requests a second, quota units. PURE: the time is handed in."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, get_type_hints

from drivesync.testing.wire import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Costs:
    """What every request costs; None is no limit.

    ``bandwidth_bytes_per_s`` holds for each connection and each direction. Requests and quota units refill steadily,
    and what is unspent can be spent at once up to ``..._burst_s`` seconds' worth. Beyond them: 403 rateLimitExceeded
    for requests, 403 userRateLimitExceeded for units. Drive allows 325,000 units a minute (``unit_cost``).
    """

    latency_s: float = 0.0
    bandwidth_bytes_per_s: float | None = None
    requests_per_s: float | None = None
    requests_burst_s: float = 1.0
    units_per_minute: float | None = None
    units_burst_s: float = 60.0


QUOTA_UNITS_PER_MINUTE = 325_000
"""What a user may spend in a minute, in projects made since May 2026."""


def unit_cost(kind: str) -> int:
    """Quota units of a call: get 5, list 100, download 200, edit 50, other 5."""
    if (kind.endswith(".media") and ".get." in kind) or kind == "files.export":
        return 200
    if kind.endswith(".list"):
        return 100
    if (
        kind.startswith("upload.")
        or kind in {"batch", "files.generateIds"}
        or kind.partition(".")[2].startswith("get")
    ):
        return 5
    return 50


class Bucket:
    """Allowance that refills at ``rate_per_s`` up to ``capacity``; full at first."""

    def __init__(self, rate_per_s: float, capacity: float, now_s: float) -> None:
        self._rate_per_s = rate_per_s
        self._capacity = capacity
        self._level = capacity
        self._at_s = now_s

    def take(self, amount: float, now_s: float) -> bool:
        """Spend ``amount`` if there is so much; a refusal spends nothing."""
        self._level = min(self._capacity, self._level + (now_s - self._at_s) * self._rate_per_s)
        self._at_s = now_s
        if self._level < amount:
            return False
        self._level -= amount
        return True


class Meter:
    """Holds requests to the rates in ``costs``."""

    def __init__(self, costs: Costs, now_s: float) -> None:
        self._requests = self._units = None
        if costs.requests_per_s is not None:
            capacity = max(1.0, costs.requests_per_s * costs.requests_burst_s)
            self._requests = Bucket(costs.requests_per_s, capacity, now_s)
        if costs.units_per_minute is not None:
            per_s = costs.units_per_minute / 60
            self._units = Bucket(per_s, max(200.0, per_s * costs.units_burst_s), now_s)

    def charge(self, units: int, now_s: float) -> None:
        """Count one request.

        Raises:
            ApiError: 403 where there have been too many.
        """
        if self._requests is not None and not self._requests.take(1, now_s):
            raise ApiError(403, "rateLimitExceeded", "Rate Limit Exceeded", domain="usageLimits")
        if self._units is not None and not self._units.take(units, now_s):
            raise ApiError(403, "userRateLimitExceeded", "User Rate Limit Exceeded", domain="usageLimits")


def costs_from_json(costs: Costs, body: Mapping[str, object]) -> Costs:
    """``costs`` with the named ones changed.

    Raises:
        ValueError: an unknown cost or a value of the wrong kind.
    """
    check_options(Costs, body)
    current = {part.name: getattr(costs, part.name) for part in fields(Costs)}
    return Costs(**{**current, **body})


def check_options(owner: type, options: Mapping[str, object]) -> None:
    """Refuse options that a dataclass does not have or whose values are of the wrong kind.

    Raises:
        ValueError: which one.
    """
    kinds: dict[str, tuple[type, ...]] = {
        "str": (str,),
        "int": (int,),
        "float": (int, float),
        "bool": (bool,),
        "None": (type(None),),
    }
    hints = get_type_hints(owner)
    for name, value in options.items():
        allowed = str(hints.get(name, ""))
        if not any(word in allowed and isinstance(value, kind) for word, kind in kinds.items()):
            raise ValueError(f"{owner.__name__} takes no {name}={value!r}")
