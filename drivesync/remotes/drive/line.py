"""What Google's client is handed for a connection."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httplib2

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivesync.remotes.drive.client import DriveClient
    from drivesync.remotes.retrying import Budget

_KEY = re.compile(r"[\w-]+", re.ASCII)


class Line:
    """What Google's client takes for a connection of httplib2's; all its requests are of one kind."""

    def __init__(self, client: DriveClient, action: str, kind: str, budget: Budget) -> None:
        self._client = client
        self._action = action
        self._kind = kind
        self._budget = budget

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        **_options: object,
    ) -> tuple[httplib2.Response, bytes]:
        """See httplib2.Http.request."""
        response = self._client.send(
            self._action,
            self._kind,
            self._budget,
            headers or {},
            lambda transport, headers: transport.request(method, uri, body=body, headers=headers),
        )
        answer = httplib2.Response({name.lower(): value for name, value in response.headers.items()})
        answer.status, answer.reason = response.status, response.reason
        answer["status"] = str(response.status)
        return answer, response.data


def resource_keys_header(resource_keys: Mapping[str, str]) -> dict[str, str]:
    """The header that carries keys by file id, ``id/key,id/key``; none where there is no key that it can carry.

    https://developers.google.com/workspace/drive/api/guides/resource-keys
    """
    pairs = [f"{file_id}/{key}" for file_id, key in resource_keys.items() if _KEY.fullmatch(key)]
    return {"X-Goog-Drive-Resource-Keys": ",".join(pairs)} if pairs else {}
