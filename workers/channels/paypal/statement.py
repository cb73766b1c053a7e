"""Settlement reports: CSV in UTF-8, each row with its kind in the first field. A section (SH ... SF) has a heading (CH)
and body rows (SB); amounts are whole minor units without a sign.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Literal

from workers.channels.port import Row, StatementError

COLUMNS = (
    "Transaction ID", "Invoice ID", "Transaction Event Code", "Transaction Debit or Credit",
    "Gross Transaction Amount", "Gross Transaction Currency", "Custom Field",
)  # fmt: skip
KINDS = {"RH", "FH", "SH", "CH", "SB", "SF", "SC", "RF", "RC", "FF"}
PAYMENT = "T00"  # event codes T0000 to T0099: payments received (CR) or sent (DR)
REFUND = "T1107"  # by the merchant; reversals and charge-backs have codes of their own
FIELD_CHARACTERS_MAX = 4096
_NUMBER = re.compile(r"[0-9A-Za-z_\-|*@]{1,64}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_AMOUNT = re.compile(r"[0-9]{1,15}")
_DAY = re.compile(r"([0-9]{4})/([0-9]{2})/([0-9]{2}) .*")


def rows(content: bytes, day: date, merchant_id: str) -> Sequence[Row]:
    """Captures and refunds of that reporting day. Raises StatementError."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise StatementError("the report is no UTF-8") from None
    found: list[Row] = []
    columns: list[str] = []
    for line, fields in _records(text):
        match fields[0]:
            case "SH":
                _section(fields, line, day, merchant_id)
                columns = []
            case "CH":
                columns = _heading(fields, line)
            case "SB":
                if len(fields) != len(columns):
                    raise StatementError(f"line {line}: a row with {len(fields)} fields below {len(columns)} columns")
                found.extend(_row(dict(zip(columns, fields, strict=True)), line))
            case kind if kind not in KINDS:
                raise StatementError(f"line {line}: begins with none of {', '.join(sorted(KINDS))}")
    return found


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for fields in reader:
            if fields:
                if max(map(len, fields)) > FIELD_CHARACTERS_MAX:
                    raise StatementError(f"line {reader.line_num}: a field is too long")
                yield reader.line_num, fields
    except csv.Error:
        raise StatementError(f"line {reader.line_num}: is no CSV") from None


def _section(fields: list[str], line: int, day: date, merchant_id: str) -> None:
    """SH, begin and end of the period, account."""
    began = _DAY.fullmatch(fields[1]) if len(fields) > 3 else None
    if began is None or "-".join(began.groups()) != day.isoformat():
        raise StatementError(f"line {line}: a section that does not begin on {day}")
    if fields[3] != merchant_id:
        raise StatementError(f"line {line}: a section of another merchant")


def _heading(fields: list[str], line: int) -> list[str]:
    names = [" ".join(name.split()) for name in fields]
    missing = [name for name in COLUMNS if names.count(name) != 1]
    if missing:
        raise StatementError(f"line {line}: not one column {missing[0]}")
    return names


def _row(row: Mapping[str, str], line: int) -> Iterator[Row]:
    """Money that came without a number of ours goes by PayPal's: it must be seen to be missing here."""
    code, direction = row["Transaction Event Code"], row["Transaction Debit or Credit"]
    if direction not in ("CR", "DR"):
        raise StatementError(f"line {line}: neither CR nor DR")
    if not (code.startswith(PAYMENT) and direction == "CR") and not (code == REFUND and direction == "DR"):
        return
    amount, currency = row["Gross Transaction Amount"], row["Gross Transaction Currency"]
    trade_no = row["Transaction ID"]
    if not _AMOUNT.fullmatch(amount) or not _CURRENCY.fullmatch(currency):
        raise StatementError(f"line {line}: no amount in minor units, or no currency")
    if not _NUMBER.fullmatch(trade_no):
        raise StatementError(f"line {line}: no transaction id")
    names = (name for name in (row["Invoice ID"], row["Custom Field"]) if _NUMBER.fullmatch(name))
    kind: Literal["capture", "refund"] = "refund" if code == REFUND else "capture"
    yield Row(kind, next(names, trade_no), trade_no, int(amount), currency, line)
