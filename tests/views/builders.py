"""Whole orders for tests of the views."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from workers.domain.after_sales import AfterSaleCase, CaseLine, CaseSource, CaseState, CaseType
from workers.domain.order import State
from workers.domain.shipping import NOT_WITH_BUYER, ParcelState
from workers.views.whole import Head, Line, RecordedPayment, Refund, Shipment, Snapshot, Whole

AT = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
ORDER_ID = 382_837_170_386_632_705


def later(minutes: int) -> datetime:
    return AT + timedelta(minutes=minutes)


def head(state: State = State.PAID, **changes: Any) -> Head:
    """An order of 1,700 with every reduction and addition: 100, 200, 50 and 10 off, 300, 20 and 15 on."""
    fields: dict[str, Any] = {
        "id": ORDER_ID,
        "root_id": ORDER_ID,
        "parent_id": None,
        "kind": "sale",
        "order_no": "202601310000000001",
        "user_id": "u1",
        "seller_id": "shop-1",
        "channel": "mobile",
        "business_type": "normal",
        "order_type": "normal",
        "business_order_id": "b-7",
        "state": state,
        "cancel_type": None,
        "currency": "CNY",
        "origin_amount": 1700,
        "promotion_amount": 100,
        "coupon_amount": 200,
        "points_amount": 50,
        "adjustment_amount": 10,
        "shipping_fee": 300,
        "box_fee": 20,
        "tax_amount": 15,
        "payable_amount": 1675,
        "captured_amount": 1675,
        "coupon_id": "c1",
        "use_points": 100,
        "gift_points": 30,
        "gift_growth": 5,
        "intent_id": ORDER_ID + 1,
        "remarked": True,
        "deleted": False,
        "commented": False,
        "held": False,
        "ext": "{}",
        "created_at": AT,
        "updated_at": later(9),
        "expire_at": later(30),
        "paid_at": later(1),
        "shipped_at": None,
        "delivered_at": None,
        "completed_at": None,
        "cancelled_at": None,
    }
    return Head(**(fields | changes))


def line(line_no: int = 1, qty: int = 2, **changes: Any) -> Line:
    """A line of units at 500 minor units each."""
    fields: dict[str, Any] = {
        "line_no": line_no,
        "sku_id": f"s{line_no}",
        "spu_id": f"p{line_no}",
        "name": f"Product {line_no}",
        "product_type": "normal",
        "category_id": "tea",
        "seller_id": "shop-1",
        "qty": qty,
        "unit_price": 500,
        "origin_amount": 500 * qty,
        "promotion_amount": 100,
        "promotion_text": "满减优惠",
        "coupon_amount": 0,
        "points_amount": 0,
        "payable_amount": 500 * qty - 100,
        "refunded_qty": 0,
        "refunded_amount": 0,
        "gift_points": 3,
        "gift_growth": 1,
        "specs": {"颜色": "红", "尺码": "L"},
        "image_url": "https://x/y.png",
        "unit": "box",
    }
    return Line(**(fields | changes))


def fact(
    trade_no: str = "t1", amount: int = 1675, kind: str = "captured", verdict: str = "kept", at: int = 1
) -> RecordedPayment:
    return RecordedPayment("alipay", trade_no, kind, amount, verdict, None, later(at), later(at + 1), "CNY")


def refund(amount: int = 1675, state: str = "succeeded", trade_no: str = "t1", currency: str = "CNY") -> Refund:
    return Refund("alipay", trade_no, amount, currency, state, later(5) if state == "succeeded" else None)


def parcel(number: int, state: str, units: dict[int, int], order_id: int = ORDER_ID) -> Shipment:
    """A parcel; if it failed, its lines were given back."""
    at, booked = later(3), Shipment(number, order_id, "sf", f"T{number}", ParcelState(state), False, units)
    return replace(booked, outbound_at=at, booked_at=later(2), given_up=booked.state in NOT_WITH_BUYER)


def case(state: str = "requested", type_: str = "return_refund", order_id: int = ORDER_ID) -> AfterSaleCase:
    """A case about one unit of line 1, reviewed an hour after it was requested."""
    return AfterSaleCase(
        id=77,
        case_no="202601319000000001",
        order_id=order_id,
        type=CaseType(type_),
        source=CaseSource.USER,
        reason_code="broken",
        merchant_fault=False,
        requested_at=later(6),
        state=CaseState(state),
        lines=(CaseLine(1, 1),),
        refund_amount=500,
        processed_at=later(7),
        completed_at=later(8),
    )


def whole(state: State = State.PAID, **changes: Any) -> Whole:
    """A paid order of two lines with a snapshot; `changes` are parts of it, and fields of its row under `head`."""
    fields: dict[str, Any] = {
        "head": head(state, **changes.pop("head", {})),
        "lines": (line(1), line(2, 1)),
        "facts": (fact(),),
        "snapshots": (Snapshot(2, '{"payable": 1675}', AT),),
        "stock": "committed",
        "address": {"receiver": "W****", "phone": "138****5678", "country": "CN", "city": "S****", "detail": "N****"},
    }
    return Whole(**(fields | changes))
