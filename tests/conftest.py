"""What all tests share: an emulated Drive, disks that are small or case-blind, and what makes processes lean."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest_plugins = ["drivesync.testing.plugin"]

LEAN = {
    # An emulator needs no certificates, and to read them takes longer than most tests.
    "SSL_CERT_FILE": os.devnull,
    # numpy multiplies nothing large here: more threads only have to be started.
    "OPENBLAS_NUM_THREADS": "1",
    # The original darknet starts 64 threads an iteration: a third of its time is spent on their stacks, if not kept.
    "GLIBC_TUNABLES": f"glibc.pthread.stack_cache_size={1 << 30}",
}


settings.register_profile(
    "here",
    # A machine on which others work is slow, and no fault of an example.
    deadline=None,
    # A fixture that is made once for all examples of a test is meant so.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    # What judges a change has the same examples each time; who works on it has new ones.
    derandomize="CI" in os.environ,
)
settings.load_profile("here")


def pytest_configure(config: pytest.Config) -> None:
    """Have the hundreds of processes that tests start, and this one, do no work that no test is about."""
    # Else each of them would compile all that it imports.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    is_live = "live" in config.getoption("-m")
    os.environ.update({name: value for name, value in LEAN.items() if not (is_live and "CERT" in name)})


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 8 MiB."""
    place = tmp_path / "small disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "none", place], capture_output=True, check=False, text=True
    )
    if made.returncode:
        pytest.skip(f"a small disk cannot be made here: {made.stderr.strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.fixture
def case_blind_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk that takes A and a for one name: NTFS as Windows has it."""
    if not (shutil.which("mkntfs") and shutil.which("lowntfs-3g")):
        pytest.skip("a case-blind disk cannot be made here: there is no ntfs-3g")
    image, place = tmp_path / "disk.img", tmp_path / "case-blind disk"
    place.mkdir()
    image.touch()
    os.truncate(image, 128 << 20)
    subprocess.run(["mkntfs", "-q", "-F", "-f", image], capture_output=True, check=True)
    made = subprocess.run(
        ["lowntfs-3g", "-o", "ignore_case", image, place], capture_output=True, check=False, text=True
    )
    if made.returncode:
        pytest.skip(f"a case-blind disk cannot be made here: {made.stderr.strip()}")
    yield place
    subprocess.run(["umount", place], check=True)
