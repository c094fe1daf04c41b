"""How a run is to be supervised: ``TREE/trainer.toml`` over the defaults, and TRAINER_* in the environment over both.

    diverged = "lower"        # or "stop": give up when the loss is no number any more
    rate_factor = 0.5         # what the learning rate is multiplied by when it is lowered
    lower_at_most = 3         # times
    max_loss = "2 min"        # how much training a lost machine may take with it
    stall_floor = "5 min"     # darknet may be silent for so long, whatever its pace
    stall_first = "30 min"    # and for so long before its first iteration
    stall_map = "1 h"         # and for so long while it measures its mAP
    stall_factor = 5          # and for so many times its longest silence so far
    notify = "https://..."    # is told when the run has ended or is in trouble
    in_place = false          # true: train on the mount that the tree lies on
    unassign = false          # true: give Colab's machine back after the verified end

The file goes with the tree, hence to Drive, and so is there in every session. TRAINER_MAX_LOSS="90 s" and the like are
for one session, and TRAINER_NOTIFY for who does not want that secret to lie in the tree.
"""

from __future__ import annotations

import math
import re
import sys
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from drivesync.errors import SettingsError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

SETTINGS_FILE = "trainer.toml"
"""In a tree."""

_PREFIX = "TRAINER_"
_UNITS_S = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
}
_TIME = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([a-z]+)", re.IGNORECASE)
_LONGEST_S = 86_400.0
_WORDS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


@dataclass(frozen=True, slots=True)
class TrainerSettings:
    """How a run is to be supervised.

    Attributes:
        diverged: what follows when training diverges again: the learning rate is lowered, or the run is given up.
        rate_factor: what the learning rate is multiplied by each time that it is lowered.
        lower_at_most: so many times.
        max_loss_s: how much training a lost machine may take with it, where darknet lets itself be told.
        stall_floor_s: darknet may be silent for so long, whatever its pace, before it counts as stalled.
        stall_first_s: and for so long before its first iteration.
        stall_map_s: and for so long while it measures its mAP.
        stall_factor: and for so many times the longest silence that it broke by itself.
        notify: URL that is told when the run has ended or is in trouble; empty for none. It is a secret.
        in_place: train a tree that lies on a mount where it lies.
        unassign: give Colab's machine back after the verified end.
    """

    diverged: Literal["lower", "stop"] = "lower"
    rate_factor: float = 0.5
    lower_at_most: int = 3
    max_loss_s: float = 120.0
    stall_floor_s: float = 300.0
    stall_first_s: float = 1800.0
    stall_map_s: float = 3600.0
    stall_factor: float = 5.0
    notify: str = field(default="", repr=False)
    in_place: bool = False
    unassign: bool = False


DEFAULT_SETTINGS = TrainerSettings()


def read_settings(tree: Path, environ: Mapping[str, str]) -> TrainerSettings:
    """Read the tree's settings and the environment's.

    Raises:
        SettingsError: one of them cannot be what it says, or the file has a setting that there is not; the message
            names where it stands and what is allowed there.
    """
    path = tree / SETTINGS_FILE
    said = _read_file(path)
    if unknown := sorted(said.keys() - _KEYS.keys()):
        near = get_close_matches(unknown[0], _KEYS, n=1)
        instead = f"did you mean {near[0]}?" if near else f"there are {', '.join(_KEYS)}"
        raise SettingsError(f"{path} has a setting {unknown[0]!r}; {instead}")
    found: dict[str, Any] = {key: _take(f"{path}: {key}", key, value) for key, value in said.items()}
    for name, value in sorted(environ.items()):
        key = name[len(_PREFIX) :].lower()
        if not name.startswith(_PREFIX) or not value.strip():
            continue
        if key in _KEYS:
            found[key] = _take(name, key, value.strip())
        elif near := get_close_matches(key, _KEYS, n=1, cutoff=0.8):  # others may be other programs'
            raise SettingsError(f"{name} is no setting; did you mean {_PREFIX}{near[0].upper()}?")
    return TrainerSettings(**{_KEYS[key].field: value for key, value in found.items()})


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error


def _take(place: str, key: str, value: object) -> object:
    kind = _KEYS[key]
    taken = kind.read(value)
    if taken is None:
        shown = "wrong" if key == "notify" else repr(value)  # a secret stays out of the message
        raise SettingsError(f"{place} is {shown}; it must be {kind.allowed}")
    return taken


# One reader for both places: in the environment all is text, so in the file a number may be text, too.


@dataclass(frozen=True, slots=True)
class _Key:
    """A setting: the field that it fills, what is allowed, and how it is read: None where it is not that."""

    field: str
    allowed: str
    read: Callable[[object], object | None]


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _number_in(low: float, high: float) -> Callable[[object], float | None]:
    def read(value: object) -> float | None:
        number = _number(value)
        return number if number is not None and low <= number <= high else None

    return read


def _whole_in(low: int, high: int) -> Callable[[object], int | None]:
    def read(value: object) -> int | None:
        number = _number(value)
        return int(number) if number is not None and number.is_integer() and low <= number <= high else None

    return read


def _time_from(low_s: float) -> Callable[[object], float | None]:
    def read(value: object) -> float | None:
        seconds = _number(value)
        if seconds is None and isinstance(value, str) and (match := _TIME.fullmatch(value.strip())):
            seconds = float(match[1]) * _UNITS_S.get(match[2].lower(), math.nan)
        return seconds if seconds is not None and low_s <= seconds <= _LONGEST_S else None

    return read


def _read_answer(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    return _WORDS.get(value.lower()) if isinstance(value, str) else None


def _read_diverged(value: object) -> str | None:
    return value if isinstance(value, str) and value in {"lower", "stop"} else None


def _read_url(value: object) -> str | None:
    if not isinstance(value, str) or not all("!" <= letter <= "~" for letter in value):
        return None
    try:
        parts = urlsplit(value)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    return value if is_address or not value else None


def _time_key(name: str, low_s: float) -> _Key:
    allowed = f'a time from {low_s:g} s to 24 h, such as "90 s", "2 min", "1 h" or 120, which is in seconds'
    return _Key(f"{name}_s", allowed, _time_from(low_s))


_KEYS: dict[str, _Key] = {
    "diverged": _Key("diverged", '"lower" or "stop"', _read_diverged),
    "rate_factor": _Key("rate_factor", "a number from 0.05 to 0.95", _number_in(0.05, 0.95)),
    "lower_at_most": _Key("lower_at_most", "a whole number from 0 to 10", _whole_in(0, 10)),
    "max_loss": _time_key("max_loss", 10.0),
    "stall_floor": _time_key("stall_floor", 1.0),
    "stall_first": _time_key("stall_first", 1.0),
    "stall_map": _time_key("stall_map", 1.0),
    "stall_factor": _Key("stall_factor", "a number from 1 to 1000", _number_in(1.0, 1000.0)),
    "notify": _Key("notify", "an address that begins with https:// or http://", _read_url),
    "in_place": _Key("in_place", "true or false", _read_answer),
    "unassign": _Key("unassign", "true or false", _read_answer),
}
