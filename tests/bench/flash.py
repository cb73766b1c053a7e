"""Compares a flash sale, a thousand buyers at once for a hundred units of one SKU, with orders on a thousand SKUs."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
import orjson

from scripts.demo.baskets import Product
from scripts.servers.find import Servers
from tests.bench.contenders import Contender
from tests.bench.load import CURRENCY, Load
from tests.bench.stage import POLL_SECONDS, STALL_SECONDS, StalledError, open_stage, publish

PRICE_CENTS, FLASH_CENTS = 500, 100
CASES = ("many SKUs", "one SKU, its stock is the limit", "one SKU, a flash price for as many")


@dataclass(frozen=True)
class Sale:
    """Units sold, refusals by code, and the seconds from the first command received to the last one decided."""

    sold: int
    refused: dict[str, int]
    seconds: float
    locked_units: int


async def run(servers: Servers, contender: Contender, case: str, buyers: int, units: int) -> Sale:
    """Start the workers, then send all orders at once. Every buyer is another user and wants one unit."""
    hot = case != CASES[0]
    skus = ["hot"] if hot else [f"sku-{n}" for n in range(buyers)]
    price = FLASH_CENTS if case == CASES[2] else PRICE_CENTS
    bodies = [body(n, skus[n % len(skus)], price) for n in range(buyers)]
    products = [Product(sku, sku, "FLASH", PRICE_CENTS, units) for sku in skus]
    async with open_stage(servers, Load(tuple(bodies), tuple(products), buyers)) as stage:
        connection = await asyncpg.connect(stage.database_url)
        on_hand = units if case == CASES[1] else buyers
        await connection.execute("UPDATE stock SET on_hand = $1", on_hand)
        if case == CASES[2]:
            await offer(connection, units)
        contender.start(stage)
        await stage.until_consuming(contender.consumers)
        await publish(stage, bodies)
        sale = await until_decided(connection, buyers)
        await connection.close()
        return sale


def body(number: int, sku: str, price: int) -> bytes:
    """An order.create for one unit, by one user."""
    user = f"user-{number}"
    return orjson.dumps(
        {
            "request_id": "flash",
            "actor": {"type": "user", "id": user},
            "user_id": user,
            "channel": "mobile",
            "business_type": "seckill",
            "currency": CURRENCY,
            "items": [{"sku_id": sku, "qty": 1}],
            "address": {"receiver": "A", "phone": "+1 555 010 0000", "country": "US", "detail": "1 Example Street"},
            "expected_pay_amount": price,
        }
    )


async def offer(connection: asyncpg.Connection, units: int) -> None:
    """Create the flash promotion: the first `units` cost less."""
    now, day = datetime.now(UTC), timedelta(days=1)
    await connection.execute(
        "INSERT INTO promotions (promo_id, revision, name, kind, scope, scope_id, currency, terms, starts_at, ends_at)"
        " VALUES ('flash', 1, 'Flash', 'flash', 'spu', 'hot', $1, $2, $3, $4)",
        CURRENCY,
        orjson.dumps({"prices": {"hot": FLASH_CENTS}}).decode(),
        now - day,
        now + day,
    )
    await connection.execute("INSERT INTO promotion_quotas (promo_id, quantity) VALUES ('flash', $1)", units)


async def until_decided(connection: asyncpg.Connection, buyers: int) -> Sale:
    """Wait until every buyer has an answer. Raises StalledError."""
    changed, seen = time.monotonic(), 0
    while seen < buyers:
        await asyncio.sleep(POLL_SECONDS)
        count = await connection.fetchval("SELECT count(*) FROM commands WHERE decided_at IS NOT NULL")
        if count != seen:
            seen, changed = count, time.monotonic()
        if time.monotonic() - changed > STALL_SECONDS:
            raise StalledError(f"{seen} of {buyers} buyers have an answer")
    rows = await connection.fetch(
        "SELECT coalesce(outcome ->> 'code', '') AS code, count(*) AS n FROM commands GROUP BY 1 ORDER BY 1"
    )
    answers = {row["code"]: row["n"] for row in rows}
    seconds = await connection.fetchval(
        "SELECT extract(epoch FROM max(decided_at) - min(received_at))::float8 FROM commands"
    )
    held = await connection.fetchval("SELECT sum(qty) FROM stock_ledger WHERE op = 'reserve'")
    return Sale(answers.pop("", 0), answers, seconds, held or 0)


def wrong(case: str, sale: Sale, buyers: int, units: int) -> Sequence[str]:
    """The faults of a sale: it must sell and hold exactly the units that there are."""
    due = buyers if case == CASES[0] else units
    found = [f"{sale.sold} sold, not {due}"] if sale.sold != due else []
    return found + ([f"{sale.locked_units} units held, not {due}"] if sale.locked_units != due else [])
