"""stock.*: reservations, which go between our own queues, and what warehouses report."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from messages.base import (
    QUANTITY_MAX,
    AnyInt,
    CodeText,
    Command,
    Event,
    ExternalId,
    FreeText,
    Internal,
    Moment,
    Name,
    OrderId,
    Part,
    Quantity,
    RequestId,
)
from messages.roles import Role


class StockLine(Part):
    """`qty` units of one SKU in one warehouse, held for the order `holder_id`.

    If the buyer named no warehouse, they may come from one of `others` instead, the best first. All units of a SKU
    come from one warehouse.
    """

    holder_id: OrderId
    sku_id: ExternalId
    warehouse: Name
    qty: Quantity
    others: tuple[Name, ...] = ()


class StockReserve(Internal):
    """Lock all lines of the group or none.

    The answer is stock.reserved or stock.refused; after `deadline` it is refused.
    """

    TYPE: ClassVar[str] = "stock.reserve.v1"
    PACKABLE: ClassVar[bool] = True
    group_id: OrderId
    deadline: Moment
    lines: tuple[StockLine, ...]


class StockCommit(Internal):
    """Turn the holder's lock into a deduction: both locked and on hand fall (S4-14)."""

    TYPE: ClassVar[str] = "stock.commit.v1"
    PACKABLE: ClassVar[bool] = True
    holder_id: OrderId


class StockRelease(Internal):
    """End the holder's lock; on hand stays (S4-15). If it comes before its reserve, it leaves a tombstone."""

    TYPE: ClassVar[str] = "stock.release.v1"
    PACKABLE: ClassVar[bool] = True
    holder_id: OrderId


class RestockLine(Part):
    """Units of one SKU that came back to a warehouse."""

    sku_id: ExternalId
    warehouse: Name
    qty: Quantity


class StockRestock(Internal):
    """Make deducted units sellable again: all units of the holder, or those of `lines`. Each `ref` counts once."""

    TYPE: ClassVar[str] = "stock.restock.v1"
    PACKABLE: ClassVar[bool] = True
    holder_id: OrderId
    ref: ExternalId
    lines: tuple[RestockLine, ...] = ()


class SourcedSku(Part):
    """The units of one SKU of an order come from this one of the other warehouses that stock.reserve named."""

    holder_id: OrderId
    sku_id: ExternalId
    warehouse: Name


class StockReserved(Internal):
    """Every line of the group is locked: where stock.reserve says, but for the SKUs of `moved`."""

    TYPE: ClassVar[str] = "stock.reserved.v1"
    PACKABLE: ClassVar[bool] = True
    group_id: OrderId
    moved: tuple[SourcedSku, ...] = ()


class Shortage(Part):
    """How many units were wanted, and how many were available."""

    sku_id: str
    warehouse: str
    want: AnyInt
    have: AnyInt


class StockRefused(Internal):
    """Nothing of the group is locked."""

    TYPE: ClassVar[str] = "stock.refused.v1"
    PACKABLE: ClassVar[bool] = True
    group_id: OrderId
    code: CodeText
    short: tuple[Shortage, ...] = ()


class StockReceive(Command):
    """Goods arrived in a warehouse. `ref` is the delivery note; the same note counts once."""

    TYPE: ClassVar[str] = "stock.receive.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.WAREHOUSE})
    SCOPE: ClassVar[str] = "stock.receive:{warehouse}:{sku_id}"
    KEY: ClassVar[str] = "ref"
    ref: RequestId
    sku_id: ExternalId
    warehouse: Name
    qty: Quantity


class StockAdjust(Command):
    """Correct a counter after a stock-take. It is refused if less than the locked units would remain."""

    TYPE: ClassVar[str] = "stock.adjust.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.WAREHOUSE})
    SCOPE: ClassVar[str] = "stock.adjust:{warehouse}:{sku_id}"
    request_id: RequestId
    sku_id: ExternalId
    warehouse: Name
    delta: Annotated[int, Field(ge=-QUANTITY_MAX, le=QUANTITY_MAX)]
    reason: FreeText


class StockLevel(Event):
    """The counters of one SKU in one warehouse after a change."""

    sku_id: str
    warehouse: str
    on_hand: int
    locked: int


class StockReceived(StockLevel):
    """Received goods are on hand."""

    TYPE: ClassVar[str] = "stock.received.v1"
    ref: str
    qty: int


class StockAdjusted(StockLevel):
    """A correction is written."""

    TYPE: ClassVar[str] = "stock.adjusted.v1"
    request_id: str
    delta: int


class StockDiscrepancy(Event):
    """The holder's state does not allow a stock message. Nothing changed."""

    TYPE: ClassVar[str] = "stock.discrepancy.v1"
    holder_id: OrderId
    op: str
    state: str
    details: dict[str, Any] = {}
