"""Finds out which users and orders a stored message is about, so that erasing a user finds it."""

import json
import re
from typing import Any

NAMES_MAX = 200  # a message of ours names fewer; what a stranger sent must not fill a row
_NAMED = re.compile(r'"(user_id|order_id)"\s*:\s*"?([^"\\,}\s]{1,64})')


def subjects_of(body: bytes) -> tuple[str, ...]:
    """Return `user:<id>` and `order:<id>` for each that the body of a message names, sorted.

    A body that is not JSON is searched for the fields that usually name them.
    """
    text = body.decode("utf-8", "replace")
    try:
        found = set(_walk(json.loads(text)))
    except (ValueError, RecursionError):
        found = {f"{name.removesuffix('_id')}:{value}" for name, value in _NAMED.findall(text)}
    return tuple(sorted(name for name in found if name.isprintable()))[:NAMES_MAX]


def _walk(value: Any) -> list[str]:
    match value:
        case dict():
            named = value["id"] if value.get("type") == "user" and isinstance(value.get("id"), str) else None
            return [*([f"user:{named[:64]}"] if named else []), *_fields(value)]
        case list():
            return [name for item in value for name in _walk(item)]
    return []


def _fields(value: dict[str, Any]) -> list[str]:
    names: list[str] = []
    for name, item in value.items():
        kind = name.removesuffix("s").removesuffix("_id")
        if kind in ("user", "order") and name != kind:
            items = item if isinstance(item, list) else [item]
            names += [f"{kind}:{str(one)[:64]}" for one in items if isinstance(one, str | int)]
        names += _walk(item)
    return names
