"""Source document S3: order_info, order_item, order_snapshot and what hangs on them; minor units (S3-28 to S3-30).

The tables it names without columns have those of the system it describes. Its order_id is the order number.
"""

from typing import Any

from workers.domain.order import State
from workers.views import codes
from workers.views.attempts import attempt_state, paid_by, unattempted
from workers.views.facets import Facets
from workers.views.status import ABSENT, Absent, Status, view
from workers.views.whole import REMARK_HIDDEN, Head, Line, LogEntry, RecordedPayment, Snapshot, Whole

Table = dict[str, Any]
THIRD_PARTY_ACCOUNT = 1


def document(whole: Whole, status: Status) -> dict[str, Any]:
    """The order in S3's tables. The field `order_status_name` is ours; all other names are the source's."""
    facts: tuple[RecordedPayment | None, ...] = whole.facts or (None,)
    return {
        "order_info": _info(whole, status),
        "order_item": [_item(whole, line) for line in whole.lines],
        "order_amount": _amounts(whole.head),
        "order_snapshot": [_snapshot(whole, n, one) for n, one in enumerate(whole.snapshots, start=1)],
        "order_payment_detail": [_payment(whole, n, fact) for n, fact in enumerate(facts, start=1)],
        "order_delivery_detail": [_delivery(whole)],
        "order_operate_log": [_entry(whole, n, one) for n, one in enumerate(whole.log, start=1)],
    }


def _info(whole: Whole, status: Status) -> Table:
    head, provider = whole.head, paid_by(whole)
    cancel_type = codes.CANCEL_TYPE.get(head.cancel_type or "")
    return {
        "id": head.id,
        "business_identifier": codes.BUSINESS_TYPE.get(head.business_type, codes.OTHER),
        "order_id": head.order_no,
        "parent_order_id": whole.parent_no,
        "business_order_id": head.business_order_id,
        "order_type": codes.ORDER_TYPE_S3.get(head.order_type, codes.OTHER),
        "order_status": status.code,
        "order_status_name": status.name,
        "cancel_type": None if cancel_type is None else str(cancel_type),
        "cancel_time": head.cancelled_at,
        "seller_id": head.seller_id,
        "user_id": head.user_id,
        "total_amount": head.origin_amount,
        "pay_amount": head.payable_amount,
        "pay_type": codes.METHOD_S3.get(provider) if provider else None,
        "coupon_id": head.coupon_id,
        "pay_time": head.paid_at,
        "expire_time": head.expire_at,
        "user_remark": REMARK_HIDDEN if head.remarked else None,
        "delete_status": int(head.deleted),
        "comment_status": int(head.commented),
        "ext_json": head.ext,
        "gmt_create": head.created_at,
        "gmt_modified": head.updated_at,
    }


def _item(whole: Whole, line: Line) -> Table:
    head = whole.head
    return {
        "id": line.line_no,
        "order_id": head.order_no,
        "order_item_id": f"{head.order_no or head.id}_{line.line_no:03d}",
        "product_type": codes.PRODUCT_TYPE.get(line.product_type, codes.OTHER),
        "product_id": line.spu_id,
        "product_img": line.image_url,
        "product_name": line.name,
        "sku_code": line.sku_id,
        "sale_quantity": line.qty,
        "sale_price": line.unit_price,
        "origin_amount": line.origin_amount,
        "pay_amount": line.payable_amount,
        "product_unit": line.unit or "",
        "purchase_price": line.purchase_price,
        "seller_id": line.seller_id,
        "gmt_create": head.created_at,
        "gmt_modified": head.updated_at,
    }


def _amounts(head: Head) -> list[Table]:
    amounts = {
        "origin": head.origin_amount,
        "promotion": head.promotion_amount,
        "coupon": head.coupon_amount,
        "points": head.points_amount,
        "shipping": head.shipping_fee,
        "tax": head.tax_amount,
        "box": head.box_fee,
        "adjustment": head.adjustment_amount,
        "real_pay": head.payable_amount,
    }
    return [
        {"order_id": head.order_no, "amount_type": codes.AMOUNT_TYPE[name], "amount": amount}
        for name, amount in amounts.items()
    ]


def _snapshot(whole: Whole, number: int, snapshot: Snapshot) -> Table:
    return {
        "id": number,
        "order_id": whole.head.order_no,
        "snapshot_type": snapshot.type,
        "snapshot_json": snapshot.data,
        "gmt_create": snapshot.created_at,
        "gmt_modified": snapshot.created_at,
    }


def _payment(whole: Whole, number: int, fact: RecordedPayment | None) -> Table:
    head = whole.head
    state = attempt_state(fact, whole.refunds) if fact else unattempted(head.state, head.reserved)
    captured = fact is not None and fact.kind == "captured"
    return {
        "id": number,
        "order_id": head.order_no,
        "account_type": THIRD_PARTY_ACCOUNT,
        "pay_type": fact and codes.METHOD_S3.get(fact.provider),
        "pay_status": codes.PAYMENT_STATUS[state].s3,
        "pay_amount": fact.amount if fact else head.payable_amount,
        "pay_time": fact.occurred_at if fact and captured else None,
        "out_trade_no": fact and fact.trade_no,
        "pay_remark": fact and fact.reason_code,
    }


def _entry(whole: Whole, number: int, entry: LogEntry) -> Table:
    """An entry of the operate log. The numbers are those of the states alone: what parcels did then is not kept."""
    case = "" if entry.case_no is None else f" {entry.case_no}: {entry.case_state}"
    return {
        "id": number,
        "order_id": whole.head.order_no,
        "operate_type": entry.operate_type,
        "pre_status": _number(entry.pre_state),
        "current_status": _number(entry.cur_state),
        "operator": f"{entry.actor_type} {entry.actor_id}",
        "remark": entry.remark + case + (f" {entry.refund_no}" if entry.refund_no else ""),
        "gmt_create": entry.at,
    }


def _number(state: str) -> int | None:
    found = view("s3", State(state), Facets()) if state else ABSENT
    return None if isinstance(found, Absent) else found.code


def _delivery(whole: Whole) -> Table:
    head, address = whole.head, whole.address
    return {
        "order_id": head.order_no,
        "delivery_type": None,
        **{name: address.get(name) for name in ("province", "city", "area", "street")},
        "detail_address": address.get("detail"),
        "lon": None,
        "lat": None,
        "receiver_name": address.get("receiver"),
        "receiver_phone": address.get("phone"),
        "modify_address_count": whole.address_changes,
        "deliverer_no": None,
        "deliverer_name": None,
        "deliverer_phone": None,
        "out_stock_time": head.shipped_at,
        "signed_time": head.delivered_at,
    }
