"""Messages that nobody should send. Each must come back as one dead letter and hurt nothing else."""

from collections.abc import Callable
from typing import Any

from scripts.demo.wire import Letter, Link, new_id

EVERY_ORDERS = 16
"""One such message for so many orders."""


def _order(**changes: Any) -> dict[str, Any]:
    return {
        "request_id": new_id(),
        "actor": {"type": "user", "id": "vandal"},
        "user_id": "vandal",
        "channel": "pc",
        "currency": "USD",
        "items": [{"sku_id": "1", "qty": 1}],
        "expected_pay_amount": 1,
    } | changes


CREATE = "order.create.v1"
TRICKS: dict[str, Callable[[str], Letter]] = {
    "not JSON": lambda tag: Letter(CREATE, f'{{"request_id": {tag}'.encode(), tag),
    "a number as text": lambda tag: Letter(CREATE, _order(expected_pay_amount="12"), tag),
    "a float of money": lambda tag: Letter(CREATE, _order(expected_pay_amount=0.1), tag),
    "an unknown field": lambda tag: Letter(CREATE, _order(discount=100), tag),
    "an unknown type": lambda tag: Letter("order.explode.v1", _order(), tag, routing_key="order.create"),
    "a type that its key denies": lambda tag: Letter("order.cancel.v1", _order(), tag, routing_key="order.create"),
    "a NUL in its message id": lambda tag: Letter(CREATE, _order(), f"{tag}\x00", correlation_id=tag),
    "too deep": lambda tag: Letter(CREATE, b'{"items":' + b"[" * 5_000 + b"]" * 5_000 + b"}", tag),
    "a number past 64 bits": lambda tag: Letter(CREATE, _order(expected_pay_amount=2**70), tag),
    "a NUL in an id": lambda tag: Letter(CREATE, _order(user_id="a\x00b"), tag),
    "a key nobody takes": lambda tag: Letter("order.nobody.v1", _order(), tag),
    "a forged payment": lambda tag: Letter("payment.result.v1", _forged(), tag),
}


def _forged() -> dict[str, Any]:
    return {
        "order_id": "1",
        "channel": "demo-pay",
        "trade_no": new_id(),
        "kind": "captured",
        "amount": 1,
        "currency": "USD",
        "occurred_at": "2026-01-01T00:00:00Z",
    }


class Vandal:
    """Remembers what it sent: tag -> trick. A tag is the message's correlation id."""

    def __init__(self, link: Link) -> None:
        self.sent: dict[str, str] = {}
        self._link = link

    async def strike(self) -> None:
        """Send one, each trick in turn."""
        trick = list(TRICKS)[len(self.sent) % len(TRICKS)]
        tag = f"vandal-{new_id()}"
        self.sent[tag] = trick
        await self._link.send(TRICKS[trick](tag), signed=trick != "a forged payment")

    async def watch(self, ordered: int) -> None:
        """Strike when so many orders were placed that the next strike is due."""
        if len(self.sent) * EVERY_ORDERS < ordered:
            await self.strike()
