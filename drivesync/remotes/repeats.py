"""Repeats of what a folder or a git repository did not give at once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from drivesync.errors import TransientError
from drivesync.remotes.retrying import Budget, Spokesman, retry_policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivesync.config import Settings
    from drivesync.remotes.usage import Usage

Result = TypeVar("Result")


class Repeats:
    """Does things, again where that may help; safe to use from several threads.

    Args:
        settings: say how often, and after what pause.
        usage: where repeats are counted.
        on_wait: told a line before a long pause.

    Attributes:
        closing: set to end all waiting, and to let nothing begin any more.
    """

    def __init__(self, settings: Settings, usage: Usage, on_wait: Callable[[str], None]) -> None:
        self._settings = settings
        self._usage = usage
        self._on_wait = Spokesman(on_wait)
        self._trouble = ""
        self.closing = threading.Event()

    @property
    def trouble(self) -> str:
        """What went wrong last, until something succeeds."""
        return self._trouble

    def check(self, action: str) -> None:
        """See that ``action`` may begin.

        Raises:
            TransientError: everything was stopped.
        """
        if self.closing.is_set():
            raise TransientError(f"{action}: stopped")

    def call(self, action: str, work: Callable[[], Result]) -> Result:
        """``work()``, which says by a TransientError that it may be repeated.

        Raises:
            TransientError: it failed too often, or everything was stopped.
        """
        budget = Budget(self._settings.retries)

        def attempt() -> Result:
            self.check(action)
            try:
                result = work()
            except TransientError as error:
                budget.spend(error)
                self._trouble = str(error)
                raise
            self._trouble = ""
            return result

        wait_s = self._settings.retry_wait_s
        retry = retry_policy(budget, wait_s, self.closing, self._on_wait, self._usage.count_retry)
        result: Result = retry(attempt)
        return result
