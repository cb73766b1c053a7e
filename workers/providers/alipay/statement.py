"""Reads the 业务明细 of a day in the 收单业务账单, which is CSV in GBK with remarks in lines that begin with `#`.

Values that a spreadsheet would take for numbers end with a tab. Amounts of refunds have a minus sign.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from datetime import date

from workers.providers.alipay.mapping import CURRENCY
from workers.providers.parsing import FieldError, minor
from workers.providers.port import StatementError, StatementRow

TITLE = "#支付宝业务明细查询"
COLUMNS = ("支付宝交易号", "商户订单号", "业务类型", "订单金额（元）", "商家实收（元）", "退款批次号/请求号")
AMOUNT, EARNED = "订单金额（元）", "商家实收（元）"
_ACCOUNT = re.compile(r"#账号：\[([0-9]+)\]")
_BEGINS = re.compile(r"#起始日期：\[([0-9]{4})年([0-9]{2})月([0-9]{2})日 00:00:00\]")
_SUMS = {
    "capture": re.compile(r"#交易合计：([0-9]{1,9})笔，商家实收共([0-9]{1,13}\.[0-9]{2})元"),
    "refund": re.compile(r"#退款合计：([0-9]{1,9})笔，商家实收退款共-?([0-9]{1,13}\.[0-9]{2})元"),
}


def rows(content: bytes, day: date, seller_id: str) -> list[StatementRow]:
    """Read every payment and refund of the day.

    Raises StatementError if the file is incomplete, another merchant's or another day's.
    """
    lines = _lines(content)
    remarks = [line for line in lines if line.startswith("#")]
    _check_owner(remarks, day, seller_id)
    names, values = _table(lines)
    found: list[StatementRow] = []
    earned = {"capture": 0, "refund": 0}
    for line, row in values:
        if len(row) != len(names):
            raise StatementError(f"line {line}: expected {len(names)} values")
        record = dict(zip(names, (value.strip() for value in row), strict=True))
        found.append(_row(record, line))
        earned[found[-1].kind] += _amount(record, EARNED, line)
    _check_sums(found, earned, remarks)
    return found


def _lines(content: bytes) -> list[str]:
    for charset in ("utf-8-sig", "gb18030"):  # text in GBK is hardly ever UTF-8 by chance
        try:
            return content.decode(charset).replace("\r\n", "\n").split("\n")
        except UnicodeDecodeError:
            continue
    raise StatementError("line 1: expected GBK")


def _check_owner(remarks: Sequence[str], day: date, seller_id: str) -> None:
    account = next((found for line in remarks if (found := _ACCOUNT.match(line))), None)
    begins = next((found for line in remarks if (found := _BEGINS.match(line))), None)
    if not remarks or remarks[0].strip() != TITLE or account is None or begins is None:
        raise StatementError(f"line 1: expected {TITLE}, the account and the day")
    if account[1] not in (seller_id, f"{seller_id}0156"):
        raise StatementError("line 2: expected our own account")
    if "-".join(begins.groups()) != day.isoformat():
        raise StatementError(f"line 3: expected {day.isoformat()}")


def _table(lines: Sequence[str]) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """(column names, (line number, values) of each further line)"""
    numbers = [number for number, line in enumerate(lines, start=1) if line.strip() and not line.startswith("#")]
    try:
        parsed = list(csv.reader((lines[number - 1] for number in numbers), strict=True))
    except csv.Error:
        parsed = []
    if len(parsed) != len(numbers) or not parsed:
        raise StatementError("expected CSV: names, and a line for each payment and refund")
    names = [name.strip() for name in parsed[0]]
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise StatementError(f"line {numbers[0]}: expected the columns {', '.join(missing)}")
    return names, list(zip(numbers, parsed, strict=True))[1:]


def _row(record: Mapping[str, str], line: int) -> StatementRow:
    amount, number, trade_no = _amount(record, AMOUNT, line), record["商户订单号"], record["支付宝交易号"]
    if record["业务类型"] == "交易":
        return StatementRow("capture", number, trade_no, amount, CURRENCY, line)
    if record["业务类型"] != "退款":
        raise StatementError(f"line {line}: expected 交易 or 退款")
    refund_no = record["退款批次号/请求号"] or number
    return StatementRow("refund", refund_no, trade_no, amount, CURRENCY, line, capture_no=trade_no)


def _amount(record: Mapping[str, str], name: str, line: int) -> int:
    text = record[name].removeprefix("-") if record["业务类型"] == "退款" else record[name]
    try:
        return minor(text, CURRENCY)
    except FieldError as error:
        raise StatementError(f"line {line}: {name} {error}") from None


def _check_sums(found: Sequence[StatementRow], earned: Mapping[str, int], remarks: Sequence[str]) -> None:
    """Compare the lines with the counts and sums in the remarks, which do not agree in a file that was cut off."""
    for kind, pattern in _SUMS.items():
        stated = next((match for line in remarks if (match := pattern.match(line))), None)
        count = sum(row.kind == kind for row in found)
        if stated is None or (int(stated[1]), minor(stated[2], CURRENCY)) != (count, earned[kind]):
            raise StatementError("the last lines: expected the numbers and the sums of the lines above")
