"""That room gets short is told once, and never waited for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import RemoteError
from drivesync.files import Room
from drivesync.pushing.headroom import Headroom
from tests.drivesync.conftest import Scripted

if TYPE_CHECKING:
    from tests.drivesync.conftest import Notes

SIZE = 100


class Roomy(Scripted):
    """Tells of the room that it is told to have."""

    told: Room | Exception | None = None
    asked = 0

    def room(self) -> Room | None:
        self.asked += 1
        if isinstance(self.told, Exception):
            raise self.told
        return self.told


@pytest.mark.parametrize(
    ("room", "warned"),
    [
        pytest.param(Room(1000, 500), False, id="just five fit"),
        pytest.param(Room(1000, 501), True, id="fewer"),
        pytest.param(Room(1000, 2000), True, id="none"),
        pytest.param(Room(None, 2000), False, id="there is no limit"),
        pytest.param(None, False, id="nobody can tell"),
        pytest.param(RemoteError("no"), False, id="it does not answer"),
    ],
)
def test_it_warns_where_fewer_than_five_fit(
    notes: Notes, room: Room | Exception | None, *, warned: bool
) -> None:
    remote = Roomy()
    remote.told = room
    Headroom(remote, notes, lambda: 0.0).look(SIZE)
    assert len(notes.lines) == warned


def test_it_says_how_many_fit_and_what_is_trash(notes: Notes) -> None:
    remote = Roomy()
    remote.told = Room(10_000, 9_750, trashed=3000)
    Headroom(remote, notes, lambda: 0.0).look(SIZE)
    (line,) = notes.lines
    assert line.startswith("room is short on scripted: 250 bytes are free, 3.0 kB of the rest are trash; ")
    assert line.endswith("; 2 more checkpoint(s) of 100 bytes fit")


def test_it_warns_again_only_after_there_was_room(notes: Notes) -> None:
    remote = Roomy()
    headroom = Headroom(remote, notes, lambda: 0.0)
    told = []
    for used in (900, 950, 0, 900):
        remote.told = Room(1000, used)
        headroom.look(SIZE)
        told.append(len(notes.lines))
    assert told == [1, 1, 1, 2]


def test_it_is_looked_at_once_a_minute(notes: Notes) -> None:
    remote = Roomy()
    now_s = [0.0]
    headroom = Headroom(remote, notes, lambda: now_s[0])
    asked = []
    with ThreadPoolExecutor(1) as aside:
        for now_s[0] in (0.0, 59.0, 60.0, 61.0, 121.0):
            headroom.begin_to_look(SIZE, aside)
    asked.append(remote.asked)
    assert asked == [3]
