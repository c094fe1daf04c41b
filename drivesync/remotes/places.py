"""What a user may call a remote, and what is meant by it. Pure.

darknet, work/darknet             folders below My Drive
MyDrive/darknet                   the same, as Colab's mount spells it
Shareddrives/TEAM/darknet         a shared drive by its name, as Colab's mount spells it
id:ID, or an id alone             a folder by its id
https://drive.google.com/...      a folder by the address that the browser shows, or that "Copy link" gives
/content/drive/MyDrive/darknet    a directory of this machine, as is ./x, ../x and ~/x
github:USER/REPO[@REF]            a repository on GitHub
https://..., git@host:..., ...    any address that git takes
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import parse_qs, urlsplit

from drivesync.errors import UsageError
from drivesync.files import refuse_name


@dataclass(frozen=True, slots=True)
class DrivePath:
    """A folder by its path: below My Drive, or below the shared drive of that name; no names are its root."""

    names: tuple[str, ...]
    shared_drive: str = ""

    @property
    def possible_id(self) -> str:
        """The name, where it could be an id as well; else empty."""
        alone = not self.shared_drive and len(self.names) == 1
        return self.names[0] if alone and _LONG_ID.fullmatch(self.names[0]) else ""


@dataclass(frozen=True, slots=True)
class DriveId:
    """A folder by its id; ``resource_key`` opens one that is shared by a link."""

    id: str
    resource_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class LocalFolder:
    """A directory of this machine, as the user wrote it."""

    path: str


@dataclass(frozen=True, slots=True)
class GitRepository:
    """What git can clone, as the user wrote it."""

    address: str


Place: TypeAlias = "DrivePath | DriveId | LocalFolder | GitRepository"

_ID = re.compile(r"[A-Za-z0-9_-]+")
# Ids of files have 28 letters and more today, and nobody types a name of that kind by chance.
_LONG_ID = re.compile(r"[A-Za-z0-9_-]{25,}")
_IN_FOLDERS = re.compile(r"/folders/([A-Za-z0-9_-]+)/?$")
_SSH_ADDRESS = re.compile(r"[\w.-]+@[\w.-]+:.+")
_GIT_SCHEMES = frozenset({"file", "git", "git+ssh", "ssh"})
_GIT_HOSTS = frozenset({"bitbucket.org", "codeberg.org", "github.com", "gitlab.com"})
_GOOGLE_HOSTS = frozenset({"docs.google.com", "drive.google.com"})
_MY_DRIVE = frozenset({"My Drive", "MyDrive"})
_SHARED_DRIVES = frozenset({"Shared drives", "Shareddrives"})

_HINT = (
    "REMOTE is a folder path below My Drive (darknet, work/darknet), Shareddrives/NAME/path, a folder's address or "
    "id:ID, a directory (/path, ./path), or github:USER/REPO."
)


def parse_place(name: str) -> Place:
    """What ``name`` means.

    Raises:
        UsageError: nothing.
    """
    if _is_local(name):
        return LocalFolder(name)
    if name.startswith("drive.google.com/"):
        return _parse_google(f"https://{name}")
    if "://" in name:
        return _parse_url(name)
    if name.startswith("github:") or _SSH_ADDRESS.fullmatch(name):
        return GitRepository(name)
    if name.startswith("id:"):
        return DriveId(_check_id(name[3:], name))
    return _parse_path(name)


def parse_drive_place(name: str) -> DrivePath | DriveId:
    """What ``name`` means in Google Drive.

    Raises:
        UsageError: nothing there.
    """
    place = parse_place(name)
    if isinstance(place, (DrivePath, DriveId)):
        return place
    raise UsageError(f"{name!r} names no folder in Google Drive", hint=_HINT)


def _is_local(name: str) -> bool:
    return name in {".", ".."} or name.startswith(("/", "./", "../", "~"))


def _parse_path(name: str) -> DrivePath:
    first, *names = name.rstrip("/").split("/")
    place = DrivePath((first, *names))
    if first in _MY_DRIVE:
        place = DrivePath(tuple(names))
    elif first in _SHARED_DRIVES:
        if not names or not names[0]:
            raise UsageError(f"{name!r} names no shared drive", hint="Write Shareddrives/NAME/path.")
        place = DrivePath(tuple(names[1:]), shared_drive=names[0])
    if any(refuse_name(part) for part in place.names):
        raise UsageError(f"{name!r} names no folder", hint=_HINT)
    return place


def _parse_url(name: str) -> Place:
    try:
        parts = urlsplit(name)
        host = (parts.hostname or "").lower().removeprefix("www.")
    except ValueError:
        raise UsageError(f"{name!r} is no address", hint=_HINT) from None
    if host in _GOOGLE_HOSTS:
        return _parse_google(name)
    scheme = parts.scheme.lower()
    if scheme in _GIT_SCHEMES:
        return GitRepository(name)
    if scheme in {"http", "https"} and (host in _GIT_HOSTS or parts.path.rstrip("/").endswith(".git")):
        return GitRepository(name)
    raise UsageError(f"{name!r} is neither a folder in Google Drive nor a git repository", hint=_HINT)


def _parse_google(url: str) -> DriveId:
    """The folder at an address of Google's: /drive/folders/ID, /drive/u/0/folders/ID, /open?id=ID and older ones.

    What stands behind ``open?id=`` only Drive can tell.
    """
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    key = query.get("resourcekey", [""])[0]
    if match := _IN_FOLDERS.search(parts.path):
        return DriveId(match[1], key)
    if parts.path.strip("/") in {"open", "folderview", "embeddedfolderview"} and "id" in query:
        return DriveId(_check_id(query["id"][0], url), key)
    if "/d/" in parts.path or parts.path.strip("/") == "uc":
        hint = "Give the address of the folder that it lies in."
        raise UsageError(f"{url!r} leads to a file, not to a folder", hint=hint)
    hint = "Open the folder in the browser, and copy its address: https://drive.google.com/drive/folders/..."
    raise UsageError(f"{url!r} leads to no folder", hint=hint)


def _check_id(text: str, name: str) -> str:
    if not _ID.fullmatch(text):
        raise UsageError(f"{name!r} holds no id of Drive's", hint=_HINT)
    return text
