"""pytest fixtures: ``pytest_plugins = ["drivesync.testing.plugin"]``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drivesync.testing.emulator import DriveEmulator

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def drive_emulator() -> Iterator[DriveEmulator]:
    """An empty Drive on a port of its own, for one test."""
    with DriveEmulator() as emulator:
        yield emulator
