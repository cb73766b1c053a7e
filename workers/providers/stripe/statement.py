"""Reads the report "Balance change from activity, itemized": CSV in UTF-8 with the columns that the merchant chose.

Choose the columns below, and for them the metadata out_trade_no of payments and refund_no of refunds. A report covers
whole days of one time zone, in which `created` is. It has no sums: of a report that was cut between two rows, only
reconciliation can tell that the rest is missing.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Literal

from workers.domain.money import exponent
from workers.providers.parsing import FieldError, minor
from workers.providers.port import StatementError, StatementRow

OURS, REFUND = "payment_metadata[out_trade_no]", "refund_metadata[refund_no]"
MONEY = ("customer_facing_amount", "customer_facing_currency")
"""What the buyer paid. A dispute has none, and the row's own amount in the currency of the balance counts."""
BALANCE = ("gross", "currency")
COLUMNS = ("created", "reporting_category", "source_id", "charge_id", *BALANCE, *MONEY, OURS, REFUND)
KINDS: Mapping[str, Literal["capture", "refund"]] = {"charge": "capture", "refund": "refund", "dispute": "refund"}
UNCAPTURED = "partial_capture_reversal"
"""The part of an authorisation that was not captured: the row of the charge has the whole of it."""
FIELD_CHARACTERS_MAX = 4096  # bounds the memory of one field; the fields that we read have at most 64
_NUMBER = re.compile(r"[0-9A-Za-z_\-|*@]{1,64}")
_CURRENCY = re.compile(r"[A-Za-z]{3}")


def rows(content: bytes, day: date) -> Sequence[StatementRow]:
    """Read the captures, refunds and disputes of that day. Raises StatementError if the report is another day's."""
    found: dict[str, StatementRow] = {}
    uncaptured: list[tuple[str, int, int]] = []
    for line, row in _records(content):
        if row["created"][:10] != day.isoformat():
            raise StatementError(f"line {line}: a row that is not of {day}")
        category = row["reporting_category"]
        kind = KINDS.get(category)
        if kind is not None:
            one = _row(row, kind, line)
            found[f"{one.kind} {one.trade_no}"] = _once(one, found)
        elif category == UNCAPTURED:
            uncaptured.append((f"capture {row['charge_id']}", _money(row, line)[0], line))
    for key, amount, line in uncaptured:
        if key not in found or found[key].amount < amount:
            raise StatementError(f"line {line}: what was not captured of a charge that is not listed")
        found[key] = replace(found[key], amount=found[key].amount - amount)
    return sorted(found.values(), key=lambda one: one.line)


def _once(one: StatementRow, found: Mapping[str, StatementRow]) -> StatementRow:
    if f"{one.kind} {one.trade_no}" in found:
        raise StatementError(f"line {one.line}: a row that stands twice")
    return one


def _records(content: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise StatementError("the report is no UTF-8") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    names: list[str] = []
    try:
        for fields in reader:
            line = reader.line_num
            if fields and max(map(len, fields)) > FIELD_CHARACTERS_MAX:
                raise StatementError(f"line {line}: a field is too long")
            if not names:
                names = _heading(fields, line)
            elif fields:
                if len(fields) != len(names):
                    raise StatementError(f"line {line}: expected {len(names)} values")
                yield line, dict(zip(names, fields, strict=True))
    except csv.Error:
        raise StatementError(f"line {reader.line_num}: is no CSV") from None
    if not names or not text.endswith("\n"):
        raise StatementError(f"line {reader.line_num + 1}: expected more; a whole report ends with the end of a line")


def _heading(fields: Sequence[str], line: int) -> list[str]:
    missing = [name for name in COLUMNS if fields.count(name) != 1]
    if missing:
        raise StatementError(f"line {line}: not one column {missing[0]}")
    return list(fields)


def _row(row: Mapping[str, str], kind: Literal["capture", "refund"], line: int) -> StatementRow:
    """Read a payment, a refund or what a dispute withdrew.

    Without our number it keeps Stripe's, so that reconciliation reports it as missing here. A refund may fail later.
    """
    amount, currency = _money(row, line)
    source, charge = row["source_id"], row["charge_id"]
    if not _NUMBER.fullmatch(source) or not _NUMBER.fullmatch(charge):
        raise StatementError(f"line {line}: no number of the charge, or of what it is about")
    if kind == "capture":
        return StatementRow(kind, _ours(row[OURS], charge), charge, amount, currency, line)
    reversal = row["reporting_category"] == "dispute"
    number = source if reversal else _ours(row[REFUND], source)
    about = {"capture_no": charge, "provider_no": source}
    return StatementRow(kind, number, source, amount, currency, line, **about, reversal=reversal, certain=reversal)


def _ours(number: str, theirs: str) -> str:
    return number if _NUMBER.fullmatch(number) else theirs


def _money(row: Mapping[str, str], line: int) -> tuple[int, str]:
    """(minor units without a sign, currency)"""
    text, currency = (row[name] for name in (MONEY if row[MONEY[0]] else BALANCE))
    if not _CURRENCY.fullmatch(currency):
        raise StatementError(f"line {line}: no currency")
    whole, point, part = text.removeprefix("-").partition(".")
    digits = exponent(currency.upper())
    kept = part if part[digits:].strip("0") else part[:digits]  # a report may write yen as 100.00
    try:
        return minor(f"{whole}{point}{kept}" if kept or not part else whole, currency.upper()), currency.upper()
    except FieldError:
        raise StatementError(f"line {line}: no amount") from None
