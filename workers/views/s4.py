"""Source document S4: OmsOrder and OmsOrderItem, named as the system it describes names them, with decimals (S4-27).

Amounts of an item are those of all its units: a share per unit is where that system loses cents (MALL 2).
Invoices, user names and the days until a receipt confirms itself are not known here. `statusName` is ours.
"""

import json
from typing import Any

from workers.domain.money import render
from workers.views.attempts import paid_by
from workers.views.codes import CHANNEL_S4, METHOD_S4, ORDER_TYPE_S4
from workers.views.status import Status
from workers.views.whole import REMARK_HIDDEN, Line, Whole

NO_INVOICE = 0
UNKNOWN = (
    "memberUsername",
    "groupActivityId",
    "groupTeamId",
    "autoConfirmDay",
    "billHeader",
    "billContent",
    "billReceiverPhone",
    "billReceiverEmail",
    "commentTime",
)
RECEIVER = {
    "receiverName": "receiver",
    "receiverPhone": "phone",
    "receiverPostCode": "postcode",
    "receiverProvince": "province",
    "receiverCity": "city",
    "receiverRegion": "area",
    "receiverDetailAddress": "detail",
}


def document(whole: Whole, status: Status) -> dict[str, Any]:
    """The order in S4's tables. payAmount = totalAmount + freightAmount + tax - the four reductions."""
    order = _keys(whole, status) | _amounts(whole) | _delivery(whole) | _times(whole) | dict.fromkeys(UNKNOWN)
    return {"OmsOrder": order, "OmsOrderItem": [_item(whole, line) for line in whole.lines]}


def _keys(whole: Whole, status: Status) -> dict[str, Any]:
    head, provider = whole.head, paid_by(whole)
    return {
        "id": head.id,
        "memberId": head.user_id,
        "couponId": head.coupon_id,
        "orderSn": head.order_no,
        "payType": METHOD_S4.get(provider) if provider else METHOD_S4["none"],
        "sourceType": CHANNEL_S4.get(head.channel),
        "status": status.code,
        "statusName": status.name,
        "orderType": ORDER_TYPE_S4.get(head.business_type),
        "billType": NO_INVOICE,
        "note": REMARK_HIDDEN if head.remarked else None,
        "confirmStatus": int(head.completed_at is not None),
        "deleteStatus": int(head.deleted),
    }


def _amounts(whole: Whole) -> dict[str, Any]:
    head = whole.head
    amounts = {
        "totalAmount": head.origin_amount,
        "payAmount": head.payable_amount,
        "freightAmount": head.shipping_fee + head.box_fee,
        "promotionAmount": head.promotion_amount,
        "integrationAmount": head.points_amount,
        "couponAmount": head.coupon_amount,
        "discountAmount": head.adjustment_amount,
    }
    return {name: render(amount, head.currency) for name, amount in amounts.items()} | {
        "integration": head.gift_points,
        "growth": head.gift_growth,
        "useIntegration": head.use_points,
        "promotionInfo": ";".join(dict.fromkeys(line.promotion_text for line in whole.lines if line.promotion_text)),
    }


def _delivery(whole: Whole) -> dict[str, Any]:
    first = next(iter(whole.live_shipments), None)
    return {
        "deliveryCompany": first and first.carrier,
        "deliverySn": first and first.tracking_no,
    } | {name: whole.address.get(part) for name, part in RECEIVER.items()}


def _times(whole: Whole) -> dict[str, Any]:
    head = whole.head
    return {
        "createTime": head.created_at,
        "paymentTime": head.paid_at,
        "deliveryTime": head.shipped_at,
        "receiveTime": head.completed_at,
        "modifyTime": head.updated_at,
    }


def _item(whole: Whole, line: Line) -> dict[str, Any]:
    head = whole.head
    adjusted = line.adjustment_amount - line.shipping_adjustment
    reductions = line.promotion_amount + line.coupon_amount + line.points_amount + adjusted
    attributes = [{"key": name, "value": value} for name, value in line.specs.items()]
    amounts = {
        "productPrice": line.unit_price,
        "promotionAmount": line.promotion_amount,
        "couponAmount": line.coupon_amount,
        "integrationAmount": line.points_amount,
        "realAmount": line.origin_amount - reductions,
    }
    return {
        "id": line.line_no,
        "orderId": head.id,
        "orderSn": head.order_no,
        "productId": line.spu_id,
        "productPic": line.image_url,
        "productName": line.name,
        "productBrand": None,
        "productSn": line.spu_id,
        "productQuantity": line.qty,
        "productSkuId": line.sku_id,
        "productSkuCode": line.sku_id,
        "productCategoryId": line.category_id,
        "promotionName": line.promotion_text,
        "giftIntegration": line.gift_points,
        "giftGrowth": line.gift_growth,
        "productAttr": json.dumps(attributes, ensure_ascii=False),
    } | {name: render(amount, head.currency) for name, amount in amounts.items()}
