"""What is hashed ahead is found again wherever it lies by then, and nothing else is taken for it."""

from __future__ import annotations

import errno
import hashlib
import io
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from drivesync.disk import Checksums
from drivesync.errors import LocalWriteError
from drivesync.pushing.summing import Summing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

CONTENT = b"0123456789" * 300_000


def sums_of(content: bytes) -> Checksums:
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return Checksums(len(content), md5, hashlib.sha256(content).hexdigest())


@pytest.fixture
def summing() -> Iterator[Summing]:
    with Summing() as entered:
        yield entered


class Opened:
    """Opens a file, and counts."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.times = 0

    def __call__(self) -> BinaryIO:
        self.times += 1
        return self.place.open("rb")


def make(place: Path, content: bytes = CONTENT) -> Path:
    place.write_bytes(content)
    return place


def test_what_was_not_begun_is_hashed_when_it_is_asked_for(summing: Summing, tmp_path: Path) -> None:
    place = make(tmp_path / "a")
    assert summing.sum_up(place, Opened(place)).all() == sums_of(CONTENT)


def test_the_first_checksum_does_not_wait_for_the_other(
    summing: Summing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    md5_may_end = threading.Event()

    class SlowMd5:
        def __init__(self) -> None:
            self.update = hashlib.md5(usedforsecurity=False).update

        def hexdigest(self) -> str:
            assert md5_may_end.wait(10)
            return "d" * 32

    new = hashlib.new
    monkeypatch.setattr(
        hashlib, "new", lambda name, **more: SlowMd5() if name == "md5" else new(name, **more)
    )
    summed = summing.sum_up(make(tmp_path / "a"), Opened(tmp_path / "a"))
    assert summed.first() == replace(sums_of(CONTENT), md5="")
    md5_may_end.set()
    assert summed.all() == replace(sums_of(CONTENT), md5="d" * 32)
    assert not summed.has_failed()


class Broken(io.RawIOBase):
    def readable(self) -> bool:
        return True

    def readinto(self, _buffer: object, /) -> int:
        raise OSError(errno.EIO, "Input/output error")


def test_a_file_that_cannot_be_read_has_no_checksum(summing: Summing, tmp_path: Path) -> None:
    summed = summing.sum_up(tmp_path / "a", lambda: io.BufferedReader(Broken()))
    for wait in (summed.first, summed.all):
        with pytest.raises(LocalWriteError, match="cannot read"):
            wait()
    assert summed.has_failed()


def test_what_was_begun_is_known_under_another_name(summing: Summing, tmp_path: Path) -> None:
    place = make(tmp_path / "a")
    summing.begin(place)
    reopen = Opened(place.rename(tmp_path / "b"))
    assert summing.sum_up(reopen.place, reopen).all() == sums_of(CONTENT)
    assert reopen.times == 0


def forget(summing: Summing, _place: Path) -> None:
    summing.forget()


def begin_another(summing: Summing, place: Path) -> None:
    summing.begin(make(place.with_name("another"), b"another"))


def write_to_it(_summing: Summing, place: Path) -> None:
    make(place, CONTENT[::-1] + b"more")


@pytest.mark.parametrize("happens", [forget, begin_another, write_to_it])
def test_what_no_longer_counts_is_hashed_anew(
    summing: Summing, tmp_path: Path, happens: Callable[[Summing, Path], None]
) -> None:
    place = make(tmp_path / "a")
    summing.begin(place)
    happens(summing, place)
    reopen = Opened(place)
    assert summing.sum_up(place, reopen).all() == sums_of(place.read_bytes())
    assert reopen.times == 2


def test_what_is_used_is_not_stopped_by_what_is_begun_after_it(summing: Summing, tmp_path: Path) -> None:
    place = make(tmp_path / "a", CONTENT * 5)
    summing.begin(place)
    summed = summing.sum_up(place, Opened(place))
    summing.begin(make(tmp_path / "b"))
    assert summed.all() == sums_of(CONTENT * 5)


def test_what_is_removed_meanwhile_does_no_harm(summing: Summing, tmp_path: Path) -> None:
    place = make(tmp_path / "a")
    summing.begin(place)
    place.unlink()
    summing.begin(place)
    with pytest.raises(LocalWriteError, match="cannot read"):
        summing.sum_up(place, Opened(place))


def test_what_nobody_asks_for_ends_with_the_context(tmp_path: Path) -> None:
    with Summing() as summing:
        summing.begin(make(tmp_path / "a", CONTENT * 20))
    with pytest.raises(RuntimeError):
        Summing().begin(tmp_path / "a")
