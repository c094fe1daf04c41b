"""Finds the line that a user has to mend: darknet names a file at best, and mostly not the one that is wrong.

What is looked at are the user's own files, and the lines as he counts them. Nothing here is certain enough to be an
error: where nothing can be told, nothing is said.
"""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import chain, islice
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from drivesync.errors import DrivesyncError
from trainer.darknet.cfg import parse_cfg
from trainer.darknet.complaint import Cause
from trainer.darknet.detection import DEFAULT_CLASSES, NUMBERS_BESIDE_CLASSES, needed_filters
from trainer.darknet.labels import label_of
from trainer.deciding.endings import Ending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trainer.config import Run
    from trainer.darknet.cfg import Layer
    from trainer.darknet.complaint import Complaint
    from trainer.deciding.endings import Diagnosis

_MAX_BYTES = 64 << 20
"""Of a file; what is beyond is not looked at. A list of half a million images is as long."""

_LISTS = ("train", "valid")

_LINE_IN_MESSAGE = re.compile(r"error line ([0-9]{1,9}), could parse: (.*)")


def pinpoint(run: Run, diagnosis: Diagnosis) -> str:
    """The place of what is to be mended, as in " (cfg/remote.cfg, line 12: filters=20 should be 21)".

    Args:
        run: what was trained.
        diagnosis: what it ended of.

    Returns:
        It begins with a space, to be put behind a sentence; empty where nothing can be told.
    """
    with suppress(OSError, ValueError, DrivesyncError):
        place = _find(_Files(run), diagnosis)
        return f" ({place})" if place else ""
    return ""


