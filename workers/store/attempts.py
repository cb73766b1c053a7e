"""Attempts to pay at a provider, as their rows hold them. The details of the buyer's client are encrypted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import datetime
from typing import Any

import orjson

from db import cipher
from db.pool import Transaction
from db.statements import SQL, columns
from workers.domain.payment_rules import AttemptState

LIVE = frozenset({AttemptState.CREATED, AttemptState.REQUESTED, AttemptState.UNKNOWN})
"""A buyer may still pay attempts in these states."""
DONE = frozenset({AttemptState.AUTHORIZED, AttemptState.CAPTURED, AttemptState.FAILED, AttemptState.CLOSED})
"""The end of attempts in these states is known, as far as their buyers are concerned."""


@dataclass(frozen=True)
class Attempt:
    """One attempt as its row holds it. `command` is (scope, request id) of its payment.start.

    One that is to `authorize` reserves the money only.
    """

    id: int
    out_trade_no: str
    intent_id: int
    order_id: int
    provider: str
    scene: str
    amount: int
    currency: str
    state: AttemptState
    reference: str | None
    trade_no: str | None
    command: tuple[str, str]
    details: Mapping[str, Any]
    started_at: datetime
    expire_at: datetime
    authorize: bool = False


COLUMNS = frozenset(field.name for field in fields(Attempt))


@dataclass(frozen=True)
class LiveAttempt:
    """An attempt that a buyer may still pay. `merged_orders` are the orders that a merged intent pays together."""

    attempt: Attempt
    merged_orders: frozenset[int]


@dataclass(frozen=True)
class RefundOfAttempt:
    """A refund with the capture that it draws on, which came through an attempt of ours. Amounts are minor units."""

    refund_no: str
    provider: str
    trade_no: str
    amount: int
    currency: str
    cause: str
    requested_at: datetime
    out_trade_no: str
    captured_amount: int
    captured_at: datetime


@dataclass(frozen=True)
class AttemptChange:
    """A partial update of an attempt. None leaves a field as it is; `captured` is final."""

    id: int
    state: AttemptState | None = None
    reference: str | None = None
    trade_no: str | None = None
    reason_code: str | None = None

    def after(self, before: "AttemptChange | None") -> "AttemptChange":
        """Return one update in place of two: this one, on top of `before`."""
        if before is None:
            return self
        if before.state is AttemptState.CAPTURED:
            return before
        return AttemptChange(
            id=self.id,
            state=self.state or before.state,
            reference=self.reference or before.reference,
            trade_no=self.trade_no or before.trade_no,
            reason_code=self.reason_code or before.reason_code,
        )


async def open_all(
    tx: Transaction, attempts: Sequence[Attempt], now: datetime, keys: Mapping[int, cipher.Sealer]
) -> None:
    """Insert new attempts, the details of each encrypted with its key: attempt id -> that of its user."""
    if not attempts:
        return
    *before, expire_at, authorize = columns(_row(attempt, keys[attempt.id]) for attempt in attempts)
    await tx.execute(SQL["attempts.open"], *before, now, expire_at, authorize)


def _row(attempt: Attempt, key: cipher.Sealer) -> tuple[Any, ...]:
    return (
        attempt.id,
        attempt.out_trade_no,
        attempt.intent_id,
        attempt.order_id,
        attempt.provider,
        attempt.scene,
        attempt.amount,
        attempt.currency,
        attempt.state,
        attempt.reference,
        *attempt.command,
        *key.encrypt(orjson.dumps(dict(attempt.details)), details_aad(attempt.id)),
        attempt.expire_at,
        attempt.authorize,
    )


def details_aad(attempt_id: int) -> bytes:
    """The place that the ciphertext of an attempt's details is bound to."""
    return b"payment_attempt:%d" % attempt_id


def _attempt(row: Any) -> Attempt:
    found = {name: value for name, value in row.items() if name in COLUMNS}
    found["state"] = AttemptState(row["state"])
    return Attempt(**found | {"details": _details(row), "command": tuple(row["command"])})


