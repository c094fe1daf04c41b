"""The shapes of Drive's resources, read from the discovery document that google-api-python-client bundles."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@lru_cache(maxsize=1)
def discovery_document() -> dict[str, Any]:
    """Drive v3's own description of its API."""
    bundled = resources.files("googleapiclient") / "discovery_cache" / "documents" / "drive.v3.json"
    document: dict[str, Any] = json.loads(bundled.read_text(encoding="utf-8"))
    return document


@dataclass(frozen=True, slots=True)
class SchemaShape:
    """A (part of a) schema as ``fields.Shape``; a list has the shape of its items."""

    schema: Mapping[str, Any]

    def child(self, name: str) -> SchemaShape | None:
        """The shape of a field, None where the resource has no such field."""
        at = _follow(self.schema)
        inner = at.get("properties", {}).get(name, at.get("additionalProperties"))
        return None if inner is None else SchemaShape(inner)


@lru_cache(maxsize=32)
def shape_of(kind: str) -> SchemaShape:
    """The shape of ``File``, ``FileList``, ``Change`` and so on."""
    return SchemaShape(discovery_document()["schemas"][kind])


def _follow(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema or schema.get("type") == "array":
        schema = schema["items"] if "items" in schema else discovery_document()["schemas"][schema["$ref"]]
    return schema
