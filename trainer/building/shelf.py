"""Builds on a remote: one is fetched, one is kept, the oldest go.

What lies there is described in ``manifest``. A build is kept in this order: the index learns of its files, the files
are written, then the manifest; only what a manifest names is ever fetched, so that a kill between any two writes leaves
nothing that could be, and what is left behind is known to the index, and goes when ``KEPT`` newer ones have come. Two
sessions that keep builds at once need no lease: a file's name is its checksum, a manifest is whole or not there, and
the one whose line in the index was written over writes it again.

What is fetched is executed, so all of it is checked against two records of its SHA-256: the manifest's, and the one
among the file's properties where it has them. That protects from a torn upload, from a file that was edited or
replaced, from one that somebody put there, from the manifest of another build, and from paths and sizes that no build
has. It does not protect from somebody who may write to all of the remote's folder and rewrites manifest and file
together; but he could as well change the source that would be compiled instead.
"""

from __future__ import annotations

import hashlib
import io
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from drivesync.disk import hash_stream, local_errors
from drivesync.errors import DamagedError, LocalWriteError
from trainer.building.fetched import Fetched, create_file, make_private_folder, remove_private_folder
from trainer.building.manifest import (
    INDEX_PATH,
    MAX_SAID_BYTES,
    Kept,
    Manifest,
    Product,
    add_to_index,
    file_path,
    manifest_path,
    read_index,
    read_manifest,
    refuse_products,
    write_index,
    write_manifest,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from drivesync.disk import Checksums
    from drivesync.files import RemoteFile
    from drivesync.remotes.base import Remote
    from trainer.building.key import BuildKey

_SHA256 = "sha256"
"""The property of a file that says what it holds."""


def fetch_build(remote: Remote, key: BuildKey, tree: Path) -> Fetched | None:
    """Bring the build with this key into a private place in the tree.

    Returns:
        None if there is none.

    Raises:
        DamagedError: what is there is not what was kept; nothing of it is left in the tree.
        LocalWriteError: the disk cannot take it.
        DrivesyncError: see ``Remote``.
    """
    file = remote.find(manifest_path(key.name))
    if file is None:
        return None
    content = _read_said(remote, file)
    _check_property(file, hashlib.sha256(content).hexdigest(), "its manifest")
    manifest = read_manifest(content, key)
    folder = make_private_folder(tree)
    try:
        for product in manifest.products:
            _fetch_product(remote, key, product, folder)
    except BaseException:
        with suppress(LocalWriteError):
            remove_private_folder(folder)
        raise
    return Fetched(key, folder, manifest.products, manifest.built_at_s)


def keep_build(remote: Remote, key: BuildKey, tree: Path, paths: Sequence[str], at_s: float) -> None:
    """Keep files of the tree as the build with this key, and delete the oldest builds beyond ``KEPT``.

    Args:
        remote: entered.
        key: what they were compiled from and with.
        tree: the local tree.
        paths: of the files.
        at_s: now, Unix time.

    Raises:
        DamagedError: they are no build, or the remote does not hold what was sent.
        LocalWriteError: one of them cannot be read.
        DrivesyncError: see ``Remote``.
    """
    measured = {path: _measure(tree / path) for path in sorted(paths)}
    products = tuple(
        Product(path, content.size, content.sha256, executable)
        for path, (content, executable) in measured.items()
    )
    if reason := refuse_products(products):
        raise DamagedError(reason)
    line = Kept(key.name, at_s, tuple(sorted({product.sha256 for product in products})))
    _enter(remote, line)
    for path, (content, _) in measured.items():
        with local_errors(tree / path, "read"), (tree / path).open("rb") as source:
            _put(remote, file_path(key.name, content.sha256), source, content, at_s)
    _put_said(remote, manifest_path(key.name), write_manifest(Manifest(key, products, at_s)), at_s)
    # Another session may have read the index before this one wrote it, and written it afterwards.
    _enter(remote, line, only_if_lost=True)


def _fetch_product(remote: Remote, key: BuildKey, product: Product, folder: Path) -> None:
    file = remote.find(file_path(key.name, product.sha256))
    if file is None:
        raise DamagedError(f"{product.path} is not there")
    if file.size != product.size:
        raise DamagedError(f"{product.path} has {file.size} bytes, and should have {product.size}")
    if file.sha256 and file.sha256 != product.sha256:
        raise DamagedError(f"{product.path} is not what its manifest says")
    _check_property(file, product.sha256, product.path)
    place = folder / product.path
    with create_file(folder, product.path) as target, local_errors(place):
        sink = _BoundedSink(target.write, product.size)
        remote.read(file, sink)
        target.flush()
        os.fsync(target.fileno())
    if sink.sha256 != product.sha256:
        raise DamagedError(f"{product.path} is not what its manifest says")


def _check_property(file: RemoteFile, sha256: str, what: str) -> None:
    """See that a file is what was recorded with it; a mounted Drive does not show what was recorded through Drive.

    Raises:
        DamagedError: it is another.
    """
    if file.properties.get(_SHA256, sha256) != sha256:
        raise DamagedError(f"{what} is not what was recorded with it")


def _measure(place: Path) -> tuple[Checksums, bool]:
    """What is in a file, and whether it has the run bit."""
    with local_errors(place, "read"), place.open("rb") as file:
        return hash_stream(file), bool(os.fstat(file.fileno()).st_mode & 0o100)


def _put_said(remote: Remote, path: str, said: bytes, at_s: float) -> None:
    _put(remote, path, io.BytesIO(said), hash_stream(io.BytesIO(said)), at_s)


def _put(remote: Remote, path: str, source: BinaryIO, content: Checksums, at_s: float) -> None:
    """Have ``content``, which is what was in ``source``, at ``path``; if it is there already, nothing is written."""
    there = remote.find(path)
    if (
        there is not None
        and (there.size, there.md5) == (content.size, content.md5)
        and there.properties.get(_SHA256) == content.sha256
    ):
        return
    landed = remote.write(
        path,
        source,
        size=content.size,
        modified_s=at_s,
        properties={_SHA256: content.sha256},
        executable=False,
        replaces=there,
    )
    if landed.size != content.size or landed.md5 not in {"", content.md5}:
        raise DamagedError(f"{path} is not as it was sent")


def _enter(remote: Remote, line: Kept, *, only_if_lost: bool = False) -> None:
    """Have ``line`` in the index, and delete what falls out at its end."""
    file = remote.find(INDEX_PATH)
    index = _read_index(remote, file)
    known = next((set(each.files) for each in index if each.key == line.key), set())
    # Drive may not show yet what was just made, and would then show two of them.
    if only_if_lost and (file is None or known.issuperset(line.files)):
        return
    index, old = add_to_index(index, line)
    for build in old:
        # In the order in which it was not kept: without its manifest no file is fetched any more.
        for path in (manifest_path(build.key), *(file_path(build.key, sha256) for sha256 in build.files)):
            _delete(remote, path)
    _put_said(remote, INDEX_PATH, write_index(index), line.at_s)


def _read_index(remote: Remote, file: RemoteFile | None) -> tuple[Kept, ...]:
    if file is None:
        return ()
    with suppress(DamagedError):
        return read_index(_read_said(remote, file))
    return ()


def _delete(remote: Remote, path: str) -> None:
    """Delete all that has this path; two sessions that keep one build at once may have made two of it, on Drive."""
    seen: set[str] = set()
    while (file := remote.find(path)) is not None and file.id not in seen:
        remote.delete(file)
        seen.add(file.id)


def _read_said(remote: Remote, file: RemoteFile) -> bytes:
    if file.size > MAX_SAID_BYTES:
        raise DamagedError(f"{file.path} has {file.size} bytes")
    target = io.BytesIO()
    sink = _BoundedSink(target.write, file.size)
    remote.read(file, sink)
    return target.getvalue()


class _BoundedSink:
    """Hands on what it takes, no more than was told."""

    def __init__(self, write: Callable[[bytes], object], size: int) -> None:
        self._write = write
        self._left = size
        self._sha256 = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Of what it took; lower-case hex."""
        return self._sha256.hexdigest()

    def write(self, block: bytes) -> None:
        """Append ``block``.

        Raises:
            DamagedError: it is longer than what was told.
        """
        self._left -= len(block)
        if self._left < 0:
            raise DamagedError("more comes than there is to be")
        self._sha256.update(block)
        self._write(block)
