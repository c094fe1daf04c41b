"""PURE: what is said, on a remote, of the builds that are kept there, and what may stand there.

    .trainer/builds/index.json    which builds there are, the newest last: {"format": 1, "builds": [
                                    {"key": KEY, "at_s": 1790000000.0, "files": [SHA256]}]}
    .trainer/builds/KEY.json      the manifest of one: {"format": 1, "key": {...}, "built_at_s": 1790000000.0,
                                    "files": [{"path": "darknet", "size": 5120304, "sha256": SHA256,
                                    "executable": true}]}
    .trainer/builds/KEY.SHA256    one of its files

KEY is a ``BuildKey``'s name. A file's name says what it holds, so that two sessions which compile the same at once, and
get programs that differ in a time stamp, do not write into each other's. All of it was written by somebody: what is
read here is believed only as far as it keeps to these forms.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from drivesync.errors import DamagedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trainer.building.key import BuildKey

BUILDS_FOLDER = ".trainer/builds"
"""On the remote. No pull brings it, and no mirror of a tree touches it."""

INDEX_PATH = f"{BUILDS_FOLDER}/index.json"

KEPT = 6
"""So many builds are kept, the newest."""

MAX_SAID_BYTES = 64 << 10
"""Of a manifest, or of the index."""

MAX_BUILD_BYTES = 512 << 20
"""Of all files of a build; darknet's three programs have 1 to 20 MB."""

_FORMAT = 1
_MAX_FILES = 8
_MAX_FOLDERS = 8
_MAX_INDEX = 64
_KEY = re.compile(r"[0-9a-f]{32}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PART = re.compile(r"(?!\.)[\w.+-]{1,100}", re.ASCII)
_TOP = re.compile(r"darknet|uselib|libdarknet\.(so|a)[0-9.]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Product:
    """One file that compiling has made.

    Attributes:
        path: relative to the tree, see ``refuse_product``.
        size: in bytes.
        sha256: lower-case hex.
        executable: it has the run bit.
    """

    path: str
    size: int
    sha256: str
    executable: bool


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one kept build is.

    Attributes:
        key: what it was compiled from and with.
        products: all its files, sorted by path.
        built_at_s: when it was kept, Unix time.
    """

    key: BuildKey
    products: tuple[Product, ...]
    built_at_s: float


@dataclass(frozen=True, slots=True)
class Kept:
    """One line of the index.

    Attributes:
        key: a ``BuildKey``'s name.
        at_s: when it was kept, Unix time.
        files: checksums (SHA-256) of all files that were ever written for it, sorted.
    """

    key: str
    at_s: float
    files: tuple[str, ...]


def manifest_path(key: str) -> str:
    """Where the manifest of the key of that name is, on the remote."""
    return f"{BUILDS_FOLDER}/{key}.json"


def file_path(key: str, sha256: str) -> str:
    """Where the file with this checksum is, of the build whose key has that name."""
    return f"{BUILDS_FOLDER}/{key}.{sha256}"


def refuse_product(path: str) -> str:
    """Say why ``path`` cannot be what compiling darknet makes; empty if it can.

    It can be ``darknet``, ``uselib`` or ``libdarknet.so`` (or ``.a``, with a version), or lie below ``build/``; nothing
    else of a tree is ever written over by what comes from a remote as a build.
    """
    top, *below = path.split("/")
    if not all(_PART.fullmatch(part) for part in (top, *below)):
        return f"{path!r} is no path within a tree"
    if len(below) > _MAX_FOLDERS:
        return f"{path!r} lies too deep"
    if not (top == "build" if below else _TOP.fullmatch(top)):
        return f"{path!r} is nothing that compiling darknet makes"
    return ""


def refuse_products(products: Sequence[Product]) -> str:
    """Say why these cannot be the files of one build; empty if they can."""
    if not 1 <= len(products) <= _MAX_FILES:
        return f"it has {len(products)} files"
    if reason := next(filter(None, (refuse_product(product.path) for product in products)), ""):
        return reason
    paths = {product.path for product in products}
    above = {path[:at] for path in paths for at, letter in enumerate(path) if letter == "/"}
    if len(paths) < len(products) or paths & above:
        return "two of its files have one path"
    size = sum(product.size for product in products)
    if size > MAX_BUILD_BYTES or any(product.size < 1 for product in products):
        return f"its files have {size} bytes"
    return ""


def write_manifest(manifest: Manifest) -> bytes:
    """As it is kept."""
    return _dump(
        key=manifest.key.said,
        built_at_s=manifest.built_at_s,
        files=[asdict(product) for product in manifest.products],
    )


def read_manifest(content: bytes, key: BuildKey) -> Manifest:
    """What a manifest says.

    Args:
        content: all of it.
        key: of the build that was looked for.

    Raises:
        DamagedError: it is torn, of another key, or says what no manifest of ours says.
    """
    try:
        said = _load(content)
        products = tuple(sorted((_read_product(one) for one in said["files"]), key=lambda each: each.path))
        manifest = Manifest(key, products, _read_time(said["built_at_s"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DamagedError("its manifest cannot be read") from error
    if said["key"] != key.said:
        raise DamagedError("its manifest is of another build")
    if reason := refuse_products(products):
        raise DamagedError(f"by its manifest, {reason}")
    return manifest


def write_index(index: Iterable[Kept]) -> bytes:
    """As it is kept."""
    return _dump(builds=[asdict(kept) for kept in index])


def read_index(content: bytes) -> tuple[Kept, ...]:
    """What an index says; of what is not as we write it, nothing, so that nothing is ever deleted by it."""
    try:
        return tuple(filter(None, (_read_kept(one) for one in _load(content)["builds"][-_MAX_INDEX:])))
    except (ValueError, TypeError, KeyError, RecursionError):
        return ()


def add_to_index(index: Sequence[Kept], kept: Kept) -> tuple[tuple[Kept, ...], tuple[Kept, ...]]:
    """Make ``kept`` the newest of the index.

    Returns:
        What is to be kept, the newest last; and what is to go.
    """
    before = next((each for each in index if each.key == kept.key), None)
    files = {*kept.files, *(before.files if before else ())}
    newest = Kept(kept.key, kept.at_s, tuple(sorted(files)))
    others = [each for each in index if each.key != kept.key]
    return (*others[-(KEPT - 1) :], newest), tuple(others[: -(KEPT - 1)])


def _read_product(said: dict[str, Any]) -> Product:
    path, size, sha256, executable = (said[name] for name in ("path", "size", "sha256", "executable"))
    if not (isinstance(path, str) and type(size) is int and type(executable) is bool and _is_sha256(sha256)):
        raise TypeError
    return Product(path, size, sha256, executable)


def _read_kept(said: Any) -> Kept | None:
    try:
        key, files = said["key"], tuple(said["files"])
        at_s = _read_time(said["at_s"])
    except (ValueError, TypeError, KeyError):
        return None
    known = isinstance(key, str) and _KEY.fullmatch(key) and all(map(_is_sha256, files))
    return Kept(key, at_s, files) if known else None


def _read_time(said: Any) -> float:
    if type(said) not in {int, float} or not math.isfinite(said):
        raise TypeError
    return float(said)


def _is_sha256(said: Any) -> bool:
    return isinstance(said, str) and _SHA256.fullmatch(said) is not None


def _dump(**said: object) -> bytes:
    return json.dumps({"format": _FORMAT, **said}, indent=1).encode() + b"\n"


def _load(content: bytes) -> Any:
    said = json.loads(content)
    if said["format"] != _FORMAT:
        raise ValueError
    return said
