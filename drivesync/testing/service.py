"""What a call is handed, and what all calls share. PURE."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from drivesync.testing.fields import Mask, Shape, check_fields, parse_fields
from drivesync.testing.wire import ApiError, invalid, not_found

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from drivesync.testing.calls import Call
    from drivesync.testing.entries import Entry
    from drivesync.testing.faults import Faults
    from drivesync.testing.store import Store

_TOKENS_KEPT: Final = 2_000
_FLAGS: Final = {"true": True, "false": False, "": False}


@dataclass(frozen=True, slots=True)
class Request:
    """One API request, its body read to the end.

    ``headers`` have lower-case names; ``base_url`` is what the client called this server; ``spoil`` is applied to the
    bytes of an upload, and changes them where a fault says so.
    """

    call: Call
    query: Mapping[str, str]
    headers: Mapping[str, str]
    base_url: str = ""
    body: bytes = b""
    spoil: Callable[[bytes], bytes] = bytes

    @property
    def file_id(self) -> str:
        """The file that the path names."""
        return self.call.ids[0]

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A boolean parameter.

        Raises:
            ApiError: 400 invalidParameter.
        """
        if name not in self.query:
            return default
        value = _FLAGS.get(self.query[name].lower())
        if value is None:
            raise self.refuse(name)
        return value

    def number(self, name: str, *, default: int, highest: int) -> int:
        """A parameter of at least one; larger than ``highest`` is taken as that.

        Raises:
            ApiError: 400 invalidParameter.
        """
        text = self.query.get(name, str(default))
        if not text.isdecimal() or int(text) < 1:
            raise self.refuse(name)
        return min(int(text), highest)

    def refuse(self, name: str) -> ApiError:
        """The error for a parameter with a bad value."""
        message = f"Invalid value '{self.query.get(name, '')}' for parameter {name}."
        return ApiError(400, "invalidParameter", message, location=name)

    def mask(self, default: Mask, shape: Shape) -> Mask:
        """The wanted fields: the ``fields`` parameter, checked, or else ``default``."""
        text = self.query.get("fields", "")
        if not text:
            return default
        mask = parse_fields(text)
        check_fields(mask, shape)
        return mask

    def json(self) -> object:
        """The body as JSON; an empty one is an empty object.

        Raises:
            ApiError: 400 parseError.
        """
        return parse_json(self.body)

    @property
    def all_drives(self) -> bool:
        """Whether the client says that it knows shared drives."""
        return self.flag("supportsAllDrives") or self.flag("supportsTeamDrives")


def parse_json(text: bytes) -> object:
    """Decode a JSON body; nothing is an empty object.

    Raises:
        ApiError: 400 parseError.
    """
    if not text.strip():
        return {}
    try:
        return json.loads(text)
    except ValueError as error:
        raise ApiError(400, "parseError", "Parse Error") from error


@dataclass(frozen=True, slots=True)
class _Page:
    signature: object
    rest: tuple[Entry, ...]


@dataclass(slots=True)
class Service:
    """The state behind all calls."""

    store: Store
    faults: Faults
    _pages: OrderedDict[str, _Page] = field(default_factory=OrderedDict)

    def entry(self, request: Request, file_id: str | None = None) -> Entry:
        """The file that a request names, if it may see it.

        Raises:
            ApiError: 404 where it is missing, lies in a shared drive and the client does not know those, or is shared
                by a link whose resource key the client does not send.
        """
        wanted = request.file_id if file_id is None else file_id
        entry = self.store.get(wanted)
        # A download needs no such word: rclone gives none, and copies from shared drives all the same.
        if entry.drive_id and not request.all_drives and request.call.kind != "files.get.media":
            raise not_found("File", wanted)
        if not self.is_open(request, entry):
            raise not_found("File", wanted)
        return entry

    def is_open(self, request: Request, entry: Entry) -> bool:
        """Whether a file needs no resource key, or the request sends it."""
        if not entry.resource_key or entry.owned_by_me:
            return True
        keys = request.headers.get("x-goog-drive-resource-keys", "").split(",")
        return f"{entry.id}/{entry.resource_key}" in (key.strip() for key in keys)

    def own_entry(self, request: Request) -> Entry:
        """The file that a request names, if the user may change it: in My Drive or a shared drive.

        Raises:
            ApiError: 404 as ``entry``; 403 for a file that someone else owns.
        """
        entry = self.entry(request)
        if not entry.owned_by_me and not entry.drive_id:
            message = "The user does not have sufficient permissions for this file."
            raise ApiError(403, "insufficientFilePermissions", message)
        return entry

    def keep_page(self, signature: object, rest: tuple[Entry, ...]) -> str:
        """A page token for the ``rest`` of a listing made with the parameters in ``signature``.

        A listing is a snapshot: what changes while it is read on shows or not, but nothing is skipped or doubled.
        """
        token = self.store.new_id()
        self._pages[token] = _Page(signature, rest)
        if len(self._pages) > _TOKENS_KEPT:
            self._pages.popitem(last=False)
        return token

    def open_page(self, token: str, signature: object) -> tuple[Entry, ...]:
        """What a page token stands for; it can be asked for again.

        Raises:
            ApiError: 400 for an unknown token or other parameters than the first page had.
        """
        page = self._pages.get(token)
        if page is None or page.signature != signature:
            raise invalid("Invalid Value", location="pageToken")
        return page.rest
