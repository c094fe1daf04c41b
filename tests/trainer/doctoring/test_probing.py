"""What fails, hangs or raises becomes a line, and keeps no other from being told."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from drivesync.errors import NotAllowedError
from trainer.doctoring.lines import Level, Line, good
from trainer.doctoring.probing import Probe, run_probes

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_all_of_them_are_told_in_order() -> None:
    released = threading.Event()

    def hang() -> Iterator[Line]:
        yield good("slow", "first")
        released.wait(60)
        yield good("slow", "never seen")

    def fail() -> Iterator[Line]:
        yield good("odd", "first")
        raise ZeroDivisionError("by 0")

    def refuse() -> Iterator[Line]:
        raise NotAllowedError("no", hint="Ask.")

    began_s = time.monotonic()
    lines = run_probes(
        [
            Probe("slow", hang, 0.2, "Wait."),
            Probe("odd", fail, 30),
            Probe("refused", refuse, 30),
            Probe("fine", lambda: [good("fine", "yes")], 30),
        ]
    )
    assert time.monotonic() - began_s < 10
    released.set()
    assert lines == (
        Line(Level.GOOD, "slow", "first"),
        Line(Level.WARNING, "slow", "no answer within 0.2 s", "Wait."),
        Line(Level.GOOD, "odd", "first"),
        Line(Level.WARNING, "odd", "could not be looked at (ZeroDivisionError: by 0)", "Please report it."),
        Line(Level.BAD, "refused", "no", "Ask."),
        Line(Level.GOOD, "fine", "yes"),
    )


def test_they_run_side_by_side() -> None:
    both = threading.Barrier(2, timeout=10)

    def meet() -> Iterator[Line]:
        both.wait()
        yield good("met", "")

    assert [line.topic for line in run_probes([Probe("a", meet, 20), Probe("b", meet, 20)])] == ["met", "met"]


def test_a_look_that_cannot_even_begin() -> None:
    def look() -> Iterator[Line]:
        raise NotAllowedError("no")

    assert run_probes([Probe("x", look, 10, "Look.")]) == (Line(Level.BAD, "x", "no", "Look."),)
