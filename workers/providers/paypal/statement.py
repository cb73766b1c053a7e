"""Reads settlement reports: CSV in UTF-8. The first field of a row is its kind; amounts are minor units without a sign.

RH                 a report begins; it has one file, or more that are read one after another
FH                 a file begins: its number
SH CH SB... SF SC  a section of one account: heading, names, body, sums, how many rows the body has
RF RC              the report ends: sums, how many body rows all its sections have
FF                 the file ends: its number
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from workers.providers.port import StatementError, StatementRow

COLUMNS = (
    "Transaction ID",
    "Invoice ID",
    "PayPal Reference ID",
    "Transaction Event Code",
    "Transaction Debit or Credit",
    "Gross Transaction Amount",
    "Gross Transaction Currency",
    "Custom Field",
)
PAYMENT = "T00"  # event codes T0000 to T0099: payments received (CR) or sent (DR)
REFUND = "T1107"  # by the merchant
REVERSALS = frozenset({"T1106", "T1201"})  # by PayPal, or a charge-back through a card
FIELD_CHARACTERS_MAX = 4096  # bounds the memory of one field; the fields that we read have at most 64
_NUMBER = re.compile(r"[0-9A-Za-z_\-|*@]{1,64}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_AMOUNT = re.compile(r"[0-9]{1,15}")
_COUNT = re.compile(r"[0-9]{1,9}")
_DAY = re.compile(r"([0-9]{4})/([0-9]{2})/([0-9]{2}) .*")


def rows(content: bytes, day: date, merchant_id: str) -> Sequence[StatementRow]:
    """Read the captures and refunds of that reporting day.

    Raises StatementError if the report is incomplete, another merchant's or another day's.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise StatementError("the report is no UTF-8") from None
    reader, line = _Reader(day, merchant_id), 0
    for line, fields in _records(text):
        reader.take(fields, line)
    if line == 0 or not reader.whole:
        raise StatementError(f"line {line + 1}: expected more; a whole report ends with RC and FF")
    return reader.found


@dataclass
class _Reader:
    """A report while it is read. Its counts must agree with its rows; in a report that was cut off they do not."""

    day: date
    merchant_id: str
    found: list[StatementRow] = field(default_factory=list)
    columns: Sequence[str] = ()
    in_section: int | None = None
    """The body rows so far of the open section; None if no section is open."""
    in_report: int | None = None
    """The body rows so far of the open report; None if no report is open."""
    file: int | None = None
    """The number of the open file; None if no file is open."""
    whole: bool = False

    def take(self, fields: Sequence[str], line: int) -> None:
        """Read one record."""
        kind, self.whole = fields[0], False
        match kind:
            case "RH":
                self._closed(line, self.in_section, self.in_report)
                self.in_report = 0
            case "SH":
                self._closed(line, self.in_section)
                _section(fields, line, self.day, self.merchant_id)
                self.in_section, self.columns = 0, ()
            case "CH":
                self.columns = _heading(fields, line)
            case "SB":
                self._body(fields, line)
            case "SC":
                _counted(fields, line, self.in_section)
                self.in_section = None
            case "RC":
                self._closed(line, self.in_section)
                _counted(fields, line, self.in_report)
                self.in_report = None
            case "FH":
                self.file = _number(fields)
            case "FF":
                self._end(fields, line)
            case "SF" | "RF":
                pass
            case _:
                raise StatementError(f"line {line}: begins with no kind of record")

    def _body(self, fields: Sequence[str], line: int) -> None:
        if len(fields) != len(self.columns):
            raise StatementError(f"line {line}: a row with {len(fields)} fields below {len(self.columns)} columns")
        if self.in_section is None or self.in_report is None:
            raise StatementError(f"line {line}: a row outside a section of a report")
        self.in_section, self.in_report = self.in_section + 1, self.in_report + 1
        self.found.extend(_row(dict(zip(self.columns, fields, strict=True)), line))

    def _end(self, fields: Sequence[str], line: int) -> None:
        self._closed(line, self.in_section)
        if self.file is None or _number(fields) != self.file:
            raise StatementError(f"line {line}: expected the number of the file, as FH has it")
        self.file, self.whole = None, self.in_report is None

    @staticmethod
    def _closed(line: int, *open_: int | None) -> None:
        if any(count is not None for count in open_):
            raise StatementError(f"line {line}: expected the number of the rows above first")


def _counted(fields: Sequence[str], line: int, rows_: int | None) -> None:
    """Check SC or RC: the number of rows above it."""
    if rows_ is None or _number(fields) != rows_:
        raise StatementError(f"line {line}: expected the number of the rows above")


def _number(fields: Sequence[str]) -> int | None:
    return int(fields[1]) if len(fields) > 1 and _COUNT.fullmatch(fields[1]) else None


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


def _section(fields: Sequence[str], line: int, day: date, merchant_id: str) -> None:
    """Check SH: begin and end of the period, account."""
    began = _DAY.fullmatch(fields[1]) if len(fields) > 3 else None
    if began is None or "-".join(began.groups()) != day.isoformat():
        raise StatementError(f"line {line}: a section that does not begin on {day}")
    if fields[3] != merchant_id:
        raise StatementError(f"line {line}: a section of another merchant")


def _heading(fields: Sequence[str], line: int) -> list[str]:
    names = [" ".join(name.split()) for name in fields]
    missing = [name for name in COLUMNS if names.count(name) != 1]
    if missing:
        raise StatementError(f"line {line}: not one column {missing[0]}")
    return names


def _row(row: Mapping[str, str], line: int) -> Iterator[StatementRow]:
    """Read a payment or refund.

    Without our number it keeps PayPal's, so that reconciliation reports it as missing here.
    """
    code, direction = row["Transaction Event Code"], row["Transaction Debit or Credit"]
    if direction not in ("CR", "DR"):
        raise StatementError(f"line {line}: neither CR nor DR")
    goes_back = (code == REFUND or code in REVERSALS) and direction == "DR"
    if not (code.startswith(PAYMENT) and direction == "CR") and not goes_back:
        return
    amount, currency = row["Gross Transaction Amount"], row["Gross Transaction Currency"]
    trade_no = row["Transaction ID"]
    if not _AMOUNT.fullmatch(amount) or not _CURRENCY.fullmatch(currency):
        raise StatementError(f"line {line}: no amount in minor units, or no currency")
    if not _NUMBER.fullmatch(trade_no):
        raise StatementError(f"line {line}: no transaction id")
    names = (name for name in (row["Invoice ID"], row["Custom Field"]) if _NUMBER.fullmatch(name))
    number, money = next(names, trade_no), (int(amount), currency)
    if not goes_back:
        yield StatementRow("capture", number, trade_no, *money, line)
        return
    reference, reversal = row["PayPal Reference ID"], code in REVERSALS
    capture_no = reference if _NUMBER.fullmatch(reference) else None
    yield StatementRow(
        "refund", number, trade_no, *money, line, capture_no=capture_no, provider_no=trade_no, reversal=reversal
    )
