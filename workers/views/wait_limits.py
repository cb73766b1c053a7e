"""How long each thing may be awaited before it counts as stuck, and the code of the alert that says so.

Two things have no limit, because what stops them ends itself: a warehouse that a hold stopped (`resumption`) goes on
after the hold, and an exchange order (`case_outcome`) after its case.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from workers.domain.codes import Code
from workers.views.awaits import Awaited, Awaits

MINUTE, HOUR, DAY = 60, 3600, 86_400


@dataclass(frozen=True)
class WaitLimit:
    """After how many `seconds` a wait is too long, and why. `code` is that of its alert.

    A wait that a timer ends (`from_timer`) counts from the time of the timer, any other from its beginning.
    """

    seconds: int
    code: Code
    why: str
    from_timer: bool = False


LIMITS: Mapping[Awaits, WaitLimit] = {
    Awaits.RELEASE: WaitLimit(DAY, Code.ORDER_STUCK, "people look into a hold within a working day"),
    Awaits.GROUP: WaitLimit(
        15 * MINUTE, Code.ORDER_STUCK, "the timer ends the group once payment results have caught up", True
    ),
    Awaits.GROUP_OUTCOME: WaitLimit(
        5 * MINUTE, Code.ORDER_STUCK, "messages from a group that has ended to its orders travel in seconds"
    ),
    Awaits.DECISION: WaitLimit(
        10 * MINUTE, Code.ORDER_STUCK, "the shortage timer decides for the buyer, and is woken each second", True
    ),
    Awaits.CAPTCHA: WaitLimit(
        5 * MINUTE, Code.ORDER_STUCK, "the saga timer rejects the order, and is woken each second", True
    ),
    Awaits.RESERVATION: WaitLimit(
        5 * MINUTE, Code.INVENTORY_STUCK, "the saga timer rejects the order, and is woken each second", True
    ),
    Awaits.PAYMENT: WaitLimit(
        15 * MINUTE, Code.ORDER_STUCK, "the payment timer cancels the order once payment results have caught up", True
    ),
    Awaits.PAYMENT_RESULT: WaitLimit(
        2 * HOUR, Code.PAY_STUCK, "an attempt that has expired is polled at least once an hour", True
    ),
    Awaits.CAPTURE: WaitLimit(2 * HOUR, Code.PAY_STUCK, "a provider captures in seconds, and is polled each hour"),
    Awaits.CAPTURE_AGAIN: WaitLimit(4 * HOUR, Code.PAY_STUCK, "goods have left, and an authorisation expires in days"),
    Awaits.CANCELLATION_WITHDRAWN: WaitLimit(
        10 * MINUTE, Code.ORDER_STUCK, "the timer cancels the order, and is woken each second", True
    ),
    Awaits.ACCEPTANCE: WaitLimit(4 * HOUR, Code.FULFILMENT_STUCK, "a warehouse accepts within half a shift"),
    Awaits.HAND_OVER: WaitLimit(2 * DAY, Code.FULFILMENT_STUCK, "goods leave on the next working day"),
    Awaits.CANCEL_ANSWER: WaitLimit(4 * HOUR, Code.FULFILMENT_STUCK, "a warehouse knows within half a shift"),
    Awaits.OTHER_WAREHOUSE: WaitLimit(4 * HOUR, Code.FULFILMENT_STUCK, "a paid order has no warehouse meanwhile"),
    Awaits.PARCEL: WaitLimit(2 * DAY, Code.ORDER_STUCK, "goods leave on the next working day"),
    Awaits.BOOKING: WaitLimit(HOUR, Code.LOGISTICS_STUCK, "a carrier books in seconds, and is called again"),
    Awaits.BOOKING_CANCELLED: WaitLimit(DAY, Code.LOGISTICS_STUCK, "a booking costs money once its day is over"),
    Awaits.PICK_UP: WaitLimit(2 * DAY, Code.LOGISTICS_STUCK, "carriers come each working day"),
    Awaits.DELIVERY: WaitLimit(10 * DAY, Code.LOGISTICS_STUCK, "most parcels arrive in a week, abroad in ten days"),
    Awaits.RETURN: WaitLimit(21 * DAY, Code.LOGISTICS_STUCK, "carriers look for a lost parcel for three weeks"),
    Awaits.RECEIPT: WaitLimit(
        2 * HOUR, Code.ORDER_STUCK, "the receipt timer completes the order, after a case within the hour", True
    ),
    Awaits.REFUND: WaitLimit(DAY, Code.PAY_STUCK, "providers answer within a day, a bank's holiday aside"),
    Awaits.REFUND_AGAIN: WaitLimit(DAY, Code.PAY_STUCK, "a buyer waits for this money, and no timer does anything"),
    Awaits.CASE_REVIEW: WaitLimit(3 * DAY, Code.AFTERSALE_STUCK, "the policy decides after two days by default"),
    Awaits.CASE_RETURN: WaitLimit(
        DAY, Code.AFTERSALE_STUCK, "the timer closes a case whose goods do not come back", True
    ),
    Awaits.CASE_ARRIVAL: WaitLimit(10 * DAY, Code.AFTERSALE_STUCK, "as long as a parcel to the buyer"),
    Awaits.CASE_INSPECTION: WaitLimit(3 * DAY, Code.AFTERSALE_STUCK, "the goods are there, and the buyer waits"),
    Awaits.CASE_DECISION: WaitLimit(3 * DAY, Code.AFTERSALE_STUCK, "as long as a review"),
    Awaits.CASE_STOCK: WaitLimit(HOUR, Code.INVENTORY_STUCK, "stock answers in seconds"),
    Awaits.CASE_PAYMENT: WaitLimit(
        HOUR, Code.AFTERSALE_STUCK, "the exchange order ends with its payment window, and the money goes back", True
    ),
    Awaits.CASE_GOODS: WaitLimit(14 * DAY, Code.AFTERSALE_STUCK, "the warehouse takes some days, and the carrier ten"),
    Awaits.CASE_REFUND: WaitLimit(DAY, Code.PAY_STUCK, "as any refund"),
    Awaits.CASE_REFUND_AGAIN: WaitLimit(DAY, Code.PAY_STUCK, "as any refund that failed"),
    Awaits.CASE_SEND_BACK: WaitLimit(3 * DAY, Code.AFTERSALE_STUCK, "as long as an inspection"),
    Awaits.DISPUTE_ANSWER: WaitLimit(3 * DAY, Code.PAY_STUCK, "providers give a week or two, and a proof takes days"),
    Awaits.DISPUTE_DECISION: WaitLimit(90 * DAY, Code.PAY_STUCK, "banks take up to three months"),
}
"""What is awaited -> its limit. The setting OMS_STUCK_AFTER_SECONDS changes the seconds of some."""


def limit_seconds(what: Awaits, changed: Mapping[str, int]) -> int:
    """Return the limit of a kind of wait; `changed` has those of the settings."""
    return changed.get(what, LIMITS[what].seconds)


def which(one: Awaited) -> str:
    """Return what tells a wait from others of its kind and order, as stuck.find does: a name, a number, or both."""
    return " ".join(filter(None, (one.name, one.ref)))
