"""Has warehouses send goods of cases back to the buyer, and announces it.

The goods are those that an inspection refused, and those of a case that ended after they had arrived. A warehouse of
OMS_FULFILMENT_WAREHOUSES gets fulfilment.send_back in its queue; every warehouse sees send_back.requested.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

import outbox
from db.pool import Transaction
from messages.envelope import Envelope
from messages.fulfilments import FulfilmentSendBack, SendBackLine
from messages.send_backs import SendBackRequested, SendBackShipped
from messages.topology import warehouse_queue
from workers import shop
from workers.domain.after_sales import AfterSaleCase
from workers.domain.book import Who
from workers.domain.order import Order
from workers.domain.refund_amounts import BoughtLine
from workers.domain.shipping import Parcel
from workers.store import fulfilments, send_backs
from workers.store.send_backs import SendBackUnits, SentParcel, UnsentGoods

Item: TypeAlias = Envelope[Any]


@dataclass(frozen=True)
class GoodsOwed:
    """What one warehouse is to send back of one case."""

    event: SendBackRequested
    version: int
    because: Item


@dataclass
class SendBacks:
    """What the cases of a batch have warehouses send back, and what these have handed over.

    `places` is parcel id -> the warehouse that it leaves.
    """

    owed: list[GoodsOwed] = field(default_factory=list)
    wanted: list[SendBackUnits] = field(default_factory=list)
    sent: list[SentParcel] = field(default_factory=list)
    places: dict[int, str] = field(default_factory=dict)
    news: list[outbox.Announcement] = field(default_factory=list)

    def request(
        self, case: AfterSaleCase, order: Order, lines: Sequence[BoughtLine], units: Mapping[int, int], because: Item
    ) -> None:
        """Have each warehouse send back the units of its lines."""
        skus = {line.line_no: line.sku_id for line in lines}
        wanted = [line for line in lines if line.line_no in units]
        for warehouse in sorted({line.warehouse for line in wanted}):
            here = {line.line_no: units[line.line_no] for line in wanted if line.warehouse == warehouse}
            event = SendBackRequested(**about(case, order, warehouse, skus, here))
            self.owed.append(GoodsOwed(event, case.version, because))
            self.news.append(outbox.event(event, because=because, stream=order.root_id))
            self.wanted += [
                SendBackUnits(case.id, line_no, warehouse, qty, because.body.TYPE, because.id)
                for line_no, qty in here.items()
            ]

    def hand_over(  # noqa: PLR0917 (the case, and the parcel and who handed it over)
        self, case: AfterSaleCase, order: Order, lines: Sequence[BoughtLine], parcel: Parcel, item: Item, who: Who
    ) -> SendBackShipped:
        """Note that the parcel took the goods. Returns the event."""
        warehouse = item.body.warehouse
        skus = {line.line_no: line.sku_id for line in lines}
        event = SendBackShipped(
            **about(case, order, warehouse, skus, parcel.units),
            shipment_id=parcel.id,
            carrier=parcel.carrier,
            tracking_no=parcel.tracking_no,
        )
        self.sent.append(SentParcel(case.id, warehouse, parcel.id, who.type, who.id, item.body.TYPE, item.id))
        self.places[parcel.id] = warehouse
        self.news.append(outbox.event(event, because=item, stream=order.root_id))
        return event


def about(
    case: AfterSaleCase, order: Order, warehouse: str, skus: Mapping[int, str], units: Mapping[int, int]
) -> dict[str, Any]:
    """Build the fields of an event about goods that go back."""
    return {
        "case_id": case.id,
        "case_no": case.case_no,
        "order_id": order.id,
        "order_no": order.order_no,
        "user_id": order.user_id,
        "warehouse": warehouse,
        "lines": tuple(
            SendBackLine(line_no=line_no, sku_id=skus[line_no], qty=qty) for line_no, qty in sorted(units.items())
        ),
    }


async def write(tx: Transaction, batch: SendBacks, at: datetime) -> list[outbox.Announcement]:
    """Write what goes back. Returns the events, and the instructions to the warehouses that have a queue."""
    await send_backs.request(tx, batch.wanted, at)
    await send_backs.hand_over(tx, batch.sent, at)
    queued = [one for one in batch.owed if one.event.warehouse in shop.current().fulfilment_warehouses]
    papers = await fulfilments.papers(tx, [one.event.order_id for one in queued])
    return [*batch.news, *(instruction(goods_of(one), papers[one.event.order_id], one.because) for one in queued)]


def goods_of(owed: GoodsOwed) -> UnsentGoods:
    """Return the goods that a case has just had a warehouse send back."""
    event = owed.event
    return UnsentGoods(event.order_id, event.warehouse, event.case_id, event.case_no, owed.version, event.lines)


def instruction(goods: UnsentGoods, papers: fulfilments.Papers, because: Item) -> outbox.Announcement:
    """Have a warehouse send goods back to the address of their order."""
    message = FulfilmentSendBack(
        order_id=goods.order_id,
        order_no=papers.order_no,
        warehouse=goods.warehouse,
        number=goods.version,
        case_id=goods.case_id,
        case_no=goods.case_no,
        lines=goods.lines,
        address=papers.address_left(),
    )
    queue = warehouse_queue(goods.warehouse)
    return outbox.instruction(message, queue=queue, stream=-goods.order_id, because=because)
