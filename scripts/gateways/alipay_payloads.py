"""The data that Alipay sends about a payment, built from the ledger."""

from datetime import datetime

from scripts.gateways import alipay_protocol as protocol
from scripts.gateways.alipay_account import APP_ID, SELLER_ID
from scripts.gateways.ledger import Payment


def notification_fields(
    payment: Payment, at: datetime, notify_id: str, status: str = "TRADE_SUCCESS"
) -> dict[str, str]:
    """Return the fields of a notification that is sent now."""
    fields = protocol.trade_notification(
        app_id=APP_ID,
        seller_id=SELLER_ID,
        out_trade_no=payment.number,
        trade_no=payment.trade_no,
        total=payment.captured or payment.amount,
        at=payment.paid_at or at,
        notify_id=notify_id,
        status=status,
        subject=payment.request["subject"],
    )
    return {**fields, "notify_time": protocol.moment(at)}


def status(payment: Payment, now: datetime) -> str:
    """Return the trade_status that a query reports. A trade that was refunded completely is closed."""
    if payment.paid_at is not None:
        return "TRADE_CLOSED" if refunded(payment, now) == payment.captured else "TRADE_SUCCESS"
    return "TRADE_CLOSED" if payment.state == "closed" or payment.expired(now) else "WAIT_BUYER_PAY"


def refunded(payment: Payment, now: datetime) -> int:
    """Return how much the buyer has back by now, in fen."""
    return sum(refund.amount for refund in payment.refunds if refund.done(now))


def fen(yuan: str) -> int:
    """Parse an amount: "1.23" -> 123. Raises ValueError."""
    whole, point, part = yuan.partition(".")
    if not (whole.isdigit() and (part.isdigit() and len(part) <= 2 if point else True)):
        raise ValueError("no amount in yuan")
    return int(whole + part.ljust(2, "0"))
