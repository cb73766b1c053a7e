"""Decides who may send what: each message names the roles of its senders, and users act on their own (S0-31, S1-46)."""

from typing import Any

from messages.base import Actor
from messages.envelope import Envelope
from messages.roles import Role, may_send, speakers
from workers import shop
from workers.domain.book import Who
from workers.domain.codes import Code
from workers.domain.order import Order
from workers.domain.refusal import Refusal

FORBIDDEN = Refusal(Code.AUTH_FORBIDDEN, "only an operator may ask for this: the actor's type must be operator")
ANOTHER_SUBJECT = Refusal(Code.AUTH_FORBIDDEN, "the token is that of another actor: actor.id must be its subject")
ANOTHER_USER = Refusal(Code.AUTH_FORBIDDEN, "a user may not act for another user")


def who(actor: Actor) -> Who:
    """Return the actor as the operate log has it."""
    return Who(actor.type, actor.id)


def unvouched(item: Envelope[Any]) -> Refusal | None:
    """Return why the sender may not send this message, or None.

    The sender needs a role that the message names. A storefront speaks for users, never for an operator or for the
    system; and no user may act for another. With a token only its subject acts, or an operator for any buyer.
    """
    if item.token_fault is not None:
        return Refusal(Code.AUTH_REQUIRED, f"its token {item.token_fault}")
    actor = getattr(item.body, "actor", None)
    senders = speakers(item.body.SENDERS, actor and actor.type)
    if not may_send(senders, item.roles):
        return forbidden(senders, item.user, known=bool(item.user or item.roles))
    if actor and acts_for_another(item, actor):
        return ANOTHER_SUBJECT
    named = getattr(item.body, "user_id", None)
    return ANOTHER_USER if actor and actor.type == "user" and named not in (None, actor.id) else None


def acts_for_another(item: Envelope[Any], actor: Actor) -> bool:
    """True if the message has a token of another than its actor. An operator's token acts for any buyer."""
    if item.subject is None or item.subject == actor.id:
        return False
    return not (actor.type == "user" and Role.OPERATOR in item.granted)


def forbidden(senders: frozenset[Role], user: str | None, *, known: bool = True) -> Refusal:
    """Refuse a sender that has none of these roles: with AUTH_REQUIRED if it is not even known who it is."""
    sender = "a message without user_id" if user is None else "this broker user"
    roles = sorted(senders)
    why = f"{sender} has no role that may send it: publish as a broker user with the role {' or '.join(roles)}"
    code = Code.AUTH_FORBIDDEN if known else Code.AUTH_REQUIRED
    return Refusal(code, f"{why}, with user_id set to that user", {"roles": roles})


def works_for(item: Envelope[Any], warehouse: str) -> bool:
    """Tell whether the sender may move goods and stock of this warehouse.

    A user or a token that is bound to warehouses works for these. Others work for a warehouse whose users the settings
    do not name, or if they are among these.
    Whoever may send the message without the role warehouse, as operators may, works for every warehouse.
    """
    others = item.body.SENDERS - {Role.WAREHOUSE} | {Role.OPERATOR}
    if not others.isdisjoint(item.roles):
        return True
    if item.warehouses is not None:
        return warehouse in item.warehouses
    users = shop.current().fulfilment_warehouses.get(warehouse)
    return not users or item.user in users


def another_warehouse(item: Envelope[Any], *warehouses: str) -> Refusal | None:
    """Refuse a sender who does not work for all of these warehouses."""
    foreign = next((name for name in sorted(warehouses) if not works_for(item, name)), None)
    if foreign is None:
        return None
    return Refusal(Code.AUTH_FORBIDDEN, "this sender works for another warehouse", {"warehouse": foreign})


def not_found(order_id: int) -> Refusal:
    """Refuse an unknown order, and in the same words another user's, so that nothing is given away (S1-46)."""
    return Refusal(Code.ORDER_NOT_FOUND, "there is no such order", {"order_id": str(order_id)})


def denied(actor: Actor, order_id: int, order: Order | None) -> Refusal | None:
    """Return why this actor may not act on this order, or None if it may."""
    if order is None or (actor.type == "user" and order.user_id != actor.id):
        return not_found(order_id)
    return None
