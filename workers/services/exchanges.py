"""Exchange orders of after-sale cases: placed, sent once the goods are back, or ended with their case."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import outbox
from messages.envelope import Envelope
from messages.replacements import AfterSaleExchangeDecided
from messages.stock import StockLine, StockReserve
from workers import shop
from workers.domain.after_sales import AfterSaleCase
from workers.domain.exchanges import OUT, STOPPABLE, ExchangeLine, ExchangeOrder, ExchangeState, ExchangeTerms
from workers.domain.pricing.types import Sku
from workers.domain.sourcing import ANYWHERE, Region, WarehouseLists
from workers.store.exchanges import NewExchange


@dataclass
class Exchanges:
    """The exchange orders of a batch's cases: the newest of each case, and what becomes of them.

    `ids` has new ids for the exchange orders of each order, `regions` where it went, if its address
    is still there. `reserved` are those whose stock
    is reserved now: from then on the case ends them, and no timer.
    """

    current: dict[int, ExchangeOrder] = field(default_factory=dict)
    skus: Mapping[str, Sku] = field(default_factory=dict)
    ids: Mapping[int, list[int]] = field(default_factory=dict)
    lists: WarehouseLists = field(default_factory=WarehouseLists)
    regions: Mapping[int, Region] = field(default_factory=dict)
    placed: list[NewExchange] = field(default_factory=list)
    changed: dict[int, ExchangeState] = field(default_factory=dict)
    reserved: set[int] = field(default_factory=set)
    news: list[outbox.Announcement] = field(default_factory=list)

    def terms(self, order_id: int) -> ExchangeTerms:
        """What goods that replace those of this order are ordered by."""
        return ExchangeTerms(self.skus, shop.current(), self.lists, self.regions.get(order_id, ANYWHERE))

    def become(self, case_id: int, state: ExchangeState) -> ExchangeOrder:
        """Change the state of the case's exchange order."""
        exchange = self.current[case_id] = replace(self.current[case_id], state=state)
        self.changed[exchange.order_id] = state
        return exchange

    def place(self, case: AfterSaleCase, lines: list[ExchangeLine], because: Envelope[Any], now: datetime) -> None:
        """Place an exchange order for these lines, and have its stock reserved."""
        exchange = ExchangeOrder(
            self.ids[case.order_id].pop(),
            case.id,
            case.order_id,
            value_amount=sum(line.value for line in lines),
            price_amount=sum(line.price for line in lines),
        )
        self.current[case.id] = exchange
        self.placed.append(NewExchange(exchange, tuple(lines), because))
        wanted = tuple(
            StockLine(
                holder_id=exchange.order_id,
                sku_id=line.sku.sku_id,
                warehouse=line.warehouse,
                qty=line.qty,
                others=line.others,
            )
            for line in lines
        )
        reserve = StockReserve(group_id=exchange.order_id, deadline=deadline(now), lines=wanted)
        self.news.append(outbox.internal(reserve, because=because))

    def send(self, case_id: int, because: Envelope[Any]) -> None:
        """Let the case's exchange order go out, once its difference is paid."""
        exchange = self.become(case_id, ExchangeState.CONFIRMED)
        decided = AfterSaleExchangeDecided(exchange_order_id=exchange.order_id, decision="send")
        self.news.append(outbox.internal(decided, because=because))

    def end(self, case_id: int, because: Envelope[Any]) -> None:
        """End the case's exchange order, if it has one that has not gone out: its stock is free again."""
        exchange = self.current.get(case_id)
        if exchange is not None and exchange.state in STOPPABLE:
            self.become(case_id, ExchangeState.ENDED)
            decided = AfterSaleExchangeDecided(exchange_order_id=exchange.order_id, decision="end")
            self.news.append(outbox.internal(decided, because=because))

    def out(self, case_id: int) -> ExchangeOrder | None:
        """The exchange order of the case if its goods go out whatever becomes of the case, or None."""
        exchange = self.current.get(case_id)
        return exchange if exchange is not None and exchange.state in OUT else None


def deadline(now: datetime) -> datetime:
    """Return until when the stock may be reserved."""
    return now + timedelta(seconds=shop.current().saga_deadline_seconds)
