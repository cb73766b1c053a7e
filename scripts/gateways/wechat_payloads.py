"""The data that WeChat Pay sends about payments and refunds, built from the ledger."""

from datetime import datetime
from typing import Any

from scripts.gateways import wechat_protocol as protocol
from scripts.gateways.ledger import Payment, Refund
from scripts.gateways.wechat_account import APPID, MCHID


def transaction(payment: Payment, state: str, now: datetime) -> dict[str, Any]:
    """Return the transaction for a query or a notification."""
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
    """Return the refund for the response of its request or query."""
    return protocol.refund_answer(**_about(refund, refund.done(now)))


def refund_notification(refund: Refund) -> dict[str, Any]:
    """Return the refund for the notification that it is done."""
    return protocol.refund_notification(mchid=MCHID, **_about(refund, done=True))
