"""Answers queries. Nothing is changed or claimed; the answer goes to the reply_to of the query. Only who sees personal
data in clear is stored, before the answer.

    order.preview is                              then
    --------------------------------------------  -------------------------------------------------------------------
    an order that would be accepted               order.previewed: the price that order.create would find, its lines,
                                                  and the buyer's level, points, coupons and addresses (masked)
    an order that would be rejected               order.previewed with the refusal, and everything else that is known
    subject.export of a user                      subject.exported: a part of everything that is kept about the user;
                                                  address_accesses has who and when
    for another user, or from a broker user       query.rejected with AUTH_FORBIDDEN
    without the role

    contact.list                                  contact.listed: where the user is notified, the address masked
    cart.get, coupon.list, points.get             cart.shown, coupon.listed, points.shown: what the user has
    order.draft.get, order.draft.list             order_draft.shown, order_draft.listed: orders that a user saved
    stock.get                                     stock.shown: what each warehouse has; query.rejected with
                                                  INVENTORY_ELSEWHERE if stock has a database of its own
    plan.reorder                                  plan.reorder_shown: whether to order more of a SKU, and how much
    plan.price                                    plan.price_shown: at which price a SKU earns most
    plan.forecast                                 plan.forecast_shown: what was sold of a SKU in each period, and how
                                                  much will be; query.rejected with a code that begins with PLAN
    dashboard.get                                 dashboard.shown: what happened to orders on a day
    order.stuck                                   order.stuck_listed: a page of what waits too long

    about orders that exist                       then
    --------------------------------------------  -------------------------------------------------------------------
    order.get                                     order.described: all about the order, its address masked
    order.get of an operator, with a              the same with the address in clear; address_accesses has who, when and
    reveal_reason                                 why. Of any other sender: query.rejected with AUTH_FORBIDDEN
    order.track                                   order.tracked: its parcels, and what their carriers reported
    order.history                                 order.history_listed: its steps
    payment.get                                   payment.described: its attempts, captures and refunds
    order.explain                                 order.explained: what it waits for and from whom, and what died
    order.as_of                                   order.shown_as_of: its state, money and parcels at an earlier time
    order.list                                    order.listed: a page of orders, the newest first
    after_sale.get                                after_sale.described: one case, or all of an order, with their steps.
                                                  An operator sees texts only with a reveal_reason, as above
    after_sale.list                               after_sale.listed: a page of cases
    dispute.get                                   dispute.described: a dispute, and what was submitted against it
    dispute.list                                  dispute.listed: a page of disputes
    about an unknown order or another user's      query.rejected with ORDER_NOT_FOUND, of a case AFTERSALE_NOT_FOUND,
                                                  of a dispute PAY_DISPUTE_NOT_FOUND
    with a version that the order has not yet     query.rejected with ORDER_VERSION_BEHIND
    a wrong limit, state or cursor                query.rejected with ORDER_PARAM_INVALID and the field's path

The function that prices orders makes the price. Limited things (a coupon, points, units at a limited price) are read
without a lock, so another order may take them between this answer and the order.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias

from db.pool import Transaction
from messages.account_queries import StockGet
from messages.after_sale_queries import AfterSaleGet, AfterSaleList
from messages.base import Query, QueryRejected, Reply
from messages.dashboards import DashboardGet
from messages.dispute_queries import DisputeGet, DisputeList
from messages.envelope import Envelope
from messages.order_queries import OrderList, OrderQuery
from messages.orders import LINES_MAX, Amounts
from messages.planning import PlanForecast, PlanPrice, PlanReorder
from messages.queries import (
    OrderPreview,
    OrderPreviewed,
    PreviewCoupon,
    PreviewLine,
    PreviewRefusal,
    PreviewUser,
)
from messages.stuck_waits import OrderStuck
from messages.subjects import SubjectExport
from outbox import code_counts
from workers import shop
from workers.domain.codes import Code
from workers.domain.order_validation import against_policy, unknown_words, wrong_user
from workers.domain.pricing import coupons
from workers.domain.pricing.coupons import Coupon
from workers.domain.pricing.quote import Buyer, PricedLine, PriceRequest, Quote, RequestedLine, quote
from workers.domain.pricing.totals import totals
from workers.domain.refusal import Refusal
from workers.domain.shop import Policy, Shop
from workers.runtime.batch import Batch
from workers.runtime.route import QueryRoute
from workers.services import (
    account_answers,
    authorization,
    case_answers,
    case_pages,
    dashboard_answers,
    dispute_answers,
    forecast_answers,
    order_answers,
    order_pages,
    price_answers,
    reorder_answers,
    revelations,
    stuck_answers,
    subject_exports,
)
from workers.services.sales_histories import SalesClock
from workers.store import preview
from workers.store.preview import PreviewContext

BATCH_MAX_ITEMS = 20  # a preview with all its coupons takes some milliseconds, and the first caller waits for all


AnswerKind: TypeAlias = Callable[[Transaction, Sequence[Envelope[Any]], Batch[Query]], Awaitable[list[Reply]]]
Kinds: TypeAlias = Mapping[type[Query], AnswerKind]


@dataclass(frozen=True)
class Preview:
    """The findings of a preview. `coupons` are the buyer's, each with the reason why it cannot be used, or None.

    `price` is the order's price; if the order is rejected, its price without coupon and points; None if it has no
    price.
    """

    price: Quote | None
    refusal: Refusal | None
    points_usable: int
    coupons: Sequence[tuple[Coupon, Refusal | None]]


def decide(body: OrderPreview, known: PreviewContext, rules: Shop, now: datetime) -> Preview:
    """Find out what order.create would answer, and what else the buyer could use. No I/O."""
    terms, buyer = order_terms(body, known, rules), known.buyer(body.user_id, body.coupon_id)
    refusal = malformed(body, terms) or unknown_words(body.channel, "buy_now", body.business_type, None, None)
    policy = Policy() if refusal else rules.policy_of(body.business_type, known.policies.get(body.business_type, {}))
    wanted, coupon = [(line.sku_id, line.qty) for line in terms.wanted], body.coupon_id is not None
    member = known.members[body.user_id]
    refusal = refusal or wrong_user(member.level, member.blocked, rules)
    refusal = refusal or against_policy(wanted, coupon, body.use_points, policy)
    price = refusal or quote(terms, known.rules, buyer, rules, now)
    if isinstance(price, Refusal):
        refusal, terms = price, replace(terms, coupon_id=None, use_points=0)
        price = quote(terms, known.rules, buyer, rules, now)
    usable = points_usable(terms, known, buyer, rules, now) if policy.allow_points else 0
    never = against_policy((), True, 0, policy)
    held = [(one, never or unusable(one, terms, price, buyer, now)) for one in known.coupons.get(body.user_id, ())]
    return Preview(price if isinstance(price, Quote) else None, refusal, usable, held)


def order_terms(body: OrderPreview, known: PreviewContext, rules: Shop) -> PriceRequest:
    """Return the request that pricing takes: lines, currency, country, coupon and points."""
    lines = [(line.sku_id, line.qty, line.warehouse, line.expected_unit_price) for line in body.items]
    if body.from_cart:
        lines += [(sku_id, qty, None, None) for sku_id, qty in known.carts[body.user_id]]
    wanted = [
        RequestedLine(sku, qty, warehouse or rules.default_warehouse, price) for sku, qty, warehouse, price in lines
    ]
    return PriceRequest(wanted, body.currency, body.channel, body.country, body.coupon_id, body.use_points)


def malformed(body: OrderPreview, terms: PriceRequest) -> Refusal | None:
    """Reject what no order.create can contain."""
    if body.from_cart and body.items:
        return Refusal(Code.ORDER_PARAM_INVALID, "either items or from_cart", {"field": "items"})
    if len(terms.wanted) > LINES_MAX:
        return Refusal(Code.ORDER_PARAM_INVALID, f"an order has at most {LINES_MAX} lines", {"field": "items"})
    return None


def points_usable(terms: PriceRequest, known: PreviewContext, buyer: Buyer, rules: Shop, now: datetime) -> int:
    """Return how many of the buyer's points the order would take if it took as many as it may."""
    if not buyer.points_available:
        return 0
    price = quote(replace(terms, use_points=buyer.points_available), known.rules, buyer, rules, now)
    return price.points_used if isinstance(price, Quote) else 0


