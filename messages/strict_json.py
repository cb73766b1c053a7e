"""Reads bodies strictly: by their model, without a name that occurs twice, with every fault at once.

Readers of JSON differ in which of two equal names counts, so such a body says two things.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Real
from typing import Any, Generic, TypeVar, get_args

import orjson
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from messages.base import MessageCode

M = TypeVar("M", bound=BaseModel)

FAULTS_MAX = 20  # enough to correct a message at once; a body of a megabyte can have a hundred thousand
FAULTS_READ_MAX = 10_000  # to read hundreds of thousands takes the process a second, and nobody wants to know them
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
        if error.error_count() > FAULTS_READ_MAX:
            return Reading(None, faults=(Fault("$", "too_many_faults", f"it has {error.error_count():,} faults"),))
        found = error.errors(include_url=False, include_context=False)
        faults = [
            Fault(_path(fault["loc"]), fault["type"], _words(model, fault)[:MESSAGE_CHARS_MAX])
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


NO_NULL = ", not null: leave out a field that is not set"  # typed languages write it for what was never set
NO_TEXT = ", not a text"
NO_POINT = ", without a point: amounts are in minor units, such as cents"
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


def _words(model: type[BaseModel], fault: ErrorDetails) -> str:
    """What is wrong, in words that say what to write instead. The value itself is not among them."""
    words = str(fault["msg"])
    match fault["type"], fault["input"]:
        case "extra_forbidden", _:
            near = get_close_matches(str(fault["loc"][-1]), _names_beside(model, fault["loc"]), n=1)
            return words + (f"; near it is {near[0]}" if near else "")
        case kind, None if kind.endswith(_WRONG_TYPE):
            return words + NO_NULL
        case "int_type", str():
            return words + NO_TEXT
        case "int_type", Real() as value if not isinstance(value, bool):
            return words + NO_POINT
    return words


def _names_beside(model: type[BaseModel], location: tuple[int | str, ...]) -> Sequence[str]:
    """The names that fields have at this place; none where objects of several models may stand."""
    for part in location[:-1]:
        if isinstance(part, str):
            inner = list(_models(model.model_fields[part].annotation)) if part in model.model_fields else []
            if len(inner) != 1:
                return ()
            model = inner[0]
    return tuple(model.model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


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
