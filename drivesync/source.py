"""Where a pull's pages come from: a new listing, or the stored one with what has changed since."""

from __future__ import annotations

import threading
from itertools import chain
from typing import TYPE_CHECKING

from drivesync.ahead import ReadAhead
from drivesync.errors import DrivesyncError, StaleMarkError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack

    from drivesync.files import Page
    from drivesync.listings import Listing, Listings
    from drivesync.remotes.base import Remote


class Source:
    """What one remote holds, told page by page.

    Threads: one that lists ahead, one that asks how much there can be; both are joined with ``stack``.

    Args:
        remote: entered.
        stack: closed when the pull has ended.
    """

    def __init__(self, remote: Remote, stack: ExitStack) -> None:
        self._remote = remote
        self._stack = stack
        self._mark = ""
        self._fresh: Iterator[Page] | None = None
        self._bound: int | None = None
        self._asking: threading.Thread | None = None
        self._listing: Listing | None = None

    def list_anew(self) -> None:
        """Begin to list; returns with the first page.

        Raises:
            NotFoundError: there is no such folder.
        """
        self._asking = threading.Thread(target=self._ask_bound, name="bound", daemon=True)
        self._asking.start()
        self._stack.callback(self._asking.join)
        pages = self._stack.enter_context(ReadAhead(self._list(), self._remote.cancel))
        first = next(pages)
        self._fresh = chain([first], pages)

    def open(self, listings: Listings) -> Iterator[Page]:
        """All pages; what is told anew is stored on the way."""
        if self._fresh is None:
            stored = listings.find(self._remote.name)
            if stored is not None and self._catch_up(listings, stored):
                self._listing = stored
                self._bound = listings.total_bytes(stored)
                return listings.pages(stored)
            self.list_anew()
        return self._store(listings)

    def reopen(self, listings: Listings) -> Iterator[Page]:
        """All pages once more, after ``open`` has told the last."""
        if self._listing is None:
            raise RuntimeError("nothing is stored yet")
        self._bound = listings.total_bytes(self._listing)
        return listings.pages(self._listing)

    def most_bytes(self) -> int | None:
        """A bound on the size of all files; None where nobody can say yet."""
        if self._asking is not None:
            self._asking.join()
        return self._bound

    def _list(self) -> Iterator[Page]:
        # Taken first: what changes while the listing goes on is told again by the next changes.
        self._mark = self._remote.mark()
        yield from self._remote.list()

    def _ask_bound(self) -> None:
        try:
            self._bound = self._remote.most_bytes()
        except DrivesyncError:
            # Then the listing itself has to tell; if nothing can be had at all, it says so better.
            self._bound = None

    def _catch_up(self, listings: Listings, stored: Listing) -> bool:
        if not stored.mark:
            return False
        try:
            changes = self._remote.changes(stored.mark, listings.folders(stored))
        except StaleMarkError:
            return False
        listings.apply(stored, changes)
        return True

    def _store(self, listings: Listings) -> Iterator[Page]:
        if self._fresh is None:
            raise RuntimeError("nothing is listed yet")
        listing = listings.begin(self._remote.name, self._mark)
        for page in self._fresh:
            listings.add(listing, page.entries)
            yield page
        listings.complete(listing)
        self._listing = listing
