"""Attempts at providers: what was asked to be paid, how it stands, and whom to ask next."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

import outbox
from db import cipher
from db.pool import Transaction
from db.statements import SQL
from messages.envelope import Envelope
from messages.payments import PaymentStarted
from messages.providers import ProviderClose
from workers import shop
from workers.domain import payment_rules
from workers.domain.book import Book
from workers.domain.order import State
from workers.providers import port
from workers.store.refunds import call_queue

LIVE = frozenset({"created", "requested", "unknown"})
"""Somebody may still pay these."""
DONE = frozenset({"captured", "failed", "closed"})
"""How these ended is known."""


@dataclass(frozen=True)
class Attempt:
    """One attempt as its row holds it. `command` is the payment.start that it answers: (scope, request id)."""

    id: int
    out_trade_no: str
    intent_id: int
    order_id: int
    provider: str
    scene: str
    amount: int
    currency: str
    state: str
    reference: str | None
    trade_no: str | None
    command: tuple[str, str]
    details: Mapping[str, Any]
    started_at: datetime
    expire_at: datetime

    @property
    def asked(self) -> port.Attempt:
        """What the provider is asked to collect."""
        return port.Attempt(
            out_trade_no=self.out_trade_no,
            amount=self.amount,
            currency=self.currency,
            subject=f"Order {self.order_id}",
            scene=self.scene,
            started_at=self.started_at,
            expire_at=self.expire_at,
            reference=self.reference,
            **self.details,
        )

    @property
    def gone_at(self) -> datetime:
        """When its window has ended by the provider's clock too."""
        return self.expire_at + _grace()

    def ask_at(self, now: datetime) -> datetime:
        """When its provider is asked about it next, if nobody has told us by then."""
        return payment_rules.ask_at(self.started_at, self.expire_at, now, _grace())

    def started(self, ready: port.Ready) -> PaymentStarted:
        """What the buyer's client needs."""
        return PaymentStarted(
            order_id=self.order_id,
            intent_id=self.intent_id,
            attempt_id=self.id,
            out_trade_no=self.out_trade_no,
            provider=self.provider,
            scene=self.scene,
            amount=self.amount,
            currency=self.currency,
            pay_before=self.expire_at,
            kind=ready.kind,
            url=ready.url,
            fields=dict(ready.fields),
        )


@dataclass(frozen=True)
class Change:
    """What an attempt becomes; what is None stays. One that is captured stays so."""

    id: int
    state: str | None = None
    reference: str | None = None
    trade_no: str | None = None
    reason: str | None = None

    def after(self, before: "Change | None") -> "Change":
        """Both in one."""
        if before is None or before.state == "captured":
            return before or self
        return Change(*(new or old for new, old in zip(astuple(self), astuple(before), strict=True)))


def _grace() -> timedelta:
    return timedelta(seconds=shop.current().payment_grace_seconds)


def number(attempt_id: int) -> str:
    """Our own number for the provider: letters and digits, at most 20."""
    return f"P{attempt_id}"


async def open_all(tx: Transaction, attempts: Sequence[Attempt], now: datetime) -> None:
    """Write new attempts."""
    if not attempts:
        return
    sealed = [cipher.current().encrypt(orjson.dumps(dict(a.details)), _aad(a.id)) for a in attempts]
    names = (
        "id",
        "out_trade_no",
        "intent_id",
        "order_id",
        "provider",
        "scene",
        "amount",
        "currency",
        "state",
        "reference",
    )
    await tx.execute(
        SQL["attempts.open"],
        *([getattr(a, name) for a in attempts] for name in names),
        [a.command[0] for a in attempts],
        [a.command[1] for a in attempts],
        [key_id for key_id, _ in sealed],
        [ciphertext for _, ciphertext in sealed],
        now,
        [a.expire_at for a in attempts],
    )


def _aad(attempt_id: int) -> bytes:
    return b"payment_attempt:%d" % attempt_id


def _attempt(row: Any) -> Attempt:
    fields = {name: value for name, value in row.items() if name != "live"}
    details = cipher.current().decrypt(fields.pop("key_id"), fields.pop("details"), _aad(row["id"]))
    return Attempt(**fields | {"details": orjson.loads(details), "command": tuple(row["command"])})


async def read(tx: Transaction, ids: Iterable[int]) -> dict[int, Attempt]:
    """Attempt id -> attempt; unknown ones are missing."""
    wanted = sorted(set(ids))
    rows = await tx.fetch(SQL["attempts.read"], wanted) if wanted else []
    return {row["id"]: _attempt(row) for row in rows}


async def lock(tx: Transaction, ids: Iterable[int]) -> dict[int, Attempt]:
    """The same, locked until commit."""
    wanted = sorted(set(ids))
    rows = await tx.fetch(SQL["attempts.lock"], wanted) if wanted else []
    return {row["id"]: _attempt(row) for row in rows}


