"""Of a file of many ranges that come damaged now and then, all comes right in the end, and little comes often.

How fetching goes on around it is in ``test_fetch``.
"""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING

import pytest

from drivesync.files import RemoteFile
from drivesync.pulling import assembly
from drivesync.pulling.assembly import Content, Digest, ranges_of
from drivesync.pulling.mending import mend
from drivesync.pulling.parts import Parts

if TYPE_CHECKING:
    from pathlib import Path

    from drivesync.pulling.part import Part

RANGES = 100
RANGE_BYTES = 100
WHOLE = random.Random(4).randbytes(RANGES * RANGE_BYTES)
MD5 = hashlib.md5(WHOLE, usedforsecurity=False).hexdigest()


@pytest.fixture(autouse=True)
def _small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembly, "_RANGES_A_FILE", RANGES)
    monkeypatch.setattr(assembly, "_LEAST_RANGE_BYTES", RANGE_BYTES)


class Line:
    """Brings ranges of ``WHOLE``, and damages each with some probability."""

    def __init__(self, part: Part, file: RemoteFile, probability: float, seed: int) -> None:
        self._part = part
        self._file = file
        self._probability = probability
        self._random = random.Random(seed)
        self.brought_bytes = 0

    def fetch_missing(self) -> Content:
        for first, last in ranges_of(self._file, self._part.arrived):
            block = bytearray(WHOLE[first : last + 1])
            if self._random.random() < self._probability:
                block[self._random.randrange(len(block))] ^= self._random.randrange(1, 256)
            self._part.write_at(first, bytes(block))
            self._part.note_arrived(first, last)
            self.brought_bytes += len(block)
        digest = Digest()
        digest.read(self._part, 0, len(WHOLE) - 1)
        return digest.content()


@pytest.mark.parametrize(
    ("probability", "most_fetches"),
    [
        # That of ten fetches no two bring some range right befalls one such file in 10^8,
        pytest.param(0.05, 2.3, id="every twentieth"),
        # and here one in 1000.
        pytest.param(0.2, 3.0, id="every fifth"),
    ],
)
def test_it_comes_right(tmp_path: Path, probability: float, most_fetches: float) -> None:
    parts = Parts(tmp_path)
    for seed in range(100):
        file = RemoteFile(f"{seed}", "id", len(WHOLE), MD5, 1.5)
        with parts.open(file, resumable=True) as part:
            line = Line(part, file, probability, seed)
            content = mend(file, part, line.fetch_missing(), line.fetch_missing)
            assert content == Content(len(WHOLE), MD5, WHOLE[:4])
            assert part.read_at(0, len(WHOLE)) == WHOLE
            assert line.brought_bytes <= most_fetches * len(WHOLE)


def test_what_is_right_is_left_alone(tmp_path: Path) -> None:
    file = RemoteFile("a", "id", len(WHOLE), MD5, 1.5)
    with Parts(tmp_path).open(file, resumable=True) as part:
        line = Line(part, file, 0.0, 0)
        mend(file, part, line.fetch_missing(), line.fetch_missing)
    assert line.brought_bytes == len(WHOLE)
