"""What `scripts/demo` finds out for itself, on Drive and in the files, with no help from the packages.

A demo that believed what they say would prove nothing, so nothing of them is imported here.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import struct
import urllib.error
import urllib.parse
import urllib.request
from array import array
from collections import Counter
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

FINAL = "backup/remote_final.weights"
CHART = "backup/chart.png"

_HEADER_BYTES = 20
_loopback = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class DriveFile:
    """A file as Drive lists it; ``path`` begins at My Drive."""

    id: str
    path: str
    md5: str


class Drive:
    """A look at Drive through its API; safe to use from one thread."""

    def __init__(self, url: str) -> None:
        self._url = url

    def files(self) -> list[DriveFile]:
        """Every file that is not in the trash; several may have one path."""
        query = {
            "q": "trashed=false",
            "pageSize": "1000",
            "fields": "nextPageToken,files(id,name,parents,md5Checksum)",
        }
        items: dict[str, dict[str, Any]] = {}
        while True:
            page = json.loads(self._get("?" + urllib.parse.urlencode(query)))
            items |= {item["id"]: item for item in page["files"]}
            if "nextPageToken" not in page:
                break
            query["pageToken"] = page["nextPageToken"]
        return [
            DriveFile(item["id"], _path_of(item, items), item["md5Checksum"])
            for item in items.values()
            if "md5Checksum" in item  # folders have none
        ]

    def read(self, file: DriveFile) -> bytes:
        """The content of ``file``."""
        return self._get(f"/{file.id}?alt=media")

    def revision_md5(self, receipt: Mapping[str, Any]) -> str:
        """The checksum that Drive has for the revision that a receipt names; empty if it has no such revision."""
        what = f"/{receipt['file_id']}/revisions/{receipt['revision_id']}?fields=md5Checksum"
        try:
            return str(json.loads(self._get(what))["md5Checksum"])
        except urllib.error.HTTPError as error:
            if error.code != HTTPStatus.NOT_FOUND:
                raise
            return ""

    def _get(self, what: str) -> bytes:
        url = f"{self._url}/drive/v3/files{what}"
        request = urllib.request.Request(url, headers={"Authorization": "Bearer look"})  # noqa: S310 - loopback
        with _loopback.open(request, timeout=30) as answer:
            content: bytes = answer.read()
        return content


def _path_of(item: Mapping[str, Any], items: Mapping[str, Mapping[str, Any]]) -> str:
    parent = items.get(item["parents"][0])
    return f"{_path_of(parent, items)}/{item['name']}" if parent else str(item["name"])


def visible_files(tree: Path) -> Iterator[Path]:
    """The files that a user sees, sorted: not the notes that the packages keep in folders of their own."""
    for path in sorted(tree.rglob("*")):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(tree).parts):
            yield path


def trained_iterations(tree: Path) -> list[int]:
    """The iterations that darknet itself printed, in that order."""
    log = tree / ".trainer" / "darknet.log"
    said = log.read_text(errors="replace") if log.exists() else ""
    return [int(number) for number in re.findall(r"^ *(\d+): [\d.]+, [\d.]+ avg", said, re.MULTILINE)]


def read_iteration(weights: bytes, cfg: str) -> int:
    """Up to which iteration a weights file was trained; -1 unless every number in it is finite.

    The header is three int32 of the version and a uint64, how many images were seen; the cfg's batch is how many of
    them make an iteration.
    """
    batch = re.search(r"^batch=(\d+)$", cfg, re.MULTILINE)
    if batch is None or len(weights) <= _HEADER_BYTES or len(weights) % 4:
        return -1
    _major, _minor, _revision, seen = struct.unpack_from("<iiiQ", weights)
    finite = all(map(math.isfinite, array("f", weights[_HEADER_BYTES:])))
    return int(seen) // int(batch[1]) if finite else -1


def best_iteration(drive: Drive, cfg: str) -> int:
    """The highest iteration of the checkpoints that Drive holds whole; 0 if it holds none."""
    contents = [drive.read(file) for file in drive.files() if file.path.endswith((".weights", ".backup"))]
    # One network's files have one length; what is shorter was torn.
    whole = [content for content in contents if len(content) == max(map(len, contents))]
    return max((read_iteration(content, cfg) for content in whole), default=0)


def inspect_end(
    drive: Drive, *, seed: Path, tree: Path, max_batches: int, receipts: Sequence[Mapping[str, Any]]
) -> dict[str, bool]:
    """What must be so when training has ended, in words, each with whether it is."""
    # What drivesync keeps there for itself is nobody's file, and its leases all have one name.
    files = [file for file in drive.files() if "/.drivesync/" not in file.path]
    md5_of = {file.path: file.md5 for file in files}
    twins = [path for path, count in Counter(file.path for file in files).items() if count > 1]
    final = next((file for file in files if file.path == f"darknet/{FINAL}"), None)
    chart = next((file for file in files if file.path == f"darknet/{CHART}"), None)
    cfg = (seed / "cfg" / "remote.cfg").read_text()
    return {
        f"Drive holds {FINAL}, the same as the local one": (
            final is not None and (tree / FINAL).is_file() and final.md5 == _md5(tree / FINAL)
        ),
        f"its header says iteration {max_batches}, and its numbers are finite": (
            final is not None and read_iteration(drive.read(final), cfg) == max_batches
        ),
        f"Drive has the checksum of each of {len(receipts)} receipts": (
            len(receipts) > 0 and all(drive.revision_md5(receipt) == receipt["md5"] for receipt in receipts)
        ),
        f"of {len(files)} files on Drive no two have one name": not twins,
        f"Drive holds {CHART}, a picture": (
            chart is not None and drive.read(chart).startswith(b"\x89PNG\r\n\x1a\n")
        ),
        "what the user uploaded is as it was": all(
            md5_of.get(f"darknet/{path.relative_to(seed)}") == _md5(path) for path in visible_files(seed)
        ),
    }


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
