"""A run's whole life, over sessions and machines: ``TREE/.trainer/attempts.jsonl``, one line for each attempt.

    {"run":"backup/remote","session":1790000000.0,"host":"4f2a...","facts":{"batch":64,...},"end":{...},
     "ending":"GPU_MEMORY","reason":"the GPU is out of memory: ...","decided":"restart",...}

The file goes to the remote with the metrics and comes back with a pull, so that the next session on another machine
goes on with it. A line is never changed; what is torn, or written by nobody known, is passed over by readers, and so
is a field that only a later version knows.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from drivesync.disk import append_line, local_errors
from trainer.darknet.output import Cause, Complaint
from trainer.deciding.endings import AttemptEnd, Changes
from trainer.learning.facts import CfgFacts
from trainer.learning.typed import READERS, or_none, read_text, read_value

if TYPE_CHECKING:
    from pathlib import Path

    from trainer.learning.typed import Readers

ATTEMPTS_FILE = ".trainer/attempts.jsonl"
"""In a tree."""

_READ_BYTES = 8 << 20
"""So much of the end of the file is read: thousands of attempts."""
_TEXT_CHARACTERS = 4000
"""Longer texts, darknet's longest lines say, are cut off."""


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
            records.append(read_value(AttemptRecord, json.loads(line), _READERS))
    return records


def to_end(record: AttemptRecord) -> AttemptEnd:
    """The attempt's end as policy wants it of an earlier session."""
    return replace(record.end, earlier_session=True)


def _read_cause(said: object) -> Cause:
    cause = Cause.__members__.get(read_text(said))
    if cause is None:
        raise ValueError(said)
    return cause


_READERS: Readers = {
    **READERS,
    "Cause": _read_cause,
    "Complaint | None": or_none(lambda said: read_value(Complaint, said, _READERS)),
    "Changes": lambda said: read_value(Changes, said, _READERS),
    "CfgFacts": lambda said: read_value(CfgFacts, said, _READERS),
    "AttemptEnd": lambda said: read_value(AttemptEnd, said, _READERS),
}
"""By a field's annotation."""
