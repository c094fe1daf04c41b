"""The emulator as Google's own client sees it; every answer is held against the discovery document's schemas."""

from __future__ import annotations

import hashlib
import io
import json
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from googleapiclient.errors import HttpError
from googleapiclient.http import BatchHttpRequest, MediaIoBaseDownload, MediaIoBaseUpload

from drivesync.testing.entries import FOLDER_TYPE, SHORTCUT_TYPE

if TYPE_CHECKING:
    from drivesync.testing import DriveEmulator

Conforms = Callable[[str, object], None]

_DOCUMENT_TYPE = "application/vnd.google-apps.document"


def _media(data: bytes, *, resumable: bool = False) -> MediaIoBaseUpload:
    return MediaIoBaseUpload(io.BytesIO(data), "text/plain", chunksize=256 * 1024, resumable=resumable)


def _create(google: Any, name: str, data: bytes | None = None, **body: object) -> Any:
    media = None if data is None else _media(data)
    return google.files().create(body={"name": name, **body}, media_body=media, fields="*").execute()


def _folder(google: Any, name: str, parent: str = "root") -> str:
    return str(_create(google, name, mimeType=FOLDER_TYPE, parents=[parent])["id"])


def _refusal(request: Any) -> tuple[int, str]:
    with pytest.raises(HttpError) as caught:
        request.execute()
    return caught.value.resp.status, json.loads(caught.value.content)["error"]["errors"][0]["reason"]


@pytest.mark.parametrize("resumable", [False, True], ids=["multipart", "resumable"])
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"hello", id="short"),
        pytest.param(b"\r\n--x\r\n\r", id="what a multipart parser could stumble over"),
        pytest.param(bytes(range(256)) * 2048 + b"tail", id="more than two chunks"),
    ],
)
def test_upload_and_download(google: Any, conforms: Conforms, data: bytes, *, resumable: bool) -> None:
    media = _media(data, resumable=resumable)
    created = google.files().create(body={"name": "a"}, media_body=media, fields="*").execute()
    conforms("File", created)
    assert (created["size"], created["mimeType"]) == (str(len(data)), "text/plain")
    assert created["md5Checksum"] == hashlib.md5(data, usedforsecurity=False).hexdigest()
    assert created["sha1Checksum"] == hashlib.sha1(data, usedforsecurity=False).hexdigest()
    assert created["sha256Checksum"] == hashlib.sha256(data).hexdigest()
    assert google.files().get_media(fileId=created["id"]).execute() == data


def test_download_in_ranges(google: Any) -> None:
    data = bytes(range(256)) * 40
    file_id = _create(google, "a", data)["id"]
    sink = io.BytesIO()
    download = MediaIoBaseDownload(sink, google.files().get_media(fileId=file_id), chunksize=1000)
    while not download.next_chunk()[1]:
        pass
    assert sink.getvalue() == data


@pytest.mark.parametrize("resumable", [False, True], ids=["multipart", "resumable"])
def test_update(google: Any, conforms: Conforms, *, resumable: bool) -> None:
    file_id = _create(google, "a", b"one")["id"]
    media = _media(b"two", resumable=resumable)
    updated = (
        google.files().update(fileId=file_id, body={"name": "b"}, media_body=media, fields="*").execute()
    )
    conforms("File", updated)
    assert (updated["name"], updated["version"], updated["size"]) == ("b", "2", "3")
    revisions = google.revisions().list(fileId=file_id, fields="*").execute()
    conforms("RevisionList", revisions)
    assert [item["size"] for item in revisions["revisions"]] == ["3", "3"]
    assert revisions["revisions"][-1]["id"] == updated["headRevisionId"]
    old = google.revisions().get_media(fileId=file_id, revisionId=revisions["revisions"][0]["id"]).execute()
    assert old == b"one"


def test_default_fields_are_those_of_v3(google: Any) -> None:
    file_id = _create(google, "a", b"x")["id"]
    brief = {"kind": "drive#file", "id": file_id, "name": "a", "mimeType": "text/plain"}
    assert google.files().get(fileId=file_id).execute() == brief
    listing = google.files().list().execute()
    assert listing == {"kind": "drive#fileList", "incompleteSearch": False, "files": [brief]}


