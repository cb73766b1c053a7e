"""stock.*: reservations between our own queues, and what warehouses tell us."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from messages.base import (
    QUANTITY_MAX,
    AnyInt,
    Code,
    Command,
    Event,
    ExternalId,
    Internal,
    Moment,
    Name,
    OrderId,
    Part,
    Quantity,
    RequestId,
    ShortText,
)


class StockLine(Part):
    """`qty` units of one SKU in one warehouse, held for the order `holder_id`."""

    holder_id: OrderId
    sku_id: ExternalId
    warehouse: Name
    qty: Quantity


class StockReserve(Internal):
    """Lock all lines of the group or none. Answered with stock.reserved or stock.refused; refused after `deadline`."""

    TYPE: ClassVar[str] = "stock.reserve.v1"
    PACKABLE: ClassVar[bool] = True
    group_id: OrderId
    deadline: Moment
    lines: tuple[StockLine, ...]


class StockCommit(Internal):
    """The holder's lock becomes a deduction: locked and on hand both fall (S4-14)."""

    TYPE: ClassVar[str] = "stock.commit.v1"
    PACKABLE: ClassVar[bool] = True
    holder_id: OrderId


class StockRelease(Internal):
    """The holder's lock ends; on hand stays (S4-15). Before its reserve it leaves a tombstone."""

    TYPE: ClassVar[str] = "stock.release.v1"
    PACKABLE: ClassVar[bool] = True
    holder_id: OrderId


class RestockLine(Part):
    """Units that came back."""

    sku_id: ExternalId
    warehouse: Name
    qty: Quantity


class StockRestock(Internal):
    """Deducted units are sellable again: all of the holder's (no lines) or those given, once per `ref`."""

    TYPE: ClassVar[str] = "stock.restock.v1"
    PACKABLE: ClassVar[bool] = True
    holder_id: OrderId
    ref: ExternalId
    lines: tuple[RestockLine, ...] = ()


class StockReserved(Internal):
    """Every line of the group is locked."""

    TYPE: ClassVar[str] = "stock.reserved.v1"
    PACKABLE: ClassVar[bool] = True
    group_id: OrderId


class Shortage(Part):
    """What was wanted and what there was."""

    sku_id: str
    warehouse: str
    want: AnyInt
    have: AnyInt


class StockRefused(Internal):
    """Nothing of the group is locked."""

    TYPE: ClassVar[str] = "stock.refused.v1"
    PACKABLE: ClassVar[bool] = True
    group_id: OrderId
    code: Code
    short: tuple[Shortage, ...] = ()


class StockReceive(Command):
    """Goods arrived in a warehouse. `ref` is the delivery note: the same one counts once."""

    TYPE: ClassVar[str] = "stock.receive.v1"
    ref: RequestId
    sku_id: ExternalId
    warehouse: Name
    qty: Quantity

    def command_scope(self) -> str:
        return f"stock.receive:{self.warehouse}:{self.sku_id}"

    def command_key(self) -> str:
        return self.ref


class StockAdjust(Command):
    """A stock-take correction. Refused where it would leave less than is locked."""

    TYPE: ClassVar[str] = "stock.adjust.v1"
    TRUSTED_ONLY: ClassVar[bool] = True
    request_id: RequestId
    sku_id: ExternalId
    warehouse: Name
    delta: Annotated[int, Field(ge=-QUANTITY_MAX, le=QUANTITY_MAX)]
    reason: ShortText

    def command_scope(self) -> str:
        return f"stock.adjust:{self.warehouse}:{self.sku_id}"

    def command_key(self) -> str:
        return self.request_id


class StockLevel(Event):
    """The counters of one SKU in one warehouse after a change."""

    sku_id: str
    warehouse: str
    on_hand: int
    locked: int


class StockReceived(StockLevel):
    """Goods are on hand."""

    TYPE: ClassVar[str] = "stock.received.v1"
    ref: str
    qty: int


class StockAdjusted(StockLevel):
    """A correction is booked."""

    TYPE: ClassVar[str] = "stock.adjusted.v1"
    request_id: str
    delta: int


class StockDiscrepancy(Event):
    """A stock message that the holder's state does not allow: nothing was changed."""

    TYPE: ClassVar[str] = "stock.discrepancy.v1"
    holder_id: OrderId
    op: str
    state: str
    details: dict[str, Any] = {}
