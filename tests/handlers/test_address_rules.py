"""An address follows the rules of its country when it is given, and when it is changed."""

from dataclasses import replace

from messages.orders import Address, OrderChangeAddress
from tests.handlers.builders import ADDRESS, create, user
from tests.handlers.harness import HandlerHarness
from workers import shop


def move(order_id: int, request_id: str, address: Address) -> OrderChangeAddress:
    return OrderChangeAddress(request_id=request_id, actor=user(), order_id=order_id, address=address)


async def test_a_changed_address_follows_the_rules_of_its_country_and_of_the_shop(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    shop.configure(replace(shop.current(), address_required_fields={"CN": {"city"}}))
    order_id = await harness.place_order()
    await harness.handle(create(("s1", 1), request_id="nowhere", address=ADDRESS.model_copy(update={"city": None})))
    await harness.handle(
        move(order_id, "a1", ADDRESS.model_copy(update={"postcode": "2000"})),
        move(order_id, "a2", ADDRESS.model_copy(update={"city": None})),
        move(order_id, "a3", ADDRESS.model_copy(update={"postcode": "200001"})),
    )
    details = [(code, details["field"]) for code, details in harness.rejections()]
    assert sorted(details) == [
        ("ORDER_ADDRESS_INVALID", "address.city"),
        ("ORDER_ADDRESS_INVALID", "address.city"),
        ("ORDER_ADDRESS_INVALID", "address.postcode"),
    ]
    assert len(harness.events_of("order.address_changed")) == 1