def test_a_bad_selection_changes_nothing(google: Any, drive_emulator: DriveEmulator) -> None:
    file_id = _create(google, "a", b"x")["id"]
    files = google.files()
    for request in (
        files.create(body={"name": "b"}, fields="sise"),
        files.create(body={"name": "b"}, media_body=_media(b"y"), fields="sise"),
        files.update(fileId=file_id, body={"name": "b"}, fields="sise"),
        files.copy(fileId=file_id, body={"name": "b"}, fields="sise"),
    ):
        assert _refusal(request) == (400, "invalidParameter")
    assert drive_emulator.read_tree("") == {"a": b"x"}


def test_other_peoples_files_are_read_only(google: Any, drive_emulator: DriveEmulator) -> None:
    file_id = _create(google, "theirs", b"x")["id"]
    drive_emulator.store.disown(file_id)
    files = google.files()
    assert files.get_media(fileId=file_id).execute() == b"x"
    for request in (
        files.update(fileId=file_id, body={"name": "mine"}),
        files.update(fileId=file_id, media_body=_media(b"y", resumable=True)),
        files.delete(fileId=file_id),
    ):
        assert _refusal(request) == (403, "insufficientFilePermissions")
    assert files.get_media(fileId=file_id).execute() == b"x"
    assert [item["id"] for item in files.list(q="sharedWithMe").execute()["files"]] == [file_id]


def test_fields_choose(google: Any) -> None:
    file_id = _create(google, "a", b"x", appProperties={"k": "v"})["id"]
    got = google.files().get(fileId=file_id, fields="size,owners/me,appProperties").execute()
    assert got == {"size": "1", "owners": [{"me": True}], "appProperties": {"k": "v"}}
    assert _refusal(google.files().get(fileId=file_id, fields="sise")) == (400, "invalidParameter")
    assert _refusal(google.files().list(fields="files(id")) == (400, "invalidParameter")


def test_every_kind_of_file_conforms(google: Any, conforms: Conforms, drive_emulator: DriveEmulator) -> None:
    folder_id = _folder(google, "f")
    file_id = _create(google, "a.txt", b"x", parents=[folder_id], description="d", properties={"p": "q"})[
        "id"
    ]
    _create(google, "short", mimeType=SHORTCUT_TYPE, shortcutDetails={"targetId": file_id})
    _create(google, "doc", b"text", mimeType=_DOCUMENT_TYPE)
    _create(google, "in trash", b"y", trashed=True)
    drive_emulator.store.disown(_create(google, "theirs", b"z")["id"], resource_key="0-key")
    listing = google.files().list(fields="*").execute()
    conforms("FileList", listing)
    by_name = {item["name"]: item for item in listing["files"]}
    assert set(by_name) == {"f", "a.txt", "short", "doc", "in trash", "theirs"}
    assert by_name["a.txt"]["parents"] == [folder_id]
    assert by_name["short"]["shortcutDetails"] == {"targetId": file_id, "targetMimeType": "text/plain"}
    for name in ("f", "short", "doc"):
        assert not {"size", "md5Checksum", "headRevisionId"} & by_name[name].keys()
    assert by_name["theirs"]["ownedByMe"] is False
    assert google.files().export(fileId=by_name["doc"]["id"], mimeType="text/plain").execute() == b"text"


def test_listing_in_pages_misses_and_doubles_nothing(google: Any) -> None:
    for number in range(7):
        _create(google, f"{number}")
    names: list[str] = []
    request = google.files().list(pageSize=3, orderBy="name desc", fields="nextPageToken,files/name")
    sizes = []
    while request is not None:
        page = request.execute()
        sizes.append(len(page["files"]))
        names += [item["name"] for item in page["files"]]
        if len(names) == 3:
            _create(google, "made while the listing is read")
        request = google.files().list_next(request, page)
    assert (sizes, names) == ([3, 3, 1], ["6", "5", "4", "3", "2", "1", "0"])


def test_page_token_of_another_listing_is_400(google: Any) -> None:
    for number in range(2):
        _create(google, f"{number}")
    token = google.files().list(pageSize=1).execute()["nextPageToken"]
    assert google.files().list(pageSize=1, pageToken=token).execute()["files"][0]["name"] == "1"
    assert _refusal(google.files().list(pageToken=token, q="trashed = false")) == (400, "invalid")
    assert _refusal(google.files().list(pageToken="nonsense")) == (400, "invalid")


