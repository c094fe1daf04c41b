"""PURE: what a .data file says, and how many classes a list of names holds."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from trainer.checking.findings import Finding, Severity
from trainer.checking.rows import read_options, read_rows
from trainer.checking.wording import quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from trainer.checking.rows import Option

_PATHS = ("train", "valid", "names", "backup")
_NUMBERS = ("classes", "savelast", "saveweights")
_KNOWN = frozenset(
    {
        *_PATHS, *_NUMBERS, "difficult", "eval", "hierarchy", "inputs", "labels", "leaves", "map", "results", "test",
        "top", "tree",
    }
)  # fmt: skip
"""What some darknet asks a .data file for."""

_MISSING = {
    "classes": (Severity.ERROR, "darknet takes 20 for it."),
    "train": (Severity.ERROR, "darknet looks for the images in data/train.list."),
    "backup": (Severity.ERROR, "darknet saves the weights in /backup/, where nothing is kept safe."),
    "valid": (
        Severity.WARNING,
        "darknet takes data/train.txt for it, so -map would measure what was trained with.",
    ),
    "names": (Severity.WARNING, "darknet looks for the names in data/names.list."),
}

_LAST_EVERY = 100
"""Iterations, where the file does not say (AlexeyAB's)."""

_SHORT_TRAINING = 10_000
_NUMBERED_EVERY = 1_000
_NUMBERED_EVERY_IN_LONG = 10_000
"""Likewise of numbered files, in a training of fewer than ``_SHORT_TRAINING`` iterations and in one of more."""

_PATH_BYTES = 256
"""Of the buffers in which the darknets put together the names of weights files (source: detector.c)."""

_LONGEST_ENDING = "_1000000.weights"


def check_data(text: str, path: str, *, base: str, max_batches: int = 0) -> Iterator[Finding]:
    """Find what is wrong with the options of a .data file; whether the files exist that it names is not asked.

    Args:
        text: of the file, without byte order mark.
        path: relative to the tree, for the findings.
        base: what the weights files' names begin with.
        max_batches: of the cfg; 0 where it is not known.
    """
    options: dict[str, Option] = {}
    for option in read_options(text):
        if option.key in options:
            yield _twice(path, option, options[option.key])
        elif option.value:
            options[option.key] = option
    yield from _check_rows(text, path)
    yield from _check_unknown(path, options)
    for key, (severity, effect) in _MISSING.items():
        if key not in options:
            what = f"{key} is missing."
            yield Finding(severity, f"no-{key}", path, None, what, effect, f"Write a line `{key} = ...`.")
    yield from _check_numbers(path, options)
    yield from _check_paths(path, options, base)
    yield from _check_saving(path, options, max_batches)


def check_names(text: str, path: str, *, classes: int, fatal: bool = False) -> Iterator[Finding]:
    """Find what is wrong with a list of classes' names.

    Args:
        text: of the file, without byte order mark.
        path: relative to the tree, for the findings.
        classes: how many there are to be.
        fatal: whether darknet would end of a wrong number of them.
    """
    names = text.split("\n")
    if not names[-1]:
        names.pop()
    rows = [name.strip() for name in names]
    if len(rows) != classes:
        # Where the last lines are empty, they are what is wrong; else where the list ends, or should.
        line = min(len(rows), classes + 1) or None
        blank = rows.count("")
        lines = f"{len(rows)} lines{f', {blank} of them empty' if blank else ''}"
        yield Finding(
            Severity.ERROR if fatal else Severity.WARNING,
            "names-differ",
            path,
            line,
            f"It has {lines}, and classes = {classes}.",
            "hank-ai's darknet ends at the start, AlexeyAB's at its first mAP, before it has saved; the original does "
            "not mind while it trains. Detections are called by the wrong names.",
            f"One name a line, {classes} in all, or mend classes in the .data file and in the cfg.",
        )
    first: dict[str, int] = {}
    for number, name in enumerate(rows, start=1):
        if not name and len(rows) == classes:
            effect = "darknet takes the empty line for a class's name."
            yield Finding(
                Severity.WARNING,
                "empty-name",
                path,
                number,
                "The line is empty.",
                effect,
                "Write the class's name.",
            )
        elif name and first.setdefault(name, number) != number:
            yield Finding(
                Severity.WARNING,
                "same-name",
                path,
                number,
                f"{quote(name)} stands in line {first[name]}, too.",
                "darknet trains two classes of one name; nobody can tell them apart in what it detects.",
                "Give each class a name of its own.",
            )


def _twice(path: str, option: Option, first: Option) -> Finding:
    return Finding(
        Severity.NOTE if option.value == first.value else Severity.WARNING,
        "option-twice",
        path,
        option.line,
        f"{option.key} stands in line {first.line}, too.",
        f"darknet takes the first, {option.key} = {first.value}.",
        "Remove one of them.",
    )


def _check_rows(text: str, path: str) -> Iterator[Finding]:
    for number, row in read_rows(text):
        if "=" not in row:
            yield Finding(
                Severity.WARNING,
                "no-option",
                path,
                number,
                f"{quote(row)} is no `key = value`.",
                "darknet complains and passes over the line.",
                "Write it as `key = value`, or put a # before it.",
            )


def _check_unknown(path: str, options: Mapping[str, Option]) -> Iterator[Finding]:
    for key in options.keys() - _KNOWN:
        meant = get_close_matches(key, _KNOWN, 1)
        yield Finding(
            Severity.WARNING,
            "unknown-option",
            path,
            options[key].line,
            f"No darknet knows {quote(key)}{f'; {meant[0]} may be meant' if meant else ''}.",
            "darknet passes over it.",
            "Mend the name, or remove the line.",
        )


def _check_numbers(path: str, options: Mapping[str, Option]) -> Iterator[Finding]:
    for key in _NUMBERS:
        option = options.get(key)
        if option and not re.fullmatch("0*[1-9][0-9]{0,8}", option.value):
            yield Finding(
                Severity.ERROR,
                "no-number",
                path,
                option.line,
                f"{key} = {quote(option.written)[1:-1]} is no number above 0.",
                "darknet reads up to the first character that is no digit, and takes 0 where there is none.",
                f"Write the number of {'classes' if key == 'classes' else 'iterations'}.",
            )


def _check_paths(path: str, options: Mapping[str, Option], base: str) -> Iterator[Finding]:
    for key in _PATHS:
        option = options.get(key)
        if option and option.value != option.written:
            yield Finding(
                Severity.ERROR,
                "space-in-path",
                path,
                option.line,
                f"There is a space in {key} = {option.written}.",
                f"darknet deletes it, and looks for {option.value}.",
                "Rename what it names, so that there is no space in it.",
            )
    backup = options.get("backup")
    if backup and len(f"{backup.value}/{base}{_LONGEST_ENDING}".encode()) >= _PATH_BYTES:
        yield Finding(
            Severity.ERROR,
            "long-path",
            path,
            backup.line,
            f"backup is so long that a weights file's path has {_PATH_BYTES} letters or more.",
            "darknet writes it beyond the end of its memory for it, and dies or goes astray.",
            "Write `backup = backup/`.",
        )


def _check_saving(path: str, options: Mapping[str, Option], max_batches: int) -> Iterator[Finding]:
    numbered = _every(options, "saveweights")
    last = _every(options, "savelast")
    if not (numbered or last):
        return
    by_default = _NUMBERED_EVERY if max_batches < _SHORT_TRAINING else _NUMBERED_EVERY_IN_LONG
    every = numbered or by_default
    if (last or _LAST_EVERY) >= every:
        option = options["savelast" if last else "saveweights"]
        yield Finding(
            Severity.WARNING,
            "no-last",
            path,
            option.line,
            f"_last is to be saved each {last or _LAST_EVERY} iterations, and numbered weights each {every}.",
            "AlexeyAB's darknet never writes _last then; a dropped session loses up to as many iterations.",
            "Make savelast smaller than saveweights.",
        )


def _every(options: Mapping[str, Option], key: str) -> int:
    option = options.get(key)
    return int(option.value) if option and re.fullmatch("[0-9]{1,9}", option.value) else 0