def unusable(
    coupon: Coupon, terms: PriceRequest, price: Quote | Refusal, buyer: Buyer, now: datetime
) -> Refusal | None:
    """Return why the buyer cannot use this coupon for these lines, or None."""
    refusal = coupons.unusable(coupon, buyer, terms.currency, terms.channel, now)
    return refusal or (price if isinstance(price, Refusal) else nothing_off(coupon, price.lines))


def nothing_off(coupon: Coupon, lines: Sequence[PricedLine]) -> Refusal | None:
    """Return why the coupon would take nothing off these lines, or None."""
    rest = [line.origin_amount - line.promotion_amount for line in lines]
    taken = coupons.take_off(coupon, rest, [coupon.covers(line.sku.sku_id, line.sku.category_id) for line in lines])
    return taken if isinstance(taken, Refusal) else None


async def answer(tx: Transaction, batch: Batch[Query]) -> list[Reply]:
    """Answer each query of the batch, in order. Queries of one kind are answered together."""
    return await _answer(tx, batch, KINDS)


async def answer_without_stock(tx: Transaction, batch: Batch[Query]) -> list[Reply]:
    """Answer as `answer` does where stock has a database of its own."""
    return await _answer(tx, batch, {**KINDS, **WITHOUT_STOCK})


async def _answer(tx: Transaction, batch: Batch[Query], kinds: Kinds) -> list[Reply]:
    answers: dict[int, Reply] = {}
    allowed: list[Envelope[Any]] = []
    for item in batch:
        if refusal := authorization.unvouched(item) or revelations.refused(item):
            answers[id(item)] = QueryRejected(code=refusal.code, message=refusal.message)
        else:
            allowed.append(item)
    for model, answer_kind in kinds.items():
        items = [item for item in allowed if isinstance(item.body, model)]
        if items:
            replies = await answer_kind(tx, items, batch)
            answers |= {id(item): reply for item, reply in zip(items, replies, strict=True)}
    for item in batch:
        if isinstance(reply := answers[id(item)], QueryRejected):
            code_counts.rejected(item.body.TYPE, reply.code)
    return [answers[id(item)] for item in batch]