def _details(row: Any) -> dict[str, Any]:
    """Return the details; empty if they were erased, which happens only to attempts that nobody can pay."""
    try:
        plain = cipher.current().decrypt(row["key_id"], row["details"], details_aad(row["id"]), cipher.Wrapped.of(row))
    except cipher.ErasedError:
        return {}
    details: dict[str, Any] = orjson.loads(plain)
    return details


async def read(tx: Transaction, ids: Iterable[int]) -> dict[int, Attempt]:
    """Attempt id -> attempt. Unknown ids are missing."""
    wanted = sorted(set(ids))
    rows = await tx.fetch(SQL["attempts.read"], wanted) if wanted else []
    return {row["id"]: _attempt(row) for row in rows}


async def lock(tx: Transaction, ids: Iterable[int]) -> dict[int, Attempt]:
    """Return the same as `read`, locked until commit."""
    wanted = sorted(set(ids))
    rows = await tx.fetch(SQL["attempts.lock"], wanted) if wanted else []
    return {row["id"]: _attempt(row) for row in rows}


async def find(tx: Transaction, numbers: Iterable[str], ids: Iterable[int]) -> dict[str, Attempt]:
    """Our number -> attempt, for the attempts with these numbers or ids."""
    by_number, by_id = sorted(set(numbers)), sorted(set(ids))
    if not (by_number or by_id):
        return {}
    rows = await tx.fetch(SQL["attempts.by_number"], by_number, by_id)
    return {row["out_trade_no"]: _attempt(row) for row in rows}


async def live(
    tx: Transaction, intent_ids: Iterable[int], order_ids: Iterable[int] = (), also: Iterable[int] = ()
) -> list[LiveAttempt]:
    """Return attempts that a buyer may still pay, of these intents and of merged intents that pay these orders.

    They are locked until commit; the same statement locks the attempts in `also`.
    """
    intents, orders, others = sorted(set(intent_ids)), sorted(set(order_ids)), sorted(set(also))
    if not (intents or orders or others):
        return []
    rows = await tx.fetch(SQL["attempts.live"], intents, orders, others)
    return [LiveAttempt(_attempt(row), frozenset(row["merged_orders"])) for row in rows if row["live"]]


async def rivals(tx: Transaction, intent_ids: Iterable[int]) -> set[tuple[int, int]]:
    """(intent id, attempt id) of attempts that a buyer may still pay. The orders' locks keep new ones away."""
    intents = sorted(set(intent_ids))
    rows = await tx.fetch(SQL["attempts.rivals"], intents) if intents else []
    return {(row["intent_id"], row["id"]) for row in rows}


async def save(tx: Transaction, changes: Sequence[AttemptChange]) -> None:
    """Write each attempt once. Fields that its last change leaves open come from the changes before."""
    merged: dict[int, AttemptChange] = {}
    for change in changes:
        merged[change.id] = change.after(merged.get(change.id))
    if merged:
        rows = [astuple(change) for _, change in sorted(merged.items())]
        await tx.execute(SQL["attempts.save"], *columns(rows))


async def refunds_of_attempts(tx: Transaction, refund_nos: Iterable[str]) -> list[RefundOfAttempt]:
    """Return the refunds with these numbers; those of captures that no attempt of ours made are missing."""
    wanted = sorted(set(refund_nos))
    rows = await tx.fetch(SQL["attempts.refunds"], wanted) if wanted else []
    return [RefundOfAttempt(**row) for row in rows]


async def providers_of(tx: Transaction, ids: Iterable[int]) -> dict[int, str]:
    """Attempt id -> its provider."""
    wanted = sorted(set(ids))
    rows = await tx.fetch(SQL["attempts.of_timers"], wanted) if wanted else []
    return {row["id"]: row["provider"] for row in rows}


async def refund_numbers(tx: Transaction, ids: Iterable[int]) -> dict[int, tuple[str, str]]:
    """Refund id -> (number, provider)."""
    wanted = sorted(set(ids))
    rows = await tx.fetch(SQL["attempts.refunds_of_timers"], wanted) if wanted else []
    return {row["id"]: (row["refund_no"], row["provider"]) for row in rows}
