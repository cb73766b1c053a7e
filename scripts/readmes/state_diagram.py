"""The life of an order as a Mermaid state diagram, drawn from the transition table."""

from collections.abc import Iterable

from workers.domain.order import TRANSITIONS, State, Trigger

WORDS = {
    Trigger.CREATED: "order.create",
    Trigger.RESERVED: "stock reserved",
    Trigger.REFUSED: "out of stock",
    Trigger.PLACING_EXPIRED: "placing timed out",
    Trigger.NOTHING_TO_PAY: "nothing to pay",
    Trigger.CAPTURED: "paid in full",
    Trigger.AUTHORIZED: "authorised in full",
    Trigger.CANCEL: "cancelled on request",
    Trigger.PAYMENT_EXPIRED: "not paid in time",
    Trigger.PAYMENT_FAILED: "payment failed (policy)",
    Trigger.ACCEPTED: "accepted by a warehouse",
    Trigger.CANCEL_ACCEPTED: "its warehouses have stopped",
    Trigger.CANCEL_REFUSED: "a warehouse goes on, or a parcel left",
    Trigger.REST_CANCELLED: "rest cancelled",
    Trigger.SHORTAGE: "units short",
    Trigger.ALL_SHORT: "all units short",
    Trigger.ALL_SHIPPED: "last unit left",
    Trigger.ALL_DELIVERED: "all parcels arrived",
    Trigger.ALL_FAILED: "no parcel arrives",
    Trigger.FAILURE_SETTLED: "parcels back or lost",
    Trigger.RECEIPT_CONFIRMED: "receipt confirmed",
    Trigger.RECEIPT_EXPIRED: "receipt window over",
    Trigger.ALL_RETURNED: "all of it came back (policy)",
    Trigger.RISK_REJECTED: "risk check failed",
    Trigger.EXCHANGE_ENDED: "its case sends nothing",
    Trigger.SPLIT: "children carry the goods",
    Trigger.MERGED: "merged with others",
    Trigger.LATE_CAPTURED: "paid late (policy)",
    Trigger.REINSTATED: "stock reserved again",
    Trigger.NOT_REINSTATED: "stock not to be had again",
    Trigger.ADDRESS_CHANGED: "address changed",
    Trigger.AMOUNT_CHANGED: "amount changed",
    Trigger.HELD: "held",
    Trigger.RELEASED: "hold released",
    Trigger.DELETED: "hidden from its buyer",
}
"""Each trigger as a reader says it."""


def state_diagram() -> str:
    """The diagram in a fenced block. Steps between the same two states share an arrow; steps that stay are left out."""
    arrows: dict[tuple[State, State], list[str]] = {}
    for (source, trigger), transition in TRANSITIONS.items():
        if transition.to is not source:
            arrows.setdefault((source, transition.to), []).append(WORDS[trigger])
    lines = [f"    [*] --> {State.PLACING}: {WORDS[Trigger.CREATED]}"]
    lines += [f"    {source} --> {target}: {label(words)}" for (source, target), words in arrows.items()]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])


def label(words: Iterable[str]) -> str:
    """The triggers of one arrow."""
    return ",<br>".join(words)
