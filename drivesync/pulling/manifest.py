"""The manifest of packs: which file's content lies where in which pack. Pure.

On the remote, beside the tree:

    .drivesync/packs/manifest.json.gz       what this module reads and writes
    .drivesync/packs/<32 hex digits>.tar    a pack

The manifest is written by whoever may write to the folder, so that nothing in it is believed: ``read_manifest`` refuses
what cannot be, and what can be is compared with the remote's own id, size and md5 of each file. A path in it is for
people; where a file goes is what the listing says now.
"""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass
from typing import Any

from drivesync.errors import DamagedError
from drivesync.files import STATE_FOLDER, RemoteFile, refuse_name

PACKS_FOLDER = f"{STATE_FOLDER}/packs"
"""Where packs lie on the remote, below the tree's own folder."""

MANIFEST = f"{PACKS_FOLDER}/manifest.json.gz"

MOST_MANIFEST_BYTES = 32 << 20
"""As it lies on the remote; no more of it is read."""

MOST_MEMBERS = 250_000
"""A manifest's, so that it can be held in memory."""

MOST_PACK_BYTES = 1 << 30

PACK_NAME = re.compile(r"[0-9a-f]{32}\.tar")

_TAR_BLOCK_BYTES = 512
_FORMAT = 1
_MOST_TEXT_BYTES = 128 << 20
_GZIP_WBITS = 31
"""zlib's name for a gzip header and trailer: https://docs.python.org/3/library/zlib.html#zlib.decompressobj."""
_MD5 = re.compile(r"[0-9a-f]{32}")
_ID = re.compile(r"[A-Za-z0-9_-]{1,256}")
_COLUMNS = ("path", "size", "md5", "id", "offset")


class ManifestError(DamagedError):
    """The manifest is none, or says what cannot be; without it files come singly."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file's content in a pack.

    Attributes:
        path: in the tree when it was packed; the file may have been moved since.
        size: in bytes.
        md5: of the content, lower-case hex.
        file_id: the remote's own name for the file.
        offset: of the content's first byte in the pack.
    """

    path: str
    size: int
    md5: str
    file_id: str
    offset: int


@dataclass(frozen=True, slots=True)
class Pack:
    """A tar file on the remote.

    Attributes:
        name: in PACKS_FOLDER.
        size: in bytes.
        md5: of the whole, lower-case hex.
        file_id: the remote's own name for it.
        members: by offset; they do not overlap.
    """

    name: str
    size: int
    md5: str
    file_id: str
    members: tuple[Member, ...]

    @property
    def path(self) -> str:
        """Where it lies, below the tree's own folder."""
        return f"{PACKS_FOLDER}/{self.name}"

    def as_file(self) -> RemoteFile:
        """As a remote reads it; when it was written is not known."""
        return RemoteFile(self.path, self.file_id, self.size, self.md5, modified_s=0.0)


@dataclass(frozen=True, slots=True)
class Manifest:
    """All packs; no two have one name."""

    packs: tuple[Pack, ...] = ()

    @property
    def files(self) -> int:
        """So many are in all packs together; a content that is in two counts twice."""
        return sum(len(pack.members) for pack in self.packs)