def test_fifty_parents_in_one_query_go_by_post(google: Any, drive_emulator: DriveEmulator) -> None:
    folders = [_folder(google, f"{number}") for number in range(50)]
    for folder_id in folders:
        _create(google, "x", parents=[folder_id])
    query = "(" + " or ".join(f"'{folder_id}' in parents" for folder_id in folders) + ") and trashed = false"
    found = google.files().list(q=query, pageSize=1000, fields="files/parents").execute()["files"]
    assert sorted(item["parents"][0] for item in found) == sorted(folders)
    assert drive_emulator.counters()["files.list"].bytes_up > 2048


def test_generated_ids(google: Any, conforms: Conforms) -> None:
    generated = google.files().generateIds(count=3).execute()
    conforms("GeneratedIds", generated)
    assert len(set(generated["ids"])) == 3
    file_id = generated["ids"][0]
    assert _create(google, "a", b"1", id=file_id)["id"] == file_id
    again = google.files().create(body={"id": file_id, "name": "twin"}, media_body=_media(b"2"))
    assert _refusal(again) == (409, "fileIdInUse")
    resumed = google.files().create(body={"id": file_id}, media_body=_media(b"2", resumable=True))
    assert _refusal(resumed) == (409, "fileIdInUse")
    folder = google.files().create(body={"id": file_id, "mimeType": FOLDER_TYPE})
    assert _refusal(folder) == (409, "fileIdInUse")
    assert _refusal(google.files().create(body={"id": "self-made"})) == (400, "invalid")
    assert google.files().get_media(fileId=file_id).execute() == b"1"


