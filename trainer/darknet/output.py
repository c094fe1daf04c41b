"""PURE: a line that one of the three darknets prints -> an event.

The loss line of each, and every message that tells why a run ended: as measured on their CPU builds in 2026, and, of
a GPU, as their sources have them (dark_cuda.c and detector.c of AlexeyAB's; dark_cuda.cpp, data.cpp, darknet_cfg.cpp
and darknet_utils.cpp of hank-ai's). Lines of no interest give None: AlexeyAB's prints thousands of them a second, so a
line is first sorted by its beginning.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from trainer.darknet.program import Flavour

if TYPE_CHECKING:
    from collections.abc import Callable


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
class MeanAveragePrecision:
    """A mAP pass has ended; ``value`` is from 0 to 1."""

    value: float


@dataclass(frozen=True, slots=True)
class NewBest:
    """The last mAP is the best since darknet was started."""


@dataclass(frozen=True, slots=True)
class NormalEnd:
    """darknet says that it has trained all iterations; whether ``_final`` is whole is another question."""


class Cause(Enum):
    """What a message complains of."""

    NO_FILE = "a file cannot be opened"
    NO_IMAGE = "an image cannot be read"
    NO_IMAGES = "the list of training images is empty"
    NO_LABEL = "a label file cannot be opened"
    WRONG_LABEL = "a label is wrong"
    FILTERS = "filters= in the cfg does not fit classes="
    NAMES = "the list of names does not fit classes="
    GPU_MEMORY = "the GPU is out of memory"
    CUDA = "CUDA has failed"
    HOST_MEMORY = "the host is out of memory"
    WEIGHTS = "a weights file is too short"
    CFG = "a line of the cfg cannot be read"
    CRASH = "darknet has crashed"


@dataclass(frozen=True, slots=True)
class Complaint:
    """darknet complains; whether it goes on depends on which darknet it is.

    Attributes:
        cause: what of.
        line: all of it, as printed, but for what hank-ai's puts before each.
        path: the file that it names; empty where it names none.
    """

    cause: Cause
    line: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Warned:
    """darknet says what a person may want to read, and goes on; some say it again with each iteration."""

    line: str


Event = (
    Progress | Saving | Loading | MapBegun | MeanAveragePrecision | NewBest | NormalEnd | Complaint | Warned
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
_PRECISION = re.compile(r"mean average precision \(mAP@[^)]*\) ?= ?([\d.]+)(%?)")

# Messages by the piece of them that is always the same; where a pattern follows, its group is the path. Of two that fit
# a line the first counts.
_COMPLAINTS: tuple[tuple[str, Cause, re.Pattern[str] | None], ...] = (
    ("Couldn't open file: ", Cause.NO_FILE, re.compile(r"Couldn't open file: (.*)")),
    ("failed to open the file ", Cause.NO_FILE, re.compile(r'the file "(.*)"')),
    ("file for mAP calculation!", Cause.NO_FILE, re.compile(r"There is no (.*) file for mAP calculation!")),
    ("Can't open label file.", Cause.NO_LABEL, re.compile(r"Can't open label file\.(?: \([^)]*\):)? ?(.*)")),
    ("failed to open annotation file ", Cause.NO_LABEL, re.compile(r'annotation file "(.*)"')),
    ("does not have a corresponding .txt", Cause.NO_LABEL, re.compile(r'annotation file: "(.*)"')),
    ("Cannot load image", Cause.NO_IMAGE, re.compile(r'Cannot load image "?([^"]*)"?')),
    ("failed to load image file ", Cause.NO_IMAGE, re.compile(r'image file "(.*)"')),
    ("validation image filename is invalid", Cause.NO_IMAGE, re.compile(r'invalid: "(.*)"')),
    ("Error in load_data_detection()", Cause.NO_IMAGE, None),
    ("no training images available", Cause.NO_IMAGES, re.compile(r"\(verify (.*)\)")),
    ("Wrong annotation: ", Cause.WRONG_LABEL, re.compile(r".* file: (.*)")),
    ("invalid class ID #", Cause.WRONG_LABEL, re.compile(r" in (.*?)(?: on line #\d+)?$")),
    ("invalid annotation for class ID #", Cause.WRONG_LABEL, re.compile(r" in (.*)")),
    ("invalid ground truth: ", Cause.WRONG_LABEL, re.compile(r" in (.*)")),
    ("filters= in the [convolutional]-layer doesn't correspond", Cause.FILTERS, None),
    ("filters in convolutional layer prior to", Cause.FILTERS, None),
    ("Assertion `l.outputs == params.inputs'", Cause.FILTERS, None),
    ("that isn't equal to classes=", Cause.NAMES, re.compile(r"in the file (.*) number of names")),
    ("does not match classes=", Cause.NAMES, re.compile(r"In the file (.*), the number of names")),
    ("Try to set subdivisions=", Cause.GPU_MEMORY, None),
    ("Try increasing subdivisions=", Cause.GPU_MEMORY, None),
    ("CUDA memory allocation failed", Cause.GPU_MEMORY, None),
    ("CUDA malloc failed", Cause.GPU_MEMORY, None),
    ("out of memory", Cause.GPU_MEMORY, None),
    ("CUDNN_STATUS_ALLOC_FAILED", Cause.GPU_MEMORY, None),
    ("CUDA Error", Cause.CUDA, None),
    ("CUDA error", Cause.CUDA, None),
    ("CUDA status", Cause.CUDA, None),
    ("cuDNN", Cause.CUDA, None),
    ("cuBLAS", Cause.CUDA, None),
    ("error while loading shared libraries: libcu", Cause.CUDA, None),
    ("error while loading shared libraries", Cause.CRASH, None),
    ("Malloc error", Cause.HOST_MEMORY, None),
    ("Calloc error", Cause.HOST_MEMORY, None),
    ("Realloc error", Cause.HOST_MEMORY, None),
    ("failed to malloc", Cause.HOST_MEMORY, None),
    ("failed to calloc", Cause.HOST_MEMORY, None),
    ("failed to realloc", Cause.HOST_MEMORY, None),
    ("std::bad_alloc", Cause.HOST_MEMORY, None),
    ("Unexpected end of wights-file", Cause.WEIGHTS, None),
    ("Unexpected end of weights-file", Cause.WEIGHTS, None),
    ("Config file error line", Cause.CFG, None),
    ("Assertion `", Cause.CRASH, None),
    ("terminate called", Cause.CRASH, None),
    ("Darknet error location: ", Cause.CRASH, None),
)

_FATAL = "* Error message:"
"""What hank-ai's puts before the message of which it then dies."""


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

    A program's bytes tell nothing where it is a script around darknet. Each betrays itself with its first iteration at
    the latest.
    """
    line = strip_escapes(line).strip()
    if line.startswith(_FATAL) or _NAMED.match(line):
        return Flavour.HK
    if line.startswith("Region ") and " Avg IOU: " in line:
        return Flavour.PJ
    if match := _COUNTED.match(line):
        return Flavour.AX if match["loss"] else Flavour.PJ
    return None


def _progress(line: str) -> Progress | None:
    if match := _COUNTED.match(line):
        iteration, loss, average, _, rate, seconds, images = match.groups()
        duration = float(seconds)
    elif match := _NAMED.match(line):
        iteration, loss, average, rate, train, images = match.groups()
        duration = _duration(train)
    else:
        return None
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
    fatal = line.startswith(_FATAL)
    said = line.removeprefix(_FATAL).lstrip()
    for piece, cause, pattern in _COMPLAINTS:
        if piece in said:
            match = pattern.search(said) if pattern else None
            return Complaint(cause, said, match[1].strip() if match else "")
    if fatal:
        return Complaint(Cause.CRASH, said)
    return Warned(said) if said.startswith(("Warning: ", "Error: ", "Performance bottleneck")) else None


def _saving(line: str) -> Saving | None:
    return Saving(line.removeprefix("Saving weights to ")) if line.startswith("Saving weights to ") else None


def _loading(line: str) -> Loading | None:
    if not line.startswith("Loading weights from "):
        return None
    path, dots, rest = line.removeprefix("Loading weights from ").partition("...")
    return Loading(path, "Done!" in rest) if dots else None


def _precision(line: str) -> MeanAveragePrecision | None:
    match = _PRECISION.search(line)
    if not match:
        return None
    try:
        value = float(match[1])
    except ValueError:
        return None
    return MeanAveragePrecision(value / 100 if match[2] else value)


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
