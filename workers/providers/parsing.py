"""Parses the fields of providers' messages.

It bounds sizes, refuses inexact formats, and never shows a value in an error message. Amounts are minor units.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

import orjson

from db.errors import OmsError
from messages.base import AMOUNT_MAX
from workers.domain.money import exponent
from workers.providers.port import PaymentOrder, ProviderRefusal, UnknownOutcome

BODY_BYTES_MAX = 65_536  # providers send a few KiB
FORM_FIELDS_MAX = 100  # bounds the work on a forged form; no provider documents as many
BEIJING = timezone(timedelta(hours=8))  # no daylight saving for as long as these providers exist
_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,14})(?:\.([0-9]{1,4}))?")
_NUMBER = re.compile(r"[0-9A-Za-z_\-|*@]{1,64}")
_DAY, _TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}", r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
_MOMENT = re.compile(rf"{_DAY}T{_TIME}(?:Z|[+-][0-9]{{2}}:[0-9]{{2}})")
_BEIJING = re.compile(rf"{_DAY} {_TIME}")
T = TypeVar("T")


class FieldError(OmsError, ValueError):
    """A field is missing or malformed. The message names the field and never shows its value."""


class MerchantError(OmsError, ValueError):
    """A message concerns another merchant."""


def minor(text: object, currency: str) -> int:
    """Parse a decimal amount: "88.88" EUR is 8888.

    Signs, spaces, exponents and more decimals than the currency has are refused.
    """
    found = _DECIMAL.fullmatch(text) if isinstance(text, str) else None
    digits = exponent(currency)
    if found is None or len(found[2] or "") > digits:
        raise FieldError(f"is no decimal number with at most {digits} decimals")
    return int(found[1] + (found[2] or "").ljust(digits, "0"))


def moment(text: str) -> datetime:
    """Parse a time in RFC 3339 with seconds and an offset."""
    if not _MOMENT.fullmatch(text):
        raise FieldError("is no time in RFC 3339")
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise FieldError("is no time in RFC 3339") from None


def beijing_moment(text: str) -> datetime:
    """Parse a time such as "2026-11-22 10:59:00", as Chinese providers write it."""
    if not _BEIJING.fullmatch(text):
        raise FieldError("is no time such as 2026-11-22 10:59:00")
    try:
        return datetime.fromisoformat(text).replace(tzinfo=BEIJING)
    except ValueError:
        raise FieldError("is no time such as 2026-11-22 10:59:00") from None


class Fields:
    """A JSON object, or a form, from a provider. A missing or malformed field raises FieldError."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def has(self, name: str) -> bool:
        """True if the field is there and not empty."""
        return self._values.get(name) not in (None, "")

    def text(self, name: str, length_max: int = 255) -> str:
        """A text of at most `length_max` characters that is not empty."""
        value = self._values.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= length_max:
            raise FieldError(f"{name} is missing or no text of at most {length_max} characters")
        return value

    def excerpt(self, name: str) -> str:
        """The printable part of the first 255 characters; empty if there is no text."""
        value = self._values.get(name)
        return "".join(filter(str.isprintable, value[:255])) if isinstance(value, str) else ""

    def number(self, name: str) -> str:
        """A number that the provider or we assigned: 1 to 64 letters, digits and a few signs."""
        value = self._values.get(name)
        if not isinstance(value, str) or not _NUMBER.fullmatch(value):
            raise FieldError(f"{name} is missing or no number of ours or theirs")
        return value

    def whole(self, name: str) -> int:
        """A positive whole number of minor units."""
        value = self._values.get(name)
        if type(value) is not int or not 0 < value <= AMOUNT_MAX:
            raise FieldError(f"{name} is missing or no positive whole number")
        return value

    def amount(self, name: str, currency: str) -> int:
        """A positive decimal amount, in minor units."""
        found = self._read(name, lambda text: minor(text, currency))
        if not 0 < found <= AMOUNT_MAX:
            raise FieldError(f"{name} is nothing, or too much")
        return found

    def moment(self, name: str) -> datetime:
        """A time in RFC 3339."""
        return self._read(name, moment)

    def beijing_moment(self, name: str) -> datetime:
        """A time without an offset, in Beijing."""
        return self._read(name, beijing_moment)

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self._values.get(name)
        if not isinstance(value, bool):
            raise FieldError(f"{name} is missing or neither true nor false")
        return value

    def holds_object(self, name: str) -> bool:
        """True if there is an object under that name, and no text that stands for it."""
        return isinstance(self._values.get(name), dict)

    def part(self, name: str) -> "Fields":
        """The object under that name."""
        value = self._values.get(name)
        if not isinstance(value, dict):
            raise FieldError(f"{name} is missing or no object")
        return Fields(value)

    def parts(self, name: str) -> list["Fields"]:
        """The objects in the list under that name."""
        value = self._values.get(name)
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise FieldError(f"{name} is missing or no list of objects")
        return [Fields(item) for item in value]

    def _read(self, name: str, read: Callable[[str], T]) -> T:
        text = self.text(name)
        try:
            return read(text)
        except FieldError as error:
            raise FieldError(f"{name} {error}") from None


