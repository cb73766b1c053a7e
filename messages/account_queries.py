"""Queries about what users have (carts, coupons, points) and about what can be bought (stock), and their replies."""

from typing import Annotated, ClassVar

from pydantic import Field

from messages.base import Actor, Amount, ExternalId, Moment, MoneyShown, OrderId, Part, Query, Reply
from messages.roles import FOR_BUYERS, Role

COUPONS_MAX = 100  # a user with more sees those that end first
POINTS_ENTRIES_MAX = 50  # the newest entries of the ledger: what a page of an account shows
CART_LINES_MAX = 200
SKUS_MAX = 100


class AccountQuery(Query):
    """A query about what one user has."""

    SENDERS: ClassVar[frozenset[Role]] = FOR_BUYERS
    actor: Actor
    user_id: ExternalId


class CartGet(AccountQuery):
    """Ask what is in a user's cart, with the prices of now."""

    TYPE: ClassVar[str] = "cart.get.v1"


class CartLineShown(Part):
    """A line of a cart. A SKU that the catalogue does not know has no name and no price."""

    sku_id: str
    qty: int
    name: str | None
    price: MoneyShown | None
    on_sale: bool


class CartShown(Reply):
    """The answer to cart.get: the lines, by SKU; at most CART_LINES_MAX."""

    TYPE: ClassVar[str] = "cart.shown.v1"
    user_id: str
    lines: tuple[CartLineShown, ...]


class CouponList(AccountQuery):
    """Ask for the coupons of a user in these states: without `states` for issued ones, with an empty list for all."""

    TYPE: ClassVar[str] = "coupon.list.v1"
    states: Annotated[tuple[ExternalId, ...], Field(max_length=4)] = ("issued",)


class CouponShown(Part):
    """A coupon. `order_id` is the order that holds or used it."""

    coupon_id: str
    name: str
    state: str
    order_id: OrderId | None
    amount: MoneyShown
    min_amount: MoneyShown
    scope: str
    scope_ids: tuple[str, ...]
    channels: tuple[str, ...]
    valid_from: Moment
    valid_to: Moment


class CouponsListed(Reply):
    """The answer to coupon.list: the coupons, those that end first come first; at most COUPONS_MAX."""

    TYPE: ClassVar[str] = "coupon.listed.v1"
    user_id: str
    coupons: tuple[CouponShown, ...]


class PointsGet(AccountQuery):
    """Ask how many points a user has, and for the newest changes."""

    TYPE: ClassVar[str] = "points.get.v1"


class PointsEntry(Part):
    """One change of a user's points, with its cause: `ref`, and the order if one caused it."""

    op: str
    points: int
    growth: int
    ref: str
    order_id: OrderId | None
    at: Moment


class PointsShown(Reply):
    """The answer to points.get. `held` of `balance` are held for orders that are not paid; `entries`, newest first."""

    TYPE: ClassVar[str] = "points.shown.v1"
    user_id: str
    level: str | None
    balance: Amount
    held: Amount
    growth: Amount
    entries: tuple[PointsEntry, ...]


class StockGet(Query):
    """Ask how much of some SKUs each warehouse has. A buyer sees what can be bought, and not what is held."""

    TYPE: ClassVar[str] = "stock.get.v1"
    SENDERS: ClassVar[frozenset[Role]] = FOR_BUYERS | {Role.WAREHOUSE}
    actor: Actor
    sku_ids: Annotated[tuple[ExternalId, ...], Field(min_length=1, max_length=SKUS_MAX)]


class StockOfSku(Part):
    """What a warehouse has of a SKU: `available` is what is on hand and not locked for an order.

    Units in quarantine came back, and are not on hand until the warehouse clears them. At `threshold` units available
    stock.low is announced; null: at none, or a buyer asks.
    """

    sku_id: str
    warehouse: str
    available: int
    on_hand: int | None
    locked: int | None
    quarantined: int | None = None
    threshold: int | None = None


class StockShown(Reply):
    """The answer to stock.get, by SKU and warehouse. A SKU that no warehouse ever had is missing."""

    TYPE: ClassVar[str] = "stock.shown.v1"
    stock: tuple[StockOfSku, ...]


QUERIES = (CartGet, CouponList, PointsGet, StockGet)
