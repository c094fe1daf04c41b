"""When requests may go out, decided from nothing but when others were taken and refused. PURE: times are handed in.

Drive says no limit beforehand, and neither how many requests it lets through at once after a pause. So nothing is
held back until refusals come in numbers. What happens then rests on one fact: whenever a request is refused, the
allowance is used up. What was taken between two such moments, over the time between them, is the rate of the limit,
whatever else it looks like. Until there are two such moments, the documented limit that would be used up now is the
one that is believed.

From then on requests go out a little below the measured rate, and then ever so slowly faster: what was left unspent
is spent, and the next refusal, one or two of them, measures again. Nothing is lost by that, for the allowance is
empty at both ends.

Refusals also come by chance. A single one is never taken for a limit, and where they keep coming at a rate that was
safe a moment ago, so many are put up with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_CREDIT_S = 1.0
"""What a pause leaves unspent may be made up for, up to so many seconds' worth."""

_CUSHION = 0.1
"""Times the first pause: so long nothing goes out after a limit was met, for an empty allowance would refuse again at
the first jitter."""

_BELOW = 0.98
_CLIMB_PER_S = 0.01
_CLIMB_DOUBLES_S = 10.0
_FASTEST_CLIMB_PER_S = 0.5

_MEMORY = 1 / 32
_MANY = 0.2
"""A share of refusals, among the last few dozen answers, that chance does not explain: one in twenty is put up with."""

_IN_A_ROW = 5
"""So many refusals, one after the other, are not explained by chance either."""

_NOISE_MEMORY = 1 / 128
_NOISY = 0.02
"""A share of refusals at a rate that was safe a moment ago, above which a single one says nothing of the limit."""

_LEAST_KEPT = 0.7
_FAR = 0.5
_LONGEST_PAUSE_S = 64.0


@dataclass(slots=True)
class _Candidate:
    """A documented limit, and how much of its allowance what was taken so far would have left."""

    per_s: float
    capacity: float
    in_units: bool
    level: float

    def take(self, passed_s: float, units: int) -> None:
        self.level = min(self.capacity, self.level + passed_s * self.per_s) - (units if self.in_units else 1)

    @property
    def distance(self) -> float:
        """How far this limit is from having been met right now, or how far beyond it we are."""
        return abs(self.level) / self.capacity


def _documented() -> tuple[_Candidate, ...]:
    """12,000 requests a minute, and since May 2026 325,000 quota units; spent at once, a second's worth or all of it.

    https://developers.google.com/workspace/drive/api/guides/limits, which does not say how much may be spent at once.
    """
    return tuple(
        _Candidate(per_minute / 60, per_minute / 60 * burst_s, in_units, per_minute / 60 * burst_s)
        for per_minute, in_units in ((325_000.0, True), (12_000.0, False))
        for burst_s in (1.0, 60.0)
    )


