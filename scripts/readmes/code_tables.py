"""The codes of rejections and alerts, and the reasons of dead letters, each with what it means and what to do."""

from messages.base import MessageCode
from messages.reasons import Reason
from scripts.readmes.markdown import table
from workers.domain.codes import Code

CODES: dict[str, str] = {
    Code.AUTH_FORBIDDEN: "The broker user may not send this, or a user acts for another user",
    Code.AUTH_REQUIRED: "Unknown sender (set `user_id` to your broker user), a wrong or expired token, or no `actor`",
    Code.IDEMPOTENCY_CONFLICT: "This `request_id` was used before with another payload: use a new one",
    Code.ORDER_ADDRESS_MISSING: "The order has goods to ship and no address",
    Code.ORDER_AMOUNT_LIST_INVALID: "A term in `amounts` differs from our price",
    Code.ORDER_BUSINESS_TYPE_INVALID: "The business type is unknown, or its settings contradict each other",
    Code.ORDER_CHANNEL_INVALID: "The sales channel is unknown",
    Code.ORDER_ITEMS_EMPTY: "The order has no line",
    Code.ORDER_PARAM_INVALID: "A field is well-formed and makes no sense; `details.field` names it",
    Code.ORDER_PAYMENT_LIST_INVALID: "`payments` names an unknown way to pay",
    Code.ORDER_PRICE_MISMATCH: "The expected price is not ours: ask for the price again",
    Code.PRODUCT_NOT_FOUND: "A SKU is unknown",
    Code.PRODUCT_NOT_ON_SALE: "A SKU is not for sale now",
    Code.RISK_BLOCKED: "The risk check rejected the order",
    Code.RISK_CAPTCHA_REQUIRED: "The risk check wants a captcha first",
    Code.RISK_RATE_LIMITED: "The user placed too many orders in a short time",
    Code.ORDER_ADDRESS_ALREADY_CHANGED: "An address can be changed once",
    Code.ORDER_ADDRESS_LOCKED: "The goods are on their way, the order has ended, or the address is in another country",
    Code.ORDER_HELD: "The order is held: nothing of it leaves until the hold is released",
    Code.ORDER_HOLD_AMBIGUOUS: "The order has several holds; `details.holds` has their ids: name one in `hold_id`",
    Code.ORDER_NOT_CANCELLABLE: "The order is being placed, a parcel is out, or the order has ended",
    Code.ORDER_NOT_DELETABLE: "Only orders that have ended can be hidden",
    Code.ORDER_NOT_FOUND: "There is no such order, or it is another user's",
    Code.ORDER_NOT_HELD: "The order has no such hold, or has ended",
    Code.ORDER_NOT_MERGEABLE: "Orders are paid together if all are unpaid, one user's and in one currency",
    Code.ORDER_SAGA_TIMEOUT: "Not everything could be reserved in time",
    Code.ORDER_SHORTAGE_INVALID: "Fewer units of the SKU are in the warehouse, or no shortage waits for an answer",
    Code.ORDER_STATE_INVALID: "The state of the order does not allow this",
    Code.ORDER_VERSION_BEHIND: "The order has not yet reached the version that `min_version` names; ask again",
    Code.SUBJECT_CURSOR_INVALID: "`cursor` is not the `next` of a part of an export",
    Code.SUBJECT_HAS_LIVE_ORDERS: "The user cannot be erased yet; `details` lists what is under way",
    Code.COUPON_ALREADY_LOCKED: "The coupon is held by another order",
    Code.COUPON_NOT_FOUND: "The user has no such coupon, or there is no such template",
    Code.COUPON_NOT_USABLE: "The coupon does not fit; `details` says why",
    Code.POINTS_INSUFFICIENT: "The user has fewer points",
    Code.POINTS_RULE: "Points cannot be used, or granted, like this; `details` says why",
    Code.PROMOTION_INVALID: "A promotion or template contradicts itself or overlaps with another",
    Code.CATALOGUE_ENTRY_UNKNOWN: "`revision.reset` names an entry that does not exist",
    Code.CATALOGUE_REVISION_STEP: "The revision is too far above the stored one; `details.max` is the highest",
    Code.INVENTORY_ELSEWHERE: "Stock has a database of its own; ask the system that keeps it.",
    Code.INVENTORY_INSUFFICIENT: "A line is out of stock; `details` says which",
    Code.INVENTORY_INVARIANT: "The correction would leave less stock than orders hold, or more than a counter takes",
    Code.INVENTORY_SKU_UNKNOWN: "The warehouse never had this SKU",
    Code.LOGISTICS_AFTER_DELIVERY: "Alert: a parcel was refused, lost or came back after it was delivered",
    Code.LOGISTICS_BOOKING_FAILED: "The parcel holds units that are not left, or its carrier refuses it",
    Code.LOGISTICS_CANCEL_REFUSED: "Alert: a carrier does not cancel a waybill that no parcel uses: call it",
    Code.LOGISTICS_EVENT_STALE: "Alert: a parcel moved although its order had ended or its money is on its way back",
    Code.FULFILMENT_AFTER_CANCEL: "Alert: a warehouse handed over goods whose request was withdrawn or replaced",
    Code.FULFILMENT_CANCEL_UNANSWERED: "Alert: a warehouse does not say whether it could stop a cancelled order",
    Code.FULFILMENT_NOT_OPEN: "`fulfilment.get` asks for a request that is done, refused or withdrawn",
    Code.FULFILMENT_REFUSED: "Alert: a warehouse refused to ship an order: cancel it, or ship it otherwise",
    Code.PAY_ALREADY_PAID: "The order is paid",
    Code.PAY_AMOUNT_MISMATCH: "The amount is not what is due (also an alert: another amount was captured)",
    Code.PAY_CALLBACK_INVALID: "A notification that cannot be read",
    Code.PAY_CALLBACK_STALE: "A notification that was signed too long ago",
    Code.PAY_DISPUTED: "Alert: a buyer disputes a payment at the provider, or the dispute ended",
    Code.PAY_EXPIRED: "The payment window is over",
    Code.PAY_MERCHANT_MISMATCH: "A notification for another merchant",
    Code.PAY_METHOD_INVALID: "The provider or method is unknown or has no settings here",
    Code.PAY_PARAM_INVALID: "The provider does not offer this scene, currency or intent",
    Code.PAY_PROVIDER_ERROR: "The provider refused; `details.provider_code` says why (also an alert: a refund failed)",
    Code.PAY_PROVIDER_UNKNOWN: "The provider did not answer in time: try again",
    Code.PAY_REFUND_EXCEEDS: "More than is captured and left",
    Code.PAY_REFUND_FOREIGN: "Alert: a provider gave money back that nobody had requested here",
    Code.PAY_SIGNATURE_INVALID: "A notification whose signature does not fit its bytes",
    Code.RECONCILE_FILE_INVALID: "The statement is not in the provider's layout, or of another day",
    Code.REFUND_NOT_ALLOWED: "The order or the named refund does not allow it; the message says why",
    MessageCode.MESSAGE_INVALID: "A command that could not be read; `details.path` is the JSON path",
    MessageCode.MESSAGE_EXPIRED: "The message's own `expiration` passed before it was handled: send it again",
    MessageCode.QUERY_INVALID: "A query that could not be read; `path` is the JSON path",
    MessageCode.SYSTEM_ERROR: "A query that failed here: ask again",
    MessageCode.MESSAGE_REFUSED: "Alert: the broker refuses a message of ours whenever it is sent; it is held",
    MessageCode.EXCHANGE_REFUSED: "Alert: an exchange is missing or closed to us, and all its messages wait",
    MessageCode.SUBSCRIBER_REFUSES: "Alert: the queue of a subscriber refuses events, which it will never get",
}

