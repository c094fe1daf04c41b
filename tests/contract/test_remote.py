"""What ``drivesync.remotes.base.Remote`` promises, asked of every remote there is.

All that is looked at was put there through the remote itself, so the suite needs no back door. On a real account the
folder ``drivesync contract`` is left in My Drive, for whoever ran it to look at and to remove.
"""

from __future__ import annotations

import hashlib
import io
import random
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import NotFoundError, TransientError
from drivesync.files import RemoteFile

if TYPE_CHECKING:
    from drivesync.remotes.base import Remote
    from tests.contract.conftest import Open

RANDOM = random.Random(3)
MODIFIED_S = 1_700_000_000.123


def write(remote: Remote, path: str, content: bytes, replaces: RemoteFile | None = None) -> RemoteFile:
    return remote.write(
        path,
        io.BytesIO(content),
        size=len(content),
        modified_s=MODIFIED_S,
        properties={"iteration": "7"},
        replaces=replaces,
    )


def read(remote: Remote, file: RemoteFile) -> bytes:
    blocks: list[bytes] = []

    class Sink:
        def write(self, block: bytes) -> None:
            blocks.append(bytes(block))

    remote.read(file, Sink())
    return b"".join(blocks)


def listed(remote: Remote) -> dict[str, RemoteFile]:
    return {entry.path: entry for entry in remote.list() if isinstance(entry, RemoteFile)}


def test_what_is_not_there(remote: Remote) -> None:
    with pytest.raises(NotFoundError):
        list(remote.list())
    assert remote.find("a") is None
    assert remote.find("backup/a") is None


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 1_000_003])
def test_what_is_written_is_found_listed_and_read(remote: Remote, size: int) -> None:
    content = RANDOM.randbytes(size)
    written = write(remote, "backup/a.weights", content)
    assert (written.path, written.size) == ("backup/a.weights", size)
    assert written.md5 == hashlib.md5(content, usedforsecurity=False).hexdigest()
    assert written.sha256 in {"", hashlib.sha256(content).hexdigest()}
    assert written.modified_s == pytest.approx(MODIFIED_S, abs=0.001)
    assert remote.find("backup/a.weights") == written
    assert listed(remote) == {"backup/a.weights": written}
    assert read(remote, written) == content


@pytest.mark.parametrize(
    "name",
    [
        "it's",
        'say "hello"',
        "back\\slash",
        "100% #1?a=b&c+d",
        "日本語 ünïcödé 🦊",
        " spaces ",
        "..x",
        "-rf",
        "x" * 255,
    ],
)
def test_any_name_that_a_local_file_can_have(remote: Remote, name: str) -> None:
    written = write(remote, f"{name}/{name}", b"content")
    assert listed(remote) == {f"{name}/{name}": written}
    assert remote.find(f"{name}/{name}") == written
    assert read(remote, written) == b"content"


def test_names_differ_by_case(remote: Remote) -> None:
    lower, upper = write(remote, "a", b"lower"), write(remote, "A", b"upper")
    assert (remote.find("a"), remote.find("A")) == (lower, upper)


def test_a_file_that_is_replaced_keeps_its_id_and_is_one(remote: Remote) -> None:
    first = write(remote, "a", b"first")
    second = write(remote, "a", b"second", replaces=first)
    assert second.id == first.id
    assert second.revision_id == "" or second.revision_id != first.revision_id
    assert listed(remote) == {"a": second}
    assert read(remote, second) == b"second"


def test_many_threads_make_each_folder_once_and_each_file(remote: Remote) -> None:
    paths = [f"a/b/{number}" for number in range(8)]
    with ThreadPoolExecutor(4) as pool:
        written = list(pool.map(lambda path: write(remote, path, path.encode()), paths))
        assert list(pool.map(lambda file: read(remote, file), written)) == [path.encode() for path in paths]
    assert listed(remote) == dict(zip(paths, written, strict=True))


def test_another_session_sees_the_same(remote: Remote, open_place: Open) -> None:
    written = write(remote, "backup/a", b"content")
    with open_place() as other:
        assert other.name == remote.name
        assert other.find("backup/a") == written
        assert listed(other) == {"backup/a": written}
        write(other, "backup/b", b"other")
    assert listed(remote).keys() == {"backup/a", "backup/b"}


def test_after_cancel_nothing_works(remote: Remote) -> None:
    written = write(remote, "a", b"content")
    remote.cancel()
    with pytest.raises(TransientError):
        remote.find("a")
    with pytest.raises(TransientError):
        read(remote, written)
    with pytest.raises(TransientError):
        write(remote, "a", b"more", replaces=written)
