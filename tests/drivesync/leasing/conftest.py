"""What these tests share: a folder whose lease files can be made hard to reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drivesync.config import Settings
from drivesync.remotes.folder.remote import FolderRemote

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from pathlib import Path

    from drivesync.files import LeaseRecord

PATIENCE_S = 10.0


class Remote(FolderRemote):
    """A folder that can be made to fail, with a clock that can be moved; it notes what it was asked."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder / "darknet"), Settings(retries=0, retry_wait_s=0.0))
        self.trouble: Exception | None = None
        self.ahead_s = 0.0
        self.renewals = 0
        self.claims = 0
        self.hanging: threading.Event | None = None

    def now_s(self) -> float:
        return super().now_s() + self.ahead_s

    def claim_lease(self, run: str, after: LeaseRecord | None, holder: str, who: str) -> LeaseRecord | None:
        self.claims += 1
        taken = super().claim_lease(run, after, holder, who)
        self._fail()
        return taken

    def renew_lease(self, record: LeaseRecord, *, release: bool = False) -> LeaseRecord:
        self.renewals += 1
        self._fail()
        return super().renew_lease(record, release=release)

    def next_lease(self, record: LeaseRecord) -> LeaseRecord | None:
        self._fail()
        return super().next_lease(record)

    def _fail(self) -> None:
        if self.hanging is not None:
            self.hanging.wait(PATIENCE_S)
        if self.trouble is not None:
            raise self.trouble


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Remote]:
    remote = Remote(tmp_path)
    with remote:
        yield remote


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Remote]:
    """Another session's."""
    remote = Remote(tmp_path)
    with remote:
        yield remote


def kept(remote: Remote, run: str = "run") -> LeaseRecord:
    found = remote.find_lease(run)
    assert found is not None
    return found
