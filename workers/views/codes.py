"""The numbers that source documents use for our names. Messages carry names; only views show numbers.

Where a source has no number for a name the code is None: S1 and S4 number two ways to pay, and each the other way round
(C-18).
"""

from typing import NamedTuple

from workers.views.status import Status
from workers.views.whole import AttemptFacet

CHANNEL_S4 = {"pc": 0, "mobile": 1, "api": 2, "third_party": 3}
METHOD_S1 = {"wechat": 1, "alipay": 2}
METHOD_S3 = {"wechat": 10, "alipay": 20}
METHOD_S4 = {"none": 0, "alipay": 1, "wechat": 2}
CANCEL_TYPE = {
    "user": 0,
    "timeout": 1,
    "customer_service": 2,
    "operator": 3,
    "merchant": 4,
    "system": 5,
    "risk": 6,
    "payment_failed": 7,
    "delivery_failed": 8,
    "aftersale": 9,
}
OPERATE_TYPE = {
    "new": 10,
    "manual_cancel": 20,
    "auto_cancel": 30,
    "paid": 40,
    "push_fulfil": 50,
    "out_stock": 60,
    "delivered_to_carrier": 70,
    "signed": 80,
    "completed": 90,
    "address_changed": 100,
    "amount_changed": 110,
    "shortage": 120,
    "split": 130,
    "merged": 140,
    "deleted": 150,
    "late_payment_refunded": 160,
    "duplicate_payment_refunded": 170,
    "hold": 180,
    "release": 190,
    "repaired_by_operator": 200,
    "reinstating": 210,
    "reinstated": 220,
    "after_sale": 230,
}
AMOUNT_TYPE = {
    "origin": 10,
    "promotion": 15,
    "coupon": 20,
    "points": 25,
    "shipping": 30,
    "tax": 35,
    "box": 40,
    "adjustment": 45,
    "real_pay": 50,
    "other": 127,
}
SNAPSHOT_TYPE = {"coupon": 1, "amount": 2, "item": 3, "address": 4, "promotion_rules": 5, "risk_verdict": 6}
BUSINESS_TYPE = {"normal": 1, "seckill": 2, "group_buy": 3}
ORDER_TYPE_S3 = {"normal": 1}
ORDER_TYPE_S4 = {"normal": 0, "seckill": 1}
PRODUCT_TYPE = {"normal": 1, "pre_sale": 2}
OTHER = 127
"""S3's number for anything that has no number of its own."""


class PaymentStatus(NamedTuple):
    """The numbers of an attempt in S1's order_payment, S3's order_payment_detail and S3's payment service."""

    s1: Status
    s3: int
    service: int


_OPEN, _DONE, _FAILED = Status("待支付", 0), Status("支付成功", 1), Status("支付失败", 2)
_A = AttemptFacet
PAYMENT_STATUS = {
    _A.CREATED: PaymentStatus(_OPEN, 10, 1),
    _A.REQUESTED: PaymentStatus(_OPEN, 10, 1),
    _A.UNKNOWN: PaymentStatus(_OPEN, 10, 1),
    _A.AUTHORIZED: PaymentStatus(_OPEN, 10, 1),
    _A.CAPTURED: PaymentStatus(_DONE, 20, 2),
    _A.FAILED: PaymentStatus(_FAILED, 10, 3),
    _A.CLOSED: PaymentStatus(_FAILED, 10, 4),
    _A.REFUNDED: PaymentStatus(_DONE, 20, 5),
}

CASE_TYPE_S0 = {"refund_only": "refund", "return_refund": "return", "exchange": "exchange"}
CASE_TYPE_S1 = {"refund_only": 1, "return_refund": 2, "exchange": 3}
CASE_STATUS_S1 = {
    "requested": 0,
    "reopened": 0,
    "approved": 1,
    "rejected": 2,
    "closed": 2,
    "revoked": 2,
    "completed": 4,
}
CASE_UNDER_WAY_S1 = 3
"""处理中: the states of a case between its approval and its end."""
