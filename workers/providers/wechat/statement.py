"""Reads the 交易账单 of a day, of the type ALL: names, a line for each payment and refund, names of sums, sums.

Values begin with a backtick, lines of names do not. A payment has the time at which it succeeded, a refund the time at
which it was accepted; the bill never tells how a refund ended.
"""

from collections.abc import Mapping, Sequence
from datetime import date

from workers.providers.parsing import FieldError, minor
from workers.providers.port import StatementError, StatementRow

LAYOUT = "line 1: expected names, values, names of sums and sums, as in a 交易账单"
BEGINNING = "交易时间,"
COLUMNS = ("交易时间", "商户号", "微信订单号", "商户订单号", "交易状态", "货币种类", "商户退款单号")
CAPTURED = (("订单金额", "订单总金额"), ("应结订单金额", "应结订单总金额"), ("总金额", "总交易额"))
REFUNDED = (("申请退款金额", "申请退款总金额"), ("退款金额", "退款总金额"), ("退款金额", "总退款金额"))
"""(column, its sum) of the amounts that buyers owed, and of refunds. Older layouts have only the later pairs."""


def rows(content: bytes, day: date, mchid: str) -> list[StatementRow]:
    """Read every payment and refund of the day.

    Raises StatementError if the bill is incomplete, another merchant's or another day's.
    """
    lines = _lines(content)
    heads = [number for number, line in enumerate(lines) if not line.startswith("`")]
    if len(heads) != 2 or heads[0] != 0 or heads[1] != len(lines) - 2 or not lines[0].startswith(BEGINNING):
        raise StatementError(LAYOUT)
    names, sums = lines[0].split(","), lines[-2].split(",")
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise StatementError(f"line 1: expected the columns {', '.join(missing)}")
    if "退款申请时间" in names:
        raise StatementError("line 1: expected the type ALL, this one holds refunds only")
    paid, back = _columns(CAPTURED, names, sums), _columns(REFUNDED, names, sums)
    amounts = {"SUCCESS": paid[0], "REFUND": back[0], "REVOKED": back[0]}
    found = [_row(_values(lines, n, names), n + 1, day, mchid, amounts) for n in range(1, heads[1])]
    _check_sums(found, _values(lines, len(lines) - 1, sums), len(lines), paid[1], back[1])
    return found


def _columns(pairs: Sequence[tuple[str, str]], names: Sequence[str], sums: Sequence[str]) -> tuple[str, str]:
    found = next((pair for pair in pairs if pair[0] in names and pair[1] in sums), None)
    if found is None:
        raise StatementError(f"line 1: expected one of the columns {', '.join(name for name, _ in pairs)}, and its sum")
    return found


def _lines(content: bytes) -> list[str]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise StatementError(f"byte {error.start}: expected UTF-8") from None
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    if len(lines) < 3:
        raise StatementError(LAYOUT)
    return lines


def _values(lines: Sequence[str], index: int, names: Sequence[str]) -> dict[str, str]:
    """Split a line. Every value begins with a backtick, so a comma in the name of goods does not split it."""
    values = lines[index].removeprefix("`").split(",`")
    if not lines[index].startswith("`") or len(values) != len(names):
        raise StatementError(f"line {index + 1}: expected {len(names)} values, each after a backtick")
    return dict(zip(names, values, strict=True))


def _row(values: Mapping[str, str], line: int, day: date, mchid: str, amounts: Mapping[str, str]) -> StatementRow:
    if values["商户号"] != mchid:
        raise StatementError(f"line {line}: expected our own merchant number")
    if not values["交易时间"].startswith(day.isoformat()):
        raise StatementError(f"line {line}: expected a time on {day.isoformat()}")
    state, currency, number = values["交易状态"], values["货币种类"], values["商户订单号"]
    if state not in amounts:
        raise StatementError(f"line {line}: expected the state SUCCESS, REFUND or REVOKED")
    amount = _amount(values, amounts[state], currency, line)
    if state == "SUCCESS":
        return StatementRow("capture", number, values["微信订单号"], amount, currency, line)
    if values["商户退款单号"] not in ("", "0"):  # empty if a till took a payment back in full
        number = values["商户退款单号"]
    capture_no = values["微信订单号"]
    return StatementRow("refund", number, capture_no, amount, currency, line, capture_no=capture_no, certain=False)


def _amount(values: Mapping[str, str], name: str, currency: str, line: int) -> int:
    try:
        return minor(values[name], currency)
    except FieldError as error:
        raise StatementError(f"line {line}: expected an amount: {name} {error}") from None


def _check_sums(found: Sequence[StatementRow], sums: Mapping[str, str], line: int, paid: str, back: str) -> None:
    """Compare the lines with the last one, whose count and sums do not agree in a file that was cut off."""
    currency = found[0].currency if found else "CNY"
    stated = sums.get("总交易单数"), _amount(sums, paid, currency, line), _amount(sums, back, currency, line)
    counted = tuple(sum(row.amount for row in found if row.kind == kind) for kind in ("capture", "refund"))
    if stated != (str(len(found)), *counted):
        raise StatementError(f"line {line}: expected the number and the sums of the lines above")
