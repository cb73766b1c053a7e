"""Why a message is tried again later or becomes a dead letter."""

from enum import StrEnum

BROKER_REASONS = ("delivery_limit", "rejected", "expired", "maxlen")
"""The reasons of messages that the broker itself dead-letters."""


class Reason(StrEnum):
    """Dead letters are grouped by their reason, and metrics count them by it. The broker has BROKER_REASONS besides."""

    # of any message
    INVALID = "invalid"
    ID_REUSE = "id_reuse"
    FAILED = "failed"
    IMPOSSIBLE = "impossible"
    UNROUTABLE = "unroutable"
    UNKNOWN = "unknown"
    UNTRUSTED_USER = "untrusted_user"
    WRONG_CELL = "wrong_cell"

    # something else has to come first: tried again, at last a dead letter
    ORDER_UNKNOWN = "order_unknown"
    ORDER_PLACING = "order_placing"
    ORDER_NOT_PAID = "order_not_paid"
    PARCEL_UNKNOWN = "parcel_unknown"
    REFUND_UNKNOWN = "refund_unknown"
    STOCK_NOT_THERE_YET = "stock_not_there_yet"
    CARRIER_UNKNOWN = "carrier_unknown"
    NOTIFICATION_UNKNOWN = "notification_unknown"
    CERTIFICATE_UNKNOWN = "certificate_unknown"
    PROVIDER_NOT_CONFIGURED = "provider_not_configured"
    PROVIDER_UNKNOWN = "provider_unknown"

    # contradicts what is known: a dead letter at once
    FACT_DIFFERS = "fact_differs"
    HAND_OVER_UNKNOWN = "hand_over_unknown"
    INTENT_UNKNOWN = "intent_unknown"
    PARCEL_OF_ANOTHER_ORDER = "parcel_of_another_order"
    REFUND_AMOUNT_DIFFERS = "refund_amount_differs"
    TEMPLATE_FAILED = "template_failed"
