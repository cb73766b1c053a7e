"""Redacts a notification for people who work on disputes.

They see numbers, states, amounts and signatures as they are; buyers, cards, addresses and secrets are masked, however
deep.
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from workers.domain.masking import MASK, masked, masked_phone, masked_text

DEPTH_MAX = 20
FIELDS_MAX = 200
_HIDDEN = re.compile(
    r"buyer|payer|openid|logonid|email|phone|mobile|^tel$|surname|givenname|fullname|^name$"
    r"|(customer|contact|receiver|consignee|nick|user|holder|cert)(name|nm)$|accno|^account|cardno|lastdigits|cardtrans"
    r"|address|postal|postcode|^zip|^city$|adminarea|customerinfo|certif|idcard|idno$|birth|clientip|deviceid"
    r"|cookie|authorization|token|secret|password|cvn|expired$|^pin$"
)
"""Matches names of hidden fields, reduced to small letters and digits."""
_SHOWN = re.compile(r"(amount|amt|total|fee|currency|currencycode)$")
"""Matches hidden names that are shown all the same, such as buyer_pay_amount."""


def headers_shown(headers: Mapping[str, str]) -> dict[str, Any]:
    """The headers of a notification, redacted."""
    return {name: _field(name, value, 0) for name, value in headers.items()}


def body_shown(body: str) -> Any:
    """The body of a notification, redacted: a JSON object or a form. A body that is neither is not shown at all."""
    fields = _json(body) or _form(body)
    return {"neither JSON nor form, characters": len(body)} if fields is None else _shown(fields, 0)


def _json(text: str) -> Any:
    """The JSON object or list in a text, or None."""
    if text[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _form(text: str) -> dict[str, str] | None:
    try:
        return dict(parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=FIELDS_MAX))
    except ValueError:
        return None


def _shown(value: Any, depth: int) -> Any:
    if depth > DEPTH_MAX:
        return MASK
    match value:
        case dict():
            return {name: _field(name, item, depth) for name, item in value.items()}
        case list():
            return [_shown(item, depth + 1) for item in value]
        case str() if (inner := _json(value)) is not None:
            return _shown(inner, depth + 1)
    return masked(value)


def _field(name: str, value: Any, depth: int) -> Any:
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    hidden = _HIDDEN.search(plain) and not _SHOWN.search(plain)
    return _hidden(value, depth + 1) if hidden else _shown(value, depth + 1)


def _hidden(value: Any, depth: int) -> Any:
    """The value with every leaf masked."""
    if depth > DEPTH_MAX:
        return MASK
    match value:
        case dict():
            return {name: _hidden(item, depth + 1) for name, item in value.items()}
        case list():
            return [_hidden(item, depth + 1) for item in value]
        case None | bool():
            return value
    text = str(value)
    return masked_phone(text) if len(text) >= 10 and text.isalnum() and text.isascii() else masked_text(text)
