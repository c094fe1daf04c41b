"""What the tests of the commands share: a Drive with something in it, a small disk."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.testing import DriveEmulator
    from tests.drivesync.conftest import Tree


@pytest.fixture
def full(drive_emulator: DriveEmulator, tree: Tree) -> DriveEmulator:
    """A Drive that holds what ``tree`` does, and a file more."""
    drive_emulator.seed(tree.root, "darknet")
    drive_emulator.put("darknet/data/it's a [red]file[/red].txt", b"content")
    return drive_emulator


@pytest.fixture
def on_drive(drive_emulator: DriveEmulator) -> Callable[[str], dict[str, bytes]]:
    """What a folder of the Drive holds, without what drivesync keeps there for itself."""

    def read(folder: str) -> dict[str, bytes]:
        files = drive_emulator.read_tree(folder)
        return {path: content for path, content in files.items() if not path.startswith(".drivesync/")}

    return read


@pytest.fixture
def on_small_disk(
    environment: dict[str, str], tmp_path: Path
) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Runs shell lines in the root of a disk of 2 MB, which is gone afterwards."""
    disk = tmp_path / "disk"
    disk.mkdir()
    namespace = ["unshare", "--user", "--map-root-user", "--mount"]
    mount = f"mount -t tmpfs -o size=2m none {disk}"
    if (
        shutil.which("unshare") is None
        or subprocess.run([*namespace, "sh", "-c", mount], check=False).returncode
    ):
        pytest.skip("a small disk cannot be mounted here")

    def run(lines: str) -> subprocess.CompletedProcess[str]:
        command = f'drivesync() {{ {sys.executable} -m drivesync "$@"; }}'
        script = f"{mount} && cd {disk}\n{command}\n{lines}"
        return subprocess.run(
            [*namespace, "sh", "-c", script],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
