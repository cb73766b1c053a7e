"""One order with after-sale cases in memory: the handler's own pure functions take each message.

A CaseModel is a value: `after` returns the model after one event, so that a search meets each state once. Its order has
two lines, three units and 1,507 minor units, and was delivered.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from typing import Any

from messages.after_sales import (
    AfterSaleApply,
    AfterSaleCancel,
    AfterSaleClose,
    AfterSaleDue,
    AfterSaleInspect,
    AfterSaleReceive,
    AfterSaleRefundMoved,
    AfterSaleReview,
    AppliedLine,
    InspectedLine,
)
from messages.base import Actor
from tests.domain.builders import NOW, ORDER_ID, envelope, order
from workers.domain.after_sale_policy import AfterSaleRules
from workers.domain.after_sales import AfterSaleCase, CaseBook
from workers.domain.book import Book
from workers.domain.order import Order, State
from workers.domain.refund_amounts import PENDING, BoughtLine, RefundState
from workers.domain.shipping import Parcel, ParcelState
from workers.handlers import after_sales
from workers.services import case_refunds
from workers.services.after_sales import CaseContext
from workers.store.ids import NewCaseIds
from workers.store.payments import Kept
from workers.store.timers import TimerKind

PRICE, UNITS = 1507, {1: 2, 2: 1}
BUYER, OPERATOR = Actor(type="user", id="u1"), Actor(type="operator", id="ops-7")
CASES_MAX = 2
APPLICATIONS: dict[str, tuple[Any, dict[int, int]]] = {
    "apply for money for one": ("refund_only", {1: 1}),
    "apply to return the first line": ("return_refund", {1: 2}),
    "apply to return all": ("return_refund", {1: 2, 2: 1}),
}
OF_CASES = (
    *("approve", "reject", "cancel", "close", "receive", "accept", "refuse", "time"),
    *("refund succeeds", "refund fails", "refund again"),
)


@dataclass(frozen=True)
class RefundOfCase:
    """The refund of a case, at its provider."""

    case_id: int
    amount: int
    state: RefundState = RefundState.REQUESTED


@dataclass(frozen=True)
class CaseModel:
    """The order, its lines and cases, their refunds, and what operators gave back besides."""

    order: Order
    lines: tuple[BoughtLine, ...]
    cases: tuple[AfterSaleCase, ...] = ()
    refunds: tuple[RefundOfCase, ...] = ()
    goodwill: int = 0

    @property
    def gone(self) -> int:
        """What has gone back, or is on its way."""
        return self.goodwill + sum(one.amount for one in self.refunds if one.state.counts)

    def events(self) -> Iterator[tuple[str, int]]:
        """Every event that may happen now, also those that do not fit: (what, place of the case)."""
        if len(self.cases) < CASES_MAX:
            yield from ((name, 0) for name in APPLICATIONS)
        if not self.goodwill:
            yield "goodwill", 0
        yield from ((name, place) for place in range(len(self.cases)) for name in OF_CASES)

    def after(self, name: str, place: int) -> "CaseModel":
        """The model after one event."""
        if name == "goodwill":
            amount = min(100, PRICE - self.gone)
            return replace(self, goodwill=amount)
        context = self.context()
        if name in APPLICATIONS:
            kind, units = APPLICATIONS[name]
            lines = tuple(AppliedLine(line_no=no, qty=qty) for no, qty in units.items())
            body: Any = AfterSaleApply(
                request_id="r", actor=BUYER, order_id=ORDER_ID, type=kind, reason_code="price", lines=lines
            )
            after_sales.change(context, envelope(body, "m"), NOW)
            return self.read(context, self.refunds)
        case = self.cases[place]
        if name.startswith("refund"):
            return self.answer(context, case, name)
        if name == "time":
            due = envelope(AfterSaleDue(case_id=case.id), "m")
            context.due[TimerKind.AFTER_SALE, case.id] = NOW - timedelta(seconds=1)
            after_sales.expire(context, due, due.body, NOW)
        else:
            after_sales.change(context, envelope(command(name, case), "m"), NOW)
        return self.read(context, self.refunds)

    def answer(self, context: CaseContext, case: AfterSaleCase, name: str) -> "CaseModel":
        """Let a provider answer about the refund of a case, or an operator request it again."""
        known = next((one for one in self.refunds if one.case_id == case.id), None)
        if known is None:
            return self
        news: Any = {"refund succeeds": "succeeded", "refund fails": "failed", "refund again": "requested"}[name]
        if name == "refund again" and (known.state is not RefundState.FAILED or self.gone + known.amount > PRICE):
            return self
        if name == "refund fails" and known.state not in PENDING:
            return self
        state = RefundState(news)
        if state is RefundState.SUCCEEDED and known.state is RefundState.FAILED and self.gone + known.amount > PRICE:
            return self  # a refund in excess: people get that money back, it is not the order's
        moved = AfterSaleRefundMoved(order_id=ORDER_ID, case_id=case.id, refund_no="R", state=news)
        case_refunds.follow_refund(context, envelope(moved, "m"), moved, NOW)
        others = tuple(replace(one, state=state) if one is known else one for one in self.refunds)
        return self.read(context, others)

    def context(self) -> CaseContext:
        """What a batch reads of this order."""
        parcel = Parcel(9, ORDER_ID, "sf", "T1", ParcelState.DELIVERED, False, UNITS)
        kept = Kept(ORDER_ID, "alipay", "t1", 8, PRICE, "CNY", self.gone)
        numbers = NewCaseIds((1_800_000_000_000, n, f"A{n}") for n in count(len(self.cases) + 1))
        return CaseContext(
            Book({ORDER_ID: self.order}),
            CaseBook(self.cases),
            {ORDER_ID: list(self.lines)},
            {ORDER_ID: [parcel]},
            {ORDER_ID: kept},
            {ORDER_ID: AfterSaleRules()},
            numbers,
            {},
        )

    def read(self, context: CaseContext, refunds: tuple[RefundOfCase, ...]) -> "CaseModel":
        """The model after what a batch did."""
        opened = tuple(RefundOfCase(due.case_id or 0, due.amount) for due in context.dues)
        cases = tuple(replace(one, version=1) for one in context.cases.of(ORDER_ID))
        now = replace(context.book[ORDER_ID], version=2)
        return replace(self, order=now, lines=tuple(context.lines[ORDER_ID]), cases=cases, refunds=(*refunds, *opened))


def command(name: str, case: AfterSaleCase) -> Any:
    """The command of this name about a case."""
    about: dict[str, Any] = {"request_id": "r", "order_id": ORDER_ID, "case_id": case.id}
    match name:
        case "approve":
            return AfterSaleReview(**about, actor=OPERATOR, decision="approve")
        case "reject":
            return AfterSaleReview(**about, actor=OPERATOR, decision="reject")
        case "cancel":
            return AfterSaleCancel(**about, actor=BUYER)
        case "close":
            return AfterSaleClose(**about, actor=OPERATOR, reason_code="given_up")
        case "receive":
            return AfterSaleReceive(**about, actor=OPERATOR)
    disposition: Any = "restock" if name == "accept" else "send_back"
    found = [part for part in case.lines if part.uninspected]
    lines = tuple(
        InspectedLine(line_no=part.line_no, qty=1, disposition=disposition) for part in found[:1] or case.lines
    )
    return AfterSaleInspect(**about, actor=OPERATOR, lines=lines)


def first() -> CaseModel:
    """A delivered order without a case."""
    lines = (
        BoughtLine(1, "s1", "main", 2, 1004, 4, 0, 0),
        BoughtLine(2, "s2", "main", 1, 503, 3, 0, 0),
    )
    return CaseModel(order(State.DELIVERED, payable_amount=PRICE, captured_amount=PRICE), lines)
