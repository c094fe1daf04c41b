"""PURE: what one of the three darknets complains of, by the words that it prints.

As measured on their CPU builds in 2026, and, of a GPU, as their sources have it: dark_cuda.c and detector.c of
AlexeyAB's; dark_cuda.cpp, data.cpp, darknet_cfg.cpp and darknet_utils.cpp of hank-ai's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

FATAL = "* Error message:"
"""What hank-ai's puts before the message of which it then dies."""


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
    ("cuDNN Error", Cause.CUDA, None),
    ("cuDNN status", Cause.CUDA, None),
    ("cuDNN current error", Cause.CUDA, None),
    ("cuDNN most recent error", Cause.CUDA, None),
    ("cuBLAS Error", Cause.CUDA, None),
    ("cuBLAS status", Cause.CUDA, None),
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
    (" fields, but only read ", Cause.WEIGHTS, None),
    ("Config file error line", Cause.CFG, None),
    ("Assertion `", Cause.CRASH, None),
    ("terminate called", Cause.CRASH, None),
    ("Darknet error location: ", Cause.CRASH, None),
)


def find_complaint(line: str) -> Complaint | None:
    """Say what a line complains of; None if of nothing that is known.

    Args:
        line: without escape codes, and without white space around it.
    """
    said = line.removeprefix(FATAL).lstrip()
    for piece, cause, pattern in _COMPLAINTS:
        if piece in said:
            match = pattern.search(said) if pattern else None
            return Complaint(cause, said, match[1].strip() if match else "")
    return Complaint(Cause.CRASH, said) if line.startswith(FATAL) else None
