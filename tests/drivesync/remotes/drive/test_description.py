"""Google's client, made of the shortened description, asks as it does made of the whole one."""

from __future__ import annotations

import json

import pytest
from googleapiclient.discovery import build_from_document
from googleapiclient.discovery_cache import get_static_doc
from googleapiclient.http import HttpMockSequence

from drivesync.remotes.drive.description import describe_drive


def ask(document: str, resource: str, method: str, arguments: dict[str, object]) -> tuple[str, str, object]:
    service = build_from_document(json.loads(document), http=HttpMockSequence([]))
    request = getattr(getattr(service, resource)(), method)(**arguments)
    return request.uri, request.method, request.body


@pytest.mark.parametrize(
    ("resource", "method", "arguments"),
    [
        pytest.param("about", "get", {"fields": "user"}, id="about"),
        pytest.param("changes", "getStartPageToken", {"driveId": "d"}, id="mark"),
        pytest.param("changes", "list", {"pageToken": "7", "pageSize": 1000}, id="changes"),
        pytest.param("drives", "list", {"pageSize": 100}, id="drives"),
        pytest.param("files", "list", {"q": "trashed = false", "spaces": "drive"}, id="listing"),
        pytest.param("files", "get", {"fileId": "a b/c", "supportsAllDrives": True}, id="get"),
        pytest.param("files", "create", {"body": {"name": "x"}, "fields": "id"}, id="create"),
        pytest.param("files", "update", {"fileId": "f", "body": {"trashed": True}}, id="update"),
        pytest.param("files", "delete", {"fileId": "f"}, id="delete"),
        pytest.param("files", "generateIds", {"count": 3, "space": "drive"}, id="ids"),
    ],
)
def test_the_request_is_the_same(resource: str, method: str, arguments: dict[str, object]) -> None:
    whole = get_static_doc("drive", "v3")
    assert ask(describe_drive(), resource, method, arguments) == ask(whole, resource, method, arguments)
    assert len(describe_drive()) < len(whole) / 3
