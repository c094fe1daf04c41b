"""Mending: of a large file that came damaged, only what differs from fetch to fetch is fetched more than once again.

The remote tells one checksum, of the whole: it says that something is wrong, not where. But damage on the way hardly
strikes twice in the same manner, so what two fetches of a range agree on is taken as right. Nothing but the part is
needed for that: of each range the digest is noted, what is not agreed on is struck off the part's journal, and fetched
as whatever is missing, over what was there. A kill leaves what any kill leaves. And whatever is agreed on, only the
checksum of the whole says that the file is right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivesync.pulling.assembly import Digest, ranges_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivesync.files import RemoteFile
    from drivesync.pulling.assembly import Content
    from drivesync.pulling.part import Part

_LEAST_FETCHES = 3
"""After so many it is given up if they agree on something wrong, or on nothing."""
_MOST_FETCHES = 10
"""Of one range. Where every twentieth answer comes damaged, less than a range in a hundred needs a fourth."""


def mend(file: RemoteFile, part: Part, content: Content, fetch_missing: Callable[[], Content]) -> Content:
    """Fetch again until the checksum is right, or more of the same would not help; nothing if it is right already.

    Args:
        file: with its md5.
        part: of ``file``, all of which has arrived.
        content: of ``part``.
        fetch_missing: brings what ``part`` does not note as arrived, and returns what the whole is then.

    Returns:
        What the whole is now; its md5 may still be wrong.

    Raises:
        LocalWriteError: the disk cannot read the part, or write its journal.
    """
    fetches = 1
    seen: dict[tuple[int, int], set[str]] = {span: set() for span in ranges_of(file)}
    agreed: set[tuple[int, int]] = set()
    while content.md5 != file.md5 and fetches < _MOST_FETCHES:
        for span in sorted(seen.keys() - agreed):
            md5 = _md5_of(part, span)
            if md5 in seen[span]:
                agreed.add(span)
            seen[span].add(md5)
        if len(agreed) in {0, len(seen)}:
            if fetches >= _LEAST_FETCHES:
                break
            # Agreed on as it is, something is wrong: whatever stands between may give the same twice.
            agreed.clear()
        part.forget()
        for first, last in sorted(agreed):
            part.note_arrived(first, last)
        content = fetch_missing()
        fetches += 1
    return content


def _md5_of(part: Part, span: tuple[int, int]) -> str:
    digest = Digest()
    digest.read(part, *span)
    return digest.content().md5
