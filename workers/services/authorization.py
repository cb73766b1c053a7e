"""Who may say what: users act on their own orders, operators come from trusted broker users (S0-31, S1-46)."""

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


SOMEBODY_ELSE = Refusal(Code.AUTH_FORBIDDEN, "a user speaks for nobody else")


def who(actor: Actor) -> Who:
    """The actor for the operate log."""
    return Who(actor.type, actor.id)


def unvouched(item: Envelope[Any]) -> Refusal | None:
    """Refuse what only trusted broker users may say (for operators, say), and who speaks as one user for another."""
    actor = getattr(item.body, "actor", None)
    for_trusted = item.body.TRUSTED_ONLY or (actor is not None and actor.type != "user")
    if for_trusted and not item.trusted:
        return FORBIDDEN
    named = getattr(item.body, "user_id", None)
    return SOMEBODY_ELSE if actor and actor.type == "user" and named not in (None, actor.id) else None


def not_found(order_id: int) -> Refusal:
    """Also the answer for another user's order, so that nothing is given away (S1-46)."""
    return Refusal(Code.ORDER_NOT_FOUND, "there is no such order", {"order_id": str(order_id)})


def denied(actor: Actor, order_id: int, order: Order | None) -> Refusal | None:
    """Why this actor may not act on this order, or None when it may."""
    if order is None or (actor.type == "user" and order.user_id != actor.id):
        return not_found(order_id)
    return None
