"""Masks personal data for display: its owner recognises it, a stranger cannot use it."""

import re
from collections.abc import Mapping
from typing import Any

PHONES = frozenset({"phone", "mobile", "tel", "telephone"})
NAMES = frozenset({"receiver", "receiver_name", "contact"})
PLACES = frozenset({"province", "city", "area", "street", "detail", "postcode", "email"})
MASK = "****"
_MOBILE = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")  # searched in every text: a header or a remark may hold one


def masked(value: Any) -> Any:
    """Copy a JSON value with every phone, name and place in it masked, at any depth."""
    match value:
        case Mapping():
            return {name: _field(str(name).lower(), item) for name, item in value.items()}
        case list() | tuple():
            return [masked(item) for item in value]
        case str():
            return _MOBILE.sub(lambda found: masked_phone(found.group()), value)
    return value


def _field(name: str, value: Any) -> Any:
    scalar = isinstance(value, str | int) and not isinstance(value, bool)
    if scalar and name in PHONES:
        return masked_phone(str(value))
    if scalar and name in NAMES | PLACES:
        return masked_text(str(value))
    return masked(value)


def masked_phone(phone: str) -> str:
    """`13812345678` -> `138****5678`. Of a number shorter than 10 characters only the last two are shown."""
    return f"{phone[:3]}{MASK}{phone[-4:]}" if len(phone) >= 10 else f"{MASK}{phone[-2:]}"


def masked_text(text: str) -> str:
    """`Zhang San` -> `Z****`."""
    return f"{text[:1]}{MASK}" if text else text


def masked_address(address: str) -> str:
    """Mask where a user is notified: a mailbox keeps its first letter and its server, all else is as a phone."""
    name, at, server = address.rpartition("@")
    return f"{masked_text(name)}{at}{server}" if at else masked_phone(address)
