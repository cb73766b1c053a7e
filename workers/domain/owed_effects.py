"""What a step of an order owes to others: its policy and its place in a split order leave some effects out."""

from workers.domain.order import TRANSITIONS, Effect, Order, OrderKind, State, Trigger
from workers.domain.shop import DeductOn

T, E = Trigger, Effect

COMMITS = {T.RESERVED: DeductOn.CREATE, **dict.fromkeys((T.NOTHING_TO_PAY, T.CAPTURED, T.AUTHORIZED), DeductOn.PAY)}
"""Trigger -> the policy under which this step deducts the stock.

Under DeductOn.SHIP the first parcel that leaves deducts it (C-07).
"""
_GOODS = frozenset({E.STOCK_COMMIT, E.STOCK_RELEASE, E.STOCK_RESTOCK, E.POINTS_AWARDED, E.HAND_OVER})
_MONEY = frozenset(
    {
        E.SAGA_TIMER_STARTS,
        E.SAGA_TIMER_ENDS,
        E.STOCK_RESERVE,
        E.CAPTURE_KEPT,
        E.CAPTURE_REFUNDED,
        E.PAYMENT_TIMER_STARTS,
        E.PAYMENT_TIMER_ENDS,
        E.BENEFITS_USED,
        E.BENEFITS_RETURNED,
        E.CART_EMPTIED,
    }
)
OWED_BY_RELATIVES = {OrderKind.SPLIT_PARENT: _GOODS, OrderKind.SPLIT_CHILD: _MONEY}
"""Kind -> effects that it never owes: the parent of a split order owes money effects, its children goods (C-31)."""


def owed(order: Order, trigger: Trigger) -> tuple[Effect, ...]:
    """Return the effects of this step of the order, which allows it."""
    skipped = OWED_BY_RELATIVES.get(order.kind, frozenset())
    if COMMITS.get(trigger, order.deduct_on) != order.deduct_on:
        skipped |= {Effect.STOCK_COMMIT}
    deducted = order.deduct_on == DeductOn.CREATE and order.state is State.AWAITING_PAYMENT
    turned = {Effect.STOCK_RELEASE: Effect.STOCK_RESTOCK} if deducted else {}
    effects = TRANSITIONS[order.state, trigger].effects
    return tuple(turned.get(effect, effect) for effect in effects if effect not in skipped)
