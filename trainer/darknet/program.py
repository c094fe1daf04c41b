"""PURE: the three darknets in use, how to tell them apart, and how each wants to be called.

Source: measured on CPU builds of the three programs in 2026.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from trainer.errors import TreeError

if TYPE_CHECKING:
    from collections.abc import Sequence


class Flavour(Enum):
    """Which darknet a program is; the value is how it is called in messages."""

    PJ = "the original darknet (2018)"
    AX = "AlexeyAB's darknet"
    HK = "hank-ai's darknet"


# What each program's executable holds and those of the others do not: pieces of the format strings of its loss line,
# and, as hank-ai's prints from a shared library, the C++ name space that its executable imports from there.
_MARKERS = (
    (b"time remaining=", Flavour.HK),
    (b"_ZN7Darknet", Flavour.HK),
    (b" hours left", Flavour.AX),
    (b"%f rate, %lf seconds, ", Flavour.PJ),
)

NO_SCREEN = "-dont_show"
"""What keeps all but the original, which never tries, from drawing on a screen."""

_ORIGINALS_FLAGS = {"-gpus": 1, "-clear": 0}
"""What the original understands when it trains, and how many values follow each."""


def flavour_of(executable: bytes) -> Flavour | None:
    """Tell by the bytes of the executable; None where nothing known is in them."""
    return next((flavour for marker, flavour in _MARKERS if marker in executable), None)


def refuse_weights(flavour: Flavour, weights: str) -> str:
    """Say why this darknet would not load a file of that name; empty if it would.

    hank-ai's takes only names that end in ``.weights`` and passes over others without a word, training from nothing.
    """
    if flavour is Flavour.HK and not weights.endswith(".weights"):
        return f"{Flavour.HK.value} loads only files whose names end in .weights, so {weights} is left out"
    return ""


def train_arguments(
    flavour: Flavour,
    *,
    data: str,
    cfg: str,
    weights: str | None = None,
    extra: Sequence[str] = (),
    resuming: bool = False,
) -> tuple[str, ...]:
    """What follows the program's name on the command line that trains.

    Args:
        flavour: the program's.
        data: the .data file; like all paths here relative to the working directory that darknet will have.
        cfg: the .cfg file.
        weights: to start from; None starts from random ones.
        extra: the user's own flags; they come last.
        resuming: ``weights`` is a checkpoint of this run. A ``-clear`` of the user's is for the first start and is
            left out then: it would count the iterations from 1 again.

    Raises:
        TreeError: the program does not know a flag, or does not load such weights.
    """
    refused = refuse_weights(flavour, weights) if weights else ""
    if refused:
        raise TreeError(refused)
    flags = [flag for flag in extra if not (resuming and flag == "-clear")]
    if flavour is Flavour.PJ:
        _check_originals_flags(flags)
    own: tuple[str, ...] = ()
    if flavour is not Flavour.PJ:
        own += () if NO_SCREEN in flags else (NO_SCREEN,)
    if flavour is Flavour.HK:
        own += () if "-nocolour" in flags else ("-nocolour",)
    return ("detector", "train", data, cfg, *([weights] if weights else []), *own, *flags)


def _check_originals_flags(flags: Sequence[str]) -> None:
    # It would take a flag that it does not know for the weights file, train nothing and exit with 0.
    rest = list(flags)
    while rest:
        flag = rest.pop(0)
        if flag not in _ORIGINALS_FLAGS:
            known = ", ".join(_ORIGINALS_FLAGS)
            raise TreeError(f"{Flavour.PJ.value} does not know {flag}; it knows {known} and nothing else")
        for _ in range(_ORIGINALS_FLAGS[flag]):
            if not rest:
                raise TreeError(f"{flag} wants a value")
            rest.pop(0)
