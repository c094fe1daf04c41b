"""Files get their names in groups, each of them soon enough."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, cast

import pytest

from drivesync.pulling import commits
from drivesync.pulling.commits import Commits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drivesync.pulling.fetch import Ready


def ready(number: int) -> Ready:
    """What it is makes no difference here."""
    return cast("Ready", number)


def _flush(_group: Sequence[Ready]) -> None:
    """That, too, makes no difference here."""


@pytest.fixture
def done() -> list[Ready]:
    return []


def test_all_that_was_added_has_been_seen_to_when_it_is_closed(done: list[Ready]) -> None:
    groups: list[Sequence[Ready]] = []
    running = Commits(groups.append, done.append)
    for number in range(1000):
        running.add(ready(number))
    running.close()
    assert done == [ready(number) for number in range(1000)]
    assert [one for group in groups for one in group] == done


def test_with_nothing_there_is_no_thread(done: list[Ready]) -> None:
    Commits(_flush, done.append).close()
    assert not any(thread.name == "commit" for thread in threading.enumerate())


def test_when_there_is_no_room_for_more_company_it_is_not_waited_for(
    done: list[Ready], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "_GATHER_S", 60)
    running = Commits(_flush, done.append)
    for number in range(1000):
        running.add(ready(number))
    running.close()
    assert len(done) == 1000


def test_company_is_waited_for_unless_there_will_be_none(
    done: list[Ready], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "_GATHER_S", 60)
    came = threading.Event()

    def commit(one: Ready) -> None:
        done.append(one)
        came.set()

    running = Commits(_flush, commit)
    running.add(ready(1))
    running.add(ready(2))
    assert not came.wait(0.05)
    began_s = time.monotonic()
    running.hurry()
    running.close()
    assert done == [ready(1), ready(2)]
    assert time.monotonic() - began_s < 30


def test_who_adds_more_than_the_disk_takes_is_held_up(
    done: list[Ready], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "_GATHER_S", 0)
    goes_on = threading.Event()

    def commit(one: Ready) -> None:
        goes_on.wait(60)
        done.append(one)

    running = Commits(_flush, commit)
    added = []

    def add_many() -> None:
        for number in range(1000):
            running.add(ready(number))
            added.append(number)

    adding = threading.Thread(target=add_many)
    adding.start()
    adding.join(0.2)
    assert adding.is_alive()
    # Those that wait, and those of the group that is being seen to.
    assert len(added) <= 2 * commits._MOST + 1
    goes_on.set()
    adding.join()
    running.close()
    assert done == [ready(number) for number in range(1000)]
