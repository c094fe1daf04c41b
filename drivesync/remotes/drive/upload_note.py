"""What an upload leaves behind for a process that goes on with it. PURE.

One line of JSON. It holds the address of an upload session, with which anybody may write to the file for a week.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class UploadNote:
    """How far an upload is.

    Attributes:
        path: of the file in the tree.
        size: in bytes.
        modified: the time that the file is to have, as Drive writes it.
        file_id: of the file that is made or updated.
        parent_id: of the folder that it is made in; empty for an update.
        uri: of the session; empty where there is none yet, or none any more.
        is_done: Drive has told that the file is complete.
    """

    path: str
    size: int
    modified: str
    file_id: str
    parent_id: str
    uri: str = field(default="", repr=False)
    is_done: bool = False

    def fits(self, path: str, size: int, modified: str, *, replaced_id: str, parent_id: str) -> bool:
        """Whether it is about the write that is asked for now.

        Args:
            path: of the file in the tree.
            size: in bytes.
            modified: as Drive writes it.
            replaced_id: of the file that is to be updated; empty for a new one.
            parent_id: of the folder that a new one is made in; empty for an update.
        """
        if (self.path, self.size, self.modified) != (path, size, modified):
            return False
        # What was made, and not heard of, is by now what is to be replaced.
        return self.file_id == replaced_id if replaced_id else self.parent_id == parent_id

    def to_text(self) -> str:
        """As ``parse_note`` reads it."""
        return json.dumps(asdict(self))


def parse_note(text: str) -> UploadNote | None:
    """What ``to_text`` wrote; None for anything else."""
    try:
        note = UploadNote(**json.loads(text))
    except (ValueError, TypeError, RecursionError):
        return None
    texts = (note.path, note.modified, note.file_id, note.parent_id, note.uri)
    is_whole = all(isinstance(value, str) for value in texts) and bool(note.file_id)
    return note if is_whole and type(note.size) is int and isinstance(note.is_done, bool) else None
