"""Source document S0: orders, order_items, payments, shipments, aftersales; UUIDs, decimals (S0-20 to S0-24)."""

from typing import Any
from uuid import UUID, uuid5

from workers.domain.after_sales import AfterSaleCase
from workers.domain.money import render
from workers.views.attempts import attempt_state, returned_at
from workers.views.codes import CASE_TYPE_S0
from workers.views.facets import aftersale
from workers.views.keys import uuid_of
from workers.views.status import Status
from workers.views.whole import Line, RecordedPayment, Shipment, Whole

Table = dict[str, Any]


def document(whole: Whole, status: Status) -> dict[str, Any]:
    """The order in S0's tables. A client pays total_amount - discount_amount + shipping_fee + tax_amount."""
    return {
        "orders": _order(whole, status),
        "order_items": [_item(whole, line) for line in whole.lines],
        "payments": [_payment(whole, fact) for fact in whole.facts],
        "shipments": [_shipment(whole, shipment) for shipment in whole.shipments if shipment.case_id is None],
        "aftersales": [_case(whole, case) for case in whole.cases],
    }


def _order(whole: Whole, status: Status) -> Table:
    head = whole.head
    discount = head.promotion_amount + head.coupon_amount + head.points_amount + head.adjustment_amount
    return {
        "id": uuid_of(head.id),
        "user_id": head.user_id,
        "status": status.name,
        "channel": head.channel,
        "total_amount": render(head.origin_amount, head.currency),
        "discount_amount": render(discount, head.currency),
        "shipping_fee": render(head.shipping_fee + head.box_fee, head.currency),
        "tax_amount": render(head.tax_amount, head.currency),
        "created_at": head.created_at,
        "updated_at": head.updated_at,
        "paid_at": head.paid_at,
        "shipped_at": head.shipped_at,
        "completed_at": head.completed_at,
        "cancelled_at": head.cancelled_at,
        "aftersales_status": aftersale(whole.cases).value,
    }


def _item(whole: Whole, line: Line) -> Table:
    head = whole.head
    return {
        "id": str(UUID(int=(line.line_no << 64) | head.id)),
        "order_id": uuid_of(head.id),
        "product_id": line.spu_id,
        "sku_id": line.sku_id,
        "quantity": line.qty,
        "unit_price": render(line.unit_price, head.currency),
        "total_price": render(line.origin_amount, head.currency),
        "refund_status": refund_status(line),
        "created_at": head.created_at,
    }


def refund_status(line: Line) -> str:
    """The refund state: none, partial or full (S0-21)."""
    if line.refunded_qty == line.qty or (line.payable_amount > 0 and line.refunded_amount == line.payable_amount):
        return "full"
    return "partial" if line.refunded_qty or line.refunded_amount else "none"


def _payment(whole: Whole, fact: RecordedPayment) -> Table:
    return {
        "id": str(uuid5(UUID(int=whole.head.id), f"{fact.provider} {fact.trade_no} {fact.kind}")),
        "order_id": uuid_of(whole.head.id),
        "payment_method": fact.provider,
        "amount": render(fact.amount, fact.currency),
        "status": attempt_state(fact, whole.refunds).value,
        "transaction_id": fact.trade_no,
        "paid_at": fact.occurred_at if fact.kind == "captured" else None,
        "refunded_at": returned_at(fact, whole.refunds),
        "created_at": fact.recorded_at,
    }


def _shipment(whole: Whole, shipment: Shipment) -> Table:
    return {
        "id": uuid_of(shipment.id),
        "order_id": uuid_of(whole.head.id),
        "carrier": shipment.carrier,
        "tracking_number": shipment.tracking_no,
        "status": shipment.state.value,
        "shipped_at": shipment.outbound_at,
        "delivered_at": shipment.delivered_at,
        "created_at": shipment.booked_at,
    }


def _case(whole: Whole, case: AfterSaleCase) -> Table:
    return {
        "id": uuid_of(case.id),
        "order_id": uuid_of(whole.head.id),
        "type": CASE_TYPE_S0[case.type],
        "status": case.state.value,
        "reason": case.reason_code,
        "requested_at": case.requested_at,
        "processed_at": case.processed_at,
        "completed_at": case.completed_at,
    }
