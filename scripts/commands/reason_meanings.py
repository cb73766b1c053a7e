"""What each reason of a dead letter means, and what to do about it."""

from messages.reasons import Reason

REASONS: dict[str, str] = {
    Reason.INVALID: "It could not be read, or came by the wrong exchange or key: its sender has to change it; discard",
    Reason.ID_REUSE: "Its `message_id` was used before with another body: its sender has to change it; discard",
    Reason.FAILED: "Its handler raised at each of `OMS_ATTEMPTS_MAX` tries: fix the cause, replay",
    Reason.IMPOSSIBLE: "An assertion failed, which is a defect of oms: report it, replay after the fix",
    Reason.UNROUTABLE: "No queue takes its routing key: `replay ID --to QUEUE`, or discard",
    Reason.UNKNOWN: "It came to a dead-letter queue without a reason of ours: look at its headers",
    Reason.UNTRUSTED_USER: "A fact from a broker user to whom `OMS_ROLES` gives no role that may report it",
    Reason.WRONG_CELL: "It leads to no cell, to several, or to one that gave it back: its sender names the cell, or "
    "sends a message to each; or give all workers the same `OMS_CELLS`, then replay",
    Reason.ORDER_UNKNOWN: "Its order did not come in 43 minutes: money or goods for it are real, so find out",
    Reason.ORDER_PLACING: "Its order was still being placed: replay once the order has left `placing`",
    Reason.ORDER_NOT_PAID: "A parcel of an order that was not paid: replay once it is paid",
    Reason.PARCEL_UNKNOWN: "A carrier's fact about a parcel that nobody booked: book it, replay",
    Reason.REFUND_UNKNOWN: "A refund number that is not ours: compare with the provider",
    Reason.STOCK_NOT_THERE_YET: "A stock message whose predecessor never came: look for that one's dead letter first",
    Reason.CARRIER_UNKNOWN: "The carrier did not answer at any try: replay, it books under the same number",
    Reason.NOTIFICATION_UNKNOWN: "The server of a medium gave no definite answer at any try: replay once it does",
    Reason.CERTIFICATE_UNKNOWN: "The provider's certificate could not be fetched: replay once it can",
    Reason.PROVIDER_NOT_CONFIGURED: "No worker of this queue has the provider's settings: set them, replay",
    Reason.PROVIDER_UNKNOWN: "The provider did not answer at any try: replay",
    Reason.FACT_DIFFERS: "The same fact came before with other content: find out from its sender which one is true",
    Reason.HAND_OVER_UNKNOWN: "A warehouse reports an order that it was not to ship: find out which one it means",
    Reason.INTENT_UNKNOWN: "A payment for an intent that does not pay this order: find out whose money it is",
    Reason.PARCEL_OF_ANOTHER_ORDER: "The order has nothing in this parcel, or the number is another user's",
    Reason.REFUND_AMOUNT_DIFFERS: "A refund result has another amount or currency than the refund",
    Reason.TEMPLATE_FAILED: "A template has an error, in the file and line that the text names: mend it, replay",
    "delivery_limit": "The broker gave up: the message ended its process 50 times",
}
