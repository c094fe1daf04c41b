"""Ids are asked for in good time, many at once, and used once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import TransientError
from drivesync.remotes.drive.client import DriveClient
from drivesync.testing import Delay, ErrorAnswer, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivesync.config import Settings
    from tests.drivesync.remotes.conftest import Drive


@pytest.fixture
def client(settings: Settings) -> Iterator[DriveClient]:
    opened = DriveClient(settings, lambda _line: None, first_wait_s=settings.retry_wait_s)
    opened.open()
    yield opened
    opened.close()


def test_a_hundred_for_one_request(client: DriveClient, drive: Drive) -> None:
    taken = {client.ids.take() for _ in range(100)}
    assert (len(taken), drive.requests("files.generateIds")) == (100, 1)
    assert client.ids.take() not in taken
    assert drive.requests("files.generateIds") == 2


def test_many_threads_ask_once_and_no_two_get_the_same(client: DriveClient, drive: Drive) -> None:
    drive.emulator.inject(Fault(Delay(0.1), "files.generateIds"))
    with ThreadPoolExecutor(16) as pool:
        taken = list(pool.map(lambda _: client.ids.take(), range(64)))
    assert len(set(taken)) == 64
    assert drive.requests("files.generateIds") == 1


def test_a_client_that_is_opened_again_asks_anew(client: DriveClient, drive: Drive) -> None:
    client.ids.take()
    client.close()
    client.open()
    client.ids.take()
    assert drive.requests("files.generateIds") == 2


def test_where_there_are_none_the_next_one_asks_again(client: DriveClient, drive: Drive) -> None:
    drive.emulator.inject(Fault(ErrorAnswer(503), "files.generateIds", times=5))
    with pytest.raises(TransientError):
        client.ids.take()
    assert client.ids.take()
