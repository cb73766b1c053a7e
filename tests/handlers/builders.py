"""Builders of the messages that other systems send: orders, stock, payments, parcels.

Their defaults work together: user u1 orders SKU s1, which costs 500, in CNY and pays at Alipay. Arguments change them.
"""

from datetime import UTC, datetime
from typing import Any

from messages.base import Actor
from messages.catalogue import SkuUpsert
from messages.orders import Address, CreateLine, OrderCancel, OrderCreate
from messages.payments import PaymentResult
from messages.shipments import ShipmentBook, ShipmentBookLine, ShipmentUpdate
from messages.stock import StockEndQuarantine, StockReceive, StockTransfer, TransferLine

ADDRESS = Address(receiver="Wang Fang", phone="13812345678", country="CN", city="Shanghai", detail="Nanjing Road 1")
OPERATOR = Actor(type="operator", id="ops-7")


def user(name: str = "u1") -> Actor:
    return Actor(type="user", id=name)


def sku(sku_id: str = "s1", *, price: int = 500, revision: int = 1, **changes: Any) -> SkuUpsert:
    fields: dict[str, Any] = {
        "sku_id": sku_id,
        "revision": revision,
        "spu_id": f"spu-{sku_id}",
        "name": f"Product {sku_id}",
        "status": "on_sale",
        "price": price,
        "currency": "CNY",
    }
    return SkuUpsert(**fields | changes)


def receive(sku_id: str, qty: int, ref: str = "note-1", warehouse: str = "main") -> StockReceive:
    return StockReceive(ref=ref, sku_id=sku_id, warehouse=warehouse, qty=qty)


def transfer(*lines: tuple[str, int], request_id: str = "move-1", **places: str) -> StockTransfer:
    """Move units of SKUs from main to east, or between the places given."""
    parts = tuple(TransferLine(sku_id=sku_id, qty=qty) for sku_id, qty in lines)
    about = {"warehouse": "main", "to_warehouse": "east"} | places
    return StockTransfer(request_id=request_id, lines=parts, **about)


def end_quarantine(qty: int, outcome: str = "sellable", request_id: str = "q1") -> StockEndQuarantine:
    place = {"sku_id": "s1", "warehouse": "main"}
    return StockEndQuarantine(**place, qty=qty, outcome=outcome, request_id=request_id, reason_code="checked")  # type: ignore[arg-type]


def create(
    *lines: tuple[str, int], request_id: str = "r1", user_id: str = "u1", price: int = 500, **changes: Any
) -> OrderCreate:
    fields: dict[str, Any] = {
        "request_id": request_id,
        "actor": user(user_id),
        "user_id": user_id,
        "channel": "pc",
        "currency": "CNY",
        "items": tuple(CreateLine(sku_id=name, qty=qty) for name, qty in lines),
        "address": ADDRESS,
        "expected_pay_amount": sum(qty * price for _, qty in lines),
    }
    return OrderCreate(**(fields | changes))


def cancel(order_id: int, request_id: str = "x1", actor: Actor | None = None) -> OrderCancel:
    return OrderCancel(request_id=request_id, actor=actor or user(), order_id=order_id, reason="changed my mind")


def captured(
    order_id: int, amount: int, trade_no: str = "t1", kind: str = "captured", currency: str = "CNY"
) -> PaymentResult:
    return PaymentResult(
        order_id=order_id,
        provider="alipay",
        trade_no=trade_no,
        kind=kind,  # type: ignore[arg-type]
        amount=amount,
        currency=currency,
        occurred_at=datetime.now(UTC),
    )


def book(order_id: int, tracking_no: str, *lines: tuple[str, int]) -> ShipmentBook:
    wanted = tuple(ShipmentBookLine(sku_id=name, qty=qty) for name, qty in lines)
    return ShipmentBook(order_id=order_id, carrier="sf", tracking_no=tracking_no, lines=wanted)


def update(order_id: int, tracking_no: str, status: str, event_id: str | None = None) -> ShipmentUpdate:
    return ShipmentUpdate(
        order_id=order_id,
        carrier="sf",
        tracking_no=tracking_no,
        event_id=event_id or f"{tracking_no}-{status}",
        status=status,  # type: ignore[arg-type]
        occurred_at=datetime.now(UTC),
    )
