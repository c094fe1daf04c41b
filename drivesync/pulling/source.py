"""Where a pull's pages come from: a new listing, or the stored one with what has changed since."""

from __future__ import annotations

import threading
from itertools import chain
from typing import TYPE_CHECKING

from drivesync.errors import DrivesyncError, StaleMarkError
from drivesync.pulling.ahead import ReadAhead

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
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
        self._fresh: Iterator[Page] = iter(())
        self._bound: int | None = None
        self._asking: threading.Thread | None = None
        self._listings: Listings | None = None
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
        self._fresh = chain([page] if (page := next(pages, None)) is not None else [], pages)

    def open(self, listings: Listings | None) -> Iterator[Page]:
        """All pages.

        Args:
            listings: where what was listed is found, and what is told anew is kept; None to keep nothing.

        Raises:
            NotFoundError: there is no such folder.
        """
        self._listings = listings
        if self._asking is None and listings is not None:
            stored = listings.find(self._remote.name)
            if stored is not None and self._catch_up(listings, stored):
                self._listing = stored
                return self.reopen()
        if self._asking is None:
            self.list_anew()
        return self._fresh if listings is None else self._keep(listings)

    def reopen(self) -> Iterator[Page]:
        """All pages once more, after ``open`` has told the last; they must have been kept."""
        if self._listings is None or self._listing is None:
            raise RuntimeError("nothing is kept yet")
        self._bound = self._listings.total_bytes(self._listing)
        return self._listings.pages(self._listing)

    def most_bytes(self) -> int | None:
        """A bound on the size of all files; None where nobody can say yet."""
        if self._asking is not None:
            self._asking.join()
        return self._bound

    def _list(self) -> Generator[Page, None, None]:
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

    def _keep(self, listings: Listings) -> Iterator[Page]:
        listing = listings.begin(self._remote.name, self._mark)
        for page in self._fresh:
            listings.add(listing, page.entries)
            yield page
        listings.complete(listing)
        self._listing = listing
