"""Three ways to speak to the emulator: Google's own client, bare HTTP, and the schemas that judge the answers."""

from __future__ import annotations

import copy
import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import jsonschema
import pytest
from google.oauth2.credentials import Credentials
from google_auth_httplib2 import AuthorizedHttp
from googleapiclient.discovery import build_from_document
from googleapiclient.http import build_http

from drivesync.testing.schema import discovery_document
from drivesync.testing.store import Store

if TYPE_CHECKING:
    from drivesync.testing import DriveEmulator

Reply = tuple[int, Mapping[str, str], bytes]


@pytest.fixture
def store() -> Store:
    """An empty Drive whose clock moves by a second each time it is read, and whose ids are id1, id2 ..."""
    seconds = iter(range(1, 10**9))
    numbers = iter(range(1, 10**9))
    return Store(now_ms=lambda: next(seconds) * 1000, new_id=lambda: f"id{next(numbers)}")


@pytest.fixture
def google(drive_emulator: DriveEmulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The genuine google-api-python-client, sent to the emulator by nothing but its root URL."""
    monkeypatch.setenv("GOOGLE_API_USE_CLIENT_CERTIFICATE", "false")
    document = {
        **discovery_document(),
        "rootUrl": f"{drive_emulator.url}/",
        "baseUrl": f"{drive_emulator.url}/drive/v3/",
    }
    with build_from_document(
        document, http=AuthorizedHttp(Credentials("token"), http=build_http())
    ) as service:
        yield service


@pytest.fixture
def call(drive_emulator: DriveEmulator) -> Callable[..., Reply]:
    """``call(method, target, body=b"", **headers)`` over a connection of its own: nothing retries, nothing hides."""

    def send(method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
        parts = urlsplit(target)
        connection = http.client.HTTPConnection(urlsplit(drive_emulator.url).netloc, timeout=20)
        try:
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request(
                method, path, body or None, {"Authorization": "Bearer token", **(headers or {})}
            )
            answer = connection.getresponse()
            data = answer.read()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, data
        finally:
            connection.close()

    return send


@pytest.fixture
def reason(call: Callable[..., Reply]) -> Callable[..., tuple[int, str]]:
    """Like ``call``, but gives the status and Google's reason of the error."""

    def send(*arguments: Any, **options: Any) -> tuple[int, str]:
        status, _, body = call(*arguments, **options)
        return status, json.loads(body)["error"]["errors"][0]["reason"]

    return send


@pytest.fixture(scope="session")
def conforms() -> Callable[[str, object], None]:
    """``conforms(kind, value)``: the value is what the discovery document says of ``kind``, and nothing besides."""
    definitions = {name: _to_json_schema(schema) for name, schema in discovery_document()["schemas"].items()}

    def check(kind: str, value: object) -> None:
        jsonschema.Draft202012Validator({"$ref": f"#/$defs/{kind}", "$defs": definitions}).validate(value)

    return check


_FORMATS = {"int64": r"^-?\d+$", "date-time": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"}


def _to_json_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Discovery's dialect made strict: references resolved, formats checked, unknown fields refused."""
    if "$ref" in schema:
        return {"$ref": f"#/$defs/{schema['$ref']}"}
    if schema["type"] == "any":
        return {}
    converted: dict[str, Any] = {"type": schema["type"]}
    if schema["type"] == "string" and schema.get("format") in _FORMATS:
        converted["pattern"] = _FORMATS[schema["format"]]
    if "items" in schema:
        converted["items"] = _to_json_schema(schema["items"])
    if schema["type"] == "object":
        properties = schema.get("properties", {})
        converted["properties"] = {name: _to_json_schema(inner) for name, inner in properties.items()}
        extra = schema.get("additionalProperties")
        converted["additionalProperties"] = _to_json_schema(extra) if extra else False
    return copy.deepcopy(converted)
