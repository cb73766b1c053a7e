"""Bad messages on a real broker: each gets a clear reason, writes nothing and does not harm its neighbours."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import orjson
import pytest

from tests.e2e.system import (
    SKU,
    RunningSystem,
    cancel,
    order_create,
    progress_mark,
    reconnects,
    sound_message,
    stock_reserve,
)
from tests.e2e.upstream import wait_for
from tests.metric_values import metric_value
from workers.runtime.settings import RuntimeSettings

BODY_MAX_BYTES = RuntimeSettings.model_fields["body_max_bytes"].default


@dataclass(frozen=True)
class Bad:
    """One message that cannot be read, and the expected dead letter. Properties that are not given are valid."""

    case: str
    error: str
    path: str = "$"
    body: bytes | Callable[[], bytes] = order_create
    key: str | bytes = "order.create"
    queue: str = "order-creation"
    properties: dict[str, Any] = field(default_factory=dict)
    needs_roles: bool = False
    """True if the case needs a broker user for each role: a single user would be trusted as our own worker."""

    def content(self) -> bytes:
        """The bytes of the message; valid ones are different each time."""
        return self.body if isinstance(self.body, bytes) else self.body()


def changed(**changes: Any) -> Callable[[], bytes]:
    """A valid order.create with other fields."""
    return lambda: order_create(**changes)


def line(**changes: Any) -> Callable[[], bytes]:
    """A valid order.create whose line is changed."""
    return changed(items=[{"sku_id": SKU, "qty": 1} | changes])


def inserted(text: bytes) -> Callable[[], bytes]:
    """A valid order.create with these bytes in the place of `pc`."""
    return lambda: order_create().replace(b'"pc"', text)


def address(**changes: str) -> Callable[[], bytes]:
    """A valid order.create with a changed address."""
    return changed(address={"receiver": "Wang", "phone": "13812345678", "country": "CN", "detail": "Road 1"} | changes)


def without(name: str) -> Callable[[], bytes]:
    """A valid order.create without a field."""
    return lambda: orjson.dumps({key: value for key, value in orjson.loads(order_create()).items() if key != name})


def p(**properties: Any) -> dict[str, Any]:
    return properties


CHANGES = "order-changes"
ROWS = [
    # not JSON
    Bad("not JSON", "json_invalid", body=b"{not json"),
    Bad("nothing at all", "json_invalid", body=b""),
    Bad("JSON cut off", "json_invalid", body=lambda: order_create()[:-1]),
    Bad("two JSON values", "json_invalid", body=lambda: order_create() * 2),
    Bad("bytes that are no UTF-8", "json_invalid", body=inserted(b'"\xff\xfe"')),
    Bad("half a surrogate pair", "json_invalid", body=inserted(rb'"\ud800"')),
    Bad("an overlong encoding", "json_invalid", body=inserted(b'"\xc0\xaf"')),
    Bad("nested 5,000 deep", "json_invalid", body=b'{"items":' + b"[" * 5_000 + b"]" * 5_000 + b"}"),
    Bad("nested 200,000 deep", "json_invalid", body=b"[" * 200_000),
    Bad("a number of 5,000 digits", "json_invalid", body=inserted(b"9" * 5_000)),
    # JSON of another shape
    Bad("a list", "model_type", body=b'["order.create"]'),
    Bad("a text", "model_type", body=b'"order.create"'),
    Bad("null", "model_type", body=b"null"),
    Bad("a field missing", "missing", "$.request_id", without("request_id")),
    Bad("an unknown field", "extra_forbidden", "$.discount", changed(discount=100)),
    Bad("an unknown field inside", "extra_forbidden", "$.items[0].price", line(price=1)),
    Bad("a float of money", "int_type", "$.expected_pay_amount", changed(expected_pay_amount=500.0)),
    Bad("a float of units", "int_type", "$.items[0].qty", line(qty=1.5)),
    Bad("a text for a number", "int_type", "$.items[0].qty", line(qty="1")),
    Bad("a truth for a number", "int_type", "$.items[0].qty", line(qty=True)),
    Bad("a number for a text", "string_type", "$.user_id", changed(user_id=7)),
    Bad("null for a text", "string_type", "$.channel", changed(channel=None)),
    Bad("an empty text", "string_too_short", "$.user_id", changed(user_id="")),
    Bad("a text too long", "string_too_long", "$.user_id", changed(user_id="u" * 65)),
    Bad("no such actor", "literal_error", "$.actor.type", changed(actor={"type": "root", "id": "u1"})),
    Bad("a currency in small letters", "string_pattern_mismatch", "$.currency", changed(currency="cny")),
    Bad("a phone with letters", "string_pattern_mismatch", "$.address.phone", address(phone="x")),
    Bad("201 lines", "too_long", "$.items", changed(items=[{"sku_id": SKU, "qty": 1}] * 201)),
    Bad("a number past 64 bits", "less_than_equal", "$.items[0].qty", lambda: order_create().replace(
        b'"qty":1', b'"qty":9223372036854775808')),
    Bad("a number far past 64 bits", "greater_than_equal", "$.items[0].qty", lambda: order_create().replace(
        b'"qty":1', b'"qty":-' + b"9" * 40)),
    Bad("infinity", "int_type", "$.items[0].qty", lambda: order_create().replace(b'"qty":1', b'"qty":Infinity')),
    Bad("a NUL in a text", "string_pattern_mismatch", "$.user_id", changed(user_id="a\0b")),
    Bad("a NUL in an address", "string_pattern_mismatch", "$.address.detail", address(detail="\0")),
    Bad("a name twice", "repeated_name", "$.expected_pay_amount", lambda: order_create().replace(
        b'{', b'{"expected_pay_amount":1,', 1)),
    Bad("an id past 64 bits", "less_than_equal", "$.order_id", lambda: cancel(order_id="9" * 19), "order.cancel",
        CHANGES),
    Bad("too large", "too_large", body=lambda: order_create(remark="x" * BODY_MAX_BYTES)),
    # its type and routing key
    Bad("an unknown type", "unknown_type", properties=p(type="order.explode.v1")),
    Bad("an unknown version", "unknown_version", properties=p(type="order.create.v9")),
    Bad("another queue's type", "unknown_type", properties=p(type="order.cancel.v1")),
    Bad("no type", "missing_type", properties=p(type=None)),
    Bad("a key that its type denies", "wrong_routing_key", "$", cancel, "order.delete", CHANGES,
        p(type="order.cancel.v1")),
    Bad("an internal type among commands", "forbidden_exchange", "$", stock_reserve, "stock.receive", "stock",
        p(type="stock.reserve.v1")),
    Bad("a progress mark among commands", "forbidden_exchange", "$", progress_mark, "payment.result", "payment-results",
        p(type="progress.mark.v1")),
    # its frame
    Bad("no message id", "missing_message_id", properties=p(message_id=None)),
    Bad("a message id of 129 characters", "malformed_frame", properties=p(message_id="m" * 129), needs_roles=True),
    Bad("a NUL in the message id", "malformed_frame", properties=p(message_id=b"m\0n")),
    Bad("a message id that is not UTF-8", "malformed_frame", properties=p(message_id=b"m\xff\xfe")),
    Bad("a type that is not UTF-8", "malformed_frame", properties=p(type=b"order.create\xff")),
    Bad("a correlation id that is not UTF-8", "malformed_frame", properties=p(correlation_id=b"\xff")),
    Bad("a header key that is not UTF-8", "malformed_frame", properties=p(headers={b"\xff\xfe": b"x"})),
    Bad("a time out of range", "malformed_frame", properties=p(timestamp=2**63)),
    Bad("a time that overflows", "malformed_frame", properties=p(timestamp=2**64 - 1)),
]  # fmt: skip


TAKING_MANY: set[tuple[str, str]] = set()
"""Virtual host and queue of the consumers that have settled a message."""


async def take_many(system: RunningSystem, queue: str) -> None:
    """Let a new consumer settle its first message, because until then it takes one at a time."""
    if (system.broker.vhost, queue) in TAKING_MANY:
        return
    TAKING_MANY.add((system.broker.vhost, queue))
    sender, before = system.payments if queue == "payment-results" else system.upstream, batches(queue)
    await sender.publish(*sound_message(queue))
    await wait_for(lambda: batches(queue) > before, f"a first batch of {queue}")
    await system.wait_until_settled(queue)


def batches(queue: str) -> float:
    """The number of transactions of a queue in this process."""
    return metric_value("oms_message_processing_seconds_count", queue=queue)


async def between_neighbours(system: RunningSystem, bad: Bad, body: bytes, **properties: Any) -> list[str]:
    """Publish the bad message among valid ones, so that one batch has them all. Return the ids of the valid ones."""
    sender = system.payments if bad.queue == "payment-results" else system.upstream
    async with system.inbox_locked():
        # The worker that takes the first one waits, and meanwhile the others arrive.
        ids = [await sender.publish(*sound_message(bad.queue))]
        await system.wait_until_in_flight(bad.queue, 1)
        ids.append(await sender.publish(*sound_message(bad.queue)))
        await system.wait_until_in_flight(bad.queue, 2)
        await system.publish(body, bad.key, **properties)
        await system.wait_until_in_flight(bad.queue, 3)
        ids.append(await sender.publish(*sound_message(bad.queue)))
        await system.wait_until_in_flight(bad.queue, 4)
    return ids


async def test_a_mistyped_routing_key_is_answered_and_announced(system: RunningSystem) -> None:
    body, correlation_id = order_create(currency="cny"), uuid4().hex
    await system.publish(
        body, "order.craete", type="order.create.v1", correlation_id=correlation_id, reply_to=system.upstream.inbox
    )
    reply = await system.reply(correlation_id=correlation_id)
    assert (reply["code"], reply["type"]) == ("MESSAGE_INVALID", "order.create.v1")
    assert [(fault["error"], fault["path"]) for fault in reply["details"]["faults"]] == [
        ("unroutable", "properties.routing_key"),
        ("wrong_routing_key", "$"),
        ("string_pattern_mismatch", "$.currency"),
    ]
    await system.upstream.wait_for_events("command.rejected", command_id=reply["command_id"])


@pytest.mark.parametrize("bad", [pytest.param(row, id=row.case) for row in ROWS])
async def test_a_message_that_cannot_be_read(system: RunningSystem, bad: Bad) -> None:
    if bad.needs_roles and not system.broker.has_roles:
        pytest.skip("this broker lends one user for all roles")
    await take_many(system, bad.queue)
    await system.wait_until_idle()
    before, lost = await system.row_counts(bad.queue), reconnects()
    body, correlation_id = bad.content(), uuid4().hex
    given = {"correlation_id": correlation_id, "reply_to": system.upstream.inbox} | bad.properties

    ids = await between_neighbours(system, bad, body, **given)

    letter = await system.dead_letter(body)
    recorded = (letter["queue"], letter["reason"], letter["error_type"], letter["error_path"])
    assert recorded == (bad.queue, "invalid", bad.error, bad.path)
    assert letter["error_message"]
    if bad.queue != "payment-results":  # an unknown order's payment is retried, not done
        _, second, third = await system.wait_until_handled(*ids)
        assert second == third, "all were one batch"
        after = await system.row_counts(bad.queue)
        sound = 3 if bad.queue == "order-creation" else 0
        assert {name: after[name] - before[name] for name in after} == {
            "orders": sound,
            "commands": 3,
            "payments": 0,
            "shipments": 0,
            "inbox": 3,
        }
    if given["correlation_id"] == correlation_id:
        reply = await system.reply(correlation_id=correlation_id)
        assert (reply["properties"].message_type, reply["code"]) == ("command.rejected.v1", "MESSAGE_INVALID")
        assert (reply["details"]["error"], reply["details"]["path"]) == (bad.error, bad.path)
        await system.upstream.wait_for_events(
            "command.rejected", command_id=reply["command_id"], details=reply["details"]
        )
    await system.wait_until_settled(bad.queue)
    assert reconnects() == lost, "the connection lives"
