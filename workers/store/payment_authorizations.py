"""Authorisations of payments: money that providers reserve, one row for each attempt. Their orders are locked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from db.pool import Transaction
from db.statements import SQL, columns
from workers.domain.payment_authorizations import AuthorizationState, PaymentAuthorization
from workers.domain.payment_rules import PaymentVerdict

FIRST_POLL = timedelta(seconds=60)
"""By then the provider has answered the request to capture or void."""


@dataclass(frozen=True)
class ReleasedPart:
    """A part of an authorisation that its order does not want, once the end of the capture is known.

    `refunded`: the capture took it, so that it goes back under `refund_no`. `deferred`: it waited for that capture.
    `case_id` is the after-sale case that follows it.
    """

    id: int
    refund_no: str
    order_id: int
    provider: str
    trade_no: str
    cause: str
    amount: int
    currency: str
    case_id: int | None
    refunded: bool
    deferred: bool


async def record(tx: Transaction, found: Sequence[PaymentAuthorization]) -> None:
    """Insert new authorisations. Raises an error if the attempt has one, or its order keeps another."""
    if found:
        rows = [
            (
                one.attempt_id,
                one.order_id,
                one.provider,
                one.authorization_no,
                one.amount,
                one.currency,
                one.verdict,
                one.state,
                one.authorized_at,
                one.expire_at,
            )
            for one in found
        ]
        await tx.execute(SQL["payment_authorizations.record"], *columns(rows))


async def read(tx: Transaction, attempt_ids: Iterable[int]) -> dict[int, PaymentAuthorization]:
    """Attempt id -> its authorisation. Attempts without one are missing."""
    wanted = sorted(set(attempt_ids))
    rows = await tx.fetch(SQL["payment_authorizations.read"], wanted) if wanted else []
    return {row["attempt_id"]: _authorization(row) for row in rows}


async def orders_of(tx: Transaction, attempt_ids: Iterable[int]) -> dict[int, int]:
    """Attempt id -> the order that its authorisation pays."""
    wanted = sorted(set(attempt_ids))
    rows = await tx.fetch(SQL["payment_authorizations.orders_of"], wanted) if wanted else []
    return {row["attempt_id"]: row["order_id"] for row in rows}


async def kept(tx: Transaction, root_ids: Iterable[int]) -> dict[int, PaymentAuthorization]:
    """Id of an order, or of a child's parent -> the authorisation that pays it. Other orders are missing."""
    wanted = sorted(set(root_ids))
    rows = await tx.fetch(SQL["payment_authorizations.kept"], wanted) if wanted else []
    return {row["order_id"]: _authorization(row) for row in rows}


async def goods_wanted(tx: Transaction, root_ids: Iterable[int]) -> list[int]:
    """Return those of these locked root ids of which goods are requested, in a parcel, or to be booked at a carrier."""
    wanted = sorted(set(root_ids))
    rows = await tx.fetch(SQL["payment_authorizations.goods_wanted"], wanted) if wanted else []
    return [row["root_id"] for row in rows]


def _authorization(row: Any) -> PaymentAuthorization:
    found = dict(row)
    found["verdict"], found["state"] = PaymentVerdict(row["verdict"]), AuthorizationState(row["state"])
    return PaymentAuthorization(**found)


async def save(tx: Transaction, changed: Sequence[PaymentAuthorization]) -> None:
    """Write what can change of authorisations."""
    if changed:
        rows = [
            (
                one.attempt_id,
                one.state,
                one.authorization_no,
                one.capture_amount,
                one.captures,
                one.trade_no,
                one.reason_code,
                one.renewed_at,
                one.expire_at,
                one.not_taken_at,
            )
            for one in sorted(changed, key=lambda one: one.attempt_id)
        ]
        await tx.execute(SQL["payment_authorizations.save"], *columns(rows))


async def end_releases(tx: Transaction, ends: Sequence[tuple[int, str, bool, bool]]) -> list[ReleasedPart]:
    """Write what becomes of released and deferred parts, once the end of a capture is known, and return them.

    Each end is (root id, number of the capture, whether deferred parts were captured, whether released ones were).
    """
    rows = await tx.fetch(SQL["payment_authorizations.end_releases"], *columns(ends)) if ends else []
    return [ReleasedPart(**row) for row in rows]


async def poll(tx: Transaction, attempt_ids: Iterable[int]) -> None:
    """Look at these authorisations again after a minute, in case that the provider does not answer before."""
    await look_at(tx, dict.fromkeys(attempt_ids))


async def look_at(tx: Transaction, times: Mapping[int, datetime | None]) -> None:
    """Start the timers of authorisations: attempt id -> when to look at it; None: when its request is to be polled."""
    if times:
        rows = sorted(times.items())
        await tx.execute(SQL["payment_authorizations.look_at"], *columns(rows), FIRST_POLL)
