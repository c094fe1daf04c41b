"""PURE: a line that one of the three darknets prints -> an event.

The loss line of each, and what else it tells of its training, as measured on their CPU builds in 2026; what it
complains of is found by ``complaint``. Lines of no interest give None: AlexeyAB's prints thousands of them a second, so
a line is first sorted by its beginning.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainer.darknet.complaint import FATAL, Cause, Complaint, find_complaint
from trainer.darknet.program import NO_SCREEN, Flavour

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = [
    "Cause",
    "ClassPrecision",
    "Complaint",
    "Event",
    "Loading",
    "MapBegun",
    "MeanAveragePrecision",
    "NewBest",
    "NormalEnd",
    "Progress",
    "Saving",
    "Warned",
    "betrayed_flavour",
    "parse_line",
    "strip_escapes",
]


@dataclass(frozen=True, slots=True)
class Progress:
    """An iteration is done.

    ``loss`` and ``avg_loss`` may be NaN or infinite; ``seconds`` is what it took, ``images`` counts from the start of
    the training and wraps round at 2**31.
    """

    iteration: int
    loss: float
    avg_loss: float
    rate: float
    seconds: float
    images: int


@dataclass(frozen=True, slots=True)
class Saving:
    """A weights file is about to be opened for writing; nothing says when it is complete."""

    path: str


@dataclass(frozen=True, slots=True)
class Loading:
    """A weights file is being read; ``done`` says that this was printed to its end, not that the file was whole."""

    path: str
    done: bool


@dataclass(frozen=True, slots=True)
class MapBegun:
    """A mAP pass begins: for minutes there may be no line."""


@dataclass(frozen=True, slots=True)
class ClassPrecision:
    """What a mAP pass found of one class, before it tells of all; ``value`` is from 0 to 1, or nan."""

    class_id: int
    name: str
    value: float


@dataclass(frozen=True, slots=True)
class MeanAveragePrecision:
    """A mAP pass has ended; ``value`` is from 0 to 1."""

    value: float


@dataclass(frozen=True, slots=True)
class NewBest:
    """The last mAP is the best since darknet was started."""


@dataclass(frozen=True, slots=True)
class NormalEnd:
    """darknet says that it has trained all iterations; whether ``_final`` is whole is another question."""


@dataclass(frozen=True, slots=True)
class Warned:
    """darknet says what a person may want to read, and goes on; some say it again with each iteration."""

    line: str


Event = (
    Progress
    | Saving
    | Loading
    | MapBegun
    | ClassPrecision
    | MeanAveragePrecision
    | NewBest
    | NormalEnd
    | Complaint
    | Warned
)

_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|\x1b\][^\x07]*\x07|\x07")

_COUNTER = re.compile(r"^[0-9]+(?=[^0-9:])\s*")

_NUMBER = r"([-+]?(?:nan|inf|\d+(?:\.\d+)?))"
_COUNTED = re.compile(
    rf"(\d+): {_NUMBER}, {_NUMBER} avg(?P<loss> loss)?, {_NUMBER} rate, {_NUMBER} seconds, (-?\d+) images"
)
# Before its version 5 hank-ai's told neither of accuracy nor of loading.
_NAMED = re.compile(
    rf"(\d+): loss={_NUMBER}, avg loss={_NUMBER}, (?:last=\S+, best=\S+, mAP=\S+, )?rate={_NUMBER}, "
    r"(?:load \d+=.+?, train=)?(.+?), (-?\d+) images, time remaining="
)
_DURATION = re.compile(r"(\d+(?:\.\d+)?) (nano|micro|milli)?(second|minute|hour|day)s?")
_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
_PARTS = {"nano": 1e-9, "micro": 1e-6, "milli": 1e-3}
_LOADED = re.compile(r"Loaded weights for \d+ of \d+ layers from (.*)")
_CLASS = re.compile(r"class_id = (\d{1,9}), name = (.*), ap = ([-+]?(?:nan|inf|\d+(?:\.\d+)?)) ?%")
# hank-ai's prints a table: AP, four counts, and six ratios; from its version 5.1 on, the average IoU alone.
_CLASS_ROW = re.compile(
    r"(\d{1,9}) +(\S.*?) +([-+]?(?:nan|\d+\.\d+))(?: +-?\d+){4}(?: +[-+]?(?:nan|\d+\.\d+)){1,6}"
)
_PRECISION = re.compile(r"mean average precision \(mAP@[^)]*\) ?= ?([\d.]+)(%?)")


def strip_escapes(line: str) -> str:
    """The line without colours, cursor movements, window titles and bells."""
    return _ESCAPES.sub("", line) if "\x1b" in line or "\x07" in line else line


def parse_line(line: str) -> Event | None:
    """Say what a line means; None where it means nothing to anybody.

    Takes any text. Where a carriage return stands inside of a line, only what follows the last one counts, as on a
    terminal; and of the counter that a mAP pass leaves there, without a newline, only what follows it.

    Args:
        line: without its newline.
    """
    line = strip_escapes(line).strip()
    if "\r" in line:
        line = _COUNTER.sub("", line[line.rindex("\r") + 1 :].strip())
    if not line:
        return None
    if line[0].isdigit():
        return _progress(line)
    # The dynamic linker names the program by its path.
    parse = _complaint if line[0] == "/" else _BY_BEGINNING.get(line[:3])
    return parse(line) if parse else None


def betrayed_flavour(line: str) -> Flavour | None:
    """Which darknet prints such a line; None where others print it, too.

    A program's bytes tell nothing where it is a script around darknet. Each betrays itself by its first iteration at
    the latest.
    """
    line = strip_escapes(line).strip()
    if line.startswith((FATAL, "Darknet V")) or _NAMED.match(line):
        return Flavour.HK
    if line.startswith("Region ") and " Avg IOU: " in line:
        return Flavour.PJ
    if line.endswith(f"Couldn't open file: {NO_SCREEN}"):
        # The others know that flag, and take it for no file of weights.
        return Flavour.PJ
    if match := _COUNTED.match(line):
        return Flavour.AX if match["loss"] else Flavour.PJ
    return None


def _progress(line: str) -> Progress | ClassPrecision | None:
    if match := _COUNTED.match(line):
        iteration, loss, average, _, rate, seconds, images = match.groups()
        duration = float(seconds)
    elif match := _NAMED.match(line):
        iteration, loss, average, rate, train, images = match.groups()
        duration = _duration(train)
    else:
        return _as_class(_CLASS_ROW.fullmatch(line))
    if len(iteration) > 18 or len(images) > 18:
        return None  # no counter of darknet's
    return Progress(int(iteration), float(loss), float(average), float(rate), duration, int(images))


def _duration(text: str) -> float:
    """Seconds in "1.5 milliseconds" or "2 minutes 3 seconds"; NaN where there are none."""
    found = _DURATION.findall(text)
    if not found:
        return float("nan")
    return sum(float(number) * _PARTS.get(part, 1.0) * _SECONDS[unit] for number, part, unit in found)


def _complaint(line: str) -> Complaint | Warned | None:
    if complaint := find_complaint(line):
        return complaint
    return Warned(line) if line.startswith(("Warning: ", "Error: ", "Performance bottleneck")) else None


def _saving(line: str) -> Saving | None:
    return Saving(line.removeprefix("Saving weights to ")) if line.startswith("Saving weights to ") else None


def _loading(line: str) -> Loading | Complaint | None:
    if match := _LOADED.match(line):
        return Loading(match[1], done=True)
    if not line.startswith("Loading weights from "):
        return None
    path, dots, rest = line.removeprefix("Loading weights from ").partition("...")
    if not dots and path.startswith('"'):
        return Loading(path.strip('"'), done=False)
    # What goes wrong there follows on the same line.
    return find_complaint(rest.strip()) or Loading(path, "Done!" in rest) if dots else None


def _precision(line: str) -> MeanAveragePrecision | None:
    match = _PRECISION.search(line)
    if not match:
        return None
    try:
        value = float(match[1])
    except ValueError:
        return None
    return MeanAveragePrecision(value / 100 if match[2] else value)


def _class(line: str) -> ClassPrecision | None:
    return _as_class(_CLASS.match(line))


def _as_class(match: re.Match[str] | None) -> ClassPrecision | None:
    return ClassPrecision(int(match[1]), match[2], float(match[3]) / 100) if match else None


def _best(line: str) -> NewBest | None:
    return NewBest() if line.startswith("New best mAP") else None


def _map(line: str) -> MapBegun | None:
    return MapBegun() if line.startswith(("calculation mAP (", "Calculating mAP (")) else None


def _end(line: str) -> NormalEnd | None:
    return NormalEnd() if line.startswith(_ENDINGS) else None


_ENDINGS = (
    "If you want to train from the beginning",
    "If you want to re-start training",
    "Training iteration has reached max batch limit",
)

_BY_BEGINNING: dict[str, Callable[[str], Event | None]] = {
    "Sav": _saving,
    "Loa": _loading,
    "cal": _map,
    "cla": _class,
    "mea": _precision,
    "-> ": _precision,
    "New": _best,
    "If ": _end,
    "Tra": _end,
    **dict.fromkeys(
        ("Cou", "Can", "Err", "Wro", "fil", "Try", "CUD", "cur", "cuD", "cuB", "* E"), _complaint
    ),
    **dict.fromkeys(("Mal", "Rea", "std", "ter", "War", "Con", "dar", "Dar", "Per", "fai"), _complaint),
    "Cal": lambda line: _map(line) or _complaint(line),
}
