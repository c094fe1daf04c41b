"""PURE: a .cfg or .data of the user's with a few options set otherwise, and every other byte as it was.

Lines are told apart as ``trainer.darknet.cfg`` and ``trainer.darknet.data`` tell them, that is as darknet does: the
first of two options of one name counts, and white space counts nowhere. So the line that is changed is the one that
darknet reads. A changed line keeps what stands around its value, a comment and a carriage return among it; a new line
ends like its neighbour. So whichever darknet reads the user's file, or trips over it, does so with the derived one.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from trainer.darknet.cfg import parse_cfg

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from trainer.darknet.cfg import Network

_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")

_SGDR_LEAST_RATE = 0.00001
"""What AlexeyAB's and hank-ai's take for ``learning_rate_min`` where the cfg has none (source: their parsers)."""


def derive_cfg(text: str, *, subdivisions: int | None = None, rate_factor: float = 1.0) -> str:
    """A cfg's text with other subdivisions and another learning rate; the same text where nothing is to change.

    Policy, burn-in and steps stay: all they do is to multiply the learning rate, so the whole schedule moves with it.
    Only ``sgdr`` swings between the learning rate and ``learning_rate_min``, which moves with it, too.

    Args:
        text: of the user's cfg.
        subdivisions: to write; None leaves them as they are.
        rate_factor: what the learning rate is multiplied by, above 0.

    Raises:
        TreeError: the text is no cfg that darknet could train.
    """
    network = parse_cfg(text)
    wanted: dict[str, str] = {}
    if subdivisions is not None and subdivisions != network.subdivisions:
        wanted["subdivisions"] = str(subdivisions)
    if rate_factor != 1.0:
        wanted |= _multiply_rates(network, rate_factor)
    if not wanted:
        return text
    lines = text.split("\n")
    first, last = _net_lines(lines)
    net = _set_options(lines[first:last], wanted, beside=lines[first - 1], old_part=_leading_number)
    return "\n".join([*lines[:first], *net, *lines[last:]])


def derive_data(text: str, values: Mapping[str, str]) -> str:
    """A .data file's text with some options set; those that it has not are put at its beginning.

    Args:
        text: of the user's file.
        values: by option; without spaces, which darknet would delete.
    """
    lines = text.split("\n")
    return "\n".join(_set_options(lines, values, beside=lines[0], old_part=str))


def add_note(text: str, source: str) -> str:
    """Say in a comment at the top of a derived text that it is one; every darknet passes over it.

    Args:
        text: the derived one.
        source: the path of the user's file.
    """
    shown = "".join(letter if letter.isprintable() else "?" for letter in source)
    note = f"# Derived from {shown} whenever darknet is started: change that file, not this one."
    return f"{note}{_line_end(text.split(chr(10), 1)[0])}\n{text}"


def _multiply_rates(network: Network, factor: float) -> dict[str, str]:
    rates = {"learning_rate": network.learning_rate}
    if network.net.options.get("policy") == "sgdr":
        rates["learning_rate_min"] = network.net.real("learning_rate_min", _SGDR_LEAST_RATE)
    return {key: _plain(rate * factor) for key, rate in rates.items()}


def _plain(number: float) -> str:
    # Without an exponent, which hank-ai's takes for text; 7 digits, more than its and the others' floats hold.
    return format(Decimal(f"{number:.7g}"), "f")


def _net_lines(lines: Sequence[str]) -> tuple[int, int]:
    """Where the options of the first section begin, and where they end."""
    headers = [number for number, line in enumerate(lines) if "".join(line.split())[:1] == "["]
    return headers[0] + 1, headers[1]


def _set_options(
    lines: Sequence[str], wanted: Mapping[str, str], *, beside: str, old_part: Callable[[str], str]
) -> list[str]:
    """The lines with options set: where each stands first, or else before all lines, ending like ``beside``."""
    missing = dict(wanted)
    changed: list[str] = []
    for line in lines:
        key, value = _split(line)
        new = missing.pop(key, None) if value else None
        old = old_part(value)
        changed.append(line if new is None or new == old else _replace(line, old, new))
    return [f"{key}={value}{_line_end(beside)}" for key, value in missing.items()] + changed


def _split(line: str) -> tuple[str, str]:
    """Option and value as darknet reads them; both empty where the line has none."""
    row = "".join(line.split())
    if not row or row[0] in "#;":
        return "", ""
    key, _, value = row.partition("=")
    return key, value


def _leading_number(value: str) -> str:
    match = _NUMBER.match(value)
    return match.group() if match else ""


def _replace(line: str, old: str, new: str) -> str:
    """The line with ``new`` for ``old``, which begins its value and may have white space in it there."""
    before, equals, value = line.partition("=")
    spaced = re.compile(r"\s*".join(re.escape(letter) for letter in old))
    return f"{before}{equals}{spaced.sub(lambda _: new, value, count=1)}"


def _line_end(line: str) -> str:
    return "\r" if line.endswith("\r") else ""
