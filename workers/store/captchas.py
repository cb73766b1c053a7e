"""Captchas that the risk check wants, one row for each order that is being placed and has one."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from db.pool import Transaction
from db.statements import SQL, columns
from workers.domain.captchas import CaptchaChallenge


@dataclass(frozen=True)
class RiskFacts:
    """What the risk check gets to know of an order beside its price."""

    business_type: str
    country: str | None
    units: int


async def read(tx: Transaction, order_ids: Iterable[int]) -> dict[int, CaptchaChallenge]:
    """Order id -> its captcha. The caller has locked the orders."""
    wanted = sorted(set(order_ids))
    rows = await tx.fetch(SQL["captchas.read"], wanted) if wanted else []
    return {row["order_id"]: CaptchaChallenge(*row) for row in rows}


async def change(tx: Transaction, *, saved: Collection[CaptchaChallenge], ended: Collection[int]) -> None:
    """Save some captchas and end others. One that is over already is no error."""
    if saved:
        rows = [(one.order_id, one.required_at, one.until, one.answers, one.answered_at) for one in saved]
        await tx.execute(SQL["captchas.save"], *columns(rows))
    if ended:
        await tx.execute(SQL["captchas.end"], sorted(ended))


async def risk_facts(tx: Transaction, order_ids: Iterable[int]) -> dict[int, RiskFacts]:
    """Root order id -> what the risk check gets to know of it. The caller has locked the orders."""
    wanted = sorted(set(order_ids))
    rows = await tx.fetch(SQL["captchas.facts"], wanted) if wanted else []
    return {row["id"]: RiskFacts(row["business_type"], row["country"], row["units"]) for row in rows}
