"""A whole shop around the order system, which knows the wire alone: it imports pika, and the client that it is to use.

The client is the one for other teams, or one that imports nothing of ours. This is a program of its own, run in
isolation by test_foreign_life.py. Standard input is one line of JSON with `prefix`, `urls` (broker user -> URL),
`trusted`: whether each role has a user of its own, and the `folder` and name of the `client`. Standard output is one
line of JSON: what each role read, from an empty system to the end of an order.
"""

import importlib
import json
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pika

if TYPE_CHECKING:
    from oms_client import ReceivedEvent
    from oms_client.messages import PaymentResult

Answer = tuple[str, dict[str, Any]]
"""The type and the body of an answer or an instruction."""
WAIT_SECONDS = 30
ACTOR = {"type": "user", "id": "ada"}
CARRIER, TRACKING_NO = "parcelforce", "GB123456785"
STATUSES = ("outbound", "in_transit", "out_for_delivery", "delivered")
ADDRESS = {
    "receiver": "Ada Byron",
    "phone": "+44 20 7946 0958",
    "country": "GB",
    "city": "London",
    "detail": "12 St James's Square",
    "postcode": "SW1Y 4JH",
}
LINES = [{"sku_id": "mug", "qty": 2}, {"sku_id": "tea", "qty": 1}]


def library(job: dict[str, Any]) -> Any:
    """Import the client. In isolation Python looks for nothing beside the program, so its folder must be named."""
    if job["folder"] not in sys.path:
        sys.path.insert(0, job["folder"])
    return importlib.import_module(job["client"])


def now() -> str:
    return datetime.now(UTC).isoformat()


class ForeignSystem:
    """One system of the shop: the connection of its broker user."""

    def __init__(self, job: dict[str, Any], role: str) -> None:
        self.library = library(job)
        self.client = self.library.Client(job["urls"][role], prefix=job["prefix"], sign=job["trusted"])

    def request(self, kind: str, body: dict[str, Any], exchange: str = "commands") -> Answer:
        """Send a command or a query, and return the type and body of its answer."""
        try:
            ask = self.client.query if exchange == "queries" else self.client.command
            answer = ask(kind, body, seconds=WAIT_SECONDS)
        except self.library.RefusedError as refused:
            answer = refused.answer
        return answer.type, answer.body

    def command(self, kind: str, **body: Any) -> Answer:
        """Send a command with a request id, and return its outcome."""
        about, answer = self.request(kind, {"request_id": uuid.uuid4().hex} | body)
        if "code" in answer:
            raise SystemExit(f"{kind} is rejected: {answer}")
        return about, answer

    def query(self, kind: str, **body: Any) -> Answer:
        """Return the answer to a query."""
        return self.request(kind, body, "queries")

    def wait_for(self, order_id: str, state: str) -> dict[str, Any]:
        """Read the order until it is in this state, and return it."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            _, order = self.query("order.get", order=order_id, actor=ACTOR)
            if order.get("state") == state:
                return order
            time.sleep(0.02)
        raise SystemExit(f"the order is {order.get('state')} and not {state} after {WAIT_SECONDS} s")

    def wait_for_facts(self, count: int, **about: Any) -> Answer:
        """Track the order until its parcel has so many facts: those that came before the booking are tried again."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            kind, tracked = self.query("order.track", **about)
            if sum(len(parcel["facts"]) for parcel in tracked["parcels"]) >= count:
                return kind, tracked
            time.sleep(0.02)
        raise SystemExit(f"the parcel has not {count} facts after {WAIT_SECONDS} s: {tracked}")


class ForeignWarehouse:
    """It reads the queue of its instructions and nothing else, and says what it did."""

    def __init__(self, job: dict[str, Any], name: str) -> None:
        self.name = name
        self.reports = ForeignSystem(job, "warehouse")
        subscriber = pika.BlockingConnection(pika.URLParameters(job["urls"]["warehouse-events"]))
        self.instructions = subscriber.channel().consume(
            f"{job['prefix']}.warehouse.{name}", auto_ack=True, inactivity_timeout=WAIT_SECONDS
        )

    def next_instruction(self) -> Answer:
        method, about, body = next(self.instructions)
        if method is None:
            raise SystemExit(f"no instruction for the warehouse within {WAIT_SECONDS} s")
        return about.type, json.loads(body)

    def report(self, step: str, request: dict[str, Any]) -> None:
        self.reports.client.fact(
            f"fulfilment.{step}",
            {
                "order_id": request["order_id"],
                "warehouse": self.name,
                "number": request["number"],
                "occurred_at": now(),
            },
        )

    def book(self, request: dict[str, Any], tracking_no: str) -> None:
        self.reports.client.fact(
            "shipment.book",
            {
                "order_id": request["order_id"],
                "carrier": CARRIER,
                "tracking_no": tracking_no,
                "warehouse": self.name,
                "lines": [{"sku_id": line["sku_id"], "qty": line["qty"]} for line in request["lines"]],
            },
        )


