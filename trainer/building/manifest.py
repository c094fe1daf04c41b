"""PURE: what says of a kept build which files it has, and what may stand there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Product:
    """One file that compiling has made.

    Attributes:
        path: relative to the tree: ``darknet``, or below ``build/``.
        size: in bytes.
        sha256: lower-case hex.
        executable: a program, and no library.
    """

    path: str
    size: int
    sha256: str
    executable: bool
