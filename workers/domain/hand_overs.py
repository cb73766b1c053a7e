"""Hand-overs: the part of an order that one warehouse ships, and how far it is.

    a fact about the request's number   requested    accepted ... packed   handed over   refused       withdrawn
    ----------------------------------  -----------  --------------------  ------------  ------------  ------------
    accept, pick, pack, hand over       moves on     moves on, never back  late          contradicts   late
    refuse                              refused      contradicts           contradicts   late          late
    cancel accepted                     contradicts  withdrawn             contradicts   late          late
    cancel refused                      goes on      goes on               goes on       late          late

A fact about an earlier number, or a refusal of an earlier cancellation, is late; one about a number that was never
sent contradicts. What is late changes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto

from workers.domain.order import IN_WAREHOUSE, Order, State, Trigger


class HandOverState(StrEnum):
    """The states of a hand-over."""

    REQUESTED = "requested"
    ACCEPTED = "accepted"
    PICKING = "picking"
    PACKED = "packed"
    HANDED_OVER = "handed_over"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


H = HandOverState
WAY = (H.REQUESTED, H.ACCEPTED, H.PICKING, H.PACKED, H.HANDED_OVER)
"""A hand-over passes these states in this order, and may skip some."""
AT_WORK = frozenset({H.ACCEPTED, H.PICKING, H.PACKED})
"""The warehouse has accepted, and the goods are still with it."""
OPEN = AT_WORK | {H.REQUESTED}
ENDED = frozenset({State.CANCELLED, State.REJECTED})


class Unmoved(Enum):
    """Why a fact does not move a hand-over."""

    LATE = auto()
    CONTRADICTS = auto()


@dataclass(frozen=True)
class HandOver:
    """The part of an order that one warehouse ships.

    `number` counts the requests: goods or address may change until the warehouse has accepted. `units` and
    `address_changes` are those of the newest request. `cancel_no` is that of a cancellation that is not answered.
    """

    order_id: int
    warehouse: str
    state: HandOverState
    number: int
    units: int
    address_changes: int
    cancel_no: int | None = None
    ref: str | None = None
    reason_code: str | None = None


@dataclass(frozen=True)
class WarehouseShare:
    """What an order has at one warehouse now: units to ship or shipped, those that have not left, address changes."""

    units: int
    left: int
    address_changes: int


class Ask(StrEnum):
    """What we want of a warehouse, so that its hand-over is in line with its order."""

    SHIP = "ship"
    CANCEL = "cancel"
    WITHDRAW = "withdraw"


def after_step(hand_over: HandOver, to: HandOverState, number: int) -> HandOver | Unmoved:
    """The hand-over after the warehouse reported this step of this request."""
    if number > hand_over.number:
        return Unmoved.CONTRADICTS
    if number < hand_over.number or hand_over.state is H.WITHDRAWN:
        return Unmoved.LATE
    if to is H.REFUSED:
        if hand_over.state is H.REQUESTED:
            return replace(hand_over, state=to)
        return Unmoved.LATE if hand_over.state is to else Unmoved.CONTRADICTS
    if hand_over.state is H.REFUSED:
        return Unmoved.CONTRADICTS
    moves = WAY.index(to) > WAY.index(hand_over.state)
    return replace(hand_over, state=to) if moves else Unmoved.LATE


def after_answer(hand_over: HandOver, cancel_no: int, number: int, *, stops: bool) -> HandOver | Unmoved:
    """The hand-over after the warehouse answered a cancellation: it `stops`, or it goes on.

    A warehouse that stops has stopped, also if the order goes on meanwhile; a refusal counts for the newest
    cancellation only.
    """
    pending = hand_over.cancel_no
    if number > hand_over.number or (pending is not None and cancel_no > pending):
        return Unmoved.CONTRADICTS
    if number < hand_over.number or hand_over.state in {H.WITHDRAWN, H.REFUSED}:
        return Unmoved.LATE
    if stops:
        stopped = replace(hand_over, state=H.WITHDRAWN, cancel_no=None)
        return stopped if hand_over.state in AT_WORK else Unmoved.CONTRADICTS
    return replace(hand_over, cancel_no=None) if cancel_no == pending else Unmoved.LATE


def review(order: Order, share: WarehouseShare, hand_over: HandOver) -> tuple[HandOver, Ask | None]:
    """Bring a hand-over in line with its order: it as it should be, and what to ask its warehouse for, if anything.

    A hand-over that does not exist yet is given as a withdrawn one with the number 0.
    """
    withdrawn = replace(hand_over, state=H.WITHDRAWN, cancel_no=None), Ask.WITHDRAW
    is_open = hand_over.state in OPEN
    if order.state is State.CANCELLING:
        if hand_over.state is H.REQUESTED:
            return withdrawn
        ends = is_open and hand_over.cancel_no is None
        return (replace(hand_over, cancel_no=order.version), Ask.CANCEL) if ends else (hand_over, None)
    if order.state in IN_WAREHOUSE:
        return _review_live(share, replace(hand_over, cancel_no=None), withdrawn, held=order.held)
    if not is_open:
        return hand_over, None
    if order.state in ENDED or share.units == 0:
        return withdrawn
    # A warehouse still has a rest that is dropped, and one that stopped for a hold waits for its end.
    waits = order.held or share.units != hand_over.units
    return replace(hand_over, state=H.HANDED_OVER, cancel_no=None), Ask.WITHDRAW if waits else None


def _review_live(
    share: WarehouseShare, hand_over: HandOver, withdrawn: tuple[HandOver, Ask], *, held: bool
) -> tuple[HandOver, Ask | None]:
    """Review a hand-over of an order that is paid and has not left as a whole."""
    state = hand_over.state
    request = replace(hand_over, units=share.units, address_changes=share.address_changes)
    if state is H.WITHDRAWN:
        asks = share.left > 0 and not held
        anew = replace(request, state=H.REQUESTED, number=hand_over.number + 1, reason_code=None)
        return (anew, Ask.SHIP) if asks else (hand_over, None)
    if state in OPEN and (share.units == 0 or (held and state is H.REQUESTED)):
        return withdrawn
    if held and state is H.REFUSED:  # a person decides, and the release requests it anew
        return replace(hand_over, state=H.WITHDRAWN), None
    if state is H.REQUESTED and request != hand_over:
        return replace(request, number=hand_over.number + 1), Ask.SHIP
    if state in AT_WORK and share.units != hand_over.units:
        return replace(hand_over, units=share.units), Ask.SHIP
    return hand_over, None


def cancel_trigger(hand_overs: Iterable[HandOver]) -> Trigger | None:
    """The step of an order that is cancelling, or None while a warehouse has to answer. A refusal is a step at once."""
    states = {one.state for one in hand_overs}
    if H.HANDED_OVER in states:
        return Trigger.CANCEL_REFUSED
    return None if states & OPEN else Trigger.CANCEL_ACCEPTED
