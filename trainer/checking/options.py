"""PURE: each option of a .cfg by itself: is it one, does it count, does darknet read what is meant.

darknet reads a whole number with C's ``atoi`` and another one with ``atof``: as far as it is one, and 0 where it does
not begin as one; it says nothing of it (source: option_list.c of the original and of AlexeyAB's). hank-ai's ends at
some of them. Which options are numbers is by the parsers of the three (parser.c, darknet_cfg.cpp).
"""

from __future__ import annotations

import math
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from trainer.checking.findings import Finding, Severity
from trainer.checking.rows import read_option, read_sections
from trainer.checking.wording import quote
from trainer.darknet.cfg import LARGEST_WHOLE, REAL, WHOLE
from trainer.darknet.program import Flavour
from trainer.darknet.words import INSTEAD, WORDS, words_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trainer.checking.rows import Option

_WHOLE = frozenset(
    {
        "absolute", "adam", "antialiasing", "atoms", "background", "batch", "batch_normalize", "bias_match", "binary",
        "blur", "burn_in", "cbn", "channels", "classes", "coords", "cutmix", "dilation", "dynamic_minibatch", "filters",
        "flip", "flipped", "focal_loss", "group_id", "groups", "height", "inputs", "letter_box", "max", "max_batches",
        "max_crop", "maxpool_depth", "min_crop", "mixup", "mosaic", "new_coords", "num", "objectness_smooth",
        "out_channels", "output", "pad", "padding", "rescore", "sgdr_cycle", "sgdr_mult", "share_index", "size",
        "softmax", "step", "stopbackward", "stride", "stride_x", "stride_y", "subdivisions", "time_steps", "track",
        "truth", "width", "xnor",
    }
)  # fmt: skip
_REAL = frozenset(
    {
        "angle", "aspect", "beta_nms", "class_scale", "cls_normalizer", "coord_scale", "decay", "delta_normalizer",
        "ema_alpha", "exposure", "gamma", "gaussian_noise", "hue", "ignore_thresh", "iou_normalizer", "iou_thresh",
        "jitter", "label_smooth_eps", "learning_rate", "learning_rate_min", "mask_scale", "max_delta", "momentum",
        "noobject_scale", "obj_normalizer", "object_scale", "power", "probability", "random", "resize", "saturation",
        "scale_x_y", "thresh", "truth_thresh", "uc_normalizer",
    }
)  # fmt: skip
_LISTS = frozenset({"from", "layers", "mask", "steps"})
"""Of whole numbers, parted by commas."""

_AT_LEAST_1 = frozenset({"batch", "subdivisions"})

_NO_FINITE = re.compile(r"(?i)[-+]?(?:inf|nan)")
_COMMENT = tuple("#;\0")
"""What may follow a number; of a byte 0 it is told that the line ends there."""


def check_options(text: str, path: str, *, flavour: Flavour = Flavour.AX) -> Iterator[Finding]:
    """Find what is wrong with the options of a .cfg, whatever network they make.

    Args:
        text: of the file, without byte order mark.
        path: relative to the tree, for the findings.
        flavour: which darknet reads it.
    """
    for head, rows in read_sections(text):
        first: dict[str, Option] = {}
        for number, row in rows:
            option = read_option(number, row)
            if option is None or not option.value:
                yield _no_option(path, number, head, row)
            elif option.key in first:
                yield _twice(path, option, first[option.key])
            else:
                first[option.key] = option
                yield from _check_value(path, option, flavour)


def _no_option(path: str, number: int, head: str, row: str) -> Finding:
    return Finding(
        Severity.WARNING, "no-option", path, number, f"{quote(row)} in {quote(head)[1:-1]} is no `key=value`.",
        "darknet passes over the line, and takes its own default for what it was to say.",
        "Write it as `key=value`, or put a # before it.",
    )  # fmt: skip


def _twice(path: str, option: Option, first: Option) -> Finding:
    return Finding(
        Severity.NOTE if option.value == first.value else Severity.WARNING, "option-twice", path, option.line,
        f"{quote(option.key)[1:-1]} stands in line {first.line} of the same section, too.",
        f"darknet takes the first, {quote(f'{first.key}={first.value}')[1:-1]}.", "Remove one of them.",
    )  # fmt: skip


