"""The demo's crowd leaves the orders of a person at the terminal alone."""

import asyncio
from collections.abc import Coroutine, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from scripts.amqp_client import ReceivedMessage
from scripts.demo.client_job import CLIENT_USERS, ClientJob
from scripts.demo.outside_systems import OutsideSystems

AMOUNTS = {"currency": "USD", "payable": 1_000}


def job(folder: Path) -> ClientJob:
    rules = {"shipping_fee_cents": 0, "free_shipping_from_cents": 0, "points_unit_cents": 100}
    urls = dict.fromkeys(CLIENT_USERS, "amqp://user@nowhere/")
    where: dict[str, Any] = {name: str(folder / name) for name in ("receipts", "benefits_log", "mails")}
    return ClientJob(urls=urls, run="r", gateways={}, carriers_url="", rules=rules, **where)


def event(type_: str, order_id: str, **more: Any) -> ReceivedMessage:
    return ReceivedMessage(f"{type_}.v1", {"order_id": order_id} | more, "c")


def life(order_id: str, user: str) -> Iterable[ReceivedMessage]:
    """The events of an order until its goods are delivered."""
    common = {"user_id": user, "parent_id": None, "amounts": AMOUNTS, "order_no": "1", "previous": "x"}
    first = {"request_id": order_id, "children": [], "lines": [], "cause": {"type": "x"}, "intent_id": "1"}
    for version, (name, state) in enumerate(
        [("created", "awaiting_payment"), ("paid", "paid"), ("delivered", "delivered")]
    ):
        yield event(f"order.{name}", order_id, state=state, version=version, **common, **first)


class Begun:
    """Stands in for a task group: it counts what the crowd begins to do, and lets none of it happen."""

    def create_task(self, coroutine: Coroutine[Any, Any, None], name: str | None = None) -> "asyncio.Future[None]":
        coroutine.close()
        return asyncio.get_running_loop().create_future()


async def test_the_crowd_pays_ships_and_follows_its_own_orders_alone(tmp_path: Path) -> None:
    systems = OutsideSystems(job(tmp_path), cast(Any, Begun()), cast(Any, SimpleNamespace()), cast(Any, None))
    paid: list[str] = []
    systems.payments.bills._begin = lambda bill: paid.append(bill.order_id)
    east = systems.warehouses[0]
    request = {"number": 1, "warehouse": "east", "lines": [], "address": None}
    for order_id, user in (("7", "ada"), ("8", "household-1-week-1")):
        systems.receive_instruction(east, event("fulfilment.requested", order_id, **request))
        assert east.order_ids == set(), "the event that names the user has not come yet"
        for received in life(order_id, user):
            systems.receive(received)
            systems.receive_for_payments(received)
        systems.receive(event("refund.failed", "7", refund_no="1", amount=1))
        systems.receive_instruction(east, event("fulfilment.withdrawn", order_id, **request))
        if user == "ada":
            assert (paid, len(systems.tasks), systems.placed_orders.live) == ([], 0, {})
    assert paid == ["8"]
    assert east.order_ids == systems.placed_orders.live.keys() == {"8"}
