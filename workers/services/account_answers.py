"""Answers queries about what users have, and about stock. Each kind takes a fixed number of statements."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from db import cipher
from db.pool import Transaction
from messages.account_queries import (
    CART_LINES_MAX,
    COUPONS_MAX,
    POINTS_ENTRIES_MAX,
    CartGet,
    CartLineShown,
    CartShown,
    CouponList,
    CouponShown,
    CouponsListed,
    PointsEntry,
    PointsGet,
    PointsShown,
    StockGet,
    StockOfSku,
    StockShown,
)
from messages.base import Query, QueryRejected, Reply, without_subject
from messages.contacts import ContactList, ContactShown, ContactsListed
from messages.envelope import Envelope
from messages.order_drafts import DraftQuery
from workers import shop
from workers.domain.codes import Code
from workers.domain.masking import masked_address
from workers.services.answer_parts import money
from workers.services.draft_answers import answer_drafts
from workers.store import account_queries, contacts
from workers.store.contacts import StoredContact

COUPON_STATES = ("issued", "locked", "used", "expired")


async def answer_carts(tx: Transaction, items: Sequence[Envelope[CartGet]]) -> list[Reply]:
    """Answer each cart.get, in order."""
    found = await account_queries.carts(tx, [item.body.user_id for item in items], CART_LINES_MAX)
    users = [item.body.user_id for item in items]
    return [CartShown(user_id=user, lines=tuple(_cart_line(row) for row in found.get(user, ()))) for user in users]


def _cart_line(row: Any) -> CartLineShown:
    price = None if row["price"] is None else money(row["price"], row["currency"])
    return CartLineShown(sku_id=row["sku_id"], qty=row["qty"], name=row["name"], price=price, on_sale=row["on_sale"])


async def answer_coupons(tx: Transaction, items: Sequence[Envelope[CouponList]]) -> list[Reply]:
    """Answer each coupon.list, in order. An unknown state is rejected."""
    bodies = [item.body for item in items]
    wanted = [(body.user_id, body.states or COUPON_STATES) for body in bodies]
    found = await account_queries.coupons(tx, wanted, COUPONS_MAX)
    return [
        _unknown_state(body) or CouponsListed(user_id=body.user_id, coupons=tuple(_coupon(row) for row in rows))
        for body, rows in zip(bodies, found, strict=True)
    ]


def _unknown_state(body: CouponList) -> QueryRejected | None:
    unknown = sorted(set(body.states) - set(COUPON_STATES))
    if not unknown:
        return None
    message = f"{unknown[0]} is no state of a coupon; the states are {', '.join(COUPON_STATES)}"
    return QueryRejected(code=Code.ORDER_PARAM_INVALID, message=message, path="$.states")


def _coupon(row: Any) -> CouponShown:
    return CouponShown(
        amount=money(row["amount"], row["currency"]),
        min_amount=money(row["min_amount"], row["currency"]),
        scope_ids=tuple(row["scope_ids"]),
        channels=tuple(row["channels"]),
        **{name: row[name] for name in ("coupon_id", "name", "state", "order_id", "scope", "valid_from", "valid_to")},
    )


async def answer_points(tx: Transaction, items: Sequence[Envelope[PointsGet]]) -> list[Reply]:
    """Answer each points.get, in order."""
    users = [item.body.user_id for item in items]
    accounts = await account_queries.points(tx, users)
    entries = await account_queries.points_entries(tx, users, POINTS_ENTRIES_MAX)
    return [
        PointsShown(
            entries=tuple(_points_entry(row) for row in entries.get(user, ())),
            **{name: accounts[user][name] for name in ("user_id", "level", "balance", "held", "growth")},
        )
        for user in users
    ]


def _points_entry(row: Any) -> PointsEntry:
    shown = {name: row[name] for name in PointsEntry.model_fields}
    return PointsEntry(**shown | {"ref": without_subject(row["ref"])})


async def answer_stock(tx: Transaction, items: Sequence[Envelope[StockGet]]) -> list[Reply]:
    """Answer each stock.get, in order."""
    found = await account_queries.stock(tx, [sku for item in items for sku in item.body.sku_ids])
    return [
        StockShown(
            stock=tuple(
                _stock_of(row, item.body.actor.type)
                for sku in dict.fromkeys(item.body.sku_ids)
                for row in found.get(sku, ())
            )
        )
        for item in items
    ]


def _stock_of(row: Any, asks: str) -> StockOfSku:
    counters = {name: None if asks == "user" else row[name] for name in ("on_hand", "locked", "quarantined")}
    available = row["on_hand"] - row["locked"]
    low_units = shop.current().stock_low_units if row["low_units"] is None else row["low_units"]
    counters["threshold"] = None if asks == "user" else low_units or None
    return StockOfSku(sku_id=row["sku_id"], warehouse=row["warehouse"], available=available, **counters)


async def reject_stock(_: Transaction, items: Sequence[Envelope[StockGet]]) -> list[Reply]:
    """Reject each stock.get: stock has a database of its own, and this queue reads the one of the orders."""
    message = "stock has a database of its own here, and order workers do not read it: ask the stock system"
    return [QueryRejected(code=Code.INVENTORY_ELSEWHERE, message=message, path="$") for _ in items]


async def answer_contacts(tx: Transaction, items: Sequence[Envelope[ContactList]]) -> list[Reply]:
    """Answer each contact.list, in order. Addresses are masked."""
    users = [item.body.user_id for item in items]
    found = await contacts.of_users(tx, users)
    return [ContactsListed(user_id=user, contacts=tuple(map(_contact, found.get(user, ())))) for user in users]


def _contact(one: StoredContact) -> ContactShown:
    try:
        address = masked_address(one.address())
    except cipher.CipherError:
        address = None
    about = {name: getattr(one, name) for name in ("medium", "language", "enabled", "opt_outs")}
    return ContactShown(**about, address=address, quiet_hours=one.quiet)


ANSWERS: Mapping[type[Query], Callable[..., Awaitable[list[Reply]]]] = {
    CartGet: answer_carts,
    ContactList: answer_contacts,
    CouponList: answer_coupons,
    DraftQuery: answer_drafts,
    PointsGet: answer_points,
    StockGet: answer_stock,
}
"""Query -> what answers all of its kind."""
