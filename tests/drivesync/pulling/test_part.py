"""A part tells what has arrived, also after a kill or on a full disk, and has the room for all of it beforehand."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drivesync.disk import BLOCK_BYTES
from drivesync.errors import DiskFullError
from drivesync.pulling.parts import Parts
from tests.drivesync.pulling.attempts import LARGE, arrived, attempt, bring, file_size_limit, leave, left_over

if TYPE_CHECKING:
    from drivesync.pulling.part import Part


class TestJournal:
    @pytest.mark.parametrize("torn_bytes", [1, 8, 15])
    def test_a_torn_pair_counts_for_nothing_and_the_next_takes_its_place(
        self, tmp_path: Path, torn_bytes: int
    ) -> None:
        leave(tmp_path, KeyboardInterrupt(), (0, 99), (100, 199))
        journal = Path(Parts(tmp_path)._paths(LARGE)[1])
        journal.write_bytes(journal.read_bytes()[:-torn_bytes])
        assert arrived(tmp_path) == [(0, 99)]
        leave(tmp_path, KeyboardInterrupt(), (300, 399))
        assert arrived(tmp_path) == [(0, 99), (300, 399)]

    @pytest.mark.parametrize("pair", [(7, 3), (0, 1000), (2**63, 2**63)])
    def test_a_journal_that_makes_no_sense_is_none(self, tmp_path: Path, pair: tuple[int, int]) -> None:
        leave(tmp_path, KeyboardInterrupt(), (0, 99))
        journal = Path(Parts(tmp_path)._paths(LARGE)[1])
        journal.write_bytes(
            journal.read_bytes() + pair[0].to_bytes(8, "little") + pair[1].to_bytes(8, "little")
        )
        assert arrived(tmp_path) == []
        leave(tmp_path, KeyboardInterrupt(), (5, 9))
        assert arrived(tmp_path) == [(5, 9)]

    def test_a_part_that_is_not_as_long_as_the_file_counts_for_nothing(self, tmp_path: Path) -> None:
        leave(tmp_path, KeyboardInterrupt(), (0, 99))
        os.truncate(Parts(tmp_path)._paths(LARGE)[0], 500)
        assert arrived(tmp_path) == []

    @pytest.mark.parametrize("which", [0, 1])
    def test_part_or_journal_alone_counts_for_nothing(self, tmp_path: Path, which: int) -> None:
        leave(tmp_path, KeyboardInterrupt(), (0, 99))
        Path(Parts(tmp_path)._paths(LARGE)[which]).unlink()
        assert arrived(tmp_path) == []
        assert arrived(tmp_path) == []

    def test_a_full_disk_tears_the_journal_and_it_goes_on(self, tmp_path: Path) -> None:
        file = replace(LARGE, size=20)

        def fill(part: Part) -> None:
            part.note_arrived(0, 4)
            with file_size_limit(24), pytest.raises(DiskFullError):
                part.note_arrived(5, 9)
            assert part.arrived == [(0, 4)]
            part.note_arrived(10, 14)

        attempt(tmp_path, file, fill, KeyboardInterrupt())
        assert arrived(tmp_path, file) == [(0, 4), (10, 14)]


class TestRoom:
    def test_it_is_taken_before_the_first_byte(self, tmp_path: Path) -> None:
        file = replace(LARGE, size=4 << 20)
        leave(tmp_path, KeyboardInterrupt(), file=file)
        part = Path(Parts(tmp_path)._paths(file)[0]).stat()
        assert (part.st_size, part.st_blocks * 512) == (4 << 20, 4 << 20)
        assert Parts(tmp_path).kept_bytes(file) == 4 << 20
        assert Parts(tmp_path).kept_bytes(LARGE) == 0

    def test_a_file_that_is_too_large_leaves_room_for_smaller_ones(self, small_disk: Path) -> None:
        (small_disk / "a").write_bytes(b"old")
        free = os.statvfs(small_disk).f_bavail
        with pytest.raises(DiskFullError, match="No space left on device") as caught:
            leave(small_disk, KeyboardInterrupt(), file=replace(LARGE, size=1 << 30))
        assert "Free some space" in caught.value.hint
        assert free - os.statvfs(small_disk).f_bavail <= 4
        bring(small_disk, "a", b"new")
        assert (small_disk / "a").read_bytes() == b"new"

    def test_the_disk_fills_while_a_file_comes(self, small_disk: Path) -> None:
        (small_disk / "a").write_bytes(b"old")
        with pytest.raises(DiskFullError):
            bring(small_disk, "a", bytes(64 * BLOCK_BYTES))
        assert (small_disk / "a").read_bytes() == b"old"
        assert left_over(small_disk) == []
