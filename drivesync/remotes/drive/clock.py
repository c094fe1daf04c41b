"""A server's clock as its answers tell it."""

from __future__ import annotations

import math
import threading
from email.utils import parsedate_to_datetime

_TOLD_S = 1.0
"""Answers tell the time in whole seconds, so that asking more often would teach little."""


class ServerClock:
    """Narrows down how far a server's clock is ahead of ours; safe to use from several threads.

    An answer that was asked for at a, came at b and is dated D was dated between a and b, at a time from D up to, and
    not including, D + 1 s; so the server is ahead by more than D - b and by less than D + 1 s - a. What several
    answers say is true at once, unless one of the clocks was put right, or ours stood still in a sleep: then the last
    answer is the one that counts.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at_s = -math.inf
        self._least_s = -math.inf
        self._most_s = math.inf

    @property
    def is_known(self) -> bool:
        """Whether any answer has told the time."""
        return self._at_s > -math.inf

    def wants_more(self, now_s: float) -> bool:
        """Whether an answer that came at ``now_s`` is worth looking at."""
        return now_s >= self._at_s + _TOLD_S

    def observe(self, date: str, sent_s: float, received_s: float) -> None:
        """An answer has told the time; one that cannot be read tells nothing.

        Args:
            date: its Date header (RFC 9110, 5.6.7).
            sent_s: when it was asked for, by our clock.
            received_s: when it came, by our clock.
        """
        try:
            told_s = parsedate_to_datetime(date).timestamp()
        except ValueError:
            return
        least_s, most_s = told_s - received_s, told_s + 1.0 - sent_s
        with self._lock:
            self._at_s = received_s
            if max(least_s, self._least_s) <= min(most_s, self._most_s):
                least_s, most_s = max(least_s, self._least_s), min(most_s, self._most_s)
            self._least_s, self._most_s = least_s, most_s

    def read(self, now_s: float) -> float:
        """Unix time by the server's clock at ``now_s`` by ours; ``is_known`` must hold."""
        with self._lock:
            return now_s + (self._least_s + self._most_s) / 2
