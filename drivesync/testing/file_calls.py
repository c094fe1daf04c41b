"""The calls on files, but for uploads. PURE: a request in, an answer out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drivesync.testing.faults import OmittedParent
from drivesync.testing.fields import Mask, parse_fields
from drivesync.testing.matching import find_matches, sort_entries
from drivesync.testing.metadata import Metadata, parse_metadata
from drivesync.testing.query import Query, named_parents, parse_query
from drivesync.testing.resources import EXPORT_TYPES, file_resource, is_document
from drivesync.testing.schema import shape_of
from drivesync.testing.wire import Answer, ApiError, JsonObject, answer_json, not_found

if TYPE_CHECKING:
    from drivesync.testing.entries import Entry
    from drivesync.testing.service import Request, Service

DEFAULT_FILE = parse_fields("kind,id,name,mimeType,resourceKey,driveId,teamDriveId")
"""What Drive says of a file when no ``fields`` are asked for."""

_DEFAULT_LIST = parse_fields(
    "kind,incompleteSearch,nextPageToken,files(kind,id,name,mimeType,resourceKey,driveId,teamDriveId)"
)
_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)
_NO_RESULTS = Mask({})


def list_files(service: Service, request: Request) -> Answer:
    """files.list."""
    mask = request.mask(_DEFAULT_LIST, shape_of("FileList"))
    page_size = request.number("pageSize", default=100, highest=1000)
    signature = tuple(
        request.query.get(name, "")
        for name in ("q", "orderBy", "corpora", "driveId", "includeItemsFromAllDrives", "spaces")
    )
    token = request.query.get("pageToken", "")
    found = service.open_page(token, signature) if token else tuple(_search(service, request))
    # Drive drops from a later page what was deleted since the first.
    page = [entry for entry in found[:page_size] if entry.id in service.store.entries]
    files_mask = mask.part("files") or _NO_RESULTS
    body: JsonObject = {
        "kind": "drive#fileList",
        "incompleteSearch": False,
        "files": [file_resource(service.store, entry, files_mask) for entry in page],
    }
    if len(found) > page_size:
        body["nextPageToken"] = service.keep_page(signature, found[page_size:])
    return answer_json({name: body[name] for name, _ in mask.wanted(body)})


def get_file(service: Service, request: Request) -> Answer:
    """files.get."""
    mask = _file_mask(request)
    return answer_json(file_resource(service.store, service.entry(request), mask))


def download_file(service: Service, request: Request) -> Answer:
    """files.get with alt=media."""
    entry = service.entry(request)
    if entry.head is None:
        message = (
            "Only files with binary content can be directly downloaded. Use Export with Docs Editors files."
        )
        raise ApiError(403, "fileNotDownloadable", message, location="alt")
    return answer_media(request, entry.head.content.data, entry.head.mime_type)


def answer_media(request: Request, data: bytes | bytearray | memoryview, mime_type: str) -> Answer:
    """Content, or the one range of it that was asked for.

    Raises:
        ApiError: 416 where the range starts beyond the end, as any range of an empty file does.
    """
    match = _RANGE.fullmatch(request.headers.get("range", ""))
    if match is None or match.groups() == ("", ""):
        return Answer(200, data, mime_type)
    first, last = match.groups()
    size = len(data)
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last) + 1, size) if first and last else size
    if start >= size or (first and last and int(last) < start):
        unsatisfied = (("Content-Range", f"bytes */{size}"),)
        raise ApiError(
            416,
            "requestedRangeNotSatisfiable",
            "Request range not satisfiable",
            location="Range",
            location_type="header",
            headers=unsatisfied,
        )
    content_range = ("Content-Range", f"bytes {start}-{end - 1}/{size}")
    return Answer(206, memoryview(data)[start:end], mime_type, (content_range,))


def export_file(service: Service, request: Request) -> Answer:
    """files.export: every type is given the same text, for only the call itself is of interest here."""
    entry = service.entry(request)
    mime_type = request.query.get("mimeType") or request.query.get("as", "")
    if not is_document(entry):
        raise ApiError(403, "fileNotExportable", "Export only supports Docs Editors files.")
    if mime_type not in EXPORT_TYPES:
        raise ApiError(400, "badRequest", "The requested conversion is not supported.", location="convertTo")
    return Answer(200, entry.document, mime_type)


def create_file(service: Service, request: Request) -> Answer:
    """files.create without content."""
    mask = _file_mask(request)
    metadata = parse_metadata(request.json(), creating=True)
    check_parent(service, request, metadata)
    return answer_json(file_resource(service.store, service.store.create(metadata), mask))


def update_file(service: Service, request: Request) -> Answer:
    """files.update without content."""
    mask = _file_mask(request)
    entry = service.own_entry(request)
    metadata = parse_metadata(request.json(), creating=False)
    add, remove = moved_parents(request)
    updated = service.store.update(entry.id, metadata, add_parents=add, remove_parents=remove)
    return answer_json(file_resource(service.store, updated, mask))


def moved_parents(request: Request) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The parents that an update adds, and those that it takes away."""
    add, remove = (
        tuple(filter(None, request.query.get(name, "").split(",")))
        for name in ("addParents", "removeParents")
    )
    return add, remove


