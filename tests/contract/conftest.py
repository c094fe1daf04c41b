"""The remotes that have to keep the same promises. A new one joins by one more parameter."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

import pytest

from drivesync.config import Settings
from drivesync.errors import NotAllowedError
from drivesync.remotes import open_remote
from drivesync.remotes.auth import find_credentials
from drivesync.testing import TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from drivesync.remotes.base import Remote
    from drivesync.testing import DriveEmulator

    Open = Callable[[], Remote]


def _wants_live(config: pytest.Config) -> bool:
    return "live" in str(config.getoption("-m"))


@pytest.fixture(
    params=[
        pytest.param("emulator", id="Drive emulator"),
        pytest.param("account", id="Google account", marks=pytest.mark.live),
    ]
)
def open_place(request: pytest.FixtureRequest) -> Open:
    """Opens, each time anew, one remote folder that nobody else uses and that is not there yet; enter it."""
    name = f"drivesync contract/{uuid.uuid4()}"
    if request.param == "emulator":
        drive: DriveEmulator = request.getfixturevalue("drive_emulator")
        settings = Settings(drive.url, TOKEN, retries=3, retry_wait_s=0.001)
    else:
        if not _wants_live(request.config):
            pytest.skip("needs a real Google account: run with -m live")
        settings = Settings.from_environment({**os.environ, "DRIVE_EMULATOR_HOST": ""})
        try:
            find_credentials(settings)
        except NotAllowedError as error:
            pytest.skip(f"{error}. {error.hint}")
    return lambda: open_remote(name, settings, print)


@pytest.fixture
def remote(open_place: Open) -> Iterator[Remote]:
    with open_place() as entered:
        yield entered
