"""Takes the values of a message out of a text about it, so that logs and headers can show the text."""

import re
from collections.abc import Iterator
from typing import Any

import orjson

MESSAGE_CHARS_MAX = 512
_LONG_NUMBER = re.compile(r"\d{6,}")


def redacted(text: str, body: bytes) -> str:
    """Replace every value of the body in the text, and every long number, which may be a phone number."""
    try:
        values = set(_leaves(orjson.loads(body)))
    except (ValueError, RecursionError):
        values = set()
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, "…")
    return _LONG_NUMBER.sub("…", text)[:MESSAGE_CHARS_MAX]


def _leaves(value: Any) -> Iterator[str]:
    """Yield every value of 3 or more characters as text; shorter ones are no personal data."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _leaves(item)
    elif len(str(value)) >= 3 and value not in (None, True, False):
        yield str(value)
