"""Answers queries. Nothing is changed or claimed; the answer goes to the reply_to of the query. Only who sees personal
data in clear is stored, before the answer.

    order.preview is                              then
    --------------------------------------------  -------------------------------------------------------------------
    an order that would be accepted               order.previewed: the price that order.create would find, its lines,
                                                  the buyer's level, points, coupons and addresses (masked),
                                                  and how full its group of buyers is
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
    group.get                                     group.described: how full a group of buyers is
    archived_order.get                            archived_order.shown: how the order ended, and its lines;
                                                  to an operator all that is kept of it
    archived_order.list                           archived_order.listed: a page of a user's archived orders
    order.get and the like of an archived order   query.rejected with ORDER_ARCHIVED
    about an unknown order or another user's      query.rejected with ORDER_NOT_FOUND, of a case AFTERSALE_NOT_FOUND,
                                                  of a dispute PAY_DISPUTE_NOT_FOUND, of a group GROUP_NOT_FOUND
    with a version that the order has not yet     query.rejected with ORDER_VERSION_BEHIND
    a wrong limit, state or cursor                query.rejected with ORDER_PARAM_INVALID and the field's path

"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

from db.pool import Transaction
from messages.account_queries import StockGet
from messages.after_sale_queries import AfterSaleGet, AfterSaleList
from messages.archived_orders import ArchivedOrderGet, ArchivedOrderList
from messages.base import Query, QueryRejected, Reply
from messages.dashboards import DashboardGet
from messages.dispute_queries import DisputeGet, DisputeList
from messages.envelope import Envelope
from messages.group_queries import GroupGet
from messages.order_queries import OrderList, OrderQuery
from messages.planning import PlanForecast, PlanPrice, PlanReorder
from messages.queries import OrderPreview
from messages.stuck_waits import OrderStuck
from messages.subjects import SubjectExport
from outbox import code_counts
from workers import shop
from workers.runtime.batch import Batch
from workers.runtime.route import QueryRoute
from workers.services import (
    account_answers,
    archive_answers,
    authorization,
    case_answers,
    case_pages,
    dashboard_answers,
    dispute_answers,
    forecast_answers,
    group_answers,
    order_answers,
    order_pages,
    preview_answers,
    price_answers,
    reorder_answers,
    revelations,
    stuck_answers,
    subject_exports,
)
from workers.services.sales_histories import SalesClock

BATCH_MAX_ITEMS = 20  # a preview with all its coupons takes some milliseconds, and the first caller waits for all


AnswerKind: TypeAlias = Callable[[Transaction, Sequence[Envelope[Any]], Batch[Query]], Awaitable[list[Reply]]]
Kinds: TypeAlias = Mapping[type[Query], AnswerKind]


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
    """Answer each order.preview, in order, with the prices of now."""
    return await preview_answers.answer_previews(tx, items, batch.now)


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
    ArchivedOrderGet: _alone(archive_answers.answer_archived),
    ArchivedOrderList: _alone(archive_answers.answer_archive_lists),
    AfterSaleGet: answer_cases,
    AfterSaleList: _alone(case_pages.answer_case_lists),
    DisputeGet: _alone(dispute_answers.answer_about_disputes),
    DisputeList: _alone(dispute_answers.answer_dispute_lists),
    GroupGet: _alone(group_answers.answer_about_groups),
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


ROUTE = QueryRoute(
    queue="queries",
    handler=answer,
    batch_max_items=BATCH_MAX_ITEMS,
    is_recorded=revelations.shows,
    record=revelations.record,
)
