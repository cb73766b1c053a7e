"""Payment intents, and every payment fact that a provider or adapter ever reported."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from db.pool import Transaction
from db.statements import SQL, columns
from messages.payments import PaymentResult
from workers.domain.payment_authorizations import AuthorizationState
from workers.domain.payment_rules import PaymentVerdict

FactKey = tuple[str, str, str]
"""(provider, trade number, kind): unique for ever (C-22)."""


@dataclass(frozen=True)
class PaymentFact:
    """One recorded fact and the verdict on it: kept, late, duplicate, mismatch or failed."""

    result: PaymentResult
    intent_id: int | None
    verdict: PaymentVerdict


@dataclass(frozen=True)
class RecordedFact:
    """What every report of one fact must agree on. The orders that its intent pays together are one and the same."""

    order_id: int
    intent_id: int | None
    amount: int
    currency: str


@dataclass(frozen=True)
class Kept:
    """The capture that an order keeps. `owed` of its `amount` is refunded, or its refund is under way.

    `reserved` is the state of the order's authorisation if nothing of it is captured yet: then what goes back is
    released, or deferred while it is being captured.
    """

    order_id: int
    provider: str
    trade_no: str
    intent_id: int | None
    amount: int
    currency: str
    owed: int
    reserved: AuthorizationState | None = None

    @property
    def left(self) -> int:
        """What can still be refunded, in minor units. A refund that succeeded after it had failed may leave nothing."""
        return max(0, self.amount - self.owed)


def key_of(result: PaymentResult) -> FactKey:
    """Return the business key: two results with the same key report the same fact."""
    return result.provider, result.trade_no, result.kind


@dataclass(frozen=True)
class Merged:
    """An intent that pays several orders: order id -> its part of the amount."""

    id: int
    shares: dict[int, int]

    @property
    def amount(self) -> int:
        """The amount that one capture must have, in minor units."""
        return sum(self.shares.values())

    @property
    def first(self) -> int:
        """The order that the intent's row names, by convention the lowest id."""
        return min(self.shares)


async def open_merged(tx: Transaction, merged: Sequence[tuple[Merged, str, datetime]]) -> None:
    """Open intents that pay several orders: (intent, currency, when it expires)."""
    if not merged:
        return
    rows = [(intent.id, intent.first, intent.amount, currency, until) for intent, currency, until in merged]
    await tx.execute(SQL["payments.open_merged"], *columns(rows))
    shares = [(m.id, order_id, amount) for m, _, _ in merged for order_id, amount in sorted(m.shares.items())]
    await tx.execute(SQL["payments.open_shares"], *columns(shares))


async def merged(tx: Transaction, intent_ids: Iterable[int | None]) -> dict[int, Merged]:
    """Intent id -> the orders it pays, for merged intents. Other intents are missing."""
    wanted = sorted({intent_id for intent_id in intent_ids if intent_id is not None})
    shares: dict[int, dict[int, int]] = {}
    for row in await tx.fetch(SQL["payments.shares"], wanted) if wanted else []:
        shares.setdefault(row["intent_id"], {})[row["order_id"]] = row["amount"]
    return {intent_id: Merged(intent_id, orders) for intent_id, orders in shares.items()}


async def own_intents(tx: Transaction, intent_ids: Iterable[int | None]) -> dict[int, int]:
    """Intent id -> the order that the intent was created with. Merged intents are missing."""
    wanted = sorted({intent_id for intent_id in intent_ids if intent_id is not None})
    rows = await tx.fetch(SQL["payments.own_intents"], wanted) if wanted else []
    return {row["id"]: row["order_id"] for row in rows}


async def known(tx: Transaction, results: Iterable[PaymentResult]) -> dict[FactKey, RecordedFact]:
    """Business key -> content, for those of these facts that are recorded already."""
    keys = sorted({key_of(result) for result in results})
    rows = await tx.fetch(SQL["payments.known"], *columns(keys)) if keys else []
    return {(row["provider"], row["trade_no"], row["kind"]): RecordedFact(*tuple(row)[3:]) for row in rows}


async def record(tx: Transaction, facts: Sequence[PaymentFact]) -> None:
    """Record the facts. Raises ValueError if another transaction recorded one meanwhile: the batch is taken apart."""
    if not facts:
        return
    new = [
        (
            *key_of(fact.result),
            fact.result.order_id,
            fact.intent_id,
            fact.result.amount,
            fact.result.currency,
            fact.verdict,
            fact.result.reason_code,
            fact.result.occurred_at,
        )
        for fact in facts
    ]
    rows = await tx.fetch(SQL["payments.record"], *columns(new))
    if len(rows) != len(facts):
        raise ValueError("a trade number was recorded for another order at the same time")


async def kept(tx: Transaction, order_ids: Iterable[int]) -> dict[int, Kept]:
    """Order id -> the capture it keeps. Unpaid and free orders are missing."""
    ids = sorted(set(order_ids))
    if not ids:
        return {}
    rows = await tx.fetch(SQL["payments.kept"], ids)
    found = [dict(row) for row in rows]
    for row in found:
        row["reserved"] = None if row["reserved"] is None else AuthorizationState(row["reserved"])
    return {row["order_id"]: Kept(**row) for row in found}
