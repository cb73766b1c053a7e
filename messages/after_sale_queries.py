"""Queries about after-sale cases, and their replies.

A user sees the cases of own orders, an operator all. Another user's case is answered like an unknown one (S1-46).
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from messages.base import Actor, AnyInt, ExternalId, Moment, MoneyShown, OneLine, OrderId, Part, Query, Reply
from messages.roles import FOR_BUYERS, Role

PAGE_MAX_CASES = 100
CASE_STATES_MAX = 20


class AfterSaleGet(Query):
    """Ask for everything about one case, by its id or its number, or about all cases of one order.

    An operator sees what people wrote, and the evidence, only with a `reveal_reason`. First it is recorded who sees
    it, when and why.
    """

    TYPE: ClassVar[str] = "after_sale.get.v1"
    SENDERS: ClassVar[frozenset[Role]] = FOR_BUYERS
    actor: Actor
    case: ExternalId | None = None
    order: ExternalId | None = None
    reveal_reason: OneLine | None = None


class AfterSaleList(Query):
    """Ask for a page of cases.

    `sort` is newest, the newest first, or waiting: only cases that have not ended, the oldest first. A user's own have
    `user_id`; an operator may leave it out.
    """

    TYPE: ClassVar[str] = "after_sale.list.v1"
    SENDERS: ClassVar[frozenset[Role]] = FOR_BUYERS
    actor: Actor
    user_id: ExternalId | None = None
    states: Annotated[tuple[ExternalId, ...], Field(max_length=CASE_STATES_MAX)] = ()
    type: ExternalId | None = None
    order: ExternalId | None = None
    requested_from: Moment | None = None
    requested_before: Moment | None = None
    sort: Literal["newest", "waiting"] = "newest"
    limit: AnyInt = 20
    cursor: ExternalId | None = None


class ExchangeShown(Part):
    """An exchange order: the order by which other goods go to a buyer, for the goods of a case that come back.

    The case is about `first_order_id`, whose goods it replaces.
    """

    order_id: OrderId
    order_no: str | None
    state: str
    placed_at: Moment
    case_id: OrderId
    case_no: str
    first_order_id: OrderId
    first_order_no: str | None


class CaseSummary(Part):
    """One case in a list: what it is about, and how far it is.

    `units` counts the units of its lines. `amount` is what goes back or has gone back, once that is decided. `exchange`
    is its newest exchange order.
    """

    case_id: OrderId
    case_no: str
    order_id: OrderId
    order_no: str | None
    user_id: str
    type: str
    source: str
    reason_code: str
    state: str
    version: int
    units: int
    amount: MoneyShown | None
    requested_at: Moment
    processed_at: Moment | None
    completed_at: Moment | None
    exchange: ExchangeShown | None = None


class CaseLineShown(Part):
    """The units of one line in a case: claimed, then accepted or refused by the inspection, given back or replaced."""

    line_no: int
    sku_id: str
    name: str
    qty: int
    accepted_qty: int
    refused_qty: int
    refunded_qty: int
    replaced_qty: int
    wanted_sku_id: str | None


class CaseStepShown(Part):
    """One step of a case. A buyer does not see who of the shop acted.

    `written` is what a person wrote with it: a buyer sees what the buyer wrote, and an operator all, with phone numbers
    masked.
    """

    version: int
    trigger: str
    previous: str
    state: str
    actor_type: str
    actor_id: str
    cause_type: str
    cause_id: str
    reason_code: str | None
    written: str | None
    at: Moment


class CaseRefundShown(Part):
    """A refund of a case, under way or ended."""

    refund_no: str
    provider: str
    amount: MoneyShown
    state: str
    reason_code: str | None
    requested_at: Moment | None
    finished_at: Moment | None


class CaseShown(CaseSummary):
    """One case with its lines, steps and refunds.

    `expected` is what would go back now, before that is decided. `granted` is what the reviewer set in its place. If
    nothing happens until `until`, the policy decides, or people are alerted. `owed` is what the buyer of an unreturned
    case owes, or of a closed one owed.
    """

    merchant_fault: bool
    expected: MoneyShown | None
    granted: MoneyShown | None
    owed: MoneyShown | None
    carrier: str | None
    tracking_no: str | None
    until: Moment | None
    evidence: tuple[str, ...]
    lines: tuple[CaseLineShown, ...]
    steps: tuple[CaseStepShown, ...]
    refunds: tuple[CaseRefundShown, ...]


class AfterSaleDescribed(Reply):
    """The answer to after_sale.get: the case, or all cases of the order, the oldest first."""

    TYPE: ClassVar[str] = "after_sale.described.v1"
    cases: tuple[CaseShown, ...]


class AfterSaleListed(Reply):
    """The answer to after_sale.list. `next_cursor` is the cursor of the next page, or null after the last one."""

    TYPE: ClassVar[str] = "after_sale.listed.v1"
    cases: tuple[CaseSummary, ...]
    next_cursor: str | None


QUERIES = (AfterSaleGet, AfterSaleList)
