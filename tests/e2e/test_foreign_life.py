"""The life of an order from an empty system, by clients of other teams, each with the user of its role (S0-48, S3-07).

One is the Python client that we have for them, the other imports nothing of ours.
"""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from outbox import declare
from scripts.servers.roles import ADMIN, OWN, SUBSCRIBER
from tests.broker import TIERS_SECONDS, Broker
from tests.e2e.foreign_shop import ADDRESS
from tests.e2e.upstream import running_system

PROGRAM = Path(__file__).parent / "foreign_shop.py"
FOLDERS = {"pika_client": PROGRAM.parent, "oms_client": Path(__file__).parents[2] / "messages/clients/python"}
TIMEOUT_SECONDS = 90


def strangers(broker: Broker) -> list[str]:
    """The broker users that may not read what we send to the warehouse: all but its subscriber and our own."""
    own = {*OWN, "topology", "upstream", ADMIN}
    return sorted(broker.urls.keys() - own - {f"warehouse{SUBSCRIBER}"}) if broker.has_roles else []


def run_shop(broker: Broker, client: str) -> dict[str, Any]:
    """Run the program where it can import nothing of ours but the client (`-I`); return what it read."""
    job = {"prefix": broker.names.prefix, "urls": broker.urls, "trusted": broker.has_roles}
    job |= {"folder": str(FOLDERS[client]), "client": client}
    line = orjson.dumps(job | {"strangers": strangers(broker)}) + b"\n"
    program = [sys.executable, "-I", str(PROGRAM)]
    done = subprocess.run(program, input=line, capture_output=True, check=False, timeout=TIMEOUT_SECONDS, cwd="/")
    assert done.returncode == 0, done.stderr.decode()
    seen: dict[str, Any] = orjson.loads(done.stdout)
    return seen


@pytest.mark.parametrize(("client", "local_dispatch"), [("pika_client", True), ("oms_client", False)])
async def test_foreign_clients_live_an_order_from_an_empty_system_to_its_end(
    broker: Broker, database_url: str, client: str, local_dispatch: bool
) -> None:
    await declare.declare(broker["topology"], broker.names, TIERS_SECONDS, warehouses=("main",))
    rules: dict[str, Any] = {"payment_window_seconds": 1800, "fulfilment_warehouses": {"main": frozenset[str]()}}
    rules["local_dispatch"] = local_dispatch
    async with running_system(broker, database_url, **rules):
        seen = await asyncio.to_thread(run_shop, broker, client)
    assert seen["stocked"] == ["sku.changed.v1", "stock.received.v1"] * 2
    placed_order(seen)
    handed_over(seen, broker)
    ended(seen)


def placed_order(seen: dict[str, Any]) -> None:
    """The buyer reads an unpaid order in every way, and a stranger reads nothing."""
    created, placed = seen["created"], seen["placed"]
    assert (created["state"], created["amounts"]["payable"]) == ("awaiting_payment", 2999)
    types = {kind: answer[0] for kind, answer in placed.items()}
    assert types == {
        "get": "order.described.v1",
        "track": "order.tracked.v1",
        "history": "order.history_listed.v1",
        "list": "order.listed.v1",
    }
    assert placed["get"][1]["payable"] == {"minor": 2999, "currency": "GBP", "text": "29.99"}
    assert placed["track"][1]["parcels"] == []
    assert [order["order_id"] for order in placed["list"][1]["orders"]] == [created["order_id"]]
    assert (seen["stranger"][0], seen["stranger"][1]["code"]) == ("query.rejected.v1", "ORDER_NOT_FOUND")


def handed_over(seen: dict[str, Any], broker: Broker) -> None:
    """The warehouse alone reads the address, which is the buyer's; the buyer's own reads show it masked."""
    kind, request = seen["request"]
    assert (kind, request["order_id"], request["number"]) == ("fulfilment.requested.v1", seen["created"]["order_id"], 1)
    assert {name: value for name, value in request["address"].items() if value is not None} == ADDRESS
    assert request["remark"] == "leave it with the porter"
    assert [(line["sku_id"], line["qty"]) for line in request["lines"]] == [("mug", 2), ("tea", 1)]
    assert seen["refused_readers"] == dict.fromkeys(strangers(broker), 403)
    assert ADDRESS["detail"] not in str(seen["placed"]) + str(seen["ended"])
    assert [one["state"] for one in seen["fulfilling"]["hand_overs"]] in (["accepted"], ["picking"], ["packed"])


def ended(seen: dict[str, Any]) -> None:
    """The buyer reads the end, and a support person finds and explains the order by its tracking number."""
    [parcel] = seen["tracked"][1]["parcels"]
    assert (parcel["tracking_no"], parcel["state"]) == ("GB123456785", "delivered")
    assert [fact["place"] for fact in parcel["facts"]] == ["London"] * 4
    assert seen["received"][0] == "order.completed.v1"
    assert (seen["announced"][0], seen["announced"][-1]) == ("order.created.v1", "order.completed.v1")
    assert {"order.paid.v1", "order.shipped.v1", "order.delivered.v1"} <= set(seen["announced"])
    assert seen["ended"]["get"][1]["state"] == "completed"
    steps = [step["state"] for step in seen["ended"]["history"][1]["steps"]]
    states = ["placing", "awaiting_payment", "paid", "fulfilling", "shipped", "delivered", "completed"]
    assert steps == states
    kind, found = seen["found"]
    assert (kind, [order["order_id"] for order in found["orders"]]) == (
        "order.listed.v1",
        [seen["created"]["order_id"]],
    )
    assert (seen["explained"][0], seen["explained"][1]["state"]) == ("order.explained.v1", "completed")
