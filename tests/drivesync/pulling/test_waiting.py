from __future__ import annotations

from typing import TYPE_CHECKING

from drivesync.files import RemoteFile
from drivesync.pulling import waiting as module
from drivesync.pulling.fetch import Wanted
from drivesync.pulling.waiting import Waiting

if TYPE_CHECKING:
    import pytest


def wanted(path: str, size: int = 10) -> Wanted:
    return Wanted(RemoteFile(path, path, size, "", 0.0), None)


def take_all(waiting: Waiting, *, large: bool) -> list[str]:
    paths = []
    while waiting.large if large else waiting.small:
        paths.append(waiting.next_file(large=large).file.path)
    return paths


def test_the_urgent_and_then_the_large_come_first() -> None:
    waiting = Waiting()
    for one in (wanted("data/1.png"), wanted("data/2.png", 20), wanted("cfg/remote.cfg", 1)):
        waiting.add(one, large=False)
    assert not waiting.large
    assert take_all(waiting, large=False) == ["cfg/remote.cfg", "data/2.png", "data/1.png"]


def test_of_two_that_are_alike_the_first_comes_first() -> None:
    waiting, first, second = Waiting(), wanted("data/1.png"), wanted("data/1.png")
    waiting.add(first, large=True)
    waiting.add(second, large=True)
    assert waiting.next_file(large=True) is first
    assert waiting.next_file(large=True) is second


def test_ranges_wait_for_themselves() -> None:
    waiting, ran = Waiting(), list[str]()
    for path in ("data/1.bin", "cfg/1.bin"):
        waiting.add_range(wanted(path).file, lambda path=path: ran.append(path))  # type: ignore[misc]
    waiting.add(wanted("data/2.bin"), large=True)
    waiting.drop_files()
    assert not waiting.large
    while waiting.ranges:
        waiting.next_range()()
    assert ran == ["cfg/1.bin", "data/1.bin"]


def test_both_kinds_of_files_fill_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 2)
    waiting = Waiting()
    waiting.add(wanted("a"), large=False)
    assert not waiting.is_full
    waiting.add(wanted("b"), large=True)
    assert waiting.is_full
