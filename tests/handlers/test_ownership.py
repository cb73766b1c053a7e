"""A user who acts for himself must own the order: another's is answered as if it did not exist (S1-46)."""

from typing import Any

import orjson
import pytest

from messages.base import Actor, Message
from messages.orders import OrderCommand, OrdersCommand
from messages.registry import MODELS
from messages.roles import Role
from tests.golden.examples import example
from tests.handlers.builders import user
from tests.handlers.harness import HandlerHarness

ABOUT_ORDERS = sorted(
    type_
    for type_, model in MODELS.items()
    if issubclass(model, OrderCommand | OrdersCommand) and Role.STOREFRONT in model.SENDERS
)


def by(type_: str, actor: Actor, order_id: int) -> Message:
    """The example of a command, from this actor and about this order."""
    model: Any = MODELS[type_]
    about: dict[str, Any] = {"actor": actor.model_dump(), "request_id": f"{type_}-{actor.id}-{order_id}"}
    about |= {"order_ids": [str(order_id)]} if "order_ids" in model.model_fields else {"order_id": str(order_id)}
    return model.model_validate_json(orjson.dumps(example(type_) | about))  # type: ignore[no-any-return]


@pytest.mark.parametrize("type_", ABOUT_ORDERS)
async def test_a_command_about_another_users_order_finds_no_order(harness: HandlerHarness, type_: str) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order()
    before = await harness.rows("SELECT * FROM orders")
    await harness.handle(by(type_, user("thief"), order_id), by(type_, user("thief"), 7))
    (theirs, unknown) = harness.rejections()
    assert (theirs[0], unknown[0]) == ("ORDER_NOT_FOUND", "ORDER_NOT_FOUND")
    assert theirs[1].keys() == unknown[1].keys()
    assert await harness.rows("SELECT * FROM orders") == before


def test_there_are_commands_about_orders() -> None:
    assert {"order.cancel.v1", "order.merge.v1", "payment.start.v1"} <= set(ABOUT_ORDERS)
