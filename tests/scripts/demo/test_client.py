"""The client process imports nothing of the order system, and reports unexpected outcomes of its commands."""

import asyncio
import itertools
import json
import subprocess
import sys
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from messages.payments import PaymentResult
from scripts.amqp_client import AmqpClient, OutgoingMessage, ReceivedMessage
from scripts.demo.carrier import ODDS, ROADS
from scripts.demo.command_outcomes import CommandOutcomes, percentiles
from scripts.demo.malformed_messages import DEFECTS
from scripts.demo.placed_orders import PlacedOrders
from scripts.demo.split_orders import TERMS, SplitOrders
from tests.broker import Broker


def test_the_client_imports_nothing_of_the_order_system() -> None:
    loaded = "import sys, scripts.demo.client; print(*{name.split('.')[0] for name in sys.modules})"
    names = subprocess.run([sys.executable, "-c", loaded], check=True, capture_output=True, text=True).stdout.split()
    assert not {"messages", "db", "workers", "outbox"} & set(names)


def received(type_: str, correlation_id: str = "c", **body: object) -> ReceivedMessage:
    return ReceivedMessage(type_, body, correlation_id)


def test_a_command_is_open_until_its_outcome_arrives() -> None:
    outcomes = CommandOutcomes()
    outcomes.remember(OutgoingMessage("order.cancel.v1", {}, "c"))
    outcomes.receive(received("order.paid.v1"))
    outcomes.receive(received("order.cancelled.v1", "another"))
    assert list(outcomes.open) == ["c"]
    outcomes.receive(received("order.cancelled.v1"))
    assert not outcomes.open
    assert outcomes.decided == {"order.cancel.v1 -> order.cancelled.v1": 1}


def test_a_rejection_is_an_outcome_with_its_code() -> None:
    outcomes = CommandOutcomes()
    outcomes.remember(OutgoingMessage("order.cancel.v1", {}, "c"))
    outcomes.receive(received("command.rejected.v1", code="ORDER_NOT_FOUND"))
    assert not outcomes.open
    assert outcomes.refusals == {"order.cancel.v1: ORDER_NOT_FOUND": 1}


@pytest.mark.parametrize(
    ("second", "contradictions"), [("command.rejected.v1", 1), ("order.created.v1", 0), ("order.paid.v1", 0)]
)
def test_a_rejection_after_another_outcome_is_a_contradiction(second: str, contradictions: int) -> None:
    outcomes = CommandOutcomes()
    outcomes.remember(OutgoingMessage("order.create.v1", {}, "c"))
    outcomes.receive(received("order.created.v1"))
    outcomes.receive(received(second))
    assert len(outcomes.contradictions) == contradictions


PART = {"order_id": "11", "parent_id": "1"}
OTHER_PART = PART | {"order_id": "12"}


@pytest.mark.parametrize(
    ("command", "about", "others", "own"),
    [
        ("order.create.v1", {}, ("order.created.v1", PART), ("order.created.v1", {"order_id": "1", "parent_id": None})),
        ("order.cancel.v1", {"order_id": "1"}, ("order.cancelled.v1", PART), ("orders.changed.v1", {})),
        (
            "order.cancel.v1",
            {"order_id": "11"},
            ("order.cancelled.v1", OTHER_PART),
            ("order.cancelled.v1", PART),
        ),
    ],
    ids=["a split order is created", "all its parts are cancelled", "one of them is"],
)
def test_an_event_about_another_order_is_not_the_outcome(
    command: str, about: dict[str, str], others: tuple[str, Any], own: tuple[str, Any]
) -> None:
    outcomes = CommandOutcomes()
    outcomes.remember(OutgoingMessage(command, about, "c"))
    outcomes.receive(ReceivedMessage(*others, "c"))
    assert list(outcomes.open) == ["c"]
    outcomes.receive(ReceivedMessage(*own, "c"))
    assert outcomes.decided == {f"{command} -> {own[0]}": 1}
    assert not outcomes.contradictions


async def test_the_sender_of_a_command_receives_its_outcome() -> None:
    outcomes = CommandOutcomes()
    sent = outcomes.remember(OutgoingMessage("order.cancel.v1", {}, "c"))
    outcomes.receive(received("command.rejected.v1", code="ORDER_NOT_FOUND"))
    assert (await asyncio.wait_for(sent.outcome(), 5)).body["code"] == "ORDER_NOT_FOUND"


async def test_a_sender_that_waits_for_fewer_open_commands_goes_on_when_one_is_decided() -> None:
    outcomes = CommandOutcomes()
    outcomes.remember(OutgoingMessage("order.create.v1", {}, "c"))
    waiting = asyncio.ensure_future(outcomes.fewer_than(1))
    await asyncio.sleep(0)
    assert not waiting.done()
    outcomes.receive(received("order.created.v1"))
    await asyncio.wait_for(waiting, 5)


def test_percentiles_without_values_are_none() -> None:
    assert percentiles([]) == {"p50": None, "p99": None}
    assert percentiles([n / 100 for n in range(100)]) == {"p50": 0.5, "p99": 0.99}


