"""What may go wrong, and when. PURE: the seed is handed in.

A fault is an effect with a rule of when it strikes. At most one fault strikes a request, the first that was injected
and applies; delays are counted apart and add to whatever else happens.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeAlias

from drivesync.testing.costs import check_options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """Refuse the request before anything is done; ``retry_after_s`` becomes a Retry-After header."""

    status: int = 503
    reason: str = "backendError"
    message: str = ""
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class CutDownload:
    """Do the work, announce the whole body, send its first bytes (never all of it) and close the connection."""

    after_bytes: int = 0


@dataclass(frozen=True, slots=True)
class CutUpload:
    """Reset the connection when so many bytes of the request's body were read."""

    after_bytes: int = 0


@dataclass(frozen=True, slots=True)
class CorruptDownload:
    """Flip so many bytes of the answer's body, at random places."""

    flips: int = 1


@dataclass(frozen=True, slots=True)
class CorruptUpload:
    """Flip so many bytes of the request's body on their way in, at its start."""

    flips: int = 1


@dataclass(frozen=True, slots=True)
class LostAnswer:
    """Do the work, then close the connection without an answer."""


@dataclass(frozen=True, slots=True)
class ExpiredToken:
    """From now on the bearer token of this request is refused with 401."""


@dataclass(frozen=True, slots=True)
class ExpiredUpload:
    """Forget the resumable session: this request and all later ones to it are answered with ``status``."""

    status: int = 404


@dataclass(frozen=True, slots=True)
class OmittedParent:
    """Leave the children of one parent out of a listing over several, incompleteSearch staying false.

    ``parent_id`` chooses it; empty means the one named last. A listing over a single parent is never touched.
    """

    parent_id: str = ""


@dataclass(frozen=True, slots=True)
class Delay:
    """Wait before the request is looked at, on top of the latency that all requests have."""

    delay_s: float = 1.0


Effect: TypeAlias = (
    "ErrorAnswer | CutDownload | CutUpload | CorruptDownload | CorruptUpload | LostAnswer | ExpiredToken"
    " | ExpiredUpload | OmittedParent | Delay"
)

_EFFECTS: dict[str, type[Effect]] = {
    "error": ErrorAnswer,
    "cut_download": CutDownload,
    "cut_upload": CutUpload,
    "corrupt_download": CorruptDownload,
    "corrupt_upload": CorruptUpload,
    "lost_answer": LostAnswer,
    "expired_token": ExpiredToken,
    "expired_upload": ExpiredUpload,
    "omitted_parent": OmittedParent,
    "delay": Delay,
}
_NAMES = {effect: name for name, effect in _EFFECTS.items()}


@dataclass(frozen=True, slots=True)
class Fault:
    """An effect and when it strikes.

    ``call`` is a shell pattern over the kinds in ``calls``; the first ``skip`` requests that match pass; of the others
    each is struck with ``probability``, ``times`` in all (None: for ever).
    """

    effect: Effect
    call: str = "*"
    times: int | None = 1
    skip: int = 0
    probability: float = 1.0


@dataclass(slots=True)
class _Armed:
    fault: Fault
    seen: int = 0
    struck: int = 0


class Faults:
    """The faults that are injected, and how often each has struck."""

    def __init__(self, seed: int = 0) -> None:
        self.random = random.Random(seed)  # noqa: S311 - faults have to come again in the same order
        self._armed: list[_Armed] = []

    def inject(self, fault: Fault) -> None:
        """Arm a fault, behind those that are armed already."""
        self._armed.append(_Armed(fault))

    def clear(self) -> None:
        """Disarm all."""
        self._armed.clear()

    def report(self) -> list[dict[str, object]]:
        """Each fault as ``parse_fault`` reads it, with how many requests it ``struck``."""
        return [{**fault_to_json(armed.fault), "struck": armed.struck} for armed in self._armed]

    def draw_delay(self, kind: str) -> float:
        """Seconds that injected delays add to this request."""
        delays = [
            armed.fault.effect.delay_s
            for armed in self._armed
            if isinstance(armed.fault.effect, Delay) and self._strikes(armed, kind)
        ]
        return sum(delays)

    def draw(self, kind: str, applies: Callable[[Effect], bool]) -> Effect | None:
        """The effect that strikes this request, of those that ``applies`` takes."""
        for armed in self._armed:
            if applies(armed.fault.effect) and self._strikes(armed, kind):
                return armed.fault.effect
        return None

    def _strikes(self, armed: _Armed, kind: str) -> bool:
        fault = armed.fault
        if not fnmatchcase(kind, fault.call) or (fault.times is not None and armed.struck >= fault.times):
            return False
        armed.seen += 1
        if armed.seen <= fault.skip or (fault.probability < 1 and self.random.random() >= fault.probability):
            return False
        armed.struck += 1
        return True


def fault_to_json(fault: Fault) -> dict[str, object]:
    """The object that ``fault_from_json`` reads."""
    inner = {part.name: getattr(fault.effect, part.name) for part in fields(fault.effect)}
    rule = {part.name: getattr(fault, part.name) for part in fields(fault) if part.name != "effect"}
    return {"effect": _NAMES[type(fault.effect)], **inner, **rule}


def fault_from_json(body: Mapping[str, object]) -> Fault:
    """Read ``{"effect": "error", "status": 503, "call": "files.get*", "times": 3}``.

    With a ``probability`` and no ``times`` it strikes for ever.

    Raises:
        ValueError: an unknown effect or option, or a value of the wrong kind.
    """
    options: dict[str, Any] = dict(body)
    effect_type = _EFFECTS.get(str(options.pop("effect", "")))
    if effect_type is None:
        raise ValueError(f"effect must be one of {', '.join(_EFFECTS)}")
    inner_names = {part.name for part in fields(effect_type)}
    inner = {name: options.pop(name) for name in list(options) if name in inner_names}
    if "probability" in options:
        options.setdefault("times", None)
    check_options(effect_type, inner)
    check_options(Fault, options)
    return Fault(effect_type(**inner), **options)


def parse_fault(text: str) -> Fault:
    """Read the command line's form: ``error,status=503,call=files.get*,times=3``.

    Raises:
        ValueError: see ``fault_from_json``.
    """
    name, *pairs = text.split(",")
    options: dict[str, object] = {"effect": name}
    for pair in pairs:
        key, _, value = pair.partition("=")
        options[key] = _read_value(value)
    return fault_from_json(options)


def _read_value(text: str) -> object:
    if text == "none":
        return None
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    try:
        return float(text)
    except ValueError:
        return text
