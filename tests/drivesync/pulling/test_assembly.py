"""What is read back of a part."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import LocalWriteError
from drivesync.files import RemoteFile
from drivesync.pulling.assembly import Digest
from drivesync.pulling.parts import Parts

if TYPE_CHECKING:
    from pathlib import Path


def test_a_part_that_somebody_cut_short(tmp_path: Path) -> None:
    file = RemoteFile("a", "id", 10, "md5", 1.5)
    parts = Parts(tmp_path)
    with parts.open(file, resumable=True) as part:
        os.truncate(part.path, 5)
        digest = Digest()
        with pytest.raises(LocalWriteError, match="is shorter than it was"):
            digest.read(part, 0, 9)
    assert digest.size == 5
