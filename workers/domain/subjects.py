"""Finds out which users, orders and payments a stored message is about, so that erasing a user finds it."""

import json
import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

NAMES_MAX = 200  # a message of ours names fewer; what a stranger sent must not fill a row
NAME_MAX = 64  # characters of an id or number
_NAMED = re.compile(r'"(user_id|order_id)"\s*:\s*"?([^"\\,}\s]{1,64})')
_NUMBERS = ("out_trade_no", "refund_no")
_OURS = re.compile(r"(?<![A-Za-z0-9])[PR][0-9]{15,19}(?![A-Za-z0-9])")
"""Our number of an attempt or a refund, wherever a provider's notification has it."""


def subjects_of(body: bytes) -> tuple[str, ...]:
    """Return what the body of a message names, sorted: `user:<id>`, `order:<id>`, `number:<number>` of an attempt or a
    refund, `payment:<provider>/<number>` and `dispute:<provider>/<number>` under the provider's numbers.

    A body that is not JSON is searched for the fields that usually name users and orders.
    """
    text = body.decode("utf-8", "replace")
    try:
        found = set(_walk(json.loads(text)))
    except (ValueError, RecursionError):
        found = {f"{name.removesuffix('_id')}:{value}" for name, value in _NAMED.findall(text)}
    printable = sorted(name for name in found if name.isprintable())
    users_first = sorted(printable, key=lambda name: not name.startswith("user:"))  # whose the message is matters most
    return tuple(sorted(users_first[:NAMES_MAX]))


def _walk(value: Any) -> Iterator[str]:
    match value:
        case dict():
            if value.get("type") == "user" or value.get("kind") == "member":
                yield from _named("user", value.get("id"))
            yield from _payments(value)
            yield from _fields(value)
        case list():
            for item in value:
                yield from _walk(item)


def _fields(value: dict[str, Any]) -> Iterator[str]:
    for name, item in value.items():
        kind = name.removesuffix("s").removesuffix("_id")
        if kind in ("user", "order") and name != kind:
            for one in item if isinstance(item, list) else [item]:
                yield from _named(kind, str(one) if isinstance(one, int) else one)
        yield from _walk(item)


def _payments(value: dict[str, Any]) -> Iterator[str]:
    for name in _NUMBERS:
        yield from _named("number", value.get(name))
    match value:
        case {"provider": str() as provider, "headers": _, "body": str() as raw}:
            yield from (f"number:{number}" for number in _OURS.findall(_in_clear(raw)))
        case {"provider": str() as provider}:
            for kind, number in (("payment", value.get("trade_no")), ("dispute", value.get("dispute_no"))):
                if isinstance(number, str):
                    yield f"{kind}:{provider[:NAME_MAX]}/{number[:NAME_MAX]}"


def _named(kind: str, name: Any) -> Iterator[str]:
    if isinstance(name, str) and name:
        yield f"{kind}:{name[:NAME_MAX]}"


def _in_clear(raw: str) -> str:
    """The body of a provider's notification, which a payment.callback has in base64: JSON or a form."""
    try:
        return unquote(b64decode(raw, validate=True).decode("utf-8", "replace"))
    except ValueError:
        return ""
