"""A run's whole life, over sessions and machines: ``TREE/.trainer/attempts.jsonl``, one line for each attempt.

    {"run":"backup/remote","session":1790000000.0,"host":"4f2a...","facts":{"batch":64,...},"end":{...},
     "ending":"GPU_MEMORY","reason":"the GPU is out of memory: ...","decided":"restart",...}

The file goes to the remote with the metrics and comes back with a pull, so that the next session on another machine
goes on with it. A line is never changed; what is torn, or written by nobody known, is passed over by readers, and so
is a field that only a later version knows.
"""

from __future__ import annotations

import json
import math
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from drivesync.disk import append_line, local_errors
from trainer.darknet.output import Cause, Complaint
from trainer.deciding.endings import AttemptEnd, Changes
from trainer.learning.facts import CfgFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


ATTEMPTS_FILE = ".trainer/attempts.jsonl"
"""In a tree."""

_READ_BYTES = 8 << 20
"""So much of the end of the file is read: thousands of attempts."""
_TEXT_CHARACTERS = 4000
"""Longer texts, darknet's longest lines say, are cut off."""
_NUMBER_MAX = 1 << 53

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One attempt, as it is kept.

    Attributes:
        run: what was trained: the folder of its checkpoints, and the beginning of their names.
        session: which session it was of: when that began, in Unix time.
        host: the machine's name.
        facts: of the user's cfg, as it was then.
        end: what was seen of the attempt: when, from which iteration to which, with which changes.
        ending: the name of the ``Ending`` that it was taken for.
        reason: a clause that names the cause.
        decided: what followed: "finish", "restart", "stop" or "give up".
        checkpoint: the weights it began with, relative to the tree; empty for random ones.
        safe_iteration: the furthest that the remote held, verified, when it ended; None for none.
    """

    run: str
    session: float
    host: str
    facts: CfgFacts
    end: AttemptEnd
    ending: str
    reason: str
    decided: str
    checkpoint: str = ""
    safe_iteration: int | None = None


def append_attempt(tree: Path, record: AttemptRecord) -> None:
    """Write ``record`` down, durably; a last line that a crash has torn stays behind as a line of its own.

    Raises:
        LocalWriteError: the disk cannot take it; nothing is left of it.
    """
    path = tree / ATTEMPTS_FILE
    line = json.dumps(asdict(record, dict_factory=_to_json), separators=(",", ":"), allow_nan=False)
    with local_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    append_line(path, line.encode())


def _to_json(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: _to_json_value(value) for key, value in pairs}


def _to_json_value(value: object) -> object:
    if isinstance(value, Enum):
        return value.name
    return value[:_TEXT_CHARACTERS] if isinstance(value, str) else value


def read_attempts(tree: Path) -> list[AttemptRecord]:
    """All attempts that are known, of all runs, in the order in which they were written.

    A file that cannot be read holds none. Of one of many megabytes only the end is read.
    """
    try:
        with (tree / ATTEMPTS_FILE).open("rb") as file:
            begin = max(0, file.seek(0, os.SEEK_END) - _READ_BYTES)
            file.seek(begin)
            lines = file.read(_READ_BYTES).split(b"\n")
    except OSError:
        return []
    records = []
    for line in lines[1:] if begin else lines:
        with suppress(ValueError, TypeError, RecursionError):
            records.append(_read_value(AttemptRecord, json.loads(line)))
    return records


def to_end(record: AttemptRecord) -> AttemptEnd:
    """The attempt's end as policy wants it of an earlier session."""
    return replace(record.end, earlier_session=True)


# From JSON, which may say anything.


def _read_value(kind: Callable[..., _Value], said: object) -> _Value:
    """A value of a dataclass; raises ValueError or TypeError where ``said`` is none."""
    if not isinstance(said, dict):
        raise TypeError(said)
    known = {field.name: str(field.type) for field in fields(kind)}  # type: ignore[arg-type]  # a dataclass, as all of ours
    return kind(**{name: _READERS[known[name]](value) for name, value in said.items() if name in known})


def _read_text(said: object) -> str:
    if isinstance(said, str):
        return said
    raise TypeError(said)


def _read_integer(said: object) -> int:
    if isinstance(said, int) and not isinstance(said, bool) and abs(said) < _NUMBER_MAX:
        return said
    raise TypeError(said)


def _read_number(said: object) -> float:
    if isinstance(said, float) and math.isfinite(said):
        return said
    return float(_read_integer(said))


def _read_answer(said: object) -> bool:
    if isinstance(said, bool):
        return said
    raise TypeError(said)


def _read_cause(said: object) -> Cause:
    cause = Cause.__members__.get(_read_text(said))
    if cause is None:
        raise ValueError(said)
    return cause


def _or_none(read: Callable[[object], _Value]) -> Callable[[object], _Value | None]:
    return lambda said: None if said is None else read(said)


_READERS: Mapping[str, Callable[[object], object]] = {
    "str": _read_text,
    "int": _read_integer,
    "float": _read_number,
    "bool": _read_answer,
    "int | None": _or_none(_read_integer),
    "float | None": _or_none(_read_number),
    "Cause": _read_cause,
    "Complaint | None": _or_none(lambda said: _read_value(Complaint, said)),
    "Changes": lambda said: _read_value(Changes, said),
    "CfgFacts": lambda said: _read_value(CfgFacts, said),
    "AttemptEnd": lambda said: _read_value(AttemptEnd, said),
}
"""By a field's annotation."""
