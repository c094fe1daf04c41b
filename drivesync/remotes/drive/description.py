"""Google's description of Drive, of which Google's client is made: only of what is used here.

The client makes a method of each call, and of each answer a text for readers: most of the time that it takes to be
made, at the start of each command.
"""

from __future__ import annotations

import functools
import json

from googleapiclient.discovery_cache import get_static_doc

_CALLS = {
    "about": ("get",),
    "changes": ("getStartPageToken", "list"),
    "drives": ("list",),
    "files": ("create", "delete", "generateIds", "get", "list", "update"),
}
"""All that is asked of Google's client, by resource."""


@functools.cache
def describe_drive() -> str:
    """The description that comes with Google's client, as JSON, without other calls and answers' fields."""
    document = json.loads(get_static_doc("drive", "v3"))
    resources = document["resources"]
    document["resources"] = {
        name: {"methods": {call: resources[name]["methods"][call] for call in calls}}
        for name, calls in _CALLS.items()
    }
    document["schemas"] = {name: {"id": name, "type": "object"} for name in document["schemas"]}
    return json.dumps(document)
