"""Who may say what: users act on their own orders, operators come from trusted broker users (S0-31, S1-46)."""

from typing import Any

from messages.base import Actor
from messages.envelope import Envelope
from workers.domain.book import Who
from workers.domain.order import Order
from workers.domain.refusal import Refusal

FORBIDDEN = Refusal(
    "AUTH_FORBIDDEN", "this broker user may not speak for operators: publish as a trusted user with user_id set"
)


def who(actor: Actor) -> Who:
    """The actor for the operate log."""
    return Who(actor.type, actor.id)


def untrusted(item: Envelope[Any], actor: Actor) -> Refusal | None:
    """Refuse an operator or system actor that does not come from a trusted broker user."""
    return FORBIDDEN if actor.type != "user" and not item.trusted else None


def not_found(order_id: int) -> Refusal:
    """Also the answer for another user's order, so that nothing is given away (S1-46)."""
    return Refusal("ORDER_NOT_FOUND", "there is no such order", {"order_id": str(order_id)})


def denied(item: Envelope[Any], actor: Actor, order_id: int, order: Order | None) -> Refusal | None:
    """Why this actor may not act on this order, or None when it may."""
    if (refusal := untrusted(item, actor)) is not None:
        return refusal
    if order is None or (actor.type == "user" and order.user_id != actor.id):
        return not_found(order_id)
    return None
