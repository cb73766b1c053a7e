"""Two baskets of one household that are paid at once: both are ordered, merged, and paid with one payment."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence

from scripts.amqp_client import AmqpClient, OutgoingMessage, new_id
from scripts.demo.baskets import Basket
from scripts.demo.bills import Bills
from scripts.demo.buyers import Buyers
from scripts.demo.command_outcomes import REFUSED, CommandOutcomes

AT_ONCE = 0.6


def in_pairs(baskets: Sequence[Basket]) -> list[tuple[Basket, ...]]:
    """Group the baskets: two of one user are sometimes one entry, at the place of the first."""
    pairs: dict[str, list[Basket]] = {}
    entries: list[list[Basket]] = []
    for basket in baskets:
        first = pairs.pop(basket.user, None)
        if first is not None and random.random() < AT_ONCE:
            first.append(basket)
            continue
        entries.append([basket])
        pairs[basket.user] = entries[-1]
    return [tuple(entry) for entry in entries]


class MergedOrders:
    """Holds the bills of both orders until they are merged, or has each paid alone if they cannot be merged."""

    def __init__(self, link: AmqpClient, outcomes: CommandOutcomes, buyers: Buyers, bills: Bills) -> None:
        self.did: Counter[str] = Counter()
        self._link, self._outcomes, self._buyers, self._bills = link, outcomes, buyers, bills

    async def order(self, baskets: Sequence[Basket]) -> None:
        """Place the baskets and have them paid."""
        requests: list[str] = []

        def hold(request_id: str) -> None:
            self._bills.hold(request_id)
            requests.append(request_id)

        placed = await asyncio.gather(*(self._buyers.order(basket, hold) for basket in baskets))
        orders = [order_id for order_id in placed if order_id is not None]
        if len(orders) < 2 or not await self._merge(orders, baskets[0].user):
            self.did["pays one by one after all"] += 1
            for request_id in requests:
                self._bills.release(request_id)

    async def _merge(self, orders: list[str], user: str) -> bool:
        actor = {"type": "user", "id": user}
        message = OutgoingMessage("order.merge.v1", {"request_id": new_id(), "actor": actor, "order_ids": orders})
        sent = self._outcomes.remember(message)
        await self._link.send(message)
        return (await sent.outcome()).type != REFUSED
