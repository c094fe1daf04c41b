"""What is asked of a machine and a remote is asked aside, and what hangs keeps nobody waiting."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, cast

import pytest

from drivesync.config import Settings
from drivesync.errors import TransientError
from drivesync.files import Room
from drivesync.remotes.folder.remote import FolderRemote
from trainer import gauges as module
from trainer.gauges import NO_READING, Gauges
from trainer.machine.gpu_use import GpuUse
from trainer.status import GpuNote

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.remotes.base import Remote

GPU = GpuUse("Tesla T4", 5, 16, 97.0)


class Rooms:
    """The part of a remote that is asked here."""

    def __init__(self, room: Callable[[], Room | None]) -> None:
        self.room = room


def remote(room: Callable[[], Room | None]) -> Remote:
    return cast("Remote", Rooms(room))


def wait_for(condition: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < give_up_s
        time.sleep(0.005)


def test_all_of_it_is_told(tmp_path: Path) -> None:
    with Gauges(tmp_path / "backup", remote(lambda: Room(100, 40)), lambda: (GPU,)) as gauges:
        wait_for(lambda: None not in {gauges.reading.disk_free_bytes, gauges.reading.remote_free_bytes})
        assert gauges.reading.gpus == (GpuNote("Tesla T4", 5, 16, 97.0),)
        assert gauges.reading.remote_free_bytes == 60
        assert (gauges.reading.disk_free_bytes or 0) > 0
    assert not [thread for thread in threading.enumerate() if thread.name in {"gauges", "room"}]


def test_a_real_remote_and_this_machine(tmp_path: Path) -> None:
    with FolderRemote(str(tmp_path), Settings()) as folder, Gauges(tmp_path, folder) as gauges:
        wait_for(lambda: gauges.reading.remote_free_bytes is not None)
        wait_for(lambda: gauges.reading.disk_free_bytes is not None)


def test_what_hangs_keeps_neither_the_others_nor_the_end_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_JOIN_S", 0.01)
    released = threading.Event()

    def hang() -> Room | None:
        released.wait()
        return None

    with Gauges(tmp_path, remote(hang), lambda: (GPU,)) as gauges:
        wait_for(lambda: gauges.reading.disk_free_bytes is not None)
        assert gauges.reading.remote_free_bytes is None
    released.set()


def test_a_remote_that_cannot_be_reached_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ROOM_EVERY_S", 0.0)
    answers: list[Exception] = [TransientError("503"), RuntimeError("closed")]

    def answer() -> Room | None:
        if answers:
            raise answers.pop()
        return Room(10, 3)

    with Gauges(tmp_path, remote(answer), tuple) as gauges:
        wait_for(lambda: gauges.reading.remote_free_bytes == 7)


@pytest.mark.parametrize("room", [None, Room(None, 5)])
def test_a_remote_of_which_nobody_can_tell(room: Room | None, tmp_path: Path) -> None:
    asked = threading.Event()

    def answer() -> Room | None:
        asked.set()
        return room

    with Gauges(tmp_path, remote(answer), tuple) as gauges:
        assert asked.wait(10.0)
        assert gauges.reading.remote_free_bytes is None


def test_before_it_is_entered_nothing_is_known(tmp_path: Path) -> None:
    assert Gauges(tmp_path, None).reading == NO_READING
