"""What payment services, providers and operators send about refunds and disputes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from messages.disputes import DisputeSubmitEvidence
from messages.payments import DisputeObserved
from messages.refunds import RefundRequest, RefundResult
from tests.handlers.builders import OPERATOR

AT = datetime(2026, 1, 1, tzinfo=UTC)


def refund_result(event: dict[str, Any], status: str = "succeeded", **changes: object) -> RefundResult:
    """The result that a payment service reports for a refund.requested."""
    fields = {key: event[key] for key in ("refund_no", "amount", "currency")}
    return RefundResult.model_validate_json(
        orjson.dumps(fields | {"status": status, "occurred_at": "2026-01-01T00:00:00Z"} | changes)
    )


def request_refund(
    order_id: int, request_id: str, amount: int = 1000, refund_no: str | None = None, **more: Any
) -> RefundRequest:
    """An operator requests a refund, under the number of a failed one if given."""
    return RefundRequest(
        request_id=request_id,
        actor=more.pop("actor", OPERATOR),
        reason="scratched",
        order_id=order_id,
        amount=amount,
        refund_no=refund_no,
        **more,
    )


def evidence(request_id: str = "e1", *references: str, **changes: Any) -> DisputeSubmitEvidence:
    """An operator has submitted something against the dispute D1."""
    fields: dict[str, Any] = {
        "request_id": request_id,
        "actor": OPERATOR,
        "provider": "alipay",
        "dispute_no": "D1",
        "evidence": references or ("proof/1.pdf",),
        "description": "signed by Ada, 13812345678",
    }
    return DisputeSubmitEvidence(**fields | changes)


def dispute(state: str = "opened", amount: int = 400, days: int = 0, **changes: Any) -> DisputeObserved:
    """What PayPal answers about the dispute D1 after so many days."""
    fields: dict[str, Any] = {
        "provider": "alipay",
        "dispute_no": "D1",
        "trade_no": "t1",
        "state": state,
        "amount": amount,
        "currency": "CNY",
        "occurred_at": AT + timedelta(days=days),
    }
    return DisputeObserved(**fields | changes)