async def answer_previews(tx: Transaction, items: Sequence[Envelope[OrderPreview]], batch: Batch[Query]) -> list[Reply]:
    """Answer each order.preview, in order."""
    known = await preview.read(tx, [item.body for item in items], batch.now)
    return [previewed(item.body, known, decide(item.body, known, shop.current(), batch.now)) for item in items]


async def answer_about_orders(
    tx: Transaction, items: Sequence[Envelope[OrderQuery]], batch: Batch[Query]
) -> list[Reply]:
    """Answer each query about one order, in order: with its address in clear only where that is recorded."""
    return await order_answers.answer_about_orders(tx, items, batch.answers)


async def answer_cases(tx: Transaction, items: Sequence[Envelope[AfterSaleGet]], batch: Batch[Query]) -> list[Reply]:
    """Answer each after_sale.get, in order: with what people wrote in clear only where that is recorded."""
    return await case_answers.answer_about_cases(tx, items, batch.answers)


async def answer_exports(tx: Transaction, items: Sequence[Envelope[SubjectExport]], batch: Batch[Query]) -> list[Reply]:
    """Answer each subject.export, in order. Exports are rare and large, so each is read alone."""
    assert all(id(item) in batch.answers for item in items), "an export is recorded before it is answered"
    return [await subject_exports.answer(tx, item.body, item.user) for item in items]


def _alone(answer_items: Callable[..., Awaitable[list[Reply]]]) -> AnswerKind:
    """Answer from the items alone."""

    async def answer_kind(tx: Transaction, items: Sequence[Envelope[Any]], _: Batch[Query]) -> list[Reply]:
        return await answer_items(tx, items)

    return answer_kind


