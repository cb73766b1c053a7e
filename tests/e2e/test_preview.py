"""A client requests a preview and orders at its price, with pika as another shop's checkout would."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pika
import pytest

from tests.e2e.system import SKU, RunningSystem
from tests.e2e.upstream import order_body, user

ROOT = Path(__file__).parents[2]
WAIT_SECONDS = 20
PREVIEW_FIELDS = ("channel", "currency", "items", "user_id", "actor")


class Checkout:
    """One connection with a queue for answers; `direct` uses the broker's own, without a queue."""

    def __init__(self, url: str, *, direct: bool = False) -> None:
        self.connection = pika.BlockingConnection(pika.URLParameters(url))
        self.channel = self.connection.channel()
        self.inbox = "amq.rabbitmq.reply-to" if direct else self.channel.queue_declare("", exclusive=True).method.queue
        self.answers = self.channel.consume(self.inbox, auto_ack=True, inactivity_timeout=WAIT_SECONDS)
        if direct:
            next(self.channel.consume(self.inbox, auto_ack=True, inactivity_timeout=0.1))

    def request(self, exchange: str, key: str, body: Any, **properties: Any) -> tuple[Any, dict[str, Any]]:
        """Publish, and wait for the answer: its properties and body."""
        about = {"type": f"{key}.v1", "message_id": uuid4().hex, "reply_to": self.inbox, "correlation_id": uuid4().hex}
        about |= properties
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        self.channel.basic_publish(exchange, key, content, pika.BasicProperties(**about))
        method, answered, answer = next(self.answers)
        assert method is not None, f"no answer within {WAIT_SECONDS} s"
        assert answered.correlation_id == about["correlation_id"]
        return answered, orjson.loads(answer)

    def close(self) -> None:
        self.connection.close()


def preview_then_order(system: RunningSystem, *, direct: bool) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    checkout = Checkout(system.broker["upstream"], direct=direct)
    order = order_body((SKU, 3), user_id=f"u-{uuid4().hex}")
    about, preview = checkout.request(
        system.broker.names.queries, "order.preview", {name: order[name] for name in PREVIEW_FIELDS}
    )
    order |= {"expected_pay_amount": preview["amounts"]["payable"]}
    _, created = checkout.request(system.broker.names.commands, "order.create", order, delivery_mode=2)
    checkout.close()
    return about, preview, created


@pytest.mark.parametrize("direct", [False, True], ids=["a queue of its own", "direct reply-to"])
async def test_pika_gets_a_preview_and_orders_at_its_price(system: RunningSystem, direct: bool) -> None:
    about, preview, created = await asyncio.to_thread(preview_then_order, system, direct=direct)
    assert (about.type, about.content_type, about.app_id) == ("order.previewed.v1", "application/json", "oms")
    assert about.delivery_mode == 1
    assert (preview["amounts"]["payable"], preview["items"][0]["unit_price"]) == (1500, 500)
    assert (created["state"], created["amounts"]) == ("awaiting_payment", preview["amounts"])


def order_then_read(system: RunningSystem) -> tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]:
    checkout = Checkout(system.broker["upstream"])
    order = order_body((SKU, 1), user_id=f"u-{uuid4().hex}")
    _, created = checkout.request(system.broker.names.commands, "order.create", order, delivery_mode=2)
    actor = order["actor"]
    found = []
    for key, body in (
        ("order.get", {"order": created["order_id"], "min_version": created["version"]}),
        ("order.history", {"order": created["order_no"]}),
        ("order.list", {"user_id": order["user_id"]}),
        ("order.get", {"order": created["order_id"], "actor": {"type": "user", "id": "a-stranger"}}),
    ):
        about, answer = checkout.request(system.broker.names.queries, key, {"actor": actor} | body)
        found.append((about.type, answer))
    checkout.close()
    return created, found


async def test_pika_reads_the_order_that_it_placed(system: RunningSystem) -> None:
    created, found = await asyncio.to_thread(order_then_read, system)
    (_, described), (_, history), (_, listed), (_, denied) = found
    assert [type_ for type_, _ in found] == [
        "order.described.v1",
        "order.history_listed.v1",
        "order.listed.v1",
        "query.rejected.v1",
    ]
    assert (described["state"], described["amounts"]) == ("awaiting_payment", created["amounts"])
    assert [step["state"] for step in history["steps"]] == ["placing", "awaiting_payment"]
    assert [order["order_id"] for order in listed["orders"]] == [created["order_id"]]
    assert denied["code"] == "ORDER_NOT_FOUND"


