"""Reads bodies strictly: by their model, without a name that occurs twice, with every fault at once.

Readers of JSON differ in which of two equal names counts, so such a body says two things.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from messages.base import MessageCode

M = TypeVar("M", bound=BaseModel)

FAULTS_MAX = 20  # enough to correct a message at once; a body of a megabyte can have a hundred thousand
PATH_CHARS_MAX = 200
MESSAGE_CHARS_MAX = 300  # all faults together fit into the headers of a dead letter
REPEATED_NAME = "repeated_name"
_JSON_INVALID = "json_invalid"
_WRONG_TYPE = "_type"


@dataclass(frozen=True)
class Fault:
    """What is wrong at one place of a message. `path` is a JSON path, or names a property. It shows no value."""

    path: str
    error: str
    message: str


@dataclass(frozen=True)
class Reading(Generic[M]):
    """A message with the canonical form of its body; or why there is no message."""

    message: M | None
    canonical_body: bytes = b""
    faults: tuple[Fault, ...] = ()


def read(model: type[M], body: bytes, faults_max: int = FAULTS_MAX) -> Reading[M]:
    """Read a body by its model. A name that occurs twice is a fault as well. There are at most `faults_max` faults."""
    try:
        message = model.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        nulls = _nulls(body, [fault["loc"] for fault in found[:faults_max] if fault["type"].endswith(_WRONG_TYPE)])
        faults = [
            Fault(_path(fault["loc"]), fault["type"], (fault["msg"] + nulls.get(fault["loc"], ""))[:MESSAGE_CHARS_MAX])
            for fault in found[:faults_max]
        ]
        twice = [] if found[0]["type"] == _JSON_INVALID else repeated_names(body)
        return Reading(None, faults=(*twice, *faults)[:faults_max])
    form = _canonical(body)
    # A name that is lost on the way takes its colon along; only an escaped colon could come in its place.
    equal = form is not None and b"\\u003" not in body and body.count(b":") == form.count(b":")
    if not equal and (twice := repeated_names(body)):
        return Reading(None, faults=tuple(twice[:faults_max]))
    return Reading(message, form or body)


def _nulls(body: bytes, locations: Sequence[tuple[int | str, ...]]) -> dict[tuple[int | str, ...], str]:
    """What to say of the null at each of these places that has one.

    Serializers of typed languages write it for what was never set.
    """
    try:
        whole = orjson.loads(body) if locations else {}
    except ValueError:  # such as a number that the other parser takes
        return {}
    return {location: NO_NULL for location in locations if location and _at(whole, location) is None}


def _at(value: Any, location: tuple[int | str, ...]) -> Any:
    """The value at a place of a body, or an empty text."""
    for part in location:
        try:
            value = value[part]
        except (LookupError, TypeError):
            return ""
    return value


NO_NULL = ", not null: leave out a field that is not set"
NO_ACTOR = "it does not say on whose behalf it comes: send an actor with type and id"


def why_unread(faults: Sequence[Fault], otherwise: MessageCode) -> tuple[MessageCode, str]:
    """Return the code and the message of the answer to a message with these faults.

    One that acts for somebody and names no actor, or one without type or id, is answered with AUTH_REQUIRED, whatever
    else is wrong with it (S0-31); `otherwise` is the code of all others.
    """
    no_actor = any(
        (fault.path == "$.actor" and fault.error != "extra_forbidden")
        or (fault.path.startswith("$.actor.") and fault.error == "missing")
        for fault in faults
    )
    return (MessageCode.AUTH_REQUIRED, NO_ACTOR) if no_actor else (otherwise, faults[0].message)


def repeated_names(body: bytes) -> list[Fault]:
    """The names that occur twice in one object of the body, each with its path."""
    try:
        value = json.loads(body, object_pairs_hook=_Pairs)
        return [Fault(_path(path), REPEATED_NAME, "the name occurs twice in its object") for path in _twice(value, ())]
    except (ValueError, RecursionError):  # such as numbers of thousands of digits, which the other parser may take
        return [Fault("$", REPEATED_NAME, "readers of JSON would not agree on this body")]


def _canonical(body: bytes) -> bytes | None:
    """The body with sorted names and without blanks: the same for every way to write the same message."""
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    except ValueError:
        return None


class _Pairs(list[tuple[str, Any]]):
    """The names and values of one object, with every repetition."""


def _twice(value: Any, path: tuple[int | str, ...]) -> Iterator[tuple[int | str, ...]]:
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for name, inner in value:
            if name in seen:
                yield (*path, name)
            seen.add(name)
            yield from _twice(inner, (*path, name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _twice(inner, (*path, place))


def _path(location: tuple[int | str, ...]) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{_safe_name(part)}" for part in location)
    return f"${''.join(parts)}"[:PATH_CHARS_MAX]


def _safe_name(name: str) -> str:
    """The name of a field, if it is an identifier. Any other name may be personal data, such as a phone number."""
    return name if name.isidentifier() and name.isascii() else "…"