def _planning(answer_items: Callable[..., Awaitable[list[Reply]]], **more: bool) -> AnswerKind:
    """Answer from the items at the time of the batch, with the days of the shop's time zone."""

    async def answer_kind(tx: Transaction, items: Sequence[Envelope[Any]], batch: Batch[Query]) -> list[Reply]:
        return await answer_items(tx, items, SalesClock(batch.now, shop.current().business_time_zone), **more)

    return answer_kind


KINDS: Kinds = {
    OrderPreview: answer_previews,
    OrderQuery: answer_about_orders,
    OrderList: _alone(order_pages.answer_lists),
    AfterSaleGet: answer_cases,
    AfterSaleList: _alone(case_pages.answer_case_lists),
    DisputeGet: _alone(dispute_answers.answer_about_disputes),
    DisputeList: _alone(dispute_answers.answer_dispute_lists),
    **{model: _alone(answer_items) for model, answer_items in account_answers.ANSWERS.items()},
    PlanForecast: _planning(forecast_answers.answer_forecasts),
    PlanPrice: _planning(price_answers.answer_prices),
    PlanReorder: _planning(reorder_answers.answer_reorders, stock_here=True),
    DashboardGet: _planning(dashboard_answers.answer_dashboards),
    OrderStuck: _alone(stuck_answers.answer_stuck),
    SubjectExport: answer_exports,
}
"""The kinds of queries, and who answers them."""

WITHOUT_STOCK: Kinds = {
    StockGet: _alone(account_answers.reject_stock),
    PlanReorder: _planning(reorder_answers.answer_reorders, stock_here=False),
}
"""Those that are answered otherwise where stock has a database of its own."""


def previewed(body: OrderPreview, known: PreviewContext, found: Preview) -> OrderPreviewed:
    """Build order.previewed: everything that a page to confirm the order shows."""
    member, price, refusal = known.members[body.user_id], found.price, found.refusal
    amounts = None
    if price is not None and refusal is None:
        amounts = Amounts(currency=price.currency, **totals(price.lines).amounts())
    return OrderPreviewed(
        user=PreviewUser(user_id=body.user_id, member_level=member.level, points_available=member.points),
        items=tuple(_line(line) for line in price.lines) if price else (),
        addresses=tuple(known.addresses.get(body.user_id, ())),
        coupons=tuple(_coupon(coupon, refusal) for coupon, refusal in found.coupons),
        amounts=amounts,
        points_used=price.points_used if price else 0,
        points_usable=found.points_usable,
        refusal=_refusal(refusal) if refusal else None,
    )


def _line(line: PricedLine) -> PreviewLine:
    return PreviewLine(
        line_no=line.line_no,
        sku_id=line.sku.sku_id,
        name=line.sku.name,
        warehouse=line.warehouse,
        qty=line.qty,
        unit_price=line.sku.price,
        origin=line.origin_amount,
        promotion=line.promotion_amount,
        coupon=line.coupon_amount,
        points=line.points_amount,
        tax=line.tax_amount,
        shipping_share=line.shipping_share,
        payable=line.payable_amount,
        promotion_id=line.promotion_id,
        promotion_text=line.promotion_text,
    )


def _coupon(coupon: Coupon, refusal: Refusal | None) -> PreviewCoupon:
    return PreviewCoupon(
        coupon_id=coupon.coupon_id,
        name=coupon.name,
        amount=coupon.amount,
        currency=coupon.currency,
        usable=refusal is None,
        why=None if refusal is None else str(refusal.details.get("why", refusal.code)),
    )


def _refusal(refusal: Refusal) -> PreviewRefusal:
    return PreviewRefusal(code=refusal.code, message=refusal.message, details=dict(refusal.details))


ROUTE = QueryRoute(
    queue="queries",
    handler=answer,
    batch_max_items=BATCH_MAX_ITEMS,
    is_recorded=revelations.shows,
    record=revelations.record,
)
