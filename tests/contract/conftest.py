"""The remotes that have to keep the same promises. A new one joins by one more parameter."""

from __future__ import annotations

import io
import os
import uuid
from typing import TYPE_CHECKING, Protocol

import pytest

from drivesync.config import Settings
from drivesync.errors import NotAllowedError
from drivesync.remotes import open_remote
from drivesync.remotes.drive.auth import find_credentials
from drivesync.testing import TOKEN
from drivesync.testing.repository import COMMITTED_S, Blob, Repository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from drivesync.remotes.base import Remote
    from drivesync.testing import DriveEmulator

FAST = Settings(retries=3, retry_wait_s=0.001)


class Place(Protocol):
    """One tree that nobody else uses, and that is not there until something was put into it.

    Attributes:
        settings: open it again by its name.
        has_ids: a file's id is not its path.
    """

    settings: Settings
    has_ids: bool

    def open(self) -> Remote:
        """The remote, each time anew; enter it."""

    def put(self, path: str, content: bytes, *, executable: bool = False) -> None:
        """Have ``content`` at ``path``, last changed at ``COMMITTED_S``; a remote opened from now on sees it."""


class WrittenPlace:
    """A place that takes files by ``Remote.write``."""

    def __init__(self, name: str, settings: Settings, *, has_ids: bool) -> None:
        self._name = name
        self.settings = settings
        self.has_ids = has_ids

    def open(self) -> Remote:
        return open_remote(self._name, self.settings, print)

    def put(self, path: str, content: bytes, *, executable: bool = False) -> None:
        with self.open() as remote:
            remote.write(
                path,
                io.BytesIO(content),
                size=len(content),
                modified_s=COMMITTED_S,
                properties={},
                executable=executable,
                replaces=remote.find(path),
            )


class GitPlace:
    """A bare repository; every ``put`` is a commit."""

    settings = FAST
    has_ids = False

    def __init__(self, folder: Path) -> None:
        self._repository = Repository(folder)

    def open(self) -> Remote:
        return open_remote(self._repository.url, FAST, print)

    def put(self, path: str, content: bytes, *, executable: bool = False) -> None:
        self._repository.commit(Blob(path.encode(), content, "100755" if executable else "100644"))


WRITABLE = [
    pytest.param("emulator", id="Drive emulator"),
    pytest.param("folder", id="folder"),
    pytest.param("account", id="Google account", marks=pytest.mark.live),
]
PULL_ONLY = [pytest.param("git", id="git")]


def _make_place(kind: str, request: pytest.FixtureRequest) -> Place:
    tmp_path: Path = request.getfixturevalue("tmp_path")
    if kind == "folder":
        return WrittenPlace(str(tmp_path / "remote" / "tree"), FAST, has_ids=False)
    if kind == "git":
        return GitPlace(tmp_path / "repository.git")
    name = f"drivesync contract/{uuid.uuid4()}"
    if kind == "emulator":
        drive: DriveEmulator = request.getfixturevalue("drive_emulator")
        return WrittenPlace(name, _settings_for(drive), has_ids=True)
    if "live" not in str(request.config.getoption("-m")):
        pytest.skip("needs a real Google account: run with -m live")
    settings = Settings.from_environment({**os.environ, "DRIVE_EMULATOR_HOST": ""})
    try:
        find_credentials(settings)
    except NotAllowedError as error:
        pytest.skip(f"{error}. {error.hint}")
    return WrittenPlace(name, settings, has_ids=True)


def _settings_for(drive: DriveEmulator) -> Settings:
    # It lists what was made at once, so nobody waits for that.
    return Settings(drive.url, TOKEN, retries=3, retry_wait_s=0.001, settle_s=0.05)


@pytest.fixture(params=WRITABLE + PULL_ONLY)
def place(request: pytest.FixtureRequest) -> Place:
    """Each kind of place."""
    return _make_place(request.param, request)


@pytest.fixture(params=WRITABLE)
def writable(request: pytest.FixtureRequest) -> Place:
    """Each kind of place that can be pushed to."""
    return _make_place(request.param, request)


@pytest.fixture(params=PULL_ONLY)
def pull_only(request: pytest.FixtureRequest) -> Place:
    """Each kind of place that cannot."""
    return _make_place(request.param, request)


@pytest.fixture(params=["emulator", "folder"], ids=["Drive emulator", "folder"])
def small(request: pytest.FixtureRequest) -> Place:
    """Each kind of place that can be pushed to, with room for 8 MiB; nobody's account is filled for a test."""
    if request.param == "folder":
        disk: Path = request.getfixturevalue("small_disk")
        return WrittenPlace(str(disk / "tree"), FAST, has_ids=False)
    drive: DriveEmulator = request.getfixturevalue("drive_emulator")
    with drive.locked() as store:
        store.storage_limit_bytes = 8 << 20
    return WrittenPlace("darknet", _settings_for(drive), has_ids=True)


@pytest.fixture
def remote(writable: Place) -> Iterator[Remote]:
    """A remote that can be written to, entered."""
    with writable.open() as entered:
        yield entered


@pytest.fixture
def open_name(place: Place) -> Callable[[str], Remote]:
    """``open_name(name)`` is the remote of that name; enter it."""
    return lambda name: open_remote(name, place.settings, print)
