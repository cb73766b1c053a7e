"""Decides who may send what: users act on their own orders, trusted broker users for operators (S0-31, S1-46)."""

from typing import Any

from messages.base import Actor
from messages.envelope import Envelope
from workers.domain.book import Who
from workers.domain.codes import Code
from workers.domain.order import Order
from workers.domain.refusal import Refusal

FORBIDDEN = Refusal(
    Code.AUTH_FORBIDDEN, "this broker user may not speak for operators: publish as a trusted user with user_id set"
)
ANOTHER_USER = Refusal(Code.AUTH_FORBIDDEN, "a user may not act for another user")


def who(actor: Actor) -> Who:
    """Return the actor as the operate log has it."""
    return Who(actor.type, actor.id)


def unvouched(item: Envelope[Any]) -> Refusal | None:
    """Return why the sender may not send this message, or None.

    Only trusted broker users may send TRUSTED_ONLY messages and act for operators; no user may act for another.
    """
    actor = getattr(item.body, "actor", None)
    for_trusted = item.body.TRUSTED_ONLY or (actor is not None and actor.type != "user")
    if for_trusted and not item.trusted:
        return FORBIDDEN
    named = getattr(item.body, "user_id", None)
    return ANOTHER_USER if actor and actor.type == "user" and named not in (None, actor.id) else None


def not_found(order_id: int) -> Refusal:
    """Refuse an unknown order, and in the same words another user's, so that nothing is given away (S1-46)."""
    return Refusal(Code.ORDER_NOT_FOUND, "there is no such order", {"order_id": str(order_id)})


def denied(actor: Actor, order_id: int, order: Order | None) -> Refusal | None:
    """Return why this actor may not act on this order, or None if it may."""
    if order is None or (actor.type == "user" and order.user_id != actor.id):
        return not_found(order_id)
    return None
