"""Whether a checkpoint may take the place of what the remote has under its name: never backwards. Pure.

A push records with each file how far the training in it is: in iterations, as people count, and in a measure by which
any two can be compared, for an iteration is as long as the user's settings make it. A record counts only for the
content that it was made with: who uploads another by hand into the same file leaves the record as it was, and a file
that was damaged on its way bears one too. What nobody recorded has to be looked into before it is replaced.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivesync.files import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivesync.files import RemoteFile

PROPERTY_BYTES = 124
"""Of one property, name and value together (https://developers.google.com/workspace/drive/api/guides/properties)."""
_NOT_KNOWN = "none"


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a checkpoint is.

    Attributes:
        iteration: None where nobody knows it.
        score: higher is better; None where nobody knows it.
        epoch: of the lease under which it was pushed; None if it was under none, or by hand.
        progress: as in ``Verdict``; None where nobody knows it.
    """

    iteration: int | None = None
    score: float | None = None
    epoch: int | None = None
    progress: int | None = None


UNKNOWN = Standing()


def make_record(standing: Standing, *, md5: str, sha256: str, **more: str) -> dict[str, str]:
    """The properties that go onto the remote with a content; ``more`` is for people, and for other tools.

    Each is always there: a property that is left out would stay as an earlier push had it. Those that are not known,
    or longer than Drive takes, say ``none``. One checksum is enough to know the content by. The progress names it, too:
    a push by an earlier version, which does not know it, leaves that of the content before.
    """
    record = {
        "iteration": "" if standing.iteration is None else str(standing.iteration),
        "progress": "" if standing.progress is None else f"{standing.progress}@{md5 or sha256}",
        "score": "" if standing.score is None else repr(standing.score),
        "epoch": "" if standing.epoch is None else str(standing.epoch),
        "md5": md5,
        "sha256": sha256,
        **more,
    }
    return {name: value if value and _fits(name, value) else _NOT_KNOWN for name, value in record.items()}


def read_record(there: RemoteFile) -> Standing | None:
    """What was recorded with the content that ``there`` has; None if nothing was."""
    said = there.properties
    if not is_content(there, md5=_checksum(said, "md5"), sha256=_checksum(said, "sha256")):
        return None
    return Standing(_whole(said, "iteration"), _score(said), _whole(said, "epoch"), _progress(said))


def tells_enough(theirs: Standing | None, ours: Standing) -> bool:
    """Whether a record tells all that it takes to compare; else the content has to be looked into."""
    if theirs is None:
        return False
    return theirs.iteration is None or theirs.progress is not None or ours.progress is None


def is_content(there: RemoteFile, *, md5: str, sha256: str) -> bool:
    """Whether ``there`` has the content with these checksums; an empty one is not known, but one has to be."""
    pairs = [(ours, theirs) for ours, theirs in ((md5, there.md5), (sha256, there.sha256)) if ours and theirs]
    return bool(pairs) and all(ours == theirs for ours, theirs in pairs)


def refuse_to_replace(role: Role, ours: Standing, theirs: Standing, *, straggler: bool = False) -> str:
    """Say why ``ours`` must not take the place of ``theirs``; empty if it may.

    The best is chosen by its score alone, wherever the training was when it had it. All others, and the best where
    the remote's score is not known, must not go back in progress; nor in iterations, where the progress of one of them
    is not known. What is known of neither is not worse than the other; a content of unknown iteration that was looked
    into is no whole checkpoint, and may always go.

    Args:
        role: of the file.
        ours: of what is to be pushed.
        theirs: of what the remote has.
        straggler: ``theirs`` landed after ours had been pushed under a newer lease: its session has lost the run, and
            what it has trained since leads nowhere.

    Returns:
        A clause, such as "the remote holds iteration 300, and this is iteration 200".
    """
    if role is Role.BEST and theirs.score is not None:
        return _refuse_score(ours, theirs, theirs.score)
    is_overtaken = theirs.epoch is not None and ours.epoch is not None and theirs.epoch < ours.epoch
    if theirs.iteration is None or (straggler and is_overtaken):
        return ""
    if ours.iteration is None:
        return f"the remote holds iteration {theirs.iteration}, and nobody knows which this is"
    if not _is_behind(ours, theirs):
        return ""
    if ours.iteration < theirs.iteration:
        return f"the remote holds iteration {theirs.iteration}, and this is iteration {ours.iteration}"
    return (
        f"the remote holds one that was trained for longer, iteration {theirs.iteration} by its own count, and this is "
        f"iteration {ours.iteration}"
    )


def _is_behind(ours: Standing, theirs: Standing) -> bool:
    if ours.progress is not None and theirs.progress is not None:
        return ours.progress < theirs.progress
    return (ours.iteration or 0) < (theirs.iteration or 0)


def _refuse_score(ours: Standing, theirs: Standing, score: float) -> str:
    if ours.score is None or not math.isfinite(ours.score):
        return f"the remote holds one with a score of {score:g}, and nobody knows the score of this one"
    if ours.score < score:
        return f"the remote holds one with a score of {score:g}, and this one has {ours.score:g}"
    if ours.score > score:
        return ""
    return "the remote's is as good, and further" if _is_behind(ours, theirs) else ""


def _fits(name: str, value: str) -> bool:
    return len(name.encode()) + len(value.encode(errors="replace")) <= PROPERTY_BYTES


def _checksum(said: Mapping[str, str], name: str) -> str:
    text = said.get(name, "")
    return "" if text == _NOT_KNOWN else text


def _progress(said: Mapping[str, str]) -> int | None:
    number, _, content = said.get("progress", "").partition("@")
    is_its_own = content and content in {_checksum(said, "md5"), _checksum(said, "sha256")}
    return _parse_whole(number) if is_its_own else None


def _whole(said: Mapping[str, str], name: str) -> int | None:
    return _parse_whole(said.get(name, ""))


def _parse_whole(text: str) -> int | None:
    # Longer ones are nobody's iterations, and beyond 4,300 digits Python refuses to read them.
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _score(said: Mapping[str, str]) -> float | None:
    try:
        score = float(said.get("score", ""))
    except ValueError:
        return None
    return score if math.isfinite(score) else None
