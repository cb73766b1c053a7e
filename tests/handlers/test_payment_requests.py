"""What payment.start says to the providers of the attempts that it replaces."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from messages.payments import PaymentStart
from tests.handlers.harness import Floor, user
from tests.handlers.test_payment_attempts import MERCHANT
from workers import providers
from workers.providers.alipay import Alipay, AlipaySettings


@pytest.fixture(autouse=True)
def alipay() -> Iterator[None]:
    providers.configure({"alipay": Alipay(AlipaySettings.model_validate(MERCHANT))})
    yield
    providers.configure({})


def start(order_id: int, request_id: str) -> PaymentStart:
    return PaymentStart(
        request_id=request_id,
        actor=user(),
        order_id=order_id,
        provider="alipay",
        scene="page",
        amount=1000,
        currency="CNY",
    )


async def closes(floor: Floor) -> dict[int, tuple[str, str]]:
    """Attempt id -> (correlation id, causation id) of each provider.close that waits in the outbox."""
    rows = await floor.pool.fetch("SELECT * FROM outbox WHERE type = 'provider.close.v1'")
    return {
        int(orjson.loads(row["body"])["attempt_id"]): (
            row["correlation_id"],
            orjson.loads(row["headers"])["causation-id"],
        )
        for row in rows
    }


async def test_each_start_of_a_batch_closes_the_earlier_attempts_of_its_own_order_in_its_own_name(floor: Floor) -> None:
    await floor.open_shop()
    orders = [await floor.placed(("s1", 2)), await floor.placed(("s2", 2))]
    await floor.say(*(start(order_id, f"first-{order_id}") for order_id in orders))
    earlier = [int(event["attempt_id"]) for event in floor.heard("payment.started")]
    items = [floor.wrap(start(order_id, f"second-{order_id}")) for order_id in orders]
    await floor.handle(items)
    assert await closes(floor) == {
        attempt_id: (item.correlation_id, item.id) for attempt_id, item in zip(earlier, items, strict=True)
    }


async def test_of_three_starts_for_one_order_the_last_closes_the_two_before_in_its_own_name(floor: Floor) -> None:
    await floor.open_shop()
    order_id = await floor.placed(("s1", 2))
    items: list[Any] = [floor.wrap(start(order_id, f"pay-{n}")) for n in range(3)]
    await floor.handle(items)
    assert set((await closes(floor)).values()) == {(items[2].correlation_id, items[2].id)}
    assert len(await closes(floor)) == 2
