"""The load of every contender: the same real baskets as `order.create`, with their products on sale and in stock."""

import asyncio
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import asyncpg
import orjson
from pamqp.commands import Basic

from outbox.outcome import PublishOutcome
from outbox.publisher import Publisher
from scripts.demo.baskets import Basket, Product, Year

WAREHOUSE = "main"
CURRENCY = "USD"
UNITS_PER_SKU = 1_000_000  # enough for all: no order is refused, each takes the whole path
IN_FLIGHT_MESSAGES = 1000


@dataclass(frozen=True)
class Load:
    """Bodies of `order.create`, in the order of the year, and the products they name."""

    bodies: tuple[bytes, ...]
    products: tuple[Product, ...]
    lines: int

    @property
    def lines_per_order(self) -> float:
        """The average number of lines per order."""
        return self.lines / len(self.bodies)


Encode: TypeAlias = Callable[[bytes, str], tuple[bytes, dict[str, Any]]]
"""Makes the body and the headers of a contender's own message, from the body of an order.create and an id."""


def plain(body: bytes, _: str) -> tuple[bytes, dict[str, Any]]:
    """The message as the product takes it."""
    return body, {}


def baskets(orders: int) -> Load:
    """The first `orders` baskets of the year."""
    year = Year()
    chosen = list(itertools.islice(year.baskets(), orders))
    products = {sku: year.product(sku) for sku in sorted({sku for basket in chosen for sku, _ in basket.lines})}
    prices = {sku: product.price_cents for sku, product in products.items()}
    bodies = tuple(orjson.dumps(_body(basket, prices)) for basket in chosen)
    return Load(bodies, tuple(products.values()), sum(len(basket.lines) for basket in chosen))


def _body(basket: Basket, prices: dict[str, int]) -> dict[str, object]:
    # A user's orders are created one after the other. At thousands of orders per second, as many people buy, not the
    # 2,500 households of the data: two batches of 200 would nearly always share one of these, and wait for each other.
    user = f"buyer-{basket.basket_id}"
    return {
        "request_id": f"basket-{basket.basket_id}",
        "actor": {"type": "user", "id": user},
        "user_id": user,
        "channel": "pc",
        "source": "cart",
        "currency": CURRENCY,
        "items": [{"sku_id": sku, "qty": units} for sku, units in basket.lines],
        "address": {
            "receiver": f"Household {basket.household}",
            "phone": "+1 555 010 0000",
            "country": "US",
            "province": "OH",
            "city": "Cincinnati",
            "detail": f"{basket.household} Example Street",
        },
        "expected_pay_amount": sum(prices[sku] * units for sku, units in basket.lines),
    }


async def fill(database_url: str, products: Sequence[Product]) -> None:
    """Write the products and their stock straight into the tables, since this part is not measured."""
    connection = await asyncpg.connect(database_url)
    ids = [product.sku_id for product in products]
    await connection.execute(
        "INSERT INTO skus (sku_id, revision, spu_id, name, on_sale, price, currency, product_type)"
        " SELECT id, 1, id, name, true, price, $4, 'goods'"
        " FROM unnest($1::text[], $2::text[], $3::bigint[]) AS n (id, name, price)",
        ids,
        [product.name for product in products],
        [product.price_cents for product in products],
        CURRENCY,
    )
    await connection.execute(
        "INSERT INTO stock (sku_id, warehouse, on_hand) SELECT id, $2, $3 FROM unnest($1::text[]) AS n (id)",
        ids,
        WAREHOUSE,
        UNITS_PER_SKU,
    )
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


async def publish(url: str, prefix: str, bodies: Iterable[bytes], encode: Encode = plain) -> None:
    """Publish orders as persistent messages with confirms, many in flight at a time."""
    async with Publisher(url, name="bench upstream") as publisher:
        await publisher.ready()
        remaining = iter(bodies)
        while group := list(itertools.islice(remaining, IN_FLIGHT_MESSAGES)):
            await _publish_all(publisher, f"{prefix}.commands", url, group, encode)


async def _publish_all(publisher: Publisher, exchange: str, url: str, bodies: Sequence[bytes], encode: Encode) -> None:
    messages = (message(url, body, encode=encode) for body in bodies)
    sends = (publisher.publish(exchange, "order.create", about, body, True) for about, body in messages)
    if set(await asyncio.gather(*sends)) != {PublishOutcome.CONFIRMED}:
        raise RuntimeError("the broker did not take the load")


def message(
    url: str, body: bytes, type_: str = "order.create.v1", encode: Encode = plain
) -> tuple[Basic.Properties, bytes]:
    """The properties and the body of a new message of this user."""
    message_id, now = uuid4().hex, datetime.now(UTC)
    encoded, headers = encode(body, message_id)
    properties = Basic.Properties(
        content_type="application/json",
        content_encoding="utf-8" if headers else None,
        delivery_mode=2,
        message_id=message_id,
        correlation_id=message_id,
        message_type=type_,
        app_id="bench",
        user_id=unquote(urlsplit(url).username or "guest"),
        timestamp=now,
        headers={"occurred-at": now.isoformat(timespec="microseconds"), **headers},
    )
    return properties, encoded
