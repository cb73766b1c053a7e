"""Source document S1: order_main, order_item, order_payment, order_after_sale; codes, decimals (S1-23 to S1-26).

`status_name` is ours: three of S1's names share the code 5. `business_type` and `logistics_no` are columns that its
text asks for and its tables lack (S1-50, C-33).
"""

from typing import Any

from workers.domain.after_sales import AfterSaleCase
from workers.domain.money import render
from workers.views import codes
from workers.views.attempts import attempt_state, unattempted, winning
from workers.views.status import Status
from workers.views.whole import Line, Whole

Table = dict[str, Any]


def document(whole: Whole, status: Status) -> dict[str, Any]:
    """The order in S1's tables. It has one payment record: its intent with the attempt that counts (C-04)."""
    return {
        "order_main": _main(whole, status),
        "order_item": [_item(whole, line) for line in whole.lines],
        "order_payment": [_payment(whole)],
        "order_after_sale": [_case(whole, case) for case in whole.cases],
    }


def _main(whole: Whole, status: Status) -> Table:
    head = whole.head
    return {
        "order_id": head.id,
        "user_id": head.user_id,
        "total_amount": render(head.origin_amount, head.currency),
        "pay_amount": render(head.payable_amount, head.currency),
        "status": status.code,
        "status_name": status.name,
        "pay_time": head.paid_at,
        "ship_time": head.shipped_at,
        "receive_time": head.delivered_at or head.completed_at,
        "create_time": head.created_at,
        "update_time": head.updated_at,
        "business_type": codes.BUSINESS_TYPE.get(head.business_type),
        "logistics_no": next((shipment.tracking_no for shipment in whole.live_shipments), None),
    }


def _item(whole: Whole, line: Line) -> Table:
    currency = whole.head.currency
    return {
        "id": line.line_no,
        "order_id": whole.head.id,
        "sku_id": line.sku_id,
        "product_name": line.name,
        "sku_specs": ";".join(f"{name}:{value}" for name, value in line.specs.items()) or None,
        "price": render(line.unit_price, currency),
        "quantity": line.qty,
        "total_price": render(line.origin_amount, currency),
    }


def _payment(whole: Whole) -> Table:
    head, fact = whole.head, winning(whole)
    state = attempt_state(fact, whole.refunds) if fact else unattempted(head.state, head.reserved)
    return {
        "id": head.id,
        "order_id": head.id,
        "pay_no": fact and fact.trade_no,
        "pay_type": fact and codes.METHOD_S1.get(fact.provider),
        "pay_amount": render(*((fact.amount, fact.currency) if fact else (head.payable_amount, head.currency))),
        "status": codes.PAYMENT_STATUS[state].s1.code,
        "callback_time": fact and fact.occurred_at,
    }


def _case(whole: Whole, case: AfterSaleCase) -> Table:
    amount = case.refund_amount
    return {
        "id": case.id,
        "after_sale_no": case.case_no,
        "order_id": whole.head.id,
        "type": codes.CASE_TYPE_S1[case.type],
        "status": codes.CASE_STATUS_S1.get(case.state, codes.CASE_UNDER_WAY_S1),
        "refund_amount": None if amount is None else render(amount, whole.head.currency),
    }
