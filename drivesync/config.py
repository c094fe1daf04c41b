"""Settings, resolved once from arguments and environment."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from drivesync.errors import SettingsError
from drivesync.files import STATE_FOLDER, TRAINERS_FOLDER, refuse_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_REMOTE = "darknet"
CHECKPOINT_PATTERNS = ("backup/*.weights", "backup/*.backup")
"""What push and watch send, as globs below the tree."""
TREE_SETTINGS = "drivesync.toml"
"""In a tree, and so in Drive: settings that are still there when the machine is not."""
ARCHIVE_ENDS = (".zip", ".tar", ".tar.gz", ".tgz")
"""How the name of an archive ends that can be unpacked."""

PACKS = ("off", "manual", "auto")
"""What ``packs`` may be."""

_TREE_SETTINGS = ("keep_numbered", "packs", "unpack")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says.

    Attributes:
        emulator_url: where all Drive traffic goes instead of Google; empty for Google.
        access_token: used as the bearer token; empty for Application Default Credentials.
        retries: how often one request is tried again before its error is final.
        retry_wait_s: the first pause before a request is tried again; each further one is twice as long.
        settle_s: after so many seconds Drive's listings show what was made.
    """

    emulator_url: str = ""
    access_token: str = field(default="", repr=False)
    retries: int = 7
    retry_wait_s: float = 1.0
    settle_s: float = 3.0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read the environment.

        DRIVE_EMULATOR_HOST, GOOGLE_OAUTH_ACCESS_TOKEN, DRIVESYNC_RETRIES, DRIVESYNC_RETRY_WAIT_S, DRIVESYNC_SETTLE_S.

        Raises:
            SettingsError: one of them cannot be what it says.
        """
        return cls(
            emulator_url=_url(environment.get("DRIVE_EMULATOR_HOST", "")),
            access_token=_token(environment.get("GOOGLE_OAUTH_ACCESS_TOKEN", "")),
            retries=_number(environment, "DRIVESYNC_RETRIES", default=cls().retries, low=0, high=50),
            retry_wait_s=_seconds(
                environment, "DRIVESYNC_RETRY_WAIT_S", default=cls().retry_wait_s, high=60.0
            ),
            settle_s=_seconds(environment, "DRIVESYNC_SETTLE_S", default=cls().settle_s, high=600.0),
        )


@dataclass(frozen=True, slots=True)
class TreeSettings:
    """What ``TREE/drivesync.toml`` says.

    Attributes:
        keep_numbered: so many numbered checkpoints of a run stay on the remote, the newest; None for all.
        unpack: paths of archives that a pull unpacks into the tree.
        packs: ``auto``: they are made after a pull of many small files; ``manual``: by a command only; ``off``: they
            are neither made nor read.
    """

    keep_numbered: int | None = None
    unpack: tuple[str, ...] = ()
    packs: str = "auto"


def read_tree_settings(tree: Path, environment: Mapping[str, str]) -> TreeSettings:
    """Read the tree's settings; DRIVESYNC_KEEP_NUMBERED, DRIVESYNC_PACKS and DRIVESYNC_UNPACK go before them.

    Raises:
        SettingsError: they cannot be what they say.
    """
    path = tree / TREE_SETTINGS
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        content = b""
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error
    return parse_tree_settings(content, str(path), environment)


def parse_tree_settings(content: bytes, name: str, environment: Mapping[str, str]) -> TreeSettings:
    """The same of a file that has this ``content``, and is called ``name`` in messages."""
    try:
        said: dict[str, Any] = tomllib.loads(content.decode())
    except ValueError as error:
        raise SettingsError(f"{name} cannot be read: {error}") from error
    if unknown := sorted(said.keys() - set(_TREE_SETTINGS)):
        known = f"{', '.join(_TREE_SETTINGS[:-1])} and {_TREE_SETTINGS[-1]}"
        raise SettingsError(f"{name} has a setting {unknown[0]!r}; there are only {known}")
    unpack = read_unpack(environment)
    return TreeSettings(
        _keep_numbered(said, name, environment),
        _archives(said.get("unpack", []), f"{name}: unpack") if unpack is None else unpack,
        _packs(said, name, environment),
    )


def _keep_numbered(said: Mapping[str, Any], name: str, environment: Mapping[str, str]) -> int | None:
    keep: int | None = said.get("keep_numbered")
    if keep is not None and (type(keep) is not int or keep < 1):
        raise SettingsError(f"{name}: keep_numbered is {keep!r}; it must be a whole number from 1")
    given = environment.get("DRIVESYNC_KEEP_NUMBERED", "").strip()
    if given == "all":
        return None
    if not given:
        return keep
    return _number(environment, "DRIVESYNC_KEEP_NUMBERED", default=1, low=1, high=1_000_000)


def read_packs(environment: Mapping[str, str]) -> str:
    """What DRIVESYNC_PACKS says, as ``TreeSettings.packs``; empty where it says nothing.

    Raises:
        SettingsError: there is no such way with packs.
    """
    given = environment.get("DRIVESYNC_PACKS", "").strip()
    return _check_packs(given, "DRIVESYNC_PACKS") if given else ""


def _packs(said: Mapping[str, Any], name: str, environment: Mapping[str, str]) -> str:
    return read_packs(environment) or _check_packs(said.get("packs", TreeSettings().packs), f"{name}: packs")


def _check_packs(given: object, where: str) -> str:
    if not isinstance(given, str) or given not in PACKS:
        raise SettingsError(f"{where} is {given!r}; it must be one of {', '.join(PACKS)}")
    return given


def read_unpack(environment: Mapping[str, str]) -> tuple[str, ...] | None:
    """What DRIVESYNC_UNPACK names, paths with colons between them; None where it says nothing, ``:`` for none.

    Raises:
        SettingsError: one of them cannot be unpacked.
    """
    given = environment.get("DRIVESYNC_UNPACK", "").strip()
    return _archives([path for path in given.split(":") if path], "DRIVESYNC_UNPACK") if given else None


def refuse_archive(path: str) -> str:
    """Say why ``path`` cannot be that of an archive to unpack, as a clause; empty if it can."""
    names = path.split("/")
    if any(map(refuse_name, names)) or names[0] in {STATE_FOLDER, TRAINERS_FOLDER}:
        return "is no path of a file in the tree"
    return "" if path.endswith(ARCHIVE_ENDS) else f"does not end in {', '.join(ARCHIVE_ENDS)}"


def _archives(paths: object, name: str) -> tuple[str, ...]:
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise SettingsError(f'{name} is {paths!r}; it must be a list, such as ["data/obj.zip"]')
    for path in paths:
        if reason := refuse_archive(path):
            raise SettingsError(f"{name} has {path!r}, which {reason}")
    return tuple(dict.fromkeys(paths))


def default_tree() -> Path:
    """``/content/darknet`` on Colab, else ``darknet`` in the working directory."""
    content = Path("/content")
    return content / "darknet" if content.is_dir() else Path("darknet")


def _url(text: str) -> str:
    text = text.strip()
    if not text:
        return ""
    url = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise SettingsError(
            f"DRIVE_EMULATOR_HOST is {text!r}, which is no address",
            hint="Set it to what `python -m drivesync.testing` prints, such as http://127.0.0.1:8085.",
        )
    return url.rstrip("/")


def _token(text: str) -> str:
    text = text.strip()
    if not all("!" <= letter <= "~" for letter in text):
        # Its value is a secret, and stays out of the message.
        raise SettingsError(
            "GOOGLE_OAUTH_ACCESS_TOKEN holds a character that no token has",
            hint="Set it to what `gcloud auth print-access-token` prints, one line without spaces.",
        )
    return text


def _seconds(environment: Mapping[str, str], name: str, *, default: float, high: float) -> float:
    text = environment.get(name, "").strip()
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0.0 <= seconds <= high:
        raise SettingsError(f"{name} is {text!r}; it must be a number of seconds from 0 to {high:g}")
    return seconds


def _number(environment: Mapping[str, str], name: str, *, default: int, low: int, high: int) -> int:
    text = environment.get(name, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10) or not low <= int(text) <= high:
        raise SettingsError(f"{name} is {text!r}; it must be a whole number from {low} to {high}")
    return int(text)
