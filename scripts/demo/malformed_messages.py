"""Malformed messages: each must become one dead letter and do no other harm."""

from collections.abc import Callable
from typing import Any

from scripts.amqp_client import OutgoingMessage, new_id
from scripts.demo.role_links import RoleLinks

EVERY_ORDERS = 16
"""One malformed message for so many orders."""


def _order(**changes: Any) -> dict[str, Any]:
    return {
        "request_id": new_id(),
        "actor": {"type": "user", "id": "malformed-sender"},
        "user_id": "malformed-sender",
        "channel": "pc",
        "currency": "USD",
        "items": [{"sku_id": "1", "qty": 1}],
        "expected_pay_amount": 1,
    } | changes


CREATE = "order.create.v1"
DEFECTS: dict[str, Callable[[str], OutgoingMessage]] = {
    "not JSON": lambda tag: OutgoingMessage(CREATE, f'{{"request_id": {tag}'.encode(), tag),
    "a number as text": lambda tag: OutgoingMessage(CREATE, _order(expected_pay_amount="12"), tag),
    "a float of money": lambda tag: OutgoingMessage(CREATE, _order(expected_pay_amount=0.1), tag),
    "an unknown field": lambda tag: OutgoingMessage(CREATE, _order(discount=100), tag),
    "an unknown type": lambda tag: OutgoingMessage("order.explode.v1", _order(), tag, routing_key="order.create"),
    "a type that its routing key contradicts": lambda tag: OutgoingMessage(
        "order.cancel.v1", _order(), tag, routing_key="order.create"
    ),
    "a NUL in its message id": lambda tag: OutgoingMessage(CREATE, _order(), f"{tag}\x00", correlation_id=tag),
    "nested too deeply": lambda tag: OutgoingMessage(CREATE, b'{"items":' + b"[" * 5_000 + b"]" * 5_000 + b"}", tag),
    "a number past 64 bits": lambda tag: OutgoingMessage(CREATE, _order(expected_pay_amount=2**70), tag),
    "a NUL in an id": lambda tag: OutgoingMessage(CREATE, _order(user_id="a\x00b"), tag),
    "a routing key without a queue": lambda tag: OutgoingMessage("order.nobody.v1", _order(), tag),
    "a forged payment": lambda tag: OutgoingMessage("payment.result.v1", _forged(), tag),
}


def _forged() -> dict[str, Any]:
    return {
        "order_id": "1",
        "provider": "demo-pay",
        "trade_no": new_id(),
        "kind": "captured",
        "amount": 1,
        "currency": "USD",
        "occurred_at": "2026-01-01T00:00:00Z",
    }


class MalformedMessages:
    """Sends malformed messages and remembers them: `sent` is tag -> defect. The tag is the correlation id."""

    def __init__(self, link: RoleLinks) -> None:
        self.sent: dict[str, str] = {}
        self._link = link

    async def send_one(self) -> None:
        """Send one message, with the next defect of the list."""
        defect = list(DEFECTS)[len(self.sent) % len(DEFECTS)]
        tag = f"malformed-{new_id()}"
        self.sent[tag] = defect
        await self._link.send(DEFECTS[defect](tag), signed=defect != "a forged payment")

    async def send_when_due(self, ordered: int) -> None:
        """Send one if so many orders are placed that it is due."""
        if len(self.sent) * EVERY_ORDERS < ordered:
            await self.send_one()
