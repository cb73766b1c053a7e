"""stock.*: reservations, which go between our own queues, and what warehouses report."""

from typing import Annotated, Any, ClassVar, Literal

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
    ReasonCode,
    RequestId,
)
from messages.roles import Role

Turn = Annotated[int, Field(ge=0, le=1)]
"""0 when an order is placed, 1 when it is reinstated."""


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

    The answer is stock.reserved or stock.refused; after `deadline` it is refused. `turn` counts the reservations of a
    group: an order that is reinstated reserves once more, after its first reservation was released.
    """

    TYPE: ClassVar[str] = "stock.reserve.v1"
    PACKABLE: ClassVar[bool] = True
    group_id: OrderId
    deadline: Moment
    lines: tuple[StockLine, ...]
    turn: Turn = 0


class StockCommit(Internal):
    """Turn the holder's lock into a deduction: both locked and on hand fall (S4-14)."""

    TYPE: ClassVar[str] = "stock.commit.v1"
    PACKABLE: ClassVar[bool] = True
    holder_id: OrderId


class StockRelease(Internal):
    """End the holder's lock; on hand stays (S4-15). If it comes before its reserve, it leaves a tombstone.

    With a `turn` it ends that reservation and no later one.
    """

    TYPE: ClassVar[str] = "stock.release.v1"
    PACKABLE: ClassVar[bool] = True
    holder_id: OrderId
    turn: Turn | None = None


StockDisposition = Literal["restock", "quarantine", "write_off"]
"""What becomes of a unit that came back: it is sold again, kept apart, or gone for good."""


class RestockLine(Part):
    """Units of one SKU that came back to a warehouse, and what becomes of them there.

    Units in quarantine and units that are written off cannot be sold, but the holder cannot bring them back again.
    """

    sku_id: ExternalId
    warehouse: Name
    qty: Quantity
    disposition: StockDisposition = "restock"


class StockRestock(Internal):
    """Take deducted units back: all units of the holder as sellable, or those of `lines`. Each `ref` counts once."""

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
    turn: Turn = 0


class Shortage(Part):
    """How many units were wanted, and how many were available in the warehouse that has the most.

    `elsewhere` is what the other warehouses have that the SKU may come from. They do not count, because all units of a
    SKU come from one warehouse.
    """

    sku_id: str
    warehouse: str
    want: AnyInt
    have: AnyInt
    elsewhere: AnyInt = 0


class StockRefused(Internal):
    """Nothing of the group is locked."""

    TYPE: ClassVar[str] = "stock.refused.v1"
    PACKABLE: ClassVar[bool] = True
    group_id: OrderId
    code: CodeText
    short: tuple[Shortage, ...] = ()
    turn: Turn = 0


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


class StockEndQuarantine(Command):
    """The warehouse has decided about units in quarantine: they are sold again, or written off."""

    TYPE: ClassVar[str] = "stock.end_quarantine.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.WAREHOUSE})
    SCOPE: ClassVar[str] = "stock.end_quarantine:{warehouse}:{sku_id}"
    request_id: RequestId
    sku_id: ExternalId
    warehouse: Name
    qty: Quantity
    outcome: Literal["sellable", "written_off"]
    reason_code: ReasonCode


class TransferLine(Part):
    """`qty` units of one SKU."""

    sku_id: ExternalId
    qty: Quantity


class StockTransfer(Command):
    """Goods moved from one warehouse to another: all lines are booked or none. What orders hold stays."""

    TYPE: ClassVar[str] = "stock.transfer.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.WAREHOUSE, Role.OPERATOR})
    SCOPE: ClassVar[str] = "stock.transfer:{warehouse}:{to_warehouse}"
    request_id: RequestId
    warehouse: Name
    to_warehouse: Name
    lines: Annotated[tuple[TransferLine, ...], Field(min_length=1, max_length=200)]


class StockLevel(Event):
    """The counters of one SKU in one warehouse after a change. Units in quarantine are not among those on hand."""

    sku_id: str
    warehouse: str
    on_hand: int
    locked: int
    quarantined: int = 0


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


class TransferredSku(Part):
    """Units of one SKU that moved, and what is on hand now in the warehouse that they left and in the other one."""

    sku_id: str
    qty: int
    on_hand: int
    to_on_hand: int


class StockTransferred(Event):
    """These units are in the other warehouse."""

    TYPE: ClassVar[str] = "stock.transferred.v1"
    request_id: str
    warehouse: str
    to_warehouse: str
    lines: tuple[TransferredSku, ...]


class StockThresholdSet(Command):
    """Announce stock.low when so few units of the SKU can be sold there, 0: never. null: as the shop's setting says."""

    TYPE: ClassVar[str] = "stock.threshold.set.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.WAREHOUSE, Role.CATALOGUE, Role.OPERATOR})
    SCOPE: ClassVar[str] = "stock.threshold.set:{warehouse}:{sku_id}"
    request_id: RequestId
    sku_id: ExternalId
    warehouse: Name
    units: Annotated[int, Field(ge=0, le=QUANTITY_MAX)] | None


class StockThresholdChanged(Event):
    """The threshold of the SKU in this warehouse; null stands for the shop's."""

    TYPE: ClassVar[str] = "stock.threshold_changed.v1"
    request_id: str
    sku_id: str
    warehouse: str
    units: int | None


class StockLow(Event):
    """The units that can be sold there fell to the threshold or below: announced again once they rose."""

    TYPE: ClassVar[str] = "stock.low.v1"
    sku_id: str
    warehouse: str
    sellable: int
    threshold: int


class StockSoldOut(Event):
    """The last unit that could be sold there is locked or gone. It is announced again once there were some."""

    TYPE: ClassVar[str] = "stock.sold_out.v1"
    sku_id: str
    warehouse: str


class StockQuarantineEnded(StockLevel):
    """These units are not in quarantine any more: they are on hand, or gone for good."""

    TYPE: ClassVar[str] = "stock.quarantine_ended.v1"
    request_id: str
    qty: int
    outcome: str
    reason_code: str


class StockDiscrepancy(Event):
    """The holder's state does not allow a stock message. Nothing changed."""

    TYPE: ClassVar[str] = "stock.discrepancy.v1"
    holder_id: OrderId
    op: str
    state: str
    details: dict[str, Any] = {}
