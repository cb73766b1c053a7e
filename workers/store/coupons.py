"""Coupon templates, and the coupons that are issued from them and that no order uses yet."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from db.pool import Transaction
from db.statements import SQL, columns
from messages.benefits import CouponIssue, CouponTemplateUpsert
from workers.domain.coupon_issuing import Issuing, Template
from workers.store import catalogue_entries

EXPIRE_MAX_COUPONS = 500  # per run: the coupons of a campaign that ends at midnight expire in small transactions


async def upsert_templates(tx: Transaction, newest: Sequence[CouponTemplateUpsert]) -> None:
    """Write each template once and leave the coupons that it issued as they are; see catalogue_entries.write."""
    await catalogue_entries.write(tx, "coupons.upsert_templates", [_row(template) for template in newest])


def _row(template: CouponTemplateUpsert) -> tuple[Any, ...]:
    return (
        template.template_id,
        template.revision,
        template.name,
        template.amount,
        template.currency,
        template.min_amount,
        template.scope,
        orjson.dumps(template.scope_ids).decode(),
        orjson.dumps(template.channels).decode(),
        orjson.dumps(template.member_levels).decode(),
        template.valid_from,
        template.valid_to,
        template.per_user_limit,
        template.count,
    )


async def open_issuing(tx: Transaction, wanted: Sequence[CouponIssue]) -> Issuing:
    """Lock the templates that these commands name, until commit, and count the coupons that their users have of them.

    There must be at least one command.
    """
    rows = await tx.fetch(SQL["coupons.lock_templates"], sorted({each.template_id for each in wanted}))
    templates = {row["template_id"]: Template(*row) for row in rows}
    pairs = sorted({(each.template_id, each.user_id) for each in wanted})
    had = await tx.fetch(SQL["coupons.had"], *columns(pairs))
    return Issuing(templates, {(row["template_id"], row["user_id"]): row["coupons"] for row in had})


async def issue(tx: Transaction, issued: Sequence[CouponIssue], given: Mapping[str, int]) -> None:
    """Insert coupons with the terms of their locked templates. `given` is template id -> how many coupons it issues.

    A coupon id that exists already makes the statement fail.
    """
    if not issued:
        return
    rows = [(each.coupon_id, each.template_id, each.user_id) for each in issued]
    await tx.execute(SQL["coupons.issue"], *columns(rows))
    await tx.execute(SQL["coupons.count_issued"], *columns(given.items()))


async def expire(tx: Transaction) -> list[tuple[str, str]]:
    """Expire issued coupons whose validity has ended, and return (coupon id, user id) of each."""
    return [(row["coupon_id"], row["user_id"]) for row in await tx.fetch(SQL["coupons.expire"], EXPIRE_MAX_COUPONS)]
