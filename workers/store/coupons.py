"""Coupon templates, and the coupons issued from them until an order wants one."""

from collections.abc import Mapping, Sequence

import orjson

from db.pool import Transaction
from db.statements import SQL
from messages.benefits import CouponIssue, CouponTemplateUpsert
from workers.domain.coupon_issuing import Issuing, Template
from workers.store import catalogue_entries

EXPIRE_MAX = 500  # coupons per run: a campaign that ends at midnight is worked off in small transactions


async def upsert_templates(tx: Transaction, newest: Sequence[CouponTemplateUpsert]) -> None:
    """Write each template once, and leave its coupons alone; see catalogue_entries.write."""
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
    """The templates that are asked for, locked until commit, and what these users had of them already."""
    rows = await tx.fetch(SQL["coupons.lock_templates"], sorted({a.template_id for a in asked}))
    templates = {row["template_id"]: Template(*row) for row in rows}
    pairs = sorted({(a.template_id, a.user_id) for a in asked})
    had = await tx.fetch(SQL["coupons.had"], [template for template, _ in pairs], [user for _, user in pairs])
    return Issuing(templates, {(row["template_id"], row["user_id"]): row["coupons"] for row in had})


async def issue(tx: Transaction, issued: Sequence[CouponIssue], given: Mapping[str, int]) -> None:
    """Coupons with the terms of their templates, which are locked; `given` is how many of each. An id that was given
    before is an error.
    """
    if not issued:
        return
    ids, templates, users = [i.coupon_id for i in issued], [i.template_id for i in issued], [i.user_id for i in issued]
    await tx.execute(SQL["coupons.issue"], ids, templates, users)
    await tx.execute(SQL["coupons.count_issued"], list(given), list(given.values()))


async def expire(tx: Transaction) -> list[tuple[str, str]]:
    """(coupon, user) of issued coupons that were still there when they ended; no longer there."""
    return [(row["coupon_id"], row["user_id"]) for row in await tx.fetch(SQL["coupons.expire"], EXPIRE_MAX)]
