"""Coupon templates, and the coupons that are issued from them and that no order uses yet."""

from collections.abc import Mapping, Sequence

import orjson

from db.pool import Transaction
from db.statements import SQL
from messages.benefits import CouponIssue, CouponTemplateUpsert
from workers.domain.coupon_issuing import Issuing, Template
from workers.store import catalogue_entries

EXPIRE_MAX_COUPONS = 500  # per run: the coupons of a campaign that ends at midnight expire in small transactions


async def upsert_templates(tx: Transaction, newest: Sequence[CouponTemplateUpsert]) -> None:
    """Write each template once and leave the coupons that it issued as they are; see catalogue_entries.write."""
    await catalogue_entries.write(
        tx,
        "coupons.upsert_templates",
        [t.template_id for t in newest],
        [t.revision for t in newest],
        [t.name for t in newest],
        [t.amount for t in newest],
        [t.currency for t in newest],
        [t.min_amount for t in newest],
        [t.scope for t in newest],
        [orjson.dumps(t.scope_ids).decode() for t in newest],
        [orjson.dumps(t.channels).decode() for t in newest],
        [orjson.dumps(t.member_levels).decode() for t in newest],
        [t.valid_from for t in newest],
        [t.valid_to for t in newest],
        [t.per_user_limit for t in newest],
        [t.count for t in newest],
    )


async def open_issuing(tx: Transaction, asked: Sequence[CouponIssue]) -> Issuing:
    """Lock the templates that these commands name, until commit, and count what their users have of them already."""
    rows = await tx.fetch(SQL["coupons.lock_templates"], sorted({a.template_id for a in asked}))
    templates = {row["template_id"]: Template(*row) for row in rows}
    pairs = sorted({(a.template_id, a.user_id) for a in asked})
    had = await tx.fetch(SQL["coupons.had"], [template for template, _ in pairs], [user for _, user in pairs])
    return Issuing(templates, {(row["template_id"], row["user_id"]): row["coupons"] for row in had})


async def issue(tx: Transaction, issued: Sequence[CouponIssue], given: Mapping[str, int]) -> None:
    """Insert coupons with the terms of their locked templates. `given` is template id -> how many coupons it issues.

    A coupon id that exists already makes the statement fail.
    """
    if not issued:
        return
    ids, templates, users = [i.coupon_id for i in issued], [i.template_id for i in issued], [i.user_id for i in issued]
    await tx.execute(SQL["coupons.issue"], ids, templates, users)
    await tx.execute(SQL["coupons.count_issued"], list(given), list(given.values()))


async def expire(tx: Transaction) -> list[tuple[str, str]]:
    """Expire issued coupons whose validity has ended, and return (coupon id, user id) of each."""
    return [(row["coupon_id"], row["user_id"]) for row in await tx.fetch(SQL["coupons.expire"], EXPIRE_MAX_COUPONS)]
