"""The demo's outside world: it knows only the wire, and it notices what goes wrong there."""

import asyncio
import json
import subprocess
import sys

import pytest

from scripts.demo.carrier import ODDS, ROADS
from scripts.demo.outcomes import Outcomes, percentiles
from scripts.demo.vandal import TRICKS
from scripts.demo.wire import Heard, Letter, Link
from tests.conftest import Broker


def test_the_client_imports_nothing_of_the_order_system() -> None:
    loaded = "import sys, scripts.demo.client; print(*{name.split('.')[0] for name in sys.modules})"
    names = subprocess.run([sys.executable, "-c", loaded], check=True, capture_output=True, text=True).stdout.split()
    assert not {"messages", "db", "workers", "outbox"} & set(names)


def heard(type_: str, correlation_id: str = "c", **body: object) -> Heard:
    return Heard(type_, body, correlation_id)


def test_a_command_is_open_until_its_outcome_is_heard() -> None:
    outcomes = Outcomes()
    outcomes.note(Letter("order.cancel.v1", {}, "c"))
    outcomes.hear(heard("order.paid.v1"))
    outcomes.hear(heard("order.cancelled.v1", "another"))
    assert list(outcomes.open) == ["c"]
    outcomes.hear(heard("order.cancelled.v1"))
    assert not outcomes.open
    assert outcomes.decided == {"order.cancel.v1 -> order.cancelled.v1": 1}


def test_a_refusal_is_an_outcome_with_its_code() -> None:
    outcomes = Outcomes()
    outcomes.note(Letter("order.cancel.v1", {}, "c"))
    outcomes.hear(heard("command.rejected.v1", code="ORDER_NOT_FOUND"))
    assert not outcomes.open
    assert outcomes.refusals == {"order.cancel.v1: ORDER_NOT_FOUND": 1}


@pytest.mark.parametrize(
    ("second", "contradictions"), [("command.rejected.v1", 1), ("order.created.v1", 0), ("order.paid.v1", 0)]
)
def test_a_refusal_after_another_outcome_is_a_contradiction(second: str, contradictions: int) -> None:
    outcomes = Outcomes()
    outcomes.note(Letter("order.create.v1", {}, "c"))
    outcomes.hear(heard("order.created.v1"))
    outcomes.hear(heard(second))
    assert len(outcomes.contradictions) == contradictions


async def test_whoever_waits_for_fewer_open_commands_goes_on_when_one_is_decided() -> None:
    outcomes = Outcomes()
    outcomes.note(Letter("order.create.v1", {}, "c"))
    waiting = asyncio.ensure_future(outcomes.fewer_than(1))
    await asyncio.sleep(0)
    assert not waiting.done()
    outcomes.hear(heard("order.created.v1"))
    await asyncio.wait_for(waiting, 5)


def test_percentiles_of_nothing_are_nothing() -> None:
    assert percentiles([]) == {"p50": None, "p99": None}
    assert percentiles([n / 100 for n in range(100)]) == {"p50": 0.5, "p99": 0.99}


@pytest.mark.parametrize("fate", ROADS)
def test_every_parcel_comes_to_an_end(fate: str) -> None:
    assert fate in ODDS
    assert ROADS[fate][-1] in {"delivered", "returned", "loss_confirmed"}


@pytest.mark.parametrize("trick", TRICKS)
def test_every_malformed_message_carries_its_tag(trick: str) -> None:
    assert TRICKS[trick]("tag").message(None).correlation_id == "tag"


async def test_an_event_delivered_twice_is_heard_once(declared_broker: Broker) -> None:
    """Published by the relay's user, as events are; the second copy has the same message id."""
    names, told = declared_broker.names, list[Heard]()
    complete = asyncio.Event()

    def hear(event: Heard) -> None:
        told.append(event)
        if event.type == "order.paid.v1":
            complete.set()

    buyer = Link(declared_broker["upstream"], "buyer", names.prefix)
    buyer.listen("client.upstream.demo", ("order.*",), hear)
    teller = Link(declared_broker["relay"], "teller", names.prefix, exchange="events")
    running = [asyncio.ensure_future(link.run()) for link in (buyer, teller)]
    await buyer.connected()
    created = Letter("order.created.v1", {"order_id": "1"})
    for letter in (created, created, Letter("order.paid.v1", {"order_id": "1"})):
        await teller.send(letter)
    await asyncio.wait_for(complete.wait(), 20)
    for task in running:
        task.cancel()
    assert [(event.type, event.body) for event in told] == [
        ("order.created.v1", {"order_id": "1"}),
        ("order.paid.v1", {"order_id": "1"}),
    ]


def test_a_letter_says_what_the_contract_asks_for() -> None:
    message = Letter("order.create.v1", {"a": 1}).message("upstream")
    assert json.loads(message.body) == {"a": 1}
    assert message.message_id
    assert message.correlation_id == message.message_id
    assert (message.type, message.user_id, message.delivery_mode) == ("order.create.v1", "upstream", 2)
