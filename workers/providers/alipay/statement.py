"""The 业务明细 of a day in the 收单业务账单: CSV in GBK, remarks in lines that begin with `#`.

Values that a spreadsheet would take for numbers end with a tab. Amounts of refunds have a minus.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from datetime import date

from workers.providers.alipay.mapping import CURRENCY
from workers.providers.parsing import FieldError, minor
from workers.providers.port import Row, StatementError

TITLE = "#支付宝业务明细查询"
NEEDED = ("支付宝交易号", "商户订单号", "业务类型", "订单金额（元）", "商家实收（元）", "退款批次号/请求号")
AMOUNT, EARNED = "订单金额（元）", "商家实收（元）"
_ACCOUNT = re.compile(r"#账号：\[([0-9]+)\]")
_BEGINS = re.compile(r"#起始日期：\[([0-9]{4})年([0-9]{2})月([0-9]{2})日 00:00:00\]")
_SUMS = {
    "capture": re.compile(r"#交易合计：([0-9]{1,9})笔，商家实收共([0-9]{1,13}\.[0-9]{2})元"),
    "refund": re.compile(r"#退款合计：([0-9]{1,9})笔，商家实收退款共-?([0-9]{1,13}\.[0-9]{2})元"),
}


def rows(content: bytes, day: date, seller_id: str) -> list[Row]:
    """Every payment and refund of the day. Raises StatementError where it is not whole, not ours, or another day's."""
    lines = _lines(content)
    remarks = [line for line in lines if line.startswith("#")]
    _ours(remarks, day, seller_id)
    names, values = _table(lines)
    found: list[Row] = []
    earned = {"capture": 0, "refund": 0}
    for line, row in values:
        if len(row) != len(names):
            raise StatementError(f"line {line}: expected {len(names)} values")
        told = dict(zip(names, (value.strip() for value in row), strict=True))
        found.append(_row(told, line))
        earned[found[-1].kind] += _amount(told, EARNED, line)
    _add_up(found, earned, remarks)
    return found


def _lines(content: bytes) -> list[str]:
    for charset in ("utf-8-sig", "gb18030"):  # text in GBK is hardly ever UTF-8 by chance
        try:
            return content.decode(charset).replace("\r\n", "\n").split("\n")
        except UnicodeDecodeError:
            continue
    raise StatementError("line 1: expected GBK")


def _ours(remarks: Sequence[str], day: date, seller_id: str) -> None:
    account = next((found for line in remarks if (found := _ACCOUNT.match(line))), None)
    begins = next((found for line in remarks if (found := _BEGINS.match(line))), None)
    if not remarks or remarks[0].strip() != TITLE or account is None or begins is None:
        raise StatementError(f"line 1: expected {TITLE}, the account and the day")
    if account[1] not in (seller_id, f"{seller_id}0156"):
        raise StatementError("line 2: expected our own account")
    if "-".join(begins.groups()) != day.isoformat():
        raise StatementError(f"line 3: expected {day.isoformat()}")


def _table(lines: Sequence[str]) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """(names, (line, values) of each line)"""
    numbers = [number for number, line in enumerate(lines, start=1) if line.strip() and not line.startswith("#")]
    try:
        parsed = list(csv.reader((lines[number - 1] for number in numbers), strict=True))
    except csv.Error:
        parsed = []
    if len(parsed) != len(numbers) or not parsed:
        raise StatementError("expected CSV: names, and a line for each payment and refund")
    names = [name.strip() for name in parsed[0]]
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise StatementError(f"line {numbers[0]}: expected the columns {', '.join(missing)}")
    return names, list(zip(numbers, parsed, strict=True))[1:]


def _row(told: Mapping[str, str], line: int) -> Row:
    amount, number, trade_no = _amount(told, AMOUNT, line), told["商户订单号"], told["支付宝交易号"]
    if told["业务类型"] == "交易":
        return Row("capture", number, trade_no, amount, CURRENCY, line)
    if told["业务类型"] != "退款":
        raise StatementError(f"line {line}: expected 交易 or 退款")
    return Row("refund", told["退款批次号/请求号"] or number, trade_no, amount, CURRENCY, line)


def _amount(told: Mapping[str, str], name: str, line: int) -> int:
    text = told[name].removeprefix("-") if told["业务类型"] == "退款" else told[name]
    try:
        return minor(text, CURRENCY)
    except FieldError as error:
        raise StatementError(f"line {line}: {name} {error}") from None


def _add_up(found: Sequence[Row], earned: Mapping[str, int], remarks: Sequence[str]) -> None:
    """A file that was cut off does not."""
    for kind, pattern in _SUMS.items():
        told = next((match for line in remarks if (match := pattern.match(line))), None)
        count = sum(row.kind == kind for row in found)
        if told is None or (int(told[1]), minor(told[2], CURRENCY)) != (count, earned[kind]):
            raise StatementError("the last lines: expected the numbers and the sums of the lines above")
