"""Reads an iterator in a thread, some items ahead of whoever takes them."""

from __future__ import annotations

import queue
import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from types import TracebackType

Item = TypeVar("Item")

_DEPTH = 8
_LOOK_EVERY_S = 0.2


class _End(Exception):  # noqa: N818 - it is none
    """The iterator has come to its end."""


class ReadAhead(Generic[Item]):
    """The items of an iterator, once; a context manager, whose thread lives as long as the context.

    Args:
        items: read to its end, or closed when the context ends; its errors are raised where they come.
        cancel: makes ``items`` fail soon; called where the context ends before them.
    """

    def __init__(self, items: Generator[Item, None, None], cancel: Callable[[], None]) -> None:
        self._items = items
        self._cancel = cancel
        self._told: queue.Queue[Item | BaseException] = queue.Queue(_DEPTH)
        self._closing = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._read, name="ahead", daemon=True)

    def __enter__(self) -> ReadAhead[Item]:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.set()
        while self._thread.is_alive():
            if not self._ended:
                self._cancel()
            self._thread.join(_LOOK_EVERY_S)

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        told = self._take()
        if isinstance(told, BaseException):
            # It stays the answer, should somebody ask again.
            self._told.put(told)
            raise StopIteration if isinstance(told, _End) else told
        return told

    def _take(self) -> Item | BaseException:
        while True:
            # A signal that came just before the wait began is heard only when it ends.
            with suppress(queue.Empty):
                return self._told.get(timeout=_LOOK_EVERY_S)

    def _read(self) -> None:
        told: BaseException = _End()
        try:
            # What is not read to its end is ended here, in the thread that it runs in.
            with closing(self._items) as items:
                for item in items:
                    self._tell(item)
                    if self._closing.is_set():
                        break
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits for it
            told = error
        self._ended = True
        self._tell(told)

    def _tell(self, told: Item | BaseException) -> None:
        said = False
        while not said and not self._closing.is_set():
            with suppress(queue.Full):
                self._told.put(told, timeout=_LOOK_EVERY_S)
                said = True
