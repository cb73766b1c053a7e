"""The gateways' ledgers, written as the providers' day statements and compared by `oms payments reconcile`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

from scripts.demo.environment import DemoEnvironment
from scripts.gateways import alipay_protocol, paypal_protocol, stripe_protocol, unionpay_protocol, wechat_protocol
from scripts.gateways.alipay_account import SELLER_ID
from scripts.gateways.paypal_account import MERCHANT_ID as PAYPAL_ID
from scripts.gateways.unionpay_account import MERCHANT_ID as UNIONPAY_ID
from scripts.gateways.wechat_account import APPID, MCHID


@dataclass(frozen=True)
class StatementLine:
    """One line: a payment, or a refund of it if it has a `refund_no`."""

    at: datetime
    out_trade_no: str
    trade_no: str
    amount: int
    currency: str
    refund_no: str | None = None


@dataclass(frozen=True)
class DayStatement:
    """The statement of one provider and day."""

    provider: str
    day: date
    lines: Sequence[StatementLine]

    def content(self) -> bytes:
        """Return the file as the provider writes it."""
        return WRITERS[self.provider](self.day, self.lines)


@dataclass(frozen=True)
class StatementComparison:
    """The number of lines and files, and the differences that `oms payments reconcile` found."""

    lines: int = 0
    files: int = 0
    differences: tuple[str, ...] = ()


def reconcile(
    environment: DemoEnvironment, ledgers: Mapping[str, Mapping[str, Any]], variables: Mapping[str, str]
) -> StatementComparison:
    """Reconcile the statements of every gateway. `variables` are the settings of the providers."""
    written = [one for provider, ledger in ledgers.items() for one in statements(provider, ledger)]
    if not written:
        return StatementComparison()
    done = environment.oms("worker", *(_command(one, environment.folder) for one in written), **variables)
    output = f"{done.stdout}{done.stderr}".strip()
    return StatementComparison(
        sum(len(one.lines) for one in written), len(written), (output,) if done.returncode else ()
    )


def _command(one: DayStatement, folder: Path) -> list[str]:
    file = folder / f"{one.provider}-{one.day}.statement"
    file.write_bytes(one.content())
    return ["payments", "reconcile", str(file), "--provider", one.provider, "--day", str(one.day)]


def statements(provider: str, ledger: Mapping[str, Any]) -> list[DayStatement]:
    """Return a statement for each day with movements. Days are those of China, as the shop's are."""
    days: dict[date, list[StatementLine]] = {}
    for moved in movements(ledger):
        days.setdefault(moved.at.astimezone(wechat_protocol.CHINA).date(), []).append(moved)
    return [DayStatement(provider, day, lines) for day, lines in sorted(days.items())]


def movements(ledger: Mapping[str, Any]) -> Iterable[StatementLine]:
    """Yield the captures of a gateway and the refunds that have succeeded."""
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
    line = alipay_protocol.AlipayBillLine
    return alipay_protocol.bill(
        day, SELLER_ID, [line(one.at, one.out_trade_no, one.trade_no, one.amount, one.refund_no) for one in lines]
    )


def _wechat(day: date, lines: Sequence[StatementLine]) -> bytes:
    line = wechat_protocol.WeChatBillLine
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
    line = paypal_protocol.SettlementLine
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


def _stripe(day: date, lines: Sequence[StatementLine]) -> bytes:
    line, decimal = stripe_protocol.BalanceLine, stripe_protocol.decimal
    return stripe_protocol.report(
        day,
        [
            line("refund", one.refund_no, one.trade_no, decimal(one.amount), one.currency.lower(), one.refund_no)
            if one.refund_no
            else line("charge", one.trade_no, one.trade_no, decimal(one.amount), one.currency.lower(), one.out_trade_no)
            for one in lines
        ],
    )


WRITERS: Mapping[str, Callable[[date, Sequence[StatementLine]], bytes]] = {
    "alipay": _alipay,
    "wechat": _wechat,
    "unionpay": _unionpay,
    "paypal": _paypal,
    "stripe": _stripe,
}
