"""An unpacking that is killed at any moment is gone on with: no file is torn, and none of ours is taken for others'."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivesync.progress import Silence
from drivesync.pull import pull
from drivesync.pulling.plan import PullOptions
from tests.drivesync.unarchive.conftest import contents, make_tar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.remotes.drive.remote import DriveRemote
    from drivesync.testing import DriveEmulator

OLD = {"1.txt": b"the same", "2.txt": b"of the same size and time, 1"}
NEW = {"1.txt": b"the same", "2.txt": b"of the same size and time, 2", "obj/3.txt": b"new"}


def test_killed_anywhere(
    kill_everywhere: Callable[..., list[Path]],
    drive_emulator: DriveEmulator,
    remote: DriveRemote,
    tmp_path: Path,
) -> None:
    options = PullOptions(unpack=("data/a.tar",))
    template = tmp_path / "template"
    drive_emulator.put("darknet/data/a.tar", make_tar(OLD))
    pull(remote, template, reporter=Silence(), options=options)
    drive_emulator.put("darknet/data/a.tar", make_tar(NEW))
    trees = kill_everywhere("pull", template, REMOTE="darknet", DRIVESYNC_UNPACK="data/a.tar")
    assert len(trees) > 2 * len(NEW)
    expected = {f"data/{path}": data for path, data in NEW.items()}
    for tree in trees:
        assert contents(tree) == expected
        assert not list((tree / ".drivesync" / "partial").iterdir())
    # Nothing is left to do, and nothing to complain of.
    result = pull(remote, trees[len(trees) // 2], reporter=Silence(), options=options)
    assert (result.conflicts, result.unpacked[0].kept_files) == ([], len(NEW))