def tar_bytes(size_bytes: int) -> int:
    """What a file of this size takes of a tar: a header, and its content in whole blocks; a long name takes more."""
    return _TAR_BLOCK_BYTES + -(-size_bytes // _TAR_BLOCK_BYTES) * _TAR_BLOCK_BYTES


def read_manifest(raw: bytes) -> Manifest:
    """What ``raw``, which may hold anything, says.

    Raises:
        ManifestError: it is too large, damaged, of a later version, or says what cannot be.
    """
    try:
        said = json.loads(_unzip(raw))
    except (ValueError, RecursionError, zlib.error) as error:
        raise ManifestError("the manifest of packs is damaged") from error
    if not isinstance(said, dict) or said.get("format") != _FORMAT:
        raise ManifestError("the manifest of packs is of a version that is not known here")
    packs = tuple(_read_pack(pack) for pack in _list(said.get("packs")))
    if len({pack.name for pack in packs}) != len(packs):
        raise ManifestError("the manifest of packs names a pack twice")
    manifest = Manifest(packs)
    if manifest.files > MOST_MEMBERS:
        raise ManifestError(f"the manifest of packs names more than {MOST_MEMBERS:,} files")
    return manifest


def write_manifest(manifest: Manifest) -> bytes:
    """``manifest`` for ``read_manifest``; the same bytes for the same manifest.

    Raises:
        ManifestError: it is larger than a manifest may be.
    """
    if manifest.files > MOST_MEMBERS:
        raise ManifestError(f"the manifest of packs would name more than {MOST_MEMBERS:,} files")
    said = {"format": _FORMAT, "packs": [_describe(pack) for pack in manifest.packs]}
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
    # Unlike gzip's own it leaves the time out.
    packer = zlib.compressobj(9, wbits=_GZIP_WBITS)
    raw = packer.compress(text) + packer.flush()
    if len(text) > _MOST_TEXT_BYTES or len(raw) > MOST_MANIFEST_BYTES:
        raise ManifestError(f"the manifest of packs would be too large ({len(raw):,} bytes)")
    return raw


def _unzip(raw: bytes) -> bytes:
    if len(raw) > MOST_MANIFEST_BYTES:
        raise ManifestError(f"the manifest of packs is larger than {MOST_MANIFEST_BYTES:,} bytes")
    unpacker = zlib.decompressobj(wbits=_GZIP_WBITS)
    text = unpacker.decompress(raw, _MOST_TEXT_BYTES)
    if not unpacker.eof:
        raise ManifestError("the manifest of packs is torn, or unpacks to more than it may")
    return text


def _describe(pack: Pack) -> dict[str, Any]:
    # Like lies beside like, which compresses best.
    columns = {
        "path": [member.path for member in pack.members],
        "size": [member.size for member in pack.members],
        "md5": [member.md5 for member in pack.members],
        "id": [member.file_id for member in pack.members],
        "offset": [member.offset for member in pack.members],
    }
    return {"name": pack.name, "size": pack.size, "md5": pack.md5, "id": pack.file_id, "members": columns}


def _read_pack(said: Any) -> Pack:
    said = _dict(said)
    size = _whole(said.get("size"), MOST_PACK_BYTES)
    members = _read_members(_dict(said.get("members")), size)
    return Pack(
        _text(said.get("name"), PACK_NAME),
        size,
        _text(said.get("md5"), _MD5),
        _text(said.get("id"), _ID),
        members,
    )


def _read_members(said: dict[str, Any], pack_bytes: int) -> tuple[Member, ...]:
    columns = [_list(said.get(name)) for name in _COLUMNS]
    if len({len(column) for column in columns}) != 1:
        raise ManifestError("the manifest of packs has lists that do not fit together")
    members: list[Member] = []
    end = 0
    for path, size, md5, file_id, offset in zip(*columns, strict=True):
        member = Member(
            _path(path),
            _whole(size, pack_bytes),
            _text(md5, _MD5),
            _text(file_id, _ID),
            _whole(offset, pack_bytes),
        )
        if member.offset < end or member.offset + member.size > pack_bytes:
            raise ManifestError(f"the manifest of packs puts {member.path!r} where it cannot be")
        end = member.offset + member.size
        members.append(member)
    return tuple(members)


def _dict(said: Any) -> dict[str, Any]:
    if not isinstance(said, dict):
        raise ManifestError("the manifest of packs lacks a part")
    return said


def _list(said: Any) -> list[Any]:
    if not isinstance(said, list):
        raise ManifestError("the manifest of packs lacks a list")
    return said


def _whole(said: Any, most: int) -> int:
    # True is an int to Python.
    if type(said) is not int or not 0 <= said <= most:
        raise ManifestError(f"the manifest of packs has a number that cannot be: {said!r:.40}")
    return said


def _text(said: Any, form: re.Pattern[str]) -> str:
    if not isinstance(said, str) or not form.fullmatch(said):
        raise ManifestError(f"the manifest of packs has a name that cannot be: {said!r:.80}")
    return said


def _path(said: Any) -> str:
    if not isinstance(said, str) or any(refuse_name(name) for name in said.split("/")):
        raise ManifestError(f"the manifest of packs has a path that cannot be: {said!r:.80}")
    return said
