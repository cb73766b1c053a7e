"""How UnionPay's messages are written and signed. Requests and notifications are forms; answers look like forms, but
nothing in them is escaped.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from workers.providers.parsing import BEIJING, FORM_FIELDS_MAX, FieldError, Fields, form_fields
from workers.providers.rsa import sign

VERSION = "5.1.0"
RSA = "01"  # signMethod
CURRENCIES = {"156": "CNY"}
_ANSWERED = re.compile(r"([A-Za-z0-9_]+)=(\{.*?\}(?=&|$)|\[.*?\](?=&|$)|[^&]*)(?:&|$)", re.DOTALL)
_CODE = re.compile(r"[0-9A-Z]{2}")
_AMOUNT = re.compile(r"[1-9][0-9]{0,11}")
_SENT = re.compile(r"[0-9]{14}")
_TRACED = re.compile(r"[0-9]{10}")


def digest(fields: Mapping[str, str]) -> bytes:
    """What is signed: the hex SHA-256 of name=value&..., sorted by name, without the signature."""
    text = "&".join(f"{name}={fields[name]}" for name in sorted(fields) if name != "signature")
    return sha256(text.encode()).hexdigest().encode()


def signed(fields: Mapping[str, str], key: RSAPrivateKey, certificate_id: str) -> dict[str, str]:
    """The fields with our signature."""
    whole = {**fields, "version": VERSION, "encoding": "UTF-8", "signMethod": RSA, "certId": certificate_id}
    return {**whole, "signature": sign(key, digest(whole))}


def form(fields: Mapping[str, str]) -> bytes:
    """As it is posted."""
    return urlencode(fields).encode()


def posted(body: bytes) -> dict[str, str]:
    """The fields of a notification. Raises FieldError."""
    try:
        return {name.decode("ascii"): value.decode() for name, value in form_fields(body).items()}
    except UnicodeDecodeError:
        raise FieldError("the form is no UTF-8") from None


def answered(body: bytes) -> dict[str, str]:
    """The fields of an answer; a value in braces or brackets may hold what looks like more. Raises FieldError."""
    try:
        text = body.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise FieldError("the answer is no UTF-8") from None
    fields: dict[str, str] = {}
    at = 0
    while at < len(text):
        found = _ANSWERED.match(text, at)
        if found is None or found[1] in fields or len(fields) == FORM_FIELDS_MAX:
            raise FieldError("the answer is no name=value&..., or a name stands twice")
        fields[found[1]] = found[2]
        at = found.end()
    return fields


def beijing(moment: datetime) -> str:
    """YYYYMMDDhhmmss"""
    return moment.astimezone(BEIJING).strftime("%Y%m%d%H%M%S")


class UnionPayMessage(Fields):
    """The fields of a message, with the forms that UnionPay gives them."""

    def code(self, name: str) -> str:
        """An answer code or a type: two letters or digits."""
        text = self.text(name)
        if not _CODE.fullmatch(text):
            raise FieldError(f"{name} is no code of two letters or digits")
        return text

    def minor_units(self) -> int:
        """txnAmt: fen, as a text."""
        text = self.text("txnAmt")
        if not _AMOUNT.fullmatch(text):
            raise FieldError("txnAmt is no positive whole number")
        return int(text)

    def currency(self) -> str:
        """currencyCode: three digits of ISO 4217."""
        try:
            return CURRENCIES[self.text("currencyCode")]
        except KeyError:
            raise FieldError("currencyCode is not 156 (CNY)") from None

    def sent(self) -> datetime:
        """txnTime: when we sent the order, as we wrote it."""
        text = self.text("txnTime")
        if not _SENT.fullmatch(text):
            raise FieldError("txnTime is no time such as 20261122105900")
        moment = _time(text)
        if moment is None:
            raise FieldError("txnTime is no time")
        return moment

    def traced(self) -> datetime:
        """traceTime: when it happened, without the year; the one nearest to txnTime is meant."""
        text, sent = self.text("traceTime"), self.sent()
        if not _TRACED.fullmatch(text):
            raise FieldError("traceTime is no time such as 1122105900")
        found = [moment for shift in (0, 1, -1) if (moment := _time(f"{sent.year + shift}{text}")) is not None]
        if not found:
            raise FieldError("traceTime is no time")
        return min(found, key=lambda moment: abs(moment - sent))


def _time(digits: str) -> datetime | None:
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=BEIJING)
    except ValueError:
        return None
