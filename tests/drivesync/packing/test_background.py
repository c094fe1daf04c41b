"""Packing beside a training."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from drivesync.files import LocalFile
from drivesync.index import Index
from drivesync.packing.background import has_many, pack_in_background
from drivesync.packing.plan import DEFAULT_LIMITS
from drivesync.pulling.manifest import MANIFEST
from drivesync.remotes.drive.remote import DriveRemote
from drivesync.testing import Delay, ErrorAnswer, Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.config import Settings
    from tests.drivesync.packing.conftest import Site

SOON_S = 20.0


@pytest.mark.parametrize(
    ("files", "size", "many"),
    [
        pytest.param(501, 1000, True, id="many"),
        pytest.param(500, 1000, False, id="not so many"),
        pytest.param(501, (1 << 20) + 1, False, id="many large ones"),
    ],
)
def test_when_packs_are_worth_while(tmp_path: Path, files: int, size: int, *, many: bool) -> None:
    assert not has_many(tmp_path)
    with Index(tmp_path) as index:
        index.record(*(LocalFile(f"data/{number}", size, 1) for number in range(files)))
    assert has_many(tmp_path) is many


def test_few_files_are_not_packed_by_themselves(site: Site, open_remote: Callable[[], DriveRemote]) -> None:
    with pack_in_background(open_remote, site.tree, site.notes, cpu_share=10.0) as start:
        start()
        wait_until(lambda: not packing_threads())
    assert site.names() == []
    assert site.notes.lines == []


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
    with pack_in_background(
        open_remote, site.tree, site.notes, limits=DEFAULT_LIMITS, cpu_share=10.0
    ) as start:
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
    with pack_in_background(
        open_remote, site.tree, site.notes, limits=DEFAULT_LIMITS, cpu_share=10.0
    ) as start:
        start()
        wait_until(lambda: not packing_threads())
    assert site.notes.lines == []


def test_it_ends_promptly_whatever_it_does(site: Site, open_remote: Callable[[], DriveRemote]) -> None:
    site.drive.inject(Fault(Delay(SOON_S), call="upload.*", times=None))
    with pack_in_background(
        open_remote, site.tree, site.notes, limits=DEFAULT_LIMITS, cpu_share=10.0
    ) as start:
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
    with pack_in_background(
        open_remote, site.tree, site.notes, limits=DEFAULT_LIMITS, cpu_share=10.0
    ) as start:
        start()
        wait_until(lambda: not packing_threads())
    (line,) = site.notes.lines
    assert line.startswith("the data set is not packed: ")