def check_parent(service: Service, request: Request, metadata: Metadata) -> None:
    """Refuse a parent that the client may not see.

    Raises:
        ApiError: 404.
    """
    for parent_id in metadata.parents or ():
        service.entry(request, parent_id)


def copy_file(service: Service, request: Request) -> Answer:
    """files.copy."""
    mask = _file_mask(request)
    entry = service.entry(request)
    metadata = parse_metadata(request.json(), creating=True)
    check_parent(service, request, metadata)
    return answer_json(file_resource(service.store, service.store.copy(entry.id, metadata), mask))


def delete_file(service: Service, request: Request) -> Answer:
    """files.delete."""
    service.store.delete(service.own_entry(request).id)
    return Answer(204)


def empty_trash(service: Service, request: Request) -> Answer:
    """files.emptyTrash."""
    drive_id = request.query.get("driveId", "")
    if drive_id and drive_id not in service.store.drives:
        raise not_found("Shared drive", drive_id)
    service.store.empty_trash(drive_id)
    return Answer(204)


def generate_ids(service: Service, request: Request) -> Answer:
    """files.generateIds."""
    count = request.number("count", default=10, highest=1000)
    ids = service.store.ids.generate(count)
    body: JsonObject = {
        "kind": "drive#generatedIds",
        "space": request.query.get("space", "drive"),
        "ids": ids,
    }
    return answer_json(request.mask(parse_fields("*"), shape_of("GeneratedIds")).select(body))


def _file_mask(request: Request) -> Mask:
    """The wanted fields; read before anything is done, for a bad selection must change nothing."""
    return request.mask(DEFAULT_FILE, shape_of("File"))


def _search(service: Service, request: Request) -> list[Entry]:
    """All that a listing finds, in its order."""
    text = request.query.get("q", "")
    query = parse_query(text) if text.strip() else None
    drive_id = _searched_drive(service, request)
    with_drives = request.flag("includeItemsFromAllDrives") or request.flag("includeTeamDriveItems")
    _check_searched(service, request, query)
    omitted = _draw_omission(service, request, query)
    found = [
        entry
        for entry in find_matches(service.store, query)
        if (entry.drive_id == drive_id if drive_id else with_drives or not entry.drive_id)
        and omitted.isdisjoint(entry.parents)
    ]
    sort_entries(found, request.query.get("orderBy", ""))
    return found


def _check_searched(service: Service, request: Request, query: Query | None) -> None:
    """Refuse a query over parents of which one is unknown, or is to be opened with a key that was not sent.

    Drive's message for it names no file.

    Raises:
        ApiError: 404.
    """
    for parent_id in (named_parents(query) if query is not None else None) or ():
        entry = service.store.entries.get(service.store.resolve(parent_id))
        if entry is None or not service.is_open(request, entry):
            raise not_found("File", "")


def _searched_drive(service: Service, request: Request) -> str:
    """The shared drive that is searched, empty for the user's own files.

    Raises:
        ApiError: 404 for an unknown drive, 403 where the parameters do not go together.
    """
    drive_id = request.query.get("driveId") or request.query.get("teamDriveId", "")
    corpora = request.query.get("corpora", "drive" if request.query.get("teamDriveId") else "user")
    if corpora not in {"user", "domain", "drive", "allDrives", "teamDrive", "user,allTeamDrives"}:
        raise request.refuse("corpora")
    if bool(drive_id) != (corpora in {"drive", "teamDrive"}):
        message = "The driveId parameter must be specified if and only if corpora is set to drive."
        raise ApiError(403, "teamDrivesParameterMismatch", message, location="driveId")
    if drive_id and drive_id not in service.store.drives:
        raise not_found("Shared drive", drive_id)
    return drive_id


def _draw_omission(service: Service, request: Request, query: Query | None) -> frozenset[str]:
    """The parents whose children a fault leaves out of this listing."""
    parents = named_parents(query) if query is not None else None
    if parents is None or len(parents) < 2:
        return frozenset()
    known = {service.store.resolve(parent_id) for parent_id in parents}
    effect = service.faults.draw(
        request.call.kind,
        lambda effect: (
            isinstance(effect, OmittedParent) and (not effect.parent_id or effect.parent_id in known)
        ),
    )
    if not isinstance(effect, OmittedParent):
        return frozenset()
    last = max(parents, key=request.query["q"].rfind)
    return frozenset({effect.parent_id or service.store.resolve(last)})
