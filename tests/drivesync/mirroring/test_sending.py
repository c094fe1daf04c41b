"""Single files are sent whole, and what a later process needs to go on is kept."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import RemoteError
from drivesync.files import LocalFile
from drivesync.mirroring.sending import LARGE_BYTES, Sender
from drivesync.mirroring.upload_plan import Upload
from drivesync.testing import ErrorAnswer, ExpiredUpload, Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.remotes.drive.remote import DriveRemote
    from drivesync.testing import DriveEmulator
    from tests.drivesync.conftest import Notes

CREATE, LAST = "files.create.resumable", "upload.final"
SIZES = [0, 1, LARGE_BYTES - 1, LARGE_BYTES, LARGE_BYTES + 1]


@pytest.fixture
def top(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    return folder


@pytest.fixture
def turns() -> list[str]:
    """The paths of files that waited for their turn."""
    return []


@pytest.fixture
def sender(remote: DriveRemote, top: Path, notes: Notes, turns: list[str]) -> Sender:
    return Sender(remote, top, notes, turns.append)


@pytest.fixture
def upload(top: Path) -> Callable[[str, bytes], Upload]:
    """``upload("a", b"content")`` makes the file, which is new to the remote."""

    def make(path: str, content: bytes) -> Upload:
        (top / path).write_bytes(content)
        return Upload(LocalFile(path, len(content), 5), None)

    return make


def left(top: Path) -> list[Path]:
    return list((top / ".drivesync" / "uploads").iterdir())


@pytest.mark.parametrize("size", SIZES)
def test_any_size(
    sender: Sender,
    upload: Callable[[str, bytes], Upload],
    top: Path,
    drive_emulator: DriveEmulator,
    notes: Notes,
    size: int,
) -> None:
    content = os.urandom(size)
    sent = sender.send(upload("a", content))
    assert drive_emulator.read_tree("darknet") == {"a": content}
    assert (sent.path, sent.size, sent.mtime_ns) == ("a", size, (top / "a").stat().st_mtime_ns)
    assert sent.md5
    assert sent.revision_id
    assert notes.size_bytes == size


def test_each_write_waits_for_its_turn(
    sender: Sender,
    upload: Callable[[str, bytes], Upload],
    turns: list[str],
    drive_emulator: DriveEmulator,
) -> None:
    drive_emulator.inject(Fault(ExpiredUpload(), LAST, times=1))
    sender.send(upload("a", b"x"))
    assert turns == ["a"]


@pytest.mark.parametrize("size", [0, 1, LARGE_BYTES])
def test_what_a_listing_does_not_show_yet_gets_no_twin(
    sender: Sender, upload: Callable[[str, bytes], Upload], drive_emulator: DriveEmulator, size: int
) -> None:
    new = upload("a", b"x" * size)
    first = sender.send(new)
    drive_emulator.counters().reset()
    assert sender.send(new) == first
    assert drive_emulator.counters()[CREATE].requests == drive_emulator.counters()[LAST].requests == 0
    with drive_emulator.locked() as store:
        (folder,) = store.children(store.get("root").id)
        assert [child.name for child in store.children(folder.id)] == ["a"]


class TestCutShort:
    @pytest.fixture
    def cut(
        self, sender: Sender, upload: Callable[[str, bytes], Upload], drive_emulator: DriveEmulator
    ) -> Upload:
        """A file that could not be sent, since Drive was away once its upload had begun."""
        begun = upload("a", b"x" * LARGE_BYTES)
        drive_emulator.inject(Fault(ErrorAnswer(503), "upload.*", times=None))
        with pytest.raises(RemoteError):
            sender.send(begun)
        drive_emulator.reset()
        return begun

    def test_it_is_gone_on_with(self, cut: Upload, sender: Sender, drive_emulator: DriveEmulator) -> None:
        sender.send(cut)
        assert drive_emulator.counters()[CREATE].requests == 0
        assert drive_emulator.read_tree("darknet") == {"a": b"x" * LARGE_BYTES}

    def test_but_not_with_another_content(
        self, cut: Upload, sender: Sender, top: Path, drive_emulator: DriveEmulator
    ) -> None:
        status = (top / "a").stat()
        (top / "a").write_bytes(b"y" * LARGE_BYTES)
        os.utime(top / "a", ns=(status.st_atime_ns, status.st_mtime_ns))
        sender.send(cut)
        assert drive_emulator.counters()[CREATE].requests == 1
        assert drive_emulator.read_tree("darknet") == {"a": b"y" * LARGE_BYTES}

    @pytest.mark.usefixtures("cut")
    def test_what_is_kept_of_it_is_for_nobodys_eyes(self, top: Path) -> None:
        (note,) = left(top)
        assert stat.S_IMODE(note.stat().st_mode) == 0o600

    @pytest.mark.usefixtures("cut")
    def test_what_is_reported_of_it_is_taken_back(self, notes: Notes) -> None:
        assert notes.size_bytes == 0

    @pytest.mark.usefixtures("cut")
    def test_what_nobody_goes_on_with_can_be_forgotten(self, sender: Sender, top: Path) -> None:
        sender.forget()
        assert left(top) == []
