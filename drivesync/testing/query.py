r"""The ``q`` parameter of files.list. PURE.

Grammar (https://developers.google.com/workspace/drive/api/guides/search-files and ref-search-terms)::

    query  = term (("and" | "or") term)*        left to right, neither binds closer
    term   = "not" term | "(" query ")" | test
    test   = 'value' "in" collection
           | field operator value               = != < <= > >= contains
           | properties "has" "{" "key" "=" 'k' "and" "value" "=" 'v' "}"
           | sharedWithMe

A value is a quoted string, with ``\'`` and ``\\`` for a quote and a backslash, or ``true`` or ``false``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from drivesync.testing.rfc3339 import parse_time
from drivesync.testing.wire import ApiError

_TOKEN = re.compile(r"\s*(?:'((?:[^'\\]|\\.)*)'|([A-Za-z][\w.]*)|(<=|>=|!=|[=<>(){}]))\s*", re.DOTALL)
_ORDERED = ("=", "!=", "<", "<=", ">", ">=")
_OPERATORS: dict[str, tuple[str, ...]] = {
    "name": ("contains", "=", "!="),
    "fullText": ("contains",),
    "mimeType": ("contains", "=", "!="),
    "modifiedTime": _ORDERED,
    "createdTime": _ORDERED,
    "viewedByMeTime": _ORDERED,
    "sharedWithMeTime": _ORDERED,
    "trashed": ("=", "!="),
    "starred": ("=", "!="),
    "sharedWithMe": ("=", "!="),
    "visibility": ("=", "!="),
    "shortcutDetails.targetId": ("=", "!="),
}
_FLAGS = frozenset({"trashed", "starred", "sharedWithMe"})
_COLLECTIONS = frozenset({"parents", "owners", "writers", "readers"})
_PROPERTY_SETS = frozenset({"properties", "appProperties"})


@dataclass(frozen=True, slots=True)
class Compare:
    """``field operator value``; times are milliseconds, flags booleans."""

    field: str
    operator: str
    value: str | int | bool


@dataclass(frozen=True, slots=True)
class Member:
    """``'value' in collection``."""

    value: str
    collection: str


@dataclass(frozen=True, slots=True)
class Has:
    """``collection has { key='key' and value='value' }``."""

    collection: str
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Not:
    """``not term``."""

    term: Query


@dataclass(frozen=True, slots=True)
class Both:
    """``left and right``."""

    left: Query
    right: Query


@dataclass(frozen=True, slots=True)
class Either:
    """``term or term ...``, flattened so that a query over fifty parents is not fifty levels deep."""

    terms: tuple[Query, ...]


Query: TypeAlias = "Compare | Member | Has | Not | Both | Either"


@lru_cache(maxsize=256)
def parse_query(text: str) -> Query:
    """Read a query.

    Raises:
        ApiError: 400 invalid.
    """
    return _Parser(_split(text)).parse_all()


def named_parents(query: Query) -> frozenset[str] | None:
    """The parents of which any match must be a child; None where the query does not say.

    ``root`` stays as it is written.
    """
    if isinstance(query, Member) and query.collection == "parents":
        return frozenset({query.value})
    if isinstance(query, Both):
        left, right = named_parents(query.left), named_parents(query.right)
        return left if right is None else right
    if isinstance(query, Either):
        each = [named_parents(term) for term in query.terms]
        known = [parents for parents in each if parents is not None]
        return frozenset().union(*known) if len(known) == len(each) else None
    return None


def _refuse() -> ApiError:
    return ApiError(400, "invalid", "Invalid Value", location="q")


_Lexeme: TypeAlias = "tuple[str, str]"
"""Kind (``text``, ``word`` or ``sign``) and value."""


def _split(text: str) -> list[_Lexeme]:
    tokens: list[_Lexeme] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _refuse()
        quoted, word, sign = match.groups()
        if quoted is not None:
            tokens.append(("text", re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)))
        else:
            tokens.append(("word", word) if word else ("sign", sign))
        at = match.end()
    return tokens


class _Parser:
    """One descent over the tokens of one query."""

    def __init__(self, tokens: list[_Lexeme]) -> None:
        self._tokens = tokens
        self._at = 0

    def parse_all(self) -> Query:
        query = self._query()
        if self._at != len(self._tokens):
            raise _refuse()
        return query

    def _take(self, kind: str) -> str:
        if self._at >= len(self._tokens) or self._tokens[self._at][0] != kind:
            raise _refuse()
        self._at += 1
        return self._tokens[self._at - 1][1]

    def _accept(self, token: _Lexeme) -> bool:
        found = self._at < len(self._tokens) and self._tokens[self._at] == token
        self._at += found
        return found

    def _expect(self, *tokens: _Lexeme) -> None:
        if not all(self._accept(token) for token in tokens):
            raise _refuse()

    def _query(self) -> Query:
        query = self._term()
        while True:
            if self._accept(("word", "and")):
                query = Both(query, self._term())
            elif self._accept(("word", "or")):
                term = self._term()
                query = Either((*query.terms, term) if isinstance(query, Either) else (query, term))
            else:
                return query

    def _term(self) -> Query:
        if self._accept(("word", "not")):
            return Not(self._term())
        if self._accept(("sign", "(")):
            query = self._query()
            self._expect(("sign", ")"))
            return query
        if self._at < len(self._tokens) and self._tokens[self._at][0] == "text":
            return self._member()
        return self._test()

    def _member(self) -> Query:
        value = self._take("text")
        self._expect(("word", "in"))
        collection = self._take("word")
        if collection not in _COLLECTIONS:
            raise _refuse()
        return Member(value, collection)

    def _test(self) -> Query:
        field = self._take("word")
        if field in _PROPERTY_SETS:
            return self._has(field)
        kind, operator = self._tokens[self._at] if self._at < len(self._tokens) else ("", "")
        if kind != "text" and operator in _OPERATORS.get(field, ()):
            self._at += 1
            return Compare(field, operator, self._value(field))
        if field == "sharedWithMe":
            return Compare(field, "=", value=True)
        raise _refuse()

    def _value(self, field: str) -> str | int | bool:
        if field in _FLAGS:
            word = self._take("word")
            if word not in {"true", "false"}:
                raise _refuse()
            return word == "true"
        text = self._take("text")
        if not field.endswith("Time"):
            return text
        try:
            return parse_time(text)
        except ValueError as error:
            raise _refuse() from error

    def _has(self, collection: str) -> Query:
        self._expect(("word", "has"), ("sign", "{"), ("word", "key"), ("sign", "="))
        key = self._take("text")
        self._expect(("word", "and"), ("word", "value"), ("sign", "="))
        value = self._take("text")
        self._expect(("sign", "}"))
        return Has(collection, key, value)