def test_of_many_that_create_one_id_exactly_one_wins(
    google: Any, call: Callable[..., tuple[int, Any, bytes]], drive_emulator: DriveEmulator
) -> None:
    (file_id,) = google.files().generateIds(count=1).execute()["ids"]
    body = json.dumps({"id": file_id, "name": "lease"}).encode()
    start = threading.Barrier(16)
    statuses: list[int] = []

    def create() -> None:
        start.wait()
        statuses.append(call("POST", "/drive/v3/files", body, {"Content-Type": "application/json"})[0])

    threads = [threading.Thread(target=create) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [409] * 15
    assert list(drive_emulator.read_tree("")) == ["lease"]


def test_move_copy_trash_delete(google: Any, conforms: Conforms, drive_emulator: DriveEmulator) -> None:
    one, two = _folder(google, "one"), _folder(google, "two")
    file_id = _create(google, "a", b"x", parents=[one])["id"]
    files = google.files()
    assert _refusal(files.update(fileId=file_id, addParents=two)) == (403, "cannotAddParent")
    moved = files.update(fileId=file_id, addParents=two, removeParents=one, fields="parents").execute()
    assert moved == {"parents": [two]}
    copied = files.copy(fileId=file_id, body={"name": "b"}, fields="*").execute()
    conforms("File", copied)
    assert drive_emulator.read_tree("") == {"two/a": b"x", "two/b": b"x"}
    assert files.update(fileId=one, body={"trashed": True}, fields="trashed").execute() == {"trashed": True}
    files.emptyTrash().execute()
    assert _refusal(files.get(fileId=one)) == (404, "notFound")
    files.delete(fileId=two).execute()
    assert _refusal(files.get(fileId=file_id)) == (404, "notFound")
    assert drive_emulator.read_tree("") == {}


def test_changes(google: Any, conforms: Conforms) -> None:
    start = google.changes().getStartPageToken().execute()
    conforms("StartPageToken", start)
    kept, gone = _create(google, "kept", b"1")["id"], _create(google, "gone", b"2")["id"]
    google.files().update(fileId=kept, media_body=_media(b"11")).execute()
    google.files().delete(fileId=gone).execute()
    first = google.changes().list(pageToken=start["startPageToken"], pageSize=1, fields="*").execute()
    conforms("ChangeList", first)
    assert "newStartPageToken" not in first
    second = google.changes().list(pageToken=first["nextPageToken"], fields="*").execute()
    conforms("ChangeList", second)
    (changed,), (removed,) = first["changes"], second["changes"]
    assert (changed["fileId"], changed["removed"], changed["file"]["size"]) == (kept, False, "2")
    assert (removed["fileId"], removed["removed"], "file" in removed) == (gone, True, False)
    idle = google.changes().list(pageToken=second["newStartPageToken"]).execute()
    assert (idle["changes"], idle["newStartPageToken"]) == ([], second["newStartPageToken"])
    assert _refusal(google.changes().list(pageToken="999999")) == (400, "invalid")


def test_about(google: Any, conforms: Conforms, drive_emulator: DriveEmulator) -> None:
    drive_emulator.store.storage_limit_bytes = 10
    _create(google, "a", b"1234567")
    _create(google, "b", b"1", trashed=True)
    about = google.about().get(fields="*").execute()
    conforms("About", about)
    quota = {"limit": "10", "usage": "8", "usageInDrive": "8", "usageInDriveTrash": "1"}
    assert about["storageQuota"] == quota
    assert _refusal(google.about().get()) == (400, "required")
    for resumable in (False, True):
        request = google.files().create(body={"name": "c"}, media_body=_media(b"333", resumable=resumable))
        assert _refusal(request) == (403, "storageQuotaExceeded")


def test_shared_drives(google: Any, conforms: Conforms) -> None:
    made = google.drives().create(requestId="1", body={"name": "team"}, fields="*").execute()
    conforms("Drive", made)
    drive_id = made["id"]
    listing = google.drives().list(fields="*").execute()
    conforms("DriveList", listing)
    assert [drive["name"] for drive in listing["drives"]] == ["team"]
    assert google.drives().get(driveId=drive_id).execute()["name"] == "team"
    files = google.files()
    body = {"name": "a", "parents": [drive_id]}
    assert _refusal(files.create(body=body)) == (404, "notFound")
    created = files.create(body=body, supportsAllDrives=True, fields="*").execute()
    conforms("File", created)
    assert created["driveId"] == drive_id
    assert _refusal(files.get(fileId=created["id"])) == (404, "notFound")
    assert files.get(fileId=created["id"], supportsAllDrives=True).execute()["name"] == "a"
    assert files.list().execute()["files"] == []
    everywhere = files.list(supportsAllDrives=True, includeItemsFromAllDrives=True).execute()["files"]
    there = files.list(
        corpora="drive", driveId=drive_id, supportsAllDrives=True, includeItemsFromAllDrives=True
    ).execute()["files"]
    assert [item["id"] for item in everywhere] == [item["id"] for item in there] == [created["id"]]
    assert _refusal(files.list(corpora="drive"))[0] == 403


def test_revisions_can_be_kept_and_dropped(google: Any, conforms: Conforms) -> None:
    created = _create(google, "a", b"1")
    first = created["headRevisionId"]
    google.files().update(fileId=created["id"], media_body=_media(b"22")).execute()
    revisions = google.revisions()
    pinned = revisions.update(
        fileId=created["id"], revisionId=first, body={"keepForever": True}, fields="*"
    ).execute()
    conforms("Revision", pinned)
    assert pinned["keepForever"] is True
    revisions.delete(fileId=created["id"], revisionId=first).execute()
    assert _refusal(revisions.get(fileId=created["id"], revisionId=first)) == (404, "notFound")
    conforms("Revision", revisions.get(fileId=created["id"], revisionId="head", fields="*").execute())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 404, id="no key"),
        pytest.param({"X-Goog-Drive-Resource-Keys": "FILE/wrong"}, 404, id="wrong key"),
        pytest.param({"X-Goog-Drive-Resource-Keys": "other/1,FILE/0-key"}, 200, id="right key"),
    ],
)
def test_resource_keys(
    call: Callable[..., tuple[int, Any, bytes]],
    drive_emulator: DriveEmulator,
    headers: dict[str, str],
    status: int,
) -> None:
    file_id = drive_emulator.put("a", b"x")
    drive_emulator.store.disown(file_id, resource_key="0-key")
    sent = {name: value.replace("FILE", file_id) for name, value in headers.items()}
    assert call("GET", f"/drive/v3/files/{file_id}", headers=sent)[0] == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 404, id="no key"),
        pytest.param({"X-Goog-Drive-Resource-Keys": "FOLDER/0-key"}, 200, id="right key"),
    ],
)
@pytest.mark.parametrize("others", ["", " or 'root' in parents"], ids=["alone", "among others"])
def test_a_folder_with_a_resource_key_is_listed_with_it(
    call: Callable[..., tuple[int, Any, bytes]],
    drive_emulator: DriveEmulator,
    headers: dict[str, str],
    status: int,
    others: str,
) -> None:
    file_id = drive_emulator.put("shared/a", b"x")
    (folder_id,) = drive_emulator.store.get(file_id).parents
    drive_emulator.store.disown(folder_id, resource_key="0-key")
    sent = {name: value.replace("FOLDER", folder_id) for name, value in headers.items()}
    query = urlencode({"q": f"'{folder_id}' in parents{others}"})
    got, _, body = call("GET", f"/drive/v3/files?{query}", headers=sent)
    assert got == status
    answer = json.loads(body)
    assert [item["id"] for item in answer["files"]] == [file_id] if status == 200 else "files" not in answer


