"""A harness whose relay loses messages, and the repair that announces them again."""

from dataclasses import dataclass, field
from typing import Any

from db.pool import Pool
from scripts.commands.audit import check
from tests.handlers.harness import HandlerHarness, open_harness
from workers import shop
from workers.domain.shop import Shop
from workers.services import repairs

WHY = "queue oms.stock was deleted"


@dataclass
class LossyHarness(HandlerHarness):
    """A harness whose relay loses the messages of some types."""

    loses: frozenset[str] = frozenset()
    lost: list[Any] = field(default_factory=list)

    async def relay_row(self, row: Any) -> None:
        if row["type"] in self.loses:
            self.lost.append(row)
        else:
            await super().relay_row(row)

    async def plan(self, grace_seconds: float = 0.0) -> list[str]:
        """What is owed to all orders, as a dry run finds it: it only reads."""
        async with self.pool.acquire() as tx, tx.transaction(readonly=True):
            return [owed.what for owed in await repairs.plan(tx, shop.current(), None, grace_seconds)]

    async def repair(self, *order_ids: int) -> list[str]:
        """Announce again what is owed, and let it arrive."""
        self.loses = frozenset()
        async with self.pool.acquire() as tx, tx.transaction():
            owed = await repairs.apply(tx, shop.current(), order_ids, 0.0, note="ana", reason=WHY)
        await self.relay()
        return [one.what for one in owed]

    async def violations(self) -> list[str]:
        async with self.pool.acquire() as tx:
            return [found.id for found in await check(tx, grace_seconds=0.0) if found.violations]

    async def drained_violations(self) -> list[str]:
        """What the audit of a system finds in which nothing is under way."""
        async with self.pool.acquire() as tx:
            return [found.invariant for found in await check(tx, drained=True) if found.violations]

    async def order_ids(self) -> list[int]:
        return [row["id"] for row in await self.pool.fetch("SELECT id FROM orders ORDER BY id")]


async def open_lossy(pool: Pool) -> LossyHarness:
    """A harness with stock that loses nothing yet."""
    open_harness(pool)  # it sets keys and rules
    shop.configure(Shop())
    made = LossyHarness(pool)
    await made.fill_stock()
    return made
