"""Reads what a batch of payment results decides with: orders, intents, recorded facts and rival attempts.

The orders are locked. handlers/payment_results.py decides, with the table of what follows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from db.pool import Transaction
from messages.envelope import Envelope
from messages.payments import PaymentResult
from messages.stock import StockLine
from workers.domain.benefits import Benefits
from workers.domain.book import Book
from workers.domain.order import Order
from workers.domain.payment_authorizations import PaymentAuthorization
from workers.domain.payment_rules import ends_by_failure, may_reinstate
from workers.store import attempts, benefits, free_texts, orders, payments, reinstatements
from workers.store.attempts import Attempt

Item: TypeAlias = Envelope[Any]


@dataclass(frozen=True)
class ReportedResult:
    """A payment result, the message that brought it, and the attempt that it belongs to, if it is one of ours.

    With `authorized_until` it is an authorisation, and `result` the capture that it stands for.
    """

    item: Item
    result: PaymentResult
    attempt: Attempt | None = None
    authorized_until: datetime | None = None


@dataclass
class PaymentContext:
    """What one batch reads and decides with.

    `merged` is intent id -> the orders that it pays together. `own_intents` is intent id -> the order that it was
    opened for. `recorded` holds the facts known so far, those of this batch among them. `spared` are the ids of
    messages that report a failed attempt of an order that has another live one. `reserved` is attempt id -> the
    authorisation of it that this batch brings. `goods` is order id -> the units of the orders that a late capture may
    reinstate, and `benefits` holds their coupons and accounts.
    """

    book: Book[Item]
    merged: Mapping[int, payments.Merged]
    own_intents: Mapping[int, int]
    recorded: dict[payments.FactKey, payments.RecordedFact]
    spared: frozenset[str]
    now: datetime
    reserved: dict[int, tuple[Item, PaymentAuthorization]] = field(default_factory=dict)
    goods: Mapping[int, Sequence[StockLine]] = field(default_factory=dict)
    benefits: Benefits = field(default_factory=Benefits)

    def merged_intent(self, result: PaymentResult) -> payments.Merged | None:
        """Return the intent over several orders that the result pays, if it names one."""
        return None if result.intent_id is None else self.merged.get(result.intent_id)

    def pays(self, order: Order, result: PaymentResult) -> bool:
        """True if the result names no intent, or one of the order's: its current, its first, or a merged one."""
        intent = self.merged_intent(result)
        if intent is not None:
            return order.id in intent.shares
        if result.intent_id is None or result.intent_id == order.intent_id:
            return True
        return self.own_intents.get(result.intent_id) == order.root_id

    def may_reinstate(self, order: Order, result: PaymentResult) -> bool:
        """True if a late capture reinstates the order: by its policy, alone, and if its goods can be sent to it."""
        alone = self.merged_intent(result) is None
        possible = alone and order.id in self.goods and may_reinstate(self.book[order.id])
        return possible and self.benefits.may_hold_again(order, self.now)

    def is_same_fact(self, fact: payments.RecordedFact, result: PaymentResult) -> bool:
        """True if the result repeats the recorded fact, under its order or another one that the payment pays as well.

        A payment of merged orders may be reported under any of them, and that of a split order under its children.
        """
        if (fact.amount, fact.currency) != (result.amount, result.currency):
            return False
        if fact.order_id == result.order_id:
            return True
        intent, order = self.merged.get(fact.intent_id or 0), self.book.get(result.order_id)
        if intent is not None and {fact.order_id, result.order_id} <= intent.shares.keys():
            return True
        return order is not None and order.root_id == fact.order_id


async def read(tx: Transaction, reported: Sequence[ReportedResult], now: datetime) -> PaymentContext:
    """Lock the orders that the results pay, and read what is known of their intents, facts and attempts."""
    results = [one.result for one in reported]
    merged = await payments.merged(tx, [result.intent_id for result in results])
    named = {result.order_id for result in results} | {key for intent in merged.values() for key in intent.shares}
    book = Book[Item](await orders.lock(tx, named))
    own_intents = await payments.own_intents(tx, intents_to_look_up(book, merged, results))
    recorded = await payments.known(tx, results)
    merged |= await payments.merged(tx, intents_of_other_reports(results, recorded, merged))
    late = [order for order in book.before.values() if may_reinstate(order)]
    goods = await reinstatements.goods(tx, [order.id for order in late])
    coupons = [order.coupon_id for order in late if order.coupon_id is not None]
    has = await benefits.lock(tx, coupons, [order.user_id for order in late if order.use_points])
    return PaymentContext(
        book, merged, own_intents, recorded, await spared(tx, book, reported), now, goods=goods, benefits=has
    )


def intents_to_look_up(
    book: Book[Item], merged: Mapping[int, payments.Merged], results: Iterable[PaymentResult]
) -> set[int]:
    """Return the intents that may be an order's first one: neither merged ones nor the one that the order has now.

    If a merged intent is paid in this batch, its orders may get it in place of the one that they have now.
    """
    wanted: set[int] = set()
    for result in results:
        order, intent_id = book.get(result.order_id), result.intent_id
        if order is None or intent_id is None or intent_id in merged:
            continue
        stays_current = intent_id == order.intent_id and not merged
        if not stays_current:
            wanted.add(intent_id)
    return wanted


def intents_of_other_reports(
    results: Iterable[PaymentResult],
    recorded: Mapping[payments.FactKey, payments.RecordedFact],
    merged: Mapping[int, payments.Merged],
) -> set[int]:
    """Return the intents of facts that are reported here under another order than the recorded one.

    Such a report is the same fact if the intent pays both orders.
    """
    found = ((result, recorded.get(payments.key_of(result))) for result in results)
    intents = {fact.intent_id for result, fact in found if fact is not None and fact.order_id != result.order_id}
    return {intent_id for intent_id in intents if intent_id is not None and intent_id not in merged}


async def spared(tx: Transaction, book: Book[Item], reported: Sequence[ReportedResult]) -> frozenset[str]:
    """Return the ids of messages with a failed payment that does not end its order: another attempt is live."""
    failed: list[tuple[Item, Attempt]] = []
    for one in reported:
        order = book.get(one.result.order_id)
        ends = one.result.kind == "failed" and order is not None and ends_by_failure(order)
        if ends and one.attempt is not None:
            failed.append((one.item, one.attempt))
    live = await attempts.rivals(tx, {attempt.intent_id for _, attempt in failed})
    return frozenset(
        item.id
        for item, attempt in failed
        if any(intent_id == attempt.intent_id and key != attempt.id for intent_id, key in live)
    )


def text_of(item: Item, fact: payments.PaymentFact, book: Book[Any]) -> free_texts.Written:
    """Return a message, the number that its free text is about, and the user who paid."""
    result = fact.result
    return item, f"{result.provider}/{result.trade_no}", book[result.order_id].user_id