def test_a_listing_of_a_folder_that_is_not_there_is_404(google: Any) -> None:
    known = _folder(google, "known")
    assert _refusal(google.files().list(q="'nowhere' in parents")) == (404, "notFound")
    assert _refusal(google.files().list(q=f"'{known}' in parents or 'nowhere' in parents")) == (
        404,
        "notFound",
    )
    assert google.files().list(q="not 'nowhere' in parents", fields="files/id").execute()["files"]


def test_changes_of_a_shared_drive(google: Any) -> None:
    drive_id = google.drives().create(requestId="1", body={"name": "team"}).execute()["id"]
    changes = google.changes()
    token = changes.getStartPageToken(driveId=drive_id, supportsAllDrives=True).execute()["startPageToken"]
    _create(google, "mine", b"x")
    body = {"name": "theirs", "parents": [drive_id]}
    google.files().create(body=body, supportsAllDrives=True).execute()
    everywhere = {"supportsAllDrives": True, "includeItemsFromAllDrives": True, "fields": "changes/file/name"}
    there = changes.list(pageToken=token, driveId=drive_id, **everywhere).execute()["changes"]
    assert [change["file"]["name"] for change in there] == ["theirs"]
    for request in (
        changes.getStartPageToken(driveId="nowhere", supportsAllDrives=True),
        changes.list(pageToken=token, driveId="nowhere", supportsAllDrives=True),
    ):
        assert _refusal(request) == (404, "notFound")


@pytest.mark.parametrize("kind", [FOLDER_TYPE, _DOCUMENT_TYPE])
def test_what_has_no_bytes_cannot_be_downloaded(google: Any, kind: str) -> None:
    file_id = _create(google, "a", mimeType=kind)["id"]
    assert _refusal(google.files().get_media(fileId=file_id)) == (403, "fileNotDownloadable")


@pytest.mark.parametrize(
    ("sent", "status", "content_range", "body"),
    [
        pytest.param("bytes=2-4", 206, "bytes 2-4/10", b"234", id="middle"),
        pytest.param("bytes=7-", 206, "bytes 7-9/10", b"789", id="to the end"),
        pytest.param("bytes=-3", 206, "bytes 7-9/10", b"789", id="the last"),
        pytest.param("bytes=8-99", 206, "bytes 8-9/10", b"89", id="beyond the end"),
        pytest.param("bytes=0-9", 206, "bytes 0-9/10", b"0123456789", id="all"),
        pytest.param("bytes=10-", 416, "bytes */10", None, id="behind the end"),
        pytest.param("chars=1-2", 200, None, b"0123456789", id="another unit"),
    ],
)
def test_ranges(
    call: Callable[..., tuple[int, Any, bytes]],
    drive_emulator: DriveEmulator,
    sent: str,
    status: int,
    content_range: str | None,
    body: bytes | None,
) -> None:
    file_id = drive_emulator.put("a", b"0123456789")
    got = call("GET", f"/drive/v3/files/{file_id}?alt=media", headers={"Range": sent})
    assert (got[0], got[1].get("content-range")) == (status, content_range)
    assert body in {None, got[2]}


