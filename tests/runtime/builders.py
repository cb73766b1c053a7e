"""Deliveries and messages as the broker hands them over, for tests without one."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
from pamqp.commands import Basic

from messages.roles import Role
from messages.topology import Names
from messages.user_roles import Trust
from workers.runtime.decode import Decoder, Work
from workers.runtime.delivery import Delivery

NAMES = Names("oms")
ROLES = {"payments": frozenset({Role.PAYMENTS}), "upstream": frozenset({Role.STOREFRONT})}
TRUST = Trust(own=frozenset({"relay"}), roles=ROLES)
DELETE = "order.delete.v1"
TIMER = "timer.due.v1"
PAYMENT = "payment.result.v1"


def delete(request_id: Any = "r1", **changes: Any) -> dict[str, Any]:
    """The body of an order.delete."""
    return {"request_id": request_id, "actor": {"type": "user", "id": "u1"}, "order_ids": ["1"], **changes}


def payment(**changes: Any) -> dict[str, Any]:
    """The body of a payment.result."""
    return {
        "order_id": "1",
        "provider": "wechat",
        "trade_no": "t1",
        "kind": "captured",
        "amount": 100,
        "currency": "CNY",
        "occurred_at": "2026-01-01T00:00:00Z",
        **changes,
    }


def pack(*keys: int, **changes: Any) -> dict[str, Any]:
    """The body of a pack of timer.due, one item per key."""
    moment = "2026-01-01T00:00:00Z"
    return {
        "items": [
            {
                "correlation_id": f"c{key}",
                "causation_id": None,
                "occurred_at": moment,
                "body": {"kind": "saga", "key": str(key), "due_at": moment, **changes},
            }
            for key in keys
        ]
    }


def delivery(
    type: str | None = DELETE,
    body: bytes | dict[str, Any] | None = None,
    *,
    tag: int = 1,
    exchange: str = "oms.commands",
    routing_key: str | None = None,
    headers: dict[str, Any] | None = None,
    **properties: Any,
) -> Delivery:
    """Make a delivery as the broker would send it."""
    properties.setdefault("message_id", str(uuid4()))
    body = delete() if body is None else body
    odd = {name: properties.pop(name) for name in ("timestamp", "delivery_mode") if name in properties}
    made = Basic.Properties(message_type=type, timestamp=datetime(2026, 1, 1, tzinfo=UTC), **properties)
    for name, value in odd.items():  # a frame can have these values, but the library does not build them
        setattr(made, name, value)
    return Delivery(
        tag=tag,
        exchange=exchange,
        routing_key=(type or "").rsplit(".", 1)[0] if routing_key is None else routing_key,
        body=body if isinstance(body, bytes) else orjson.dumps(body),
        properties=made,
        headers=headers or {},
    )


def read(queue: str, one: Delivery, **changes: Any) -> Work:
    """Decode a delivery of a queue."""
    return Decoder(queue, NAMES, TRUST, **changes)(one)


def command(message_id: str, *, tag: int = 1, **changes: Any) -> Work:
    """A valid order.delete, decoded."""
    work = read("order-changes", delivery(DELETE, delete(**changes), message_id=message_id, tag=tag))
    assert work.failure is None, work.failure
    return work


def timers(message_id: str, *keys: int, **headers: Any) -> Work:
    """A valid pack of timer.due, decoded."""
    one = delivery(TIMER, pack(*keys), message_id=message_id, exchange="oms.internal", user_id="relay", headers=headers)
    work = read("timeouts", one)
    assert work.failure is None, work.failure
    return work
