"""One order with after-sale cases in memory: the handlers' own pure functions take each message.

A CaseModel is a value: `successors` are the models after one event, so that a search meets each state once. A Scope
says what may happen to it. What a handler announces to the queue of the cases is followed at once, or kept (`late`)
while other things happen.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from itertools import count
from typing import Any

from messages.after_sales import AfterSaleParcelMoved, AfterSaleRefundMoved
from messages.replacements import AfterSaleExchangeMoved
from messages.stock import StockRelease, StockRestock
from tests.domain.builders import NOW, ORDER_ID, envelope
from workers.domain.after_sale_policy import AfterSaleRules
from workers.domain.after_sales import AfterSaleCase, CaseBook
from workers.domain.book import Book
from workers.domain.exchanges import ExchangeOrder
from workers.domain.order import FINISHED, Order, State
from workers.domain.pricing.types import Sku
from workers.domain.refund_amounts import GONE, PENDING, BoughtLine, CaptureShare, RefundState
from workers.domain.shipping import CarrierFact, Parcel, ParcelState, after_facts
from workers.domain.sourcing import ANYWHERE
from workers.services import case_refunds, exchange_cases, returned_goods
from workers.services.after_sales import CaseContext
from workers.services.exchanges import Exchanges
from workers.store.ids import NewCaseIds
from workers.store.payments import Kept
from workers.store.refunds import RefundDue, RefundRow

PRICE = 1507
GOODWILL = 100
"""What an operator refunds besides, in minor units: less than any line costs."""
LINES = (
    BoughtLine(1, "s1", "main", 2, 1004, 4, 0, 0),
    BoughtLine(2, "s2", "main", 1, 503, 3, 0, 0),
)
SKUS = {
    sku_id: Sku(sku_id, "p", "goods", True, price, "CNY", "physical", None)
    for sku_id, price in {"s1": 500, "cheap": 301, "dear": 800}.items()
}
ENDS = FINISHED | {State.DELIVERED}
"""The states of an order that wait for nobody. A delivered one is completed by time."""
Place = int
"""The place of a case, a parcel or a refund in the model."""
Event = tuple[str, Place]


@dataclass(frozen=True)
class ModelRefund:
    """A refund at its provider. `failed_once`: its provider has reported a failure, whatever became of it."""

    cause: str
    amount: int
    case_id: int | None = None
    state: RefundState = RefundState.REQUESTED
    excess: int = 0
    replaced: bool = False
    failed_once: bool = False


@dataclass(frozen=True)
class ModelParcel:
    """A parcel to the buyer, and what its carrier has reported of it, the oldest first."""

    id: int
    units: tuple[tuple[int, int], ...]
    statuses: tuple[str, ...] = ()
    given_up: bool = False
    cancelled: bool = False

    @cached_property
    def facts(self) -> dict[str, CarrierFact]:
        """Event id -> what the carrier reported."""
        reported = enumerate(self.statuses)
        return {f"{n}": CarrierFact(f"{n}", status, NOW + timedelta(minutes=n)) for n, status in reported}

    @cached_property
    def parcel(self) -> Parcel:
        """The parcel as its rows hold it."""
        state = ParcelState.CANCELLED if self.cancelled else ParcelState.BOOKED
        booked = Parcel(self.id, ORDER_ID, "sf", f"T{self.id}", state, False, dict(self.units), given_up=self.given_up)
        return after_facts(booked, self.facts.values())


@dataclass(frozen=True, eq=False)
class Scope:
    """What a search is about: the rules of the order, and the events that may happen to a model of it.

    `late`: a message to the cases may wait while other things happen, one at a time.
    """

    events: Callable[["CaseModel"], Iterator[Event]]
    apply: Callable[["CaseModel", Event], "EventResult"]
    late: bool = False
    rules: AfterSaleRules = field(default_factory=AfterSaleRules)


EventResult = tuple["CaseModel", list[Any]]
"""The model after one event, and what it announces to the queue of the cases."""


@dataclass(frozen=True)
class CaseModel:
    """The order, its lines, parcels and cases, all refunds, the exchange order, and the units that stock took back.

    `replacement` is how the exchange order itself is; `exchange` is what its case knows of that.
    """

    scope: Scope
    order: Order
    lines: tuple[BoughtLine, ...] = LINES
    parcels: tuple[ModelParcel, ...] = ()
    cases: tuple[AfterSaleCase, ...] = ()
    refunds: tuple[ModelRefund, ...] = ()
    exchange: ExchangeOrder | None = None
    replacement: str = ""
    stocked: tuple[int, ...] = (0, 0)
    late: Any = None

    def __hash__(self) -> int:
        return self.hashed

    @cached_property
    def hashed(self) -> int:
        """What differs between most models; the rest is compared."""
        return hash((self.order.state, self.parcels, self.cases, self.refunds, self.replacement, self.lines))

    def successors(self) -> Iterator[tuple[str, "CaseModel"]]:
        """Every model that is one event away, with what happens."""
        for what, place in self.scope.events(self):
            after, news = self.scope.apply(self, (what, place))
            yield what, after.follow(news)
            if news and self.scope.late and self.late is None:
                yield f"{what}, and its news is late", replace(after, late=news[0]).follow(news[1:])
        if self.late is not None:
            yield "late news", replace(self, late=None).follow([self.late])
        vars(self).pop("context", None)

    def follow(self, news: list[Any]) -> "CaseModel":
        """The model after its cases have followed these messages."""
        after = self
        for body in news:
            context, item = after.context, envelope(body, "m")
            if isinstance(body, AfterSaleRefundMoved):
                context.refunds = {} if body.state == "succeeded" else after.refund_rows
                case_refunds.follow_refund(context, item, body, NOW)
            elif isinstance(body, AfterSaleParcelMoved):
                returned_goods.follow_parcel(context, item, body, NOW)
            else:
                assert isinstance(body, AfterSaleExchangeMoved)
                exchange_cases.follow(context, item, NOW)
            after = after.read(context)
        return after

    @cached_property
    def gone(self) -> int:
        """What the buyer has got back of the capture, or keeps, in minor units."""
        return sum(one.amount - one.excess for one in self.refunds if one.state in GONE)

    @cached_property
    def owed(self) -> int:
        """What has gone back or is on its way."""
        return sum(one.amount - one.excess for one in self.refunds if one.state.counts)

    @property
    def all_back(self) -> bool:
        """True if every unit of the order has gone back."""
        return all(line.refunded_qty == line.qty for line in self.lines)

    @property
    def done(self) -> bool:
        """True if nobody waits: no case, no refund, no parcel, no message, and the order has ended."""
        refunds = not any(one.state in PENDING or self.may_fail_again(one) for one in self.refunds)
        parcels = all(one.cancelled or one.parcel.ended for one in self.parcels)
        cases = all(case.ended and not case.sends_back for case in self.cases)
        return cases and refunds and parcels and self.late is None and self.order.state in ENDS

    def may_fail_again(self, one: ModelRefund) -> bool:
        """True if a refund failed whose money can still go back: people have to request it again."""
        return one.state is RefundState.FAILED and not one.replaced and one.amount <= PRICE - self.owed

    @cached_property
    def kept(self) -> Kept:
        """The capture that the order keeps."""
        return Kept(ORDER_ID, "alipay", "t1", 8, PRICE, "CNY", self.owed)

    @cached_property
    def share(self) -> CaptureShare:
        """What the order may give back of the capture."""
        return CaptureShare(PRICE, self.gone, sum(one.amount for one in self.refunds if one.state in PENDING))

    @cached_property
    def refund_rows(self) -> dict[str, RefundRow]:
        """Refund number -> the row of the refund. Here the cause is the number."""
        return {
            one.cause: RefundRow(
                place,
                one.cause,
                ORDER_ID,
                "alipay",
                "t1",
                one.cause,
                one.amount,
                "CNY",
                one.state,
                self.share,
                8,
                "other" if one.replaced else None,
                one.case_id,
            )
            for place, one in enumerate(self.refunds)
        }

    @cached_property
    def context(self) -> CaseContext:
        """What a batch reads of this order. One that did nothing leaves it as it is, for the next."""
        current = {} if self.exchange is None else {self.exchange.case_id: self.exchange}
        return CaseContext(
            Book({ORDER_ID: self.order}),
            CaseBook(self.cases),
            {ORDER_ID: list(self.lines)},
            {ORDER_ID: [one.parcel for one in self.parcels]},
            {ORDER_ID: self.kept},
            {ORDER_ID: self.scope.rules},
            self.numbers,
            {},
            exchanges=Exchanges(current, SKUS, {ORDER_ID: [self.next_exchange_id]}, regions={ORDER_ID: ANYWHERE}),
        )

    @property
    def numbers(self) -> NewCaseIds:
        """Ids for cases and parcels. The id of a case says how many were opened before it."""
        return NewCaseIds((1_800_000_000_000, n, "20270115", n) for n in count(len(self.cases) + 1))

    @property
    def next_exchange_id(self) -> int:
        return ORDER_ID + 1 + (0 if self.exchange is None else self.exchange.order_id - ORDER_ID)

    def read(self, context: CaseContext) -> "CaseModel":
        """The model after what a batch about cases did; the same one if it did nothing."""
        cases = context.cases.of(ORDER_ID)
        same = len(cases) == len(self.cases) and all(a is b for a, b in zip(cases, self.cases, strict=True))
        if same and not context.dues and not context.exchanges.changed and not context.book.steps:
            context.numbers = self.numbers
            return self
        vars(self).pop("context")
        for wanted in context.send_backs.wanted:
            before = next(case for case in self.cases if case.id == wanted.case_id)
            assert not any(n.sending_qty for n in before.lines if n.line_no == wanted.line_no), "it goes back twice"
        exchange, replacement = self.exchange, self.replacement
        for now in context.exchanges.current.values():
            replacement = (
                {**DECIDED, "reserving": "placing"}.get(now.state, replacement) if now != exchange else replacement
            )
            exchange = now
        changed = replace(
            self,
            order=replace(context.book[ORDER_ID], version=2),
            lines=tuple(context.lines[ORDER_ID]),
            cases=tuple(replace(case, version=1) for case in cases),
            exchange=exchange,
            replacement=replacement,
        )
        return changed.with_dues(context.dues).with_stock(context.news)

    def with_dues(self, dues: list[RefundDue]) -> "CaseModel":
        """The model with refunds that a batch opened."""
        opened = tuple(ModelRefund(due.cause, due.amount, due.case_id) for due in dues)
        return replace(self, refunds=(*self.refunds, *opened)) if opened else self

    def with_stock(self, news: list[Any]) -> "CaseModel":
        """The model with the units that stock takes back."""
        back: dict[str, int] = {}
        for body in (one.body for one in news):
            if isinstance(body, StockRestock):
                for line in body.lines:
                    back[line.sku_id] = back.get(line.sku_id, 0) + line.qty
            elif isinstance(body, StockRelease):
                back = {line.sku_id: line.qty for line in self.lines}
        if not back:
            return self
        more = (qty + back.get(line.sku_id, 0) for qty, line in zip(self.stocked, self.lines, strict=True))
        return replace(self, stocked=tuple(more))

    def with_parcels(self, parcels: Mapping[int, Parcel]) -> "CaseModel":
        """The model with parcels as a batch left them."""
        now = tuple(
            replace(
                one,
                units=tuple(sorted(parcels[one.id].units.items())),
                given_up=parcels[one.id].given_up,
                cancelled=parcels[one.id].state is ParcelState.CANCELLED,
            )
            for one in self.parcels
        )
        return replace(self, parcels=now)


def effects(context: CaseContext) -> tuple[int, ...]:
    """How much a batch about cases writes and announces so far."""
    steps, orders = context.cases.steps, context.book.steps
    rows = context.dues, context.given, context.returns, context.send_backs.wanted, context.started, context.stopped
    return tuple(len(found) for found in (steps, orders, context.news, *rows))


DECIDED = {"confirmed": "sent", "ended": "cancelled"}
"""What the case of an exchange order decides -> what that order is then."""