def ask_for_a_forecast(system: RunningSystem, role: str) -> tuple[str, dict[str, Any]]:
    checkout = Checkout(system.broker[role])
    body = {
        "actor": {"type": "operator", "id": "ops-1"},
        "series": [110, 120],
        "alpha": "0.5",
        "first_forecast": "100",
        "horizon": 1,
    }
    key, exchange = "plan.forecast", system.broker.names.queries
    about, answer = checkout.request(exchange, key, body, user_id=user(system.broker[role]))
    checkout.close()
    return about.type, answer


async def test_the_catalogue_gets_a_plan(system: RunningSystem) -> None:
    type_, shown = await asyncio.to_thread(ask_for_a_forecast, system, "catalogue")
    assert type_ == "plan.forecast_shown.v1"
    assert [point["forecast"] for point in (*shown["history"], *shown["forecast"])] == [
        "100.0000",
        "105.0000",
        "112.5000",
    ]


def send_wrong_question(system: RunningSystem, body: Any, key: str, role: str, **properties: Any) -> dict[str, Any]:
    checkout = Checkout(system.broker[role])
    about, answer = checkout.request(system.broker.names.queries, key, body, **properties)
    checkout.close()
    assert about.type == "query.rejected.v1"
    return answer


async def test_the_question_in_the_readme_is_valid(system: RunningSystem) -> None:
    part = (
        (ROOT / "messages" / "README.md")
        .read_text("utf-8")
        .partition("<!-- price first -->")[2]
        .partition("<!-- /price first -->")[0]
    )
    body = orjson.loads(part.partition("```json")[2].partition("```")[0])

    def request() -> dict[str, Any]:
        checkout = Checkout(system.broker["upstream"])
        about, answer = checkout.request(system.broker.names.queries, "order.preview", body)
        checkout.close()
        assert about.type == "order.previewed.v1"
        return answer

    answer = await asyncio.to_thread(request)
    assert (answer["user"]["user_id"], answer["refusal"]["code"]) == ("ada", "PRODUCT_NOT_FOUND")


SOUND = {name: order_body((SKU, 1))[name] for name in PREVIEW_FIELDS}
OPERATOR = SOUND | {"actor": {"type": "operator", "id": "ops-1"}}
WRONG: list[tuple[str, Any, str, str, str | None]] = [
    ("no JSON", b"{", "order.preview", "QUERY_INVALID", "$"),
    ("a wrong type", SOUND | {"use_points": 1.5}, "order.preview", "QUERY_INVALID", "$.use_points"),
    ("an unknown query", {}, "order.fortune", "QUERY_INVALID", "$"),
    ("for another user", SOUND | {"user_id": "u2"}, "order.preview", "AUTH_FORBIDDEN", None),
    ("as an operator", OPERATOR, "order.preview", "AUTH_FORBIDDEN", None),
]


@pytest.mark.parametrize(("body", "key", "code", "path"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
async def test_pika_reads_what_is_wrong_with_a_question(
    system: RunningSystem, body: Any, key: str, code: str, path: str | None
) -> None:
    before = await system.row_counts("queries")
    answer = await asyncio.to_thread(send_wrong_question, system, body, key, "upstream")
    assert (answer["code"], answer["path"]) == (code, path)
    assert await system.row_counts("queries") == before
    assert await system.pool.fetchval("SELECT count(*) FROM dead_letters WHERE queue = 'queries'") == 0


async def test_a_trusted_operator_gets_a_preview_for_a_user(system: RunningSystem) -> None:
    def preview() -> dict[str, Any]:
        url = system.broker["operator"]
        checkout = Checkout(url)
        user_id = url.split("//")[1].split(":")[0]
        about, answer = checkout.request(system.broker.names.queries, "order.preview", OPERATOR, user_id=user_id)
        checkout.close()
        assert about.type == "order.previewed.v1"
        return answer

    if not system.broker.has_roles:
        pytest.skip("one URL serves every role")
    assert (await asyncio.to_thread(preview))["amounts"]["payable"] == 500


async def test_the_addresses_of_a_preview_are_masked_on_the_wire(system: RunningSystem) -> None:
    def again() -> bytes:
        checkout = Checkout(system.broker["upstream"])
        order = order_body((SKU, 1), user_id=user_id)
        checkout.request(system.broker.names.commands, "order.create", order)
        _, answer = checkout.request(
            system.broker.names.queries, "order.preview", {name: order[name] for name in PREVIEW_FIELDS}
        )
        checkout.close()
        return orjson.dumps(answer)

    user_id = f"u-{uuid4().hex}"
    shown = await asyncio.to_thread(again)
    [address] = orjson.loads(shown)["addresses"]
    assert {name: address[name] for name in ("country", "receiver", "phone", "detail")} == {
        "country": "CN",
        "receiver": "W****",
        "phone": "138****5678",
        "detail": "N****",
    }
    assert b"13812345678" not in shown
    assert b"Nanjing" not in shown
