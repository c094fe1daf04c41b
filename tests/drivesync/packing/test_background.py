"""Packing beside a training."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from drivesync.config import TreeSettings
from drivesync.files import Room
from drivesync.packing.background import pack_in_background, should_pack
from drivesync.pulling.manifest import MANIFEST
from drivesync.remotes.drive.remote import DriveRemote
from drivesync.testing import Delay, ErrorAnswer, Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivesync.config import Settings
    from tests.drivesync.packing.conftest import Site

AUTO, FREE = TreeSettings(), Room(limit=1000, used=0)
SOON_S = 20.0


@pytest.mark.parametrize(
    ("settings", "room", "came_singly", "packs"),
    [
        pytest.param(AUTO, FREE, 501, True, id="many files came one by one"),
        pytest.param(AUTO, FREE, 500, False, id="not so many"),
        pytest.param(AUTO, None, 501, True, id="nobody can tell what fits"),
        pytest.param(AUTO, Room(limit=None, used=7), 501, True, id="there is no limit"),
        pytest.param(AUTO, Room(limit=1000, used=401), 501, False, id="less than twice fits"),
        pytest.param(AUTO, Room(limit=1000, used=400), 501, True, id="twice fits"),
        pytest.param(TreeSettings(packs="manual"), FREE, 501, False, id="only by a command"),
        pytest.param(TreeSettings(packs="off"), FREE, 501, False, id="never"),
    ],
)
def test_when_packs_are_made(
    settings: TreeSettings, room: Room | None, came_singly: int, *, packs: bool
) -> None:
    assert should_pack(settings, room, came_singly=came_singly, size_bytes=300) == packs


@pytest.fixture
def open_remote(settings: Settings) -> Callable[[], DriveRemote]:
    return lambda: DriveRemote("darknet", settings, first_wait_s=0.001)


def wait_until(condition: Callable[[], bool]) -> None:
    until_s = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < until_s
        time.sleep(0.01)


def packing_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "pack"]


def test_it_packs_when_it_is_told_to(site: Site, open_remote: Callable[[], DriveRemote]) -> None:
    pulled_bytes = site.notes.size_bytes
    with pack_in_background(open_remote, site.tree, site.notes, cpu_share=10.0) as start:
        assert packing_threads() == []
        assert site.names() == []
        start()
        start()
        wait_until(lambda: not packing_threads())
    site.assert_tidy()
    (line,) = site.notes.lines
    assert line.startswith("packing 122 small files")
    assert 'packs = "off"' in line
    assert site.notes.size_bytes == pulled_bytes, "of progress nothing is told"


def test_packed_again_it_says_nothing(site: Site, open_remote: Callable[[], DriveRemote]) -> None:
    site.pack()
    with pack_in_background(open_remote, site.tree, site.notes, cpu_share=10.0) as start:
        start()
        wait_until(lambda: not packing_threads())
    assert site.notes.lines == []


def test_it_ends_promptly_whatever_it_does(site: Site, open_remote: Callable[[], DriveRemote]) -> None:
    site.drive.inject(Fault(Delay(SOON_S), call="upload.*", times=None))
    with pack_in_background(open_remote, site.tree, site.notes, cpu_share=10.0) as start:
        start()
        wait_until(lambda: bool(site.notes.lines))
        began_s = time.monotonic()
    assert time.monotonic() - began_s < SOON_S / 4
    assert packing_threads() == []
    assert len(site.notes.lines) == 1, "a stop is no failure"
    site.drive.reset()
    assert MANIFEST not in site.drive.read_tree("darknet")
    site.pull_anew()


def test_never_started_it_does_nothing(site: Site, open_remote: Callable[[], DriveRemote]) -> None:
    with pack_in_background(open_remote, site.tree, site.notes):
        pass
    assert (site.names(), site.notes.lines) == ([], [])


def test_what_keeps_it_from_packing_is_told(site: Site, open_remote: Callable[[], DriveRemote]) -> None:
    site.drive.inject(Fault(ErrorAnswer(status=403, reason="insufficientPermissions"), times=None))
    with pack_in_background(open_remote, site.tree, site.notes, cpu_share=10.0) as start:
        start()
        wait_until(lambda: not packing_threads())
    (line,) = site.notes.lines
    assert line.startswith("the data set is not packed: ")
