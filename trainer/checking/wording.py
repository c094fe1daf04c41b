"""PURE: how a piece of a file is quoted in a finding."""

from __future__ import annotations

_LONGEST = 160


def quote(text: str | bytes) -> str:
    """``text`` in quotes, on one line, safe to print whatever it holds, and not long.

    Bytes are taken for UTF-8. What no terminal prints is escaped: names may come from others, and hold anything.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]}...{text[-_LONGEST // 2 :]}"
    return f"'{text}'" if text.isprintable() else repr(text)