def test_any_range_of_an_empty_file_is_416(
    call: Callable[..., tuple[int, Any, bytes]], drive_emulator: DriveEmulator
) -> None:
    file_id = drive_emulator.put("a", b"")
    for sent in ("bytes=0-0", "bytes=0-", "bytes=-1"):
        status, headers, _ = call("GET", f"/drive/v3/files/{file_id}?alt=media", headers={"Range": sent})
        assert (status, headers["content-range"]) == (416, "bytes */0")


@pytest.mark.parametrize(
    ("method", "target", "body", "expected"),
    [
        pytest.param("GET", "/drive/v3/files/nope", b"", (404, "notFound"), id="no such file"),
        pytest.param("GET", "/drive/v2/files", b"", (404, "notFound"), id="no such path"),
        pytest.param("PUT", "/drive/v3/files", b"", (405, "httpMethodNotAllowed"), id="no such method"),
        pytest.param("GET", "/drive/v3/files?q=bad", b"", (400, "invalid"), id="bad query"),
        pytest.param("GET", "/drive/v3/files?pageSize=0", b"", (400, "invalidParameter"), id="bad page size"),
        pytest.param("GET", "/drive/v3/files?orderBy=size", b"", (400, "invalid"), id="bad order"),
        pytest.param(
            "GET",
            "/drive/v3/files?includeItemsFromAllDrives=perhaps",
            b"",
            (400, "invalidParameter"),
            id="bad flag",
        ),
        pytest.param("GET", "/drive/v3/files?corpora=moon", b"", (400, "invalidParameter"), id="bad corpora"),
        pytest.param("POST", "/drive/v3/files", b"{", (400, "parseError"), id="no JSON"),
        pytest.param(
            "POST", "/drive/v3/files", b'{"size":"1"}', (403, "fieldNotWritable"), id="read-only field"
        ),
        pytest.param(
            "POST", "/upload/drive/v3/files?uploadType=odd", b"", (400, "badRequest"), id="odd upload"
        ),
        pytest.param(
            "POST", "/upload/drive/v3/files?uploadType=multipart", b"x", (400, "badRequest"), id="no parts"
        ),
        pytest.param(
            "PATCH",
            "/drive/v3/files/root",
            b'{"trashed":true}',
            (403, "insufficientFilePermissions"),
            id="root",
        ),
        pytest.param("GET", "/drive/v3/drives/nope", b"", (404, "notFound"), id="no such drive"),
        pytest.param("POST", "/drive/v3/drives", b'{"name":"x"}', (400, "required"), id="no request id"),
    ],
)
def test_refusals(
    reason: Callable[..., tuple[int, str]], method: str, target: str, body: bytes, expected: tuple[int, str]
) -> None:
    assert reason(method, target, body) == expected


def test_without_a_token_nothing_is_served(reason: Callable[..., tuple[int, str]]) -> None:
    assert reason("GET", "/drive/v3/files", headers={"Authorization": ""}) == (403, "forbidden")
    assert reason("GET", "/drive/v3/files", headers={"Authorization": "Basic eDp5"}) == (403, "forbidden")


def test_batch(google: Any, drive_emulator: DriveEmulator) -> None:
    file_id = _create(google, "a", b"x")["id"]
    answers: dict[str, Any] = {}

    def note(request_id: str, response: Any, exception: Exception | None) -> None:
        answers[request_id] = exception or response

    batch = BatchHttpRequest(callback=note, batch_uri=f"{drive_emulator.url}/batch/drive/v3")
    batch.add(google.files().get(fileId=file_id, fields="name"), request_id="good")
    batch.add(google.files().update(fileId=file_id, body={"name": "ü b"}, fields="name"), request_id="write")
    batch.add(google.files().get(fileId="nope"), request_id="bad")
    batch.execute(http=google._http)
    assert (answers["good"], answers["write"]) == ({"name": "a"}, {"name": "ü b"})
    assert answers["bad"].resp.status == 404


def test_strange_names_come_back_unchanged(google: Any) -> None:
    names = ["a/b", "..", "it's \\ quoted", "tab\tnew\nline", "日本語 ü", "x" * 300]
    for name in names:
        _create(google, name)
        escaped = name.replace("\\", "\\\\").replace("'", "\\'")
        found = google.files().list(q=f"name = '{escaped}'", fields="files/name").execute()["files"]
        assert found == [{"name": name}]