class _Files:
    """What a run's files say, line by line."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def lines(self, path: str) -> Iterator[tuple[int, str]]:
        """The lines of a file of the tree with their numbers, from 1; none if it is no file."""
        place = self.run.tree / path
        if place.is_file():
            with place.open("rb") as file:
                text = file.read(_MAX_BYTES).decode("utf-8", "replace")
            yield from enumerate(text.split("\n"), start=1)

    def rows(self, path: str) -> Iterator[tuple[int, str]]:
        """The lines of a .data or .cfg file as darknet takes them: without any space, and without comments."""
        for number, line in self.lines(path):
            row = "".join(line.split())
            if row and row[0] not in "#;":
                yield number, row

    def data_line(self, key: str) -> tuple[int, str] | None:
        """Where the .data file gives an option, and its value."""
        return _find_option(self.rows(self.run.data), key)

    def cfg_line(self, layer: Layer, key: str) -> tuple[int, str] | None:
        """Where a section of the cfg gives an option, and its value."""
        inside = (row for row in self.rows(self.run.cfg) if row[0] > layer.line)
        own = []
        for number, row in inside:
            if row.startswith("["):
                break
            own.append((number, row))
        return _find_option(iter(own), key)

    def layers(self) -> tuple[Layer, ...]:
        """The sections of the cfg as it is now, [net] the first of them."""
        network = parse_cfg("\n".join(line for _, line in self.lines(self.run.cfg)), self.run.cfg)
        return network.net, *network.layers


def _find(files: _Files, diagnosis: Diagnosis) -> str:
    if diagnosis.ending in _BY_ENDING:
        return _in_net(files, _BY_ENDING[diagnosis.ending])
    if diagnosis.ending not in {Ending.TREE, Ending.DATA, Ending.CANNOT_WRITE}:
        return ""
    complaint = diagnosis.complaint
    if complaint is None:
        # The one thing that can be wrong with a tree and that darknet has no word for.
        return _in_data(files, "train") if diagnosis.ending is Ending.TREE else ""
    look = _BY_CAUSE.get(complaint.cause)
    return look(files, complaint) if look else ""


def _find_option(rows: Iterator[tuple[int, str]], key: str) -> tuple[int, str] | None:
    for number, row in rows:
        name, equals, value = row.partition("=")
        if name == key and equals and value:
            return number, value
    return None


def _in_data(files: _Files, key: str) -> str:
    found = files.data_line(key)
    return f"{files.run.data}, line {found[0]}: {key} = {found[1]}" if found else ""


def _in_net(files: _Files, key: str) -> str:
    found = files.cfg_line(files.layers()[0], key)
    return f"{files.run.cfg}, line {found[0]}: {key}={found[1]}" if found else ""


def _in_list(files: _Files, path: str) -> str:
    """Where a list names an image, or the image that a label is of."""
    for _, name in filter(None, map(files.data_line, _LISTS)):
        for number, line in files.lines(name):
            image = line.strip(" \t\r\ufeff")
            if image and (_is_same(image, path) or _is_same(label_of(image, files.run.flavour), path)):
                return f"{name}, line {number}"
    return ""


def _is_same(one: str, other: str) -> bool:
    return PurePosixPath(one) == PurePosixPath(other)


# Where to look, by what darknet complained of.


def _place_of_file(files: _Files, complaint: Complaint) -> str:
    path = complaint.path
    for key in ("train", "valid", "names"):
        found = files.data_line(key)
        if found and _is_same(found[1], path):
            return _in_data(files, key)
    if path.endswith((".weights", ".backup")):
        found = files.data_line("backup")
        if found and _is_same(found[1], str(PurePosixPath(path).parent)):
            there = (files.run.tree / found[1]).is_dir()
            return _in_data(files, "backup") + ("" if there else ", a folder that does not exist")
        return ""
    return _in_list(files, path)


def _place_of_image(files: _Files, complaint: Complaint) -> str:
    return _in_list(files, complaint.path) if complaint.path else ""


def _place_of_label(files: _Files, complaint: Complaint) -> str:
    """The first line of a label file that is none: CLASS X Y WIDTH HEIGHT, the class one of those that there are."""
    if not complaint.path:
        return ""
    classes = min(
        (
            layer.integer("classes", DEFAULT_CLASSES)
            for layer in files.layers()
            if layer.kind in NUMBERS_BESIDE_CLASSES
        ),
        default=1,
    )
    wrong = (
        number for number, line in files.lines(complaint.path) if line.strip() and not _is_box(line, classes)
    )
    number = next(wrong, None)
    return f"{complaint.path}, line {number}" if number else _in_list(files, complaint.path)


def _is_box(line: str, classes: int) -> bool:
    try:
        name, *numbers = (float(part) for part in line.split())
    except ValueError:
        return False
    in_picture = len(numbers) == 4 and all(0.0 <= number <= 1.0 for number in numbers)
    return in_picture and name.is_integer() and 0 <= name < classes


def _place_of_filters(files: _Files, _: Complaint) -> str:
    """The filters= before the first layer that detects and does not get what it needs; or else before the first."""
    layers = files.layers()
    pairs = [
        (before, layer)
        for before, layer in zip(layers, islice(layers, 1, None), strict=False)
        if layer.kind in NUMBERS_BESIDE_CLASSES and before.kind == "convolutional"
    ]
    wrong = (pair for pair in pairs if pair[0].integer("filters", 1) != needed_filters(pair[1]))
    for before, layer in islice(chain(wrong, pairs), 1):
        found = files.cfg_line(before, "filters")
        number, has = found or (before.line, "1")
        needed = needed_filters(layer)
        should = f": filters={has} should be {needed}" if has != str(needed) else ""
        return f"{files.run.cfg}, line {number}{should}"
    return ""


def _place_of_names(files: _Files, _: Complaint) -> str:
    return _in_data(files, "names")


def _place_of_list(files: _Files, _: Complaint) -> str:
    return _in_data(files, "train")


def _place_of_cfg_line(files: _Files, complaint: Complaint) -> str:
    """Darknet counts the lines, but does not say of which file: the .cfg and the .data are read alike."""
    match = _LINE_IN_MESSAGE.search(complaint.line)
    if match is None:
        return ""
    wanted = int(match[1]), "".join(match[2].split())
    at = next((path for path in (files.run.cfg, files.run.data) if wanted in files.rows(path)), None)
    return f"{at}, line {wanted[0]}" if at else ""


_BY_ENDING = {Ending.GPU_MEMORY: "width", Ending.DIVERGED: "learning_rate"}
"""The option of [net] that is to be lowered."""

_BY_CAUSE: dict[Cause, Callable[[_Files, Complaint], str]] = {
    Cause.NO_FILE: _place_of_file,
    Cause.NO_IMAGE: _place_of_image,
    Cause.NO_IMAGES: _place_of_list,
    Cause.NO_LABEL: _place_of_image,
    Cause.WRONG_LABEL: _place_of_label,
    Cause.FILTERS: _place_of_filters,
    Cause.NAMES: _place_of_names,
    Cause.CFG: _place_of_cfg_line,
}