def json_fields(body: bytes) -> Fields:
    """Parse one JSON object, in which no name occurs twice. orjson bounds its depth; callers bound its size."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise FieldError("the body is no JSON") from None
    if not isinstance(value, dict):
        raise FieldError("the body is no JSON object")
    try:
        json.loads(body, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits
        raise error if isinstance(error, FieldError) else FieldError("the body is no JSON") from None
    return Fields(value)


def _once(pairs: Sequence[tuple[str, Any]]) -> None:
    """Refuse a name that occurs twice: orjson keeps the last value, and other readers of the bytes keep the first."""
    if len({name for name, _ in pairs}) != len(pairs):
        raise FieldError("a name stands twice in an object of the body")


def form_fields(body: bytes) -> dict[bytes, bytes]:
    """Decode the fields of a form to the bytes that were signed. No name occurs twice."""
    pairs = body.split(b"&")
    if len(pairs) > FORM_FIELDS_MAX:
        raise FieldError(f"the form has more than {FORM_FIELDS_MAX} fields")
    fields: dict[bytes, bytes] = {}
    for pair in pairs:
        name, equals, value = (unquote_to_bytes(part.replace(b"+", b" ")) for part in pair.partition(b"="))
        if not equals or not name:
            raise FieldError("the form has a part that is no name=value")
        if name in fields:
            raise FieldError("a field of the form stands twice")
        fields[name] = value
    return fields


def unreadable(headers: Mapping[str, str], body: bytes) -> str | None:
    """The reason why a body must not be parsed: it is too large, or compressed, which may hide any size. Else None."""
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        return "the body is encoded"
    if len(body) > BODY_BYTES_MAX:
        return f"the body is larger than {BODY_BYTES_MAX} bytes"
    return None


def keep_not_found(
    failure: ProviderRefusal | UnknownOutcome, codes: Collection[str]
) -> ProviderRefusal | UnknownOutcome:
    """Keep a refusal of a query only if its code means "not found"; any other proves nothing and becomes unknown."""
    if isinstance(failure, ProviderRefusal) and failure.code not in codes:
        return UnknownOutcome(failure.code)
    return failure


def refuse_unoffered(
    payment: PaymentOrder, scenes: Collection[str], currencies: Collection[str]
) -> ProviderRefusal | None:
    """Refuse a scene or a currency that the provider does not offer. Some requests carry no currency at all."""
    if payment.scene not in scenes:
        return ProviderRefusal("SCENE_UNKNOWN", "the provider has no such scene")
    if payment.currency not in currencies or payment.amount <= 0:
        return ProviderRefusal("AMOUNT_INVALID", "the provider collects no such amount")
    return None
