"""A day's statement over a real broker: its sender gets a reply, and each difference becomes an event."""

import base64
from collections.abc import Iterator
from datetime import datetime

import pytest

from messages.payments import STATEMENT_BYTES_MAX
from scripts.gateways import alipay_protocol
from scripts.gateways.alipay_protocol import AlipayBillLine
from tests.broker import Broker
from tests.e2e.upstream import Upstream, running_system, wait_for
from tests.providers import alipay_builders
from workers import providers

UNKNOWN_LINES = 300


@pytest.fixture(autouse=True)
def alipay() -> Iterator[None]:
    """Configure Alipay until the test ends."""
    providers.configure({"alipay": alipay_builders.provider()})
    yield
    providers.configure({})


def whole_day(at: datetime, trade_no: str, amount: int) -> bytes:
    """A statement as large as one message can be; only its first line is ours."""
    lines = [AlipayBillLine(at, "S1", trade_no, amount)]
    lines += [AlipayBillLine(at, f"X{n}", f"20261121{n:020d}", 100, goods="tea " * 500) for n in range(UNKNOWN_LINES)]
    content = alipay_protocol.bill(at.astimezone(alipay_protocol.CHINA).date(), alipay_builders.SELLER_ID, lines)
    assert 0.8 * STATEMENT_BYTES_MAX < len(content) <= STATEMENT_BYTES_MAX
    return content


async def test_a_full_statement_is_compared_and_answered(declared_broker: Broker, database_url: str) -> None:
    async with running_system(declared_broker, database_url), Upstream.connect(declared_broker, "payments") as gateway:
        await gateway.fill_stock("s1")
        created = await gateway.place_order(("s1", 2))
        await gateway.pay(created, trade_no="t1")
        [captured] = await gateway.wait_for_events("payment.captured")
        at = datetime.fromisoformat(captured["headers"]["occurred-at"])
        day = at.astimezone(alipay_protocol.CHINA).date().isoformat()
        await gateway.publish(
            "payment.reconcile",
            {
                "request_id": "day-1",
                "actor": {"type": "operator", "id": "ops-7"},
                "provider": "alipay",
                "day": day,
                "content": base64.b64encode(whole_day(at, "t1", 1000)).decode(),
            },
            reply_to=gateway.inbox,
        )
        found = await gateway.wait_for_events("payment.discrepancy_found", UNKNOWN_LINES)
        [event] = await gateway.wait_for_events("payment.reconciled")
        await wait_for(lambda: bool(gateway.replies), "an answer", lambda: gateway.replies)
    for outcome in (event, *gateway.replies):
        assert (outcome["rows"], outcome["matched"], outcome["differences"]) == (UNKNOWN_LINES + 1, 1, UNKNOWN_LINES)
    assert {(event["kind"], event["day"]) for event in found} == {("missing_here", day)}