REASONS: dict[str, str] = {
    Reason.INVALID: "It could not be read, or came by the wrong exchange or key: its sender has to change it; discard",
    Reason.ID_REUSE: "Its `message_id` was used before with another body: its sender has to change it; discard",
    Reason.FAILED: "Its handler raised at each of `OMS_ATTEMPTS_MAX` tries: fix the cause, replay",
    Reason.IMPOSSIBLE: "An assertion failed, which is a defect of oms: report it, replay after the fix",
    Reason.UNROUTABLE: "No queue takes its routing key: `replay ID --to QUEUE`, or discard",
    Reason.UNKNOWN: "It came to a dead-letter queue without a reason of ours: look at its headers",
    Reason.UNTRUSTED_USER: "A fact from a broker user to whom `OMS_ROLES` gives no role that may report it",
    Reason.ORDER_UNKNOWN: "Its order did not come in 43 minutes: money or goods for it are real, so find out",
    Reason.ORDER_PLACING: "Its order was still being placed: replay once the order has left `placing`",
    Reason.ORDER_NOT_PAID: "A parcel of an order that was not paid: replay once it is paid",
    Reason.PARCEL_UNKNOWN: "A carrier's fact about a parcel that nobody booked: book it, replay",
    Reason.REFUND_UNKNOWN: "A refund number that is not ours: compare with the provider",
    Reason.STOCK_NOT_THERE_YET: "A stock message whose predecessor never came: look for that one's dead letter first",
    Reason.CARRIER_UNKNOWN: "The carrier did not answer at any try: replay, it books under the same number",
    Reason.CERTIFICATE_UNKNOWN: "The provider's certificate could not be fetched: replay once it can",
    Reason.PROVIDER_NOT_CONFIGURED: "No worker of this queue has the provider's settings: set them, replay",
    Reason.PROVIDER_UNKNOWN: "The provider did not answer at any try: replay",
    Reason.FACT_DIFFERS: "The same fact came before with other content: find out from its sender which one is true",
    Reason.HAND_OVER_UNKNOWN: "A warehouse reports an order that it was not to ship: find out which one it means",
    Reason.INTENT_UNKNOWN: "A payment for an intent that does not pay this order: find out whose money it is",
    Reason.PARCEL_OF_ANOTHER_ORDER: "The order has nothing in this parcel, or the number is another user's",
    Reason.REFUND_AMOUNT_DIFFERS: "A refund result has another amount or currency than the refund",
    "delivery_limit": "The broker gave up: the message ended its process 50 times",
}


def code_table() -> str:
    """One row per code."""
    return table(("code", "it means"), [(f"`{code}`", CODES[code]) for code in (*Code, *MessageCode)])


def reason_table() -> str:
    """One row per reason of a dead letter."""
    return table(("reason", "it means; what to do"), [(f"`{reason}`", REASONS[reason]) for reason in ALL_REASONS])


ALL_REASONS = (*Reason, "delivery_limit")