@pytest.mark.parametrize("fate", ROADS)
def test_every_parcel_is_delivered_returned_or_lost_at_last(fate: str) -> None:
    assert fate in ODDS
    assert ROADS[fate][-1] in {"delivered", "returned", "loss_confirmed"}


@pytest.mark.parametrize("defect", DEFECTS)
def test_every_malformed_message_carries_its_tag(defect: str) -> None:
    assert DEFECTS[defect]("tag").to_amqp(None).correlation_id == "tag"


def test_a_forged_payment_is_valid_except_for_its_sender() -> None:
    PaymentResult.model_validate_json(json.dumps(DEFECTS["a forged payment"]("tag").body))


AMOUNTS = dict.fromkeys(TERMS, 0) | {"origin": 500, "payable": 500}
WHOLE = {"order_id": "1", "parent_id": None, "children": ["11", "12"], "amounts": AMOUNTS}


def parts(*origins: int) -> list[dict[str, Any]]:
    amounts = [AMOUNTS | {"origin": origin, "payable": origin} for origin in origins]
    about: dict[str, Any] = {"parent_id": "1", "children": []}
    return [about | {"order_id": str(11 + n), "amounts": part} for n, part in enumerate(amounts)]


@pytest.mark.parametrize(("origins", "wrong"), [((300, 200), 0), ((300, 201), 2), ((500, 0), 0)])
def test_parts_that_do_not_add_up_to_their_order_are_reported_in_any_sequence(
    origins: tuple[int, ...], wrong: int
) -> None:
    for order in itertools.permutations([WHOLE, *parts(*origins)]):
        split_orders = SplitOrders()
        for body in order:
            assert split_orders.stuck() or body is order[0]
            split_orders.receive(body)
        assert (len(split_orders.wrong), split_orders.stuck()) == (wrong, [])
        assert split_orders.did == {"split orders": 1, "parts of split orders": 2}


def test_a_child_that_the_order_does_not_name_is_reported() -> None:
    split_orders = SplitOrders()
    for body in (*parts(300, 200, 0), WHOLE):
        split_orders.receive(body)
    assert split_orders.wrong == ["order 1: other children"]


async def test_an_order_and_each_of_its_parts_are_tracked_until_they_end() -> None:
    tasks: Any = SimpleNamespace(start=lambda task: task.close())
    placed_orders = PlacedOrders(None, CommandOutcomes(), tasks)  # type: ignore[arg-type]
    versions: Counter[str] = Counter()

    def step(what: str, order_id: str, state: str, **more: Any) -> None:
        versions[order_id] += 1
        body = {"order_id": order_id, "state": state, "version": versions[order_id], "user_id": "u"}
        parent_id = None if order_id == "1" else "1"
        placed_orders.receive(ReceivedMessage(f"order.{what}.v1", body | {"parent_id": parent_id} | more, ""))

    step("created", "1", "awaiting_payment", children=["11", "12"], amounts=AMOUNTS)
    for part in parts(300, 200):
        step("created", part["order_id"], "awaiting_payment", children=[], amounts=part["amounts"])
    step("paid", "1", "paid")
    step("split", "1", "split")
    step("paid", "11", "paid")
    step("cancelled", "12", "cancelled")
    assert (placed_orders.ended, {key: order.state for key, order in placed_orders.live.items()}) == (
        {"split": 1, "cancelled": 1},
        {"11": "paid"},
    )
    step("completed", "11", "completed")
    step("deleted", "11", "completed")
    assert (placed_orders.ended["completed"], placed_orders.live) == (1, {})


async def test_an_event_delivered_twice_counts_once(declared_broker: Broker) -> None:
    """The relay's user publishes the events. The second copy has the same message id."""
    names, received = declared_broker.names, list[ReceivedMessage]()
    complete = asyncio.Event()

    def receive(event: ReceivedMessage) -> None:
        received.append(event)
        if event.type == "order.paid.v1":
            complete.set()

    buyer = AmqpClient(declared_broker["upstream"], "buyer", names.prefix)
    buyer.listen("client.upstream.demo", ("order.*",), receive)
    sender = AmqpClient(declared_broker["relay"], "sender", names.prefix, exchange="events")
    running = [asyncio.ensure_future(link.run()) for link in (buyer, sender)]
    await buyer.connected()
    created = OutgoingMessage("order.created.v1", {"order_id": "1"})
    for message in (created, created, OutgoingMessage("order.paid.v1", {"order_id": "1"})):
        await sender.send(message)
    await asyncio.wait_for(complete.wait(), 20)
    for task in running:
        task.cancel()
    assert [(event.type, event.body) for event in received] == [
        ("order.created.v1", {"order_id": "1"}),
        ("order.paid.v1", {"order_id": "1"}),
    ]


def test_a_message_has_the_properties_that_the_contract_requires() -> None:
    message = OutgoingMessage("order.create.v1", {"a": 1}).to_amqp("upstream")
    assert json.loads(message.body) == {"a": 1}
    assert message.message_id
    assert message.correlation_id == message.message_id
    assert (message.type, message.user_id, message.delivery_mode) == ("order.create.v1", "upstream", 2)
