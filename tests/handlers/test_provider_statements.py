"""Each provider's statement of a day, in the layout of its public documentation, compared with our books."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest

from scripts.gateways import alipay_protocol, paypal_protocol, stripe_protocol, unionpay_protocol, wechat_protocol
from scripts.gateways.paypal_protocol import SettlementLine
from scripts.gateways.stripe_protocol import BalanceLine
from tests.handlers.harness import HandlerHarness
from tests.handlers.statement_builders import DAY, NOON, pay_order_at, reconcile, refund_order_at
from tests.providers import alipay_builders, paypal_builders, stripe_builders, unionpay_builders, wechat_builders
from workers.providers import configure
from workers.providers.port import Provider

TRADE_NO = "782611211200067402008"


@dataclass(frozen=True)
class Books:
    """A payment of 1000 and a refund of 300 of it, by our numbers."""

    paid: str
    back: str
    amount: int = 1000


def alipay(books: Books) -> bytes:
    line = alipay_protocol.AlipayBillLine
    return alipay_protocol.bill(
        DAY,
        alipay_builders.SELLER_ID,
        [
            line(NOON, books.paid, TRADE_NO, books.amount, goods="茶, green"),
            line(NOON, books.paid, TRADE_NO, 300, refund_no=books.back),
        ],
    )


def wechat(books: Books) -> bytes:
    line = wechat_protocol.WeChatBillLine
    return wechat_protocol.bill(
        DAY,
        wechat_builders.MCHID,
        wechat_builders.APPID,
        [
            line(NOON, books.paid, TRADE_NO, books.amount, goods="茶, green"),
            line(NOON, books.paid, TRADE_NO, 300, refund_no=books.back),
        ],
    )


def unionpay(books: Books) -> bytes:
    def line(type_: str, order_id: str, amount: int, query_id: str) -> bytes:
        return unionpay_protocol.statement_line(
            merchant_id=unionpay_builders.MERCHANT,
            type_=type_,
            order_id=order_id,
            query_id=query_id,
            amount=amount,
            at=NOON,
        )

    refund = line("04", books.back, 300, f"9{TRADE_NO[1:]}")
    return b"\n".join([line("01", books.paid, books.amount, TRADE_NO), refund])


def paypal(books: Books) -> bytes:
    return paypal_protocol.settlement_report(
        DAY,
        paypal_builders.MERCHANT,
        [
            SettlementLine("T0006", TRADE_NO, books.paid, books.amount, "CNY"),
            SettlementLine("T1107", "9X1", books.back, 300, "CNY"),
        ],
    )


def stripe(books: Books) -> bytes:
    return stripe_protocol.report(
        DAY,
        [
            BalanceLine("charge", TRADE_NO, TRADE_NO, stripe_protocol.decimal(books.amount), "cny", books.paid),
            BalanceLine("refund", "re_9X1", TRADE_NO, stripe_protocol.decimal(300), "cny", books.back),
        ],
    )


STATEMENTS: Mapping[str, Callable[[Books], bytes]] = {
    "alipay": alipay, "wechat": wechat, "unionpay": unionpay, "paypal": paypal, "stripe": stripe,
}  # fmt: skip
PROVIDERS: Mapping[str, Callable[[], Provider]] = {
    "alipay": alipay_builders.provider, "wechat": wechat_builders.provider, "unionpay": unionpay_builders.provider,
    "paypal": paypal_builders.provider, "stripe": stripe_builders.provider,
}  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    """Remove the test's configuration at its end."""
    yield
    configure({})


@pytest.mark.parametrize("name", STATEMENTS)
async def test_a_providers_own_file_is_compared_with_what_we_hold(name: str, harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id, paid = await pay_order_at(harness, trade_no=TRADE_NO, provider=name)
    books = Books(paid, await refund_order_at(harness, order_id, 300))
    configure({name: PROVIDERS[name]()})
    sound, wrong = STATEMENTS[name](books), STATEMENTS[name](Books("P999", books.back, 999))
    torn = sound[: len(sound) * 2 // 3]

    harness.events.clear()
    await harness.handle(reconcile(sound, name), reconcile(wrong, name), reconcile(torn, name), trusted=True)

    first, second = harness.events_of("payment.reconciled")
    assert (first["rows"], first["matched"], first["differences"]) == (2, 2, 0)
    assert (second["rows"], second["matched"], second["differences"]) == (2, 1, 2)
    found = [(e["kind"], e["number"], e["theirs"]) for e in harness.events_of("payment.discrepancy_found")]
    assert found == [("missing_here", "P999", 999), ("missing_there", paid, None)]
    assert [event["code"] for event in harness.events_of("command.rejected")] == ["RECONCILE_FILE_INVALID"]
