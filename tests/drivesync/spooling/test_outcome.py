"""What becomes of a file that was to be taken, by what its judge said."""

from __future__ import annotations

import pytest

from drivesync.files import Role, Verdict
from drivesync.spooling.entries import Entry
from drivesync.spooling.outcome import Refused, tell_outcome
from drivesync.spooling.snapshot import Judged, Seen

SEEN = Seen(size=20, mtime_ns=7, inode=3)
LAST = Verdict(accepted=True, iteration=300, run="run", role=Role.LAST, score=0.5, progress=19_200)


@pytest.mark.parametrize(
    ("judged", "outcome"),
    [
        pytest.param(None, Refused("a", "it is being written to", moved=True), id="it moved"),
        pytest.param(
            Judged(SEEN, Verdict(accepted=False, reason="it is torn")), Refused("a", "it is torn"), id="torn"
        ),
        pytest.param(
            Judged(SEEN, LAST),
            Entry(4, "a", 20, 7, iteration=300, run="run", role=Role.LAST, score=0.5, progress=19_200),
            id="a checkpoint",
        ),
        pytest.param(Judged(SEEN, Verdict(accepted=True)), Entry(4, "a", 20, 7), id="any other file"),
    ],
)
def test_an_outcome(judged: Judged | None, outcome: Entry | Refused) -> None:
    assert tell_outcome(4, "a", judged) == outcome