def stock_up(job: dict[str, Any]) -> list[str]:
    """Put two products on sale, and their units into the warehouse."""
    catalogue, warehouse = ForeignSystem(job, "catalogue"), ForeignSystem(job, "warehouse")
    kinds = []
    for sku_id, price in (("mug", 1250), ("tea", 499)):
        about = {"sku_id": sku_id, "spu_id": sku_id, "name": sku_id.title(), "status": "on_sale", "currency": "GBP"}
        kinds.append(catalogue.request("sku.upsert", about | {"revision": 1, "price": price})[0])
        receipt = {"ref": "note-1", "sku_id": sku_id, "warehouse": "main", "qty": 10}
        kinds.append(warehouse.request("stock.receive", receipt)[0])
    return kinds


def try_to_read(job: dict[str, Any], user: str) -> int:
    """Try to consume what the warehouse is sent; return the broker's answer, 0 if it lets this user."""
    connection = pika.BlockingConnection(pika.URLParameters(job["urls"][user]))
    channel = connection.channel()
    try:
        channel.basic_consume(f"{job['prefix']}.warehouse.main", lambda *_: None, auto_ack=False)
    except pika.exceptions.ChannelClosedByBroker as closed:
        return int(closed.reply_code)
    finally:
        connection.close()
    return 0


def place_and_read(buyer: ForeignSystem) -> dict[str, Any]:
    """The buyer places an order and reads it in every way; another user tries to."""
    _, created = buyer.command(
        "order.create",
        actor=ACTOR,
        user_id=ACTOR["id"],
        channel="mobile",
        currency="GBP",
        items=LINES,
        address=ADDRESS,
        remark="leave it with the porter",
        expected_pay_amount=2999,
    )
    order_id = created["order_id"]
    about: dict[str, Any] = {"actor": ACTOR, "order": order_id, "min_version": created["version"]}
    placed = {kind: buyer.query(f"order.{kind}", **about) for kind in ("get", "track", "history")}
    placed["list"] = buyer.query("order.list", actor=ACTOR, user_id=ACTOR["id"])
    stranger = buyer.query("order.get", order=order_id, actor={"type": "user", "id": "eve"})
    return {"created": created, "placed": placed, "stranger": stranger}


def pay(payments: ForeignSystem, created: dict[str, Any]) -> None:
    """Report that the provider has the buyer's money."""
    result: PaymentResult = {
        "order_id": created["order_id"],
        "provider": "paypal",
        "trade_no": "P-1",
        "kind": "captured",
        "amount": created["amounts"]["payable"],
        "currency": created["amounts"]["currency"],
        "occurred_at": now(),
    }
    payments.client.fact("payment.result", result)


def ship(job: dict[str, Any], buyer: ForeignSystem, order_id: str) -> dict[str, Any]:
    """The warehouse works through its queue, then the carrier reports until the parcel has arrived."""
    warehouse, carrier = ForeignWarehouse(job, "main"), ForeignSystem(job, "carrier")
    instruction = warehouse.next_instruction()
    refused = {user: try_to_read(job, user) for user in job["strangers"]}
    for step in ("accept", "pick", "pack"):
        warehouse.report(step, instruction[1])
    fulfilling = buyer.wait_for(order_id, "fulfilling")
    warehouse.book(instruction[1], TRACKING_NO)
    warehouse.report("hand_over", instruction[1])
    for number, status in enumerate(STATUSES):
        fact = {"carrier": CARRIER, "tracking_no": TRACKING_NO, "event_id": f"scan-{number}"}
        carrier.client.fact("shipment.update", fact | {"status": status, "occurred_at": now(), "place": "London"})
    return {"request": instruction, "refused_readers": refused, "fulfilling": fulfilling}


def until(announced: "Iterator[ReceivedEvent]", last: str) -> "Iterator[ReceivedEvent]":
    """Read events until one of this type."""
    for event in announced:
        yield event
        if event.type == last:
            return
    raise SystemExit(f"no {last} within {WAIT_SECONDS} s")


def live(job: dict[str, Any]) -> dict[str, Any]:
    """Play every role; return what each of them read."""
    queue, url = f"client.storefront.{uuid.uuid4().hex}", job["urls"]["storefront-events"]
    announced = library(job).events(url, queue, "order.*", prefix=job["prefix"], seconds=WAIT_SECONDS)
    seen: dict[str, Any] = {"stocked": stock_up(job)}
    buyer = ForeignSystem(job, "storefront")
    seen |= place_and_read(buyer)
    order_id = seen["created"]["order_id"]
    pay(ForeignSystem(job, "payments"), seen["created"])
    seen |= ship(job, buyer, order_id)
    delivered = buyer.wait_for(order_id, "delivered")
    about = {"actor": ACTOR, "order": order_id}
    seen["tracked"] = buyer.wait_for_facts(len(STATUSES), **about, min_version=delivered["version"])
    seen["received"] = buyer.command("order.confirm_receipt", actor=ACTOR, order_id=order_id)
    about["min_version"] = seen["received"][1]["version"]
    seen["ended"] = {kind: buyer.query(f"order.{kind}", **about) for kind in ("get", "track", "history")}
    seen["announced"] = [event.type for event in until(announced, "order.completed.v1")]
    support, person = ForeignSystem(job, "operator"), {"type": "operator", "id": "sam"}
    seen["found"] = support.query("order.list", actor=person, tracking_no=TRACKING_NO)
    seen["explained"] = support.query("order.explain", actor=person, order=order_id)
    return seen


if __name__ == "__main__":
    print(json.dumps(live(json.loads(sys.stdin.readline()))))
