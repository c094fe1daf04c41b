"""PURE: a darknet .data file as darknet reads it.

darknet deletes every space and tab of a line, also those inside of a path, takes ``#`` and ``;`` at its start for
comments, uses the first of two options of one name and passes over lines that are none (source: its parser).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from trainer.errors import TreeError


@dataclass(frozen=True, slots=True)
class DataFile:
    """A parsed .data; paths are as darknet will use them, against its working directory.

    Attributes:
        classes: how many there are.
        train: the list of training images.
        valid: the list of images for mAP.
        names: the classes' names, one a line.
        backup: the directory for weights files; ``/backup/`` where the file does not say.
        savelast: iterations between two ``_last`` files; None where the file does not say. Only AlexeyAB's reads it,
            and never writes ``_last`` if it is not below ``saveweights``.
        saveweights: iterations between two numbered files, likewise.
    """

    classes: int
    train: str
    valid: str
    names: str
    backup: str = "/backup/"
    savelast: int | None = None
    saveweights: int | None = None


def parse_data(text: str, source: str = "data") -> DataFile:
    """Read a .data file; darknet's own defaults stand in for what it does not say.

    Carriage returns are let pass here; the original darknet does not let them pass.

    Args:
        text: of the file.
        source: its name, for messages.

    Raises:
        TreeError: darknet would not read it as it was meant; the message names file and line.
    """
    if text.startswith("\ufeff"):
        raise TreeError(f"{source}: begins with a byte order mark, which makes darknet lose the first option")
    options: dict[str, tuple[int, str]] = {}
    for number, raw in enumerate(text.split("\n"), start=1):
        row = "".join(raw.split())
        if not row or row[0] in "#;":
            continue
        key, equals, value = row.partition("=")
        if equals and value:
            options.setdefault(key, (number, value))

    def string(key: str, default: str) -> str:
        return options[key][1] if key in options else default

    def whole(key: str) -> int | None:
        if key not in options:
            return None
        number, value = options[key]
        if not re.fullmatch("0*[1-9][0-9]{0,8}", value):
            raise TreeError(f"{source}:{number}: {key}={value} is no number above 0")
        return int(value)

    return DataFile(
        classes=whole("classes") or 20,
        train=string("train", "data/train.list"),
        valid=string("valid", "data/train.txt"),
        names=string("names", "data/names.list"),
        backup=string("backup", "/backup/"),
        savelast=whole("savelast"),
        saveweights=whole("saveweights"),
    )