def _check_value(path: str, option: Option, flavour: Flavour) -> Iterator[Finding]:
    key, value = option.key, option.value
    if key in WORDS:
        yield from _check_word(path, option, flavour)
    elif key in _REAL:
        yield from _check_real(path, option)
    elif key in _LISTS:
        faults = (fault for part in value.split(",") if part for fault in _check_whole(path, option, part))
        yield from list(faults)[:1]
    elif key in _WHOLE:
        yield from _check_whole(path, option, value)


def _check_word(path: str, option: Option, flavour: Flavour) -> Iterator[Finding]:
    key, word = option.key, option.value
    known = words_of(key, flavour)
    if word in known:
        return
    if flavour is Flavour.HK:
        effect = "hank-ai's darknet ends."
    else:
        effect = f"darknet says that it goes on with {INSTEAD[key]}, once among its first lines, and does."
    meant = get_close_matches(word, known, 1)
    others = word in WORDS[key]
    yield Finding(
        # Of another darknet's words it was not known that this one would train; it is not what was meant, all the same.
        Severity.WARNING if others else Severity.ERROR, key, path, option.line,
        f"{flavour.value[0].upper()}{flavour.value[1:]} knows no {key}={quote(word)[1:-1]}"
        f"{f'; {meant[0]} may be meant' if meant else ''}.",
        effect, "Train with AlexeyAB's darknet or hank-ai's, which know it."
        if others else f"Write {key}={meant[0]}." if meant else f"Write one of {', '.join(sorted(known))}.",
    )  # fmt: skip


def _check_whole(path: str, option: Option, text: str) -> Iterator[Finding]:
    match = WHOLE.match(text)
    if match is None:
        yield _no_number(path, option, text, "darknet takes 0 for it.", "a whole number")
        return
    digits = match.group()
    # So long a number is too large in any case, and Python would refuse to read it.
    if len(digits) > 40 or abs(int(digits)) > LARGEST_WHOLE:
        yield Finding(
            Severity.ERROR, "number-too-large", path, option.line,
            f"{option.key}={quote(text)[1:-1]} is beyond {LARGEST_WHOLE}, the most that darknet keeps.",
            "darknet takes another number for it, -1 say, and dies or goes astray.", "Write a smaller number.",
        )  # fmt: skip
    elif _is_cut(text, float(digits), match.end()):
        yield _cut(path, option, text, digits, "a whole number")
    elif option.key in _AT_LEAST_1 and int(digits) < 1:
        yield Finding(
            Severity.ERROR, "no-images", path, option.line, f"{option.key}={digits} is not above 0.",
            "darknet dies at the start, or never comes to an end.", "Set batch=64 and subdivisions=16, say.",
        )  # fmt: skip


def _check_real(path: str, option: Option) -> Iterator[Finding]:
    text = option.value
    match = REAL.match(text)
    if match is None:
        effect = "darknet takes it as it is, and calculates with it: the loss is no number."
        yield _no_number(
            path, option, text, effect if _NO_FINITE.match(text) else "darknet takes 0 for it.", "a number"
        )
    elif not math.isfinite(float(match.group())):
        yield _no_number(
            path, option, text, "darknet takes it for infinite: the loss is no number.", "a smaller number"
        )
    elif _is_cut(text, float(match.group()), match.end()):
        yield _cut(path, option, text, match.group(), "a number with a point")


def _is_cut(text: str, value: float, end: int) -> bool:
    """Whether something else than a comment follows the number that darknet reads, or makes it another one."""
    whole = REAL.match(text)
    if whole and float(whole.group()) == value:
        end = whole.end()
    return end < len(text) and not text.startswith(_COMMENT, end)


def _no_number(path: str, option: Option, text: str, effect: str, wanted: str) -> Finding:
    what = f"{option.key}={quote(option.value)[1:-1]} is no number"
    if text != option.value:
        what = f"{quote(text)} in {option.key}={quote(option.value)[1:-1]} is no number"
    return Finding(
        Severity.ERROR,
        "no-number",
        path,
        option.line,
        f"{what}.",
        effect,
        f"Write {wanted} for {option.key}.",
    )


def _cut(path: str, option: Option, text: str, taken: str, wanted: str) -> Finding:
    return Finding(
        Severity.ERROR, "number-cut", path, option.line,
        f"{quote(text)} in {option.key}= is not all a number as darknet reads it."
        if text != option.value else f"{option.key}={quote(text)[1:-1]} is not all a number as darknet reads it.",
        f"darknet takes {taken}, and passes over the rest.",
        f"Write {wanted} for {option.key}, and remarks on lines of their own that begin with #.",
    )  # fmt: skip