class Pace:
    """The state of one account's allowance, as far as it shows.

    Attributes:
        epoch: grows whenever turns that were given before are void: whoever still waits for one asks again.
        taken_at_s: when a request was last taken.
        paused_until_s: for so long Drive asked not to be asked.

    Args:
        first_pause_s: the first of the pauses that grow while no request is taken at all, and the measure of others.
    """

    def __init__(self, first_pause_s: float = 1.0) -> None:
        self.epoch = 0
        self.taken_at_s = -math.inf
        self.paused_until_s = -math.inf
        self._first_pause_s = first_pause_s
        self._cushion_s = _CUSHION * first_pause_s
        self._candidates = _documented()
        self._begun_at_s: float | None = None
        self._charged_at_s = -math.inf
        self._taken = 0
        self._per_s = math.inf
        self._measured_per_s = math.inf
        self._in_units = False
        self._next_s = -math.inf
        self._last_turn_s = -math.inf
        self._probe_pause_s = 0.0
        # Since the limit was last met:
        self._met_at_s = -math.inf
        self._climbed_at_s = -math.inf
        self._taken_cost = 0.0
        self._is_tight = False
        # What the last answers were:
        self._refused_share = 0.0
        self._refused_in_a_row = 0
        self._noise = self._known_noise = 0.0

    def reserve(self, now_s: float, units: int) -> float:
        """When a request that costs so many quota units may go out: now or later, in the order of asking."""
        if self._per_s == math.inf:
            self._last_turn_s = max(now_s, self.paused_until_s)
            return self._last_turn_s
        if self._next_s < now_s - _CREDIT_S:
            self._next_s = now_s - _CREDIT_S
            self._is_tight = False
        turn_s = max(self._next_s, self.paused_until_s)
        self._next_s = turn_s + max(self._cost(units) / self._per_s, self._probe_pause_s)
        self._last_turn_s = max(turn_s, now_s)
        return self._last_turn_s

    def is_holding(self, now_s: float) -> bool:
        """Whether a request waits for a later moment."""
        return self._last_turn_s > now_s

    def take(self, now_s: float, units: int) -> None:
        """A request was not refused for its rate."""
        self.taken_at_s = now_s
        self._refused_in_a_row = 0
        self._refused_share *= 1 - _MEMORY
        if self._probe_pause_s:
            self._probe_pause_s = 0.0
            self._next_s = now_s
            self.epoch += 1
        if self._per_s == math.inf:
            self._charge_candidates(now_s, units)
            return
        self._taken_cost += self._cost(units)
        if self._per_s <= self._measured_per_s:
            self._noise *= 1 - _NOISE_MEMORY
        self._climb(now_s)

    def refuse(self, sent_s: float, now_s: float, units: int, retry_after_s: float = 0.0) -> None:
        """A request was refused for its rate; those that were on their way with it tell nothing new."""
        if retry_after_s > 0:
            self.paused_until_s = max(self.paused_until_s, now_s + retry_after_s)
            self.epoch += 1
        if sent_s < self._met_at_s:
            return
        self._refused_in_a_row += 1
        self._refused_share += _MEMORY * (1 - self._refused_share)
        if self._per_s <= self._measured_per_s < math.inf:
            self._noise += _NOISE_MEMORY * (1 - self._noise)
        is_certain = (
            self._probe_pause_s > 0
            or self._refused_in_a_row >= _IN_A_ROW
            or self._refused_share > _MANY + self._noise
        )
        if self._per_s == math.inf and is_certain:
            self._guess(now_s)
        elif is_certain or (self._per_s > self._measured_per_s and self._noise < _NOISY):
            self._measure(now_s, units, is_certain=is_certain)

    def _cost(self, units: int) -> float:
        return float(units) if self._in_units else 1.0

    def _charge_candidates(self, now_s: float, units: int) -> None:
        if self._begun_at_s is None:
            self._begun_at_s = self._charged_at_s = now_s
        self._taken += 1
        for candidate in self._candidates:
            candidate.take(now_s - self._charged_at_s, units)
        self._charged_at_s = now_s

    def _guess(self, now_s: float) -> None:
        """Take up the limit that explains best what was let through until now."""
        best = min(self._candidates, key=lambda candidate: candidate.distance)
        self._measured_per_s, self._in_units = best.per_s, best.in_units
        if best.distance > _FAR:
            begun_at_s = now_s if self._begun_at_s is None else self._begun_at_s
            passed_s = max(now_s - begun_at_s, self._cushion_s)
            self._measured_per_s, self._in_units = max(self._taken, 1) / passed_s, False
        self._start_over(now_s, self._cushion_s)

    def _measure(self, now_s: float, units: int, *, is_certain: bool) -> None:
        """The limit was met, and before it at ``_met_at_s``: what was taken in between is its rate."""
        passed_s = now_s - self._met_at_s
        if self._taken_cost == 0:
            # Nothing at all goes through. From here on one request at a time asks whether that has changed.
            self._probe_pause_s = min(max(self._probe_pause_s * 2, self._first_pause_s), _LONGEST_PAUSE_S)
            self._start_over(now_s, self._probe_pause_s)
            return
        if is_certain:
            # Chance had no part in it, so nothing was learned of chance. One request more than was taken might just
            # have fitted in; to ask too fast is found out soon, to ask too slowly is not.
            self._noise = self._known_noise
            self._taken_cost += self._cost(units)
        rate_per_s = self._taken_cost / passed_s / (1 - self._noise) if passed_s > 0 else math.inf
        if not self._is_tight:
            rate_per_s = self._per_s * _LEAST_KEPT if is_certain else self._measured_per_s
        elif not is_certain:
            # What came by chance after all must not undo much.
            rate_per_s = max(rate_per_s, self._measured_per_s * _BELOW)
        self._measured_per_s = min(rate_per_s, self._per_s)
        self._start_over(now_s, self._cushion_s)

    def _start_over(self, now_s: float, pause_s: float) -> None:
        """The allowance is used up now: all that wait get new turns, a little below the rate that holds."""
        self._per_s = self._measured_per_s * _BELOW
        self._next_s = now_s + pause_s
        self._met_at_s = self._climbed_at_s = now_s
        self._taken_cost = 0.0
        self._is_tight = True
        self._known_noise = self._noise
        self._refused_share, self._refused_in_a_row = 0.0, 0
        self.epoch += 1

    def _climb(self, now_s: float) -> None:
        """Go a little faster if it is this pace that holds requests back."""
        if self._next_s > now_s:
            doublings = (now_s - self._met_at_s) / _CLIMB_DOUBLES_S
            growth_per_s = min(_CLIMB_PER_S * 2.0 ** min(doublings, 32.0), _FASTEST_CLIMB_PER_S)
            self._per_s *= 1 + growth_per_s * (now_s - self._climbed_at_s)
        self._climbed_at_s = now_s