async def find(tx: Transaction, numbers: Iterable[str], ids: Iterable[int]) -> dict[str, Attempt]:
    """Our number -> attempt, of those named by number or id."""
    by_number, by_id = sorted(set(numbers)), sorted(set(ids))
    if not (by_number or by_id):
        return {}
    rows = await tx.fetch(SQL["attempts.by_number"], by_number, by_id)
    return {row["out_trade_no"]: _attempt(row) for row in rows}


async def live(
    tx: Transaction, intent_ids: Iterable[int], order_ids: Iterable[int] = (), also: Iterable[int] = ()
) -> list[Attempt]:
    """Attempts that may still be paid: of these intents, and of merged ones that pay these orders.

    They are locked until commit, and with them those whose id is in `also`.
    """
    intents, orders, others = sorted(set(intent_ids)), sorted(set(order_ids)), sorted(set(also))
    if not (intents or orders or others):
        return []
    rows = await tx.fetch(SQL["attempts.live"], intents, orders, others)
    return [_attempt(row) for row in rows if row["live"]]


async def rivals(tx: Transaction, intent_ids: Iterable[int]) -> set[tuple[int, int]]:
    """(intent id, attempt id) of those that may still be paid; the orders' locks keep new ones away."""
    intents = sorted(set(intent_ids))
    rows = await tx.fetch(SQL["attempts.rivals"], intents) if intents else []
    return {(row["intent_id"], row["id"]) for row in rows}


async def save(tx: Transaction, changes: Sequence[Change]) -> None:
    """Write each attempt once: what the last change leaves as it is comes from those before it."""
    merged: dict[int, Change] = {}
    for change in changes:
        merged[change.id] = change.after(merged.get(change.id))
    if merged:
        rows = [astuple(change) for _, change in sorted(merged.items())]
        await tx.execute(SQL["attempts.save"], *(list(column) for column in zip(*rows, strict=True)))


async def settle(
    tx: Transaction, book: Book[Envelope[Any]], changes: Sequence[Change] = ()
) -> list[outbox.Announcement]:
    """Write what attempts became, and close the others of orders that no longer wait for money.

    All are locked by one statement, in id order. Whoever speaks with their providers does it: not always this process.
    """
    steps = {
        step.order.id: step
        for step in book.steps
        if step.previous is State.AWAITING_PAYMENT is not step.order.state and not step.order.is_child
    }
    intents = {intent for key in steps for intent in (book.before[key].intent_id, book[key].intent_id) if intent}
    found = await live(tx, intents, steps, [change.id for change in changes])
    because = next(iter(steps.values())).because if steps else None
    known = {change.id for change in changes if change.state in DONE}
    ended = [attempt for attempt in found if attempt.id not in known]
    await save(tx, [*changes, *closings(ended)])
    return closing(ended, because)


def closings(ended: Iterable[Attempt]) -> list[Change]:
    """Their providers are asked to close them."""
    return [Change(attempt.id, "closing") for attempt in ended]


def closing(ended: Sequence[Attempt], because: Envelope[Any] | None) -> list[outbox.Announcement]:
    """What asks their providers to close these attempts."""
    return [
        outbox.to_queue(ProviderClose(attempt_id=attempt.id), queue=call_queue(attempt.provider), because=because)
        for attempt in ended
    ]


async def refunds_asked(tx: Transaction, refund_nos: Iterable[str]) -> dict[str, tuple[str, port.RefundAsk]]:
    """Refund number -> (provider, what is asked of it); those that no attempt of ours paid are missing."""
    wanted = sorted(set(refund_nos))
    rows = await tx.fetch(SQL["attempts.refunds"], wanted) if wanted else []
    return {
        row["refund_no"]: (
            row["provider"],
            port.RefundAsk(
                refund_no=row["refund_no"],
                out_trade_no=row["out_trade_no"],
                trade_no=row["trade_no"],
                amount=row["amount"],
                total=row["captured_amount"],
                currency=row["currency"],
                reason=row["cause"].partition(":")[0],
                captured_at=row["captured_at"],
                requested_at=row["requested_at"],
            ),
        )
        for row in rows
    }


async def providers_of(tx: Transaction, ids: Iterable[int]) -> dict[int, str]:
    """Attempt id -> provider."""
    wanted = sorted(set(ids))
    rows = await tx.fetch(SQL["attempts.of_timers"], wanted) if wanted else []
    return {row["id"]: row["provider"] for row in rows}


async def refund_numbers(tx: Transaction, ids: Iterable[int]) -> dict[int, tuple[str, str]]:
    """Refund id -> (number, provider)."""
    wanted = sorted(set(ids))
    rows = await tx.fetch(SQL["attempts.refunds_of_timers"], wanted) if wanted else []
    return {row["id"]: (row["refund_no"], row["provider"]) for row in rows}
