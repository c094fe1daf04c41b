"""What the tests of parts share: a small file that is brought, and attempts at a large one that fail on the way."""

from __future__ import annotations

import resource
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from drivesync.files import LocalFile, RemoteFile
from drivesync.pulling.parts import Parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from drivesync.pulling.part import Part

LATER_S = 1_700_000_000.123
LARGE = RemoteFile("backup/run_last.weights", "id", 1000, "md5", LATER_S, revision_id="r1")


def there(path: str = "a", size: int = 3) -> RemoteFile:
    return replace(LARGE, path=path, size=size)


def bring(tree: Path, path: str = "a", content: bytes = b"new", *, executable: bool = False) -> LocalFile:
    parts = Parts(tree)
    file = there(path, len(content))
    with parts.open(file, resumable=False) as part:
        part.write_at(0, content)
        part.settle(file.modified_s, executable=executable)
        status = parts.commit(file, part)
    return LocalFile(path, status.st_size, status.st_mtime_ns)


def left_over(tree: Path) -> list[str]:
    return sorted(part.suffix for part in (tree / ".drivesync" / "partial").iterdir())


@contextmanager
def file_size_limit(limit_bytes: int) -> Iterator[None]:
    """No process may make a larger file: the system's own way to refuse a write in the middle."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def leave(tree: Path, error: BaseException, *arrived: tuple[int, int], file: RemoteFile = LARGE) -> None:
    """An attempt that brings some ranges, and then fails."""

    def bring_some(part: Part) -> None:
        for first, last in arrived:
            part.write_at(first, bytes([first % 256]) * (last - first + 1))
            part.note_arrived(first, last)

    attempt(tree, file, bring_some, error)


def arrived(tree: Path, file: RemoteFile = LARGE) -> list[tuple[int, int]]:
    """What the next attempt finds; it stops at once."""
    found: list[tuple[int, int]] = []
    attempt(tree, file, lambda part: found.extend(part.arrived), KeyboardInterrupt())
    return found


def attempt(tree: Path, file: RemoteFile, work: Callable[[Part], None], error: BaseException) -> None:
    def fail() -> None:
        with Parts(tree).open(file, resumable=True) as part:
            work(part)
            raise error

    with pytest.raises(type(error)):
        fail()
