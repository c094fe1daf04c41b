"""Bytes out of a child's pipes: kept in a log of bounded size, and cut into lines."""

from __future__ import annotations

import codecs
import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

LOG_LIMIT_BYTES = 64 << 20
"""Size at which a log becomes ``NAME.1``; so a log takes at most twice this on disk."""

LINE_CHARS = 8192
"""A longer line is cut in events and in ``last_lines``; the log has all of it."""


class RotatedLog:
    """A file that bytes are appended to and that never raises; at ``limit_bytes`` it becomes ``NAME.1``."""

    def __init__(self, path: Path, limit_bytes: int = LOG_LIMIT_BYTES) -> None:
        self._path = path
        self._limit_bytes = limit_bytes
        self._descriptor = -1
        self._size_bytes = 0

    def __enter__(self) -> RotatedLog:
        with contextlib.suppress(OSError):
            self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def write(self, data: bytes) -> None:
        """Append ``data``, or lose it where the disk does not take it."""
        with contextlib.suppress(OSError):
            if self._descriptor >= 0 and self._size_bytes + len(data) > self._limit_bytes:
                self._close()
                self._path.replace(self._path.with_name(f"{self._path.name}.1"))
            if self._descriptor < 0:
                self._open()
            self._size_bytes += os.write(self._descriptor, data)

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._size_bytes = os.fstat(self._descriptor).st_size

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1


class LineSplitter:
    """Cuts a stream of bytes at line feeds and, for darknet's progress counters, carriage returns."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._partial = ""

    def feed(self, data: bytes) -> list[str]:
        """The lines that ``data`` completes, without their ends; blank ones are left out."""
        text = self._partial + self._decoder.decode(data)
        *lines, self._partial = text.replace("\r", "\n").split("\n")
        if len(self._partial) > LINE_CHARS:
            lines.append(self._partial)
            self._partial = ""
        return [line[:LINE_CHARS] for line in lines if line]

    def end(self) -> list[str]:
        """The last line, if its end never came."""
        rest = self._partial + self._decoder.decode(b"", final=True)
        self._partial = ""
        return [rest] if rest else []
