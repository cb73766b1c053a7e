"""Reads ZM files: the ordinary transactions of a clearing day, one line each, in GBK and columns of fixed width.

Widths, order and meaning are those of "全渠道平台接入接口规范" part 3 (文件接口), 6.1. One space stands between two
columns. The space after the 41st column is reserved, and its layout differs between versions.

The file holds neither a count of its lines nor sums. We refuse a line that was cut off, but do not detect lost
whole lines here: reconciliation reports their payments as missing at the provider.
"""

import re
from collections.abc import Sequence
from itertools import accumulate
from typing import Literal

from workers.providers.port import StatementError, StatementRow

WIDTHS = (
    3,
    11,
    11,
    6,
    10,
    19,
    12,
    4,
    2,
    21,
    2,
    32,
    2,
    6,
    10,
    13,
    13,
    4,
    15,
    2,
    2,
    6,
    2,
    4,
    32,
    1,
    21,
    15,
    1,
    15,
    32,
    13,
    13,
    8,
    32,
    13,
    13,
    12,
    2,
    1,
    32,
)
AMOUNT, QUERY_ID, ORDER_ID, TYPE, ORIGINAL, MERCHANT = 6, 9, 11, 19, 26, 27  # indexes of columns, from 0
KINDS: dict[str, Literal["capture", "refund"]] = {
    "01": "capture",
    "04": "refund",
}  # by txnType; we make no transactions of other types
STARTS = tuple(accumulate((width + 1 for width in WIDTHS[:-1]), initial=0))
LINE_BYTES_MIN = STARTS[-1] + WIDTHS[-1]
_NUMBER = re.compile(r"[0-9A-Za-z]{1,40}")


def rows(content: bytes, merchant_id: str) -> Sequence[StatementRow]:
    """Read the payments and refunds of this merchant. Raises StatementError."""
    lines = enumerate(content.split(b"\n"), start=1)
    found = (_row(line.rstrip(b"\r"), number, merchant_id) for number, line in lines if line.strip())
    return [row for row in found if row is not None]


def _row(line: bytes, number: int, merchant_id: str) -> StatementRow | None:
    if len(line) < LINE_BYTES_MIN:
        raise StatementError(f"line {number} is shorter than {LINE_BYTES_MIN} bytes")
    if any(line[start - 1 : start] != b" " for start in STARTS[1:]):
        raise StatementError(f"line {number} has no space between two columns")
    type_ = _text(line, TYPE, number)
    if not (len(type_) == 2 and type_.isdigit()):
        raise StatementError(f"line {number}: column {TYPE + 1} is no transaction type of two digits")
    if _text(line, MERCHANT, number) != merchant_id:
        raise StatementError(f"line {number} is of another merchant")
    if type_ not in KINDS:
        return None
    amount = _text(line, AMOUNT, number)
    if not (len(amount) == WIDTHS[AMOUNT] and amount.isdigit() and int(amount)):
        raise StatementError(f"line {number}: column {AMOUNT + 1} is no amount of {WIDTHS[AMOUNT]} digits")
    order_id, query_id = _text(line, ORDER_ID, number), _text(line, QUERY_ID, number)
    if not (_NUMBER.fullmatch(order_id) and _NUMBER.fullmatch(query_id)):
        raise StatementError(f"line {number}: column {ORDER_ID + 1} or {QUERY_ID + 1} is no number")
    original = _text(line, ORIGINAL, number) if KINDS[type_] == "refund" else ""
    capture_no = original if _NUMBER.fullmatch(original) else None
    return StatementRow(KINDS[type_], order_id, query_id, int(amount), "CNY", number, capture_no=capture_no)


def _text(line: bytes, column: int, number: int) -> str:
    """The text of a column. The columns that we read are ASCII; only others hold names in GBK."""
    try:
        return line[STARTS[column] :][: WIDTHS[column]].decode("ascii").strip(" ")
    except UnicodeDecodeError:
        raise StatementError(f"line {number}: column {column + 1} is no ASCII") from None
