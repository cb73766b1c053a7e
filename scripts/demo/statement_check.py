"""The gateways' books as the providers' own day statements, compared with ours by `oms payments reconcile`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

from scripts.demo.environment import DemoEnvironment
from scripts.gateways import alipay_protocol, paypal_protocol, unionpay_protocol, wechat_protocol
from scripts.gateways.alipay_account import SELLER_ID
from scripts.gateways.paypal_account import MERCHANT_ID as PAYPAL_ID
from scripts.gateways.unionpay_account import MERCHANT_ID as UNIONPAY_ID
from scripts.gateways.wechat_account import APPID, MCHID


@dataclass(frozen=True)
class StatementLine:
    """A line: a payment, or with `refund_no` a refund of it."""

    at: datetime
    out_trade_no: str
    trade_no: str
    amount: int
    currency: str
    refund_no: str | None = None


@dataclass(frozen=True)
class DayStatement:
    """One file."""

    provider: str
    day: date
    lines: Sequence[StatementLine]

    def content(self) -> bytes:
        """As the provider writes it."""
        return WRITERS[self.provider](self.day, self.lines)


@dataclass(frozen=True)
class StatementComparison:
    """How many lines in how many files, and what `oms payments reconcile` found."""

    lines: int = 0
    files: int = 0
    differences: tuple[str, ...] = ()


def reconcile(
    environment: DemoEnvironment, ledgers: Mapping[str, Mapping[str, Any]], variables: Mapping[str, str]
) -> StatementComparison:
    """Every gateway's statements. `variables` are the providers' settings."""
    written = [one for provider, ledger in ledgers.items() for one in statements(provider, ledger)]
    if not written:
        return StatementComparison()
    done = environment.oms("worker", *(_command(one, environment.folder) for one in written), **variables)
    said = f"{done.stdout}{done.stderr}".strip()
    return StatementComparison(sum(len(one.lines) for one in written), len(written), (said,) if done.returncode else ())


def _command(one: DayStatement, folder: Path) -> list[str]:
    file = folder / f"{one.provider}-{one.day}.statement"
    file.write_bytes(one.content())
    return ["payments", "reconcile", str(file), "--provider", one.provider, "--day", str(one.day)]


def statements(provider: str, ledger: Mapping[str, Any]) -> list[DayStatement]:
    """One for each day on which money moved, in China, as the shop's days are."""
    days: dict[date, list[StatementLine]] = {}
    for moved in movements(ledger):
        days.setdefault(moved.at.astimezone(wechat_protocol.CHINA).date(), []).append(moved)
    return [DayStatement(provider, day, lines) for day, lines in sorted(days.items())]


def movements(ledger: Mapping[str, Any]) -> Iterable[StatementLine]:
    """What a gateway took, and what it gave back for good."""
    numbers = {one["trade_no"]: one["out_trade_no"] for one in ledger["captures"]}
    for one in (*ledger["captures"], *ledger["refunds"]):
        if one.get("state", "succeeded") == "succeeded":
            yield StatementLine(
                datetime.fromisoformat(one["at"]),
                numbers[one["trade_no"]],
                one["trade_no"],
                one["amount"],
                one["currency"],
                one.get("refund_no"),
            )


def _alipay(day: date, lines: Sequence[StatementLine]) -> bytes:
    line = alipay_protocol.BillLine
    return alipay_protocol.bill(
        day, SELLER_ID, [line(one.at, one.out_trade_no, one.trade_no, one.amount, one.refund_no) for one in lines]
    )


def _wechat(day: date, lines: Sequence[StatementLine]) -> bytes:
    line = wechat_protocol.BillLine
    return wechat_protocol.bill(
        day, MCHID, APPID, [line(one.at, one.out_trade_no, one.trade_no, one.amount, one.refund_no) for one in lines]
    )


def _unionpay(_: date, lines: Sequence[StatementLine]) -> bytes:
    line = partial(unionpay_protocol.statement_line, merchant_id=UNIONPAY_ID)
    return b"\n".join(
        line(
            type_="04",
            order_id=one.refund_no,
            query_id=one.refund_no[1:],
            amount=one.amount,
            at=one.at,
            original=one.trade_no,
        )
        if one.refund_no
        else line(type_="01", order_id=one.out_trade_no, query_id=one.trade_no, amount=one.amount, at=one.at)
        for one in lines
    )


def _paypal(day: date, lines: Sequence[StatementLine]) -> bytes:
    line = paypal_protocol.Moved
    return paypal_protocol.settlement_report(
        day,
        PAYPAL_ID,
        [
            line("T1107", one.refund_no, one.refund_no, one.amount, one.currency, one.refund_no, one.trade_no)
            if one.refund_no
            else line("T0006", one.trade_no, one.out_trade_no, one.amount, one.currency, one.out_trade_no)
            for one in lines
        ],
    )


WRITERS: Mapping[str, Callable[[date, Sequence[StatementLine]], bytes]] = {
    "alipay": _alipay,
    "wechat": _wechat,
    "unionpay": _unionpay,
    "paypal": _paypal,
}
