"""What WeChat Pay says of a payment and of a refund, out of the ledger."""

from datetime import datetime
from typing import Any

from scripts.gateways import wechat_protocol as protocol
from scripts.gateways.ledger import Payment, Refund
from scripts.gateways.wechat_account import APPID, MCHID


def transaction(payment: Payment, state: str, now: datetime) -> dict[str, Any]:
    """As a query and a notification say it."""
    return protocol.transaction(
        mchid=MCHID,
        appid=APPID,
        out_trade_no=payment.number,
        transaction_id=payment.trade_no,
        total=payment.captured or payment.amount,
        at=payment.paid_at or now,
        state=state,
    )


def _about(refund: Refund, done: bool) -> dict[str, Any]:
    return {
        "out_trade_no": refund.payment.number,
        "transaction_id": refund.payment.trade_no,
        "out_refund_no": refund.number,
        "refund_id": refund.refund_no,
        "refund": refund.amount,
        "total": refund.payment.captured,
        "at": refund.done_at if done else refund.at,
        "state": "SUCCESS" if done else "PROCESSING",
    }


def refund_answer(refund: Refund, now: datetime) -> dict[str, Any]:
    """As the refund's own call and a question about it are answered."""
    return protocol.refund_answer(**_about(refund, refund.done(now)))


def refund_notification(refund: Refund) -> dict[str, Any]:
    """As a notification says it, once it is done."""
    return protocol.refund_notification(mchid=MCHID, **_about(refund, done=True))
