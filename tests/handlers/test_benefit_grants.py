"""Coupons and points: they are issued once, as their template allows, and expire by themselves."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from db.statements import SQL
from messages.catalogue import POINTS_MAX
from tests.handlers.builders import user
from tests.handlers.catalogue_builders import DAY, NOW, correction, coupon, grant, template
from tests.handlers.harness import HandlerHarness
from workers.domain.points_bookings import BALANCE_MAX
from workers.handlers import catalogue
from workers.store import coupons


async def test_a_coupon_keeps_the_terms_it_was_issued_under(harness: HandlerHarness) -> None:
    terms: dict[str, Any] = {
        "scope": "category",
        "scope_ids": ("tea", "cups"),
        "channels": ("mobile",),
        "member_levels": ("gold",),
    }
    await harness.handle(template(amount=100, min_amount=500, **terms))
    await harness.handle(coupon())
    await harness.handle(template(revision=2, amount=1))
    await harness.handle(coupon("c2"))
    rows = await harness.pool.fetch("SELECT * FROM coupons ORDER BY coupon_id")
    assert [(r["state"], r["user_id"], r["amount"], r["min_amount"]) for r in rows] == [
        ("issued", "u1", 100, 500),
        ("issued", "u1", 1, 0),
    ]
    assert {name: tuple(rows[0][name]) for name in terms if name != "scope"} == {
        name: value for name, value in terms.items() if name != "scope"
    }
    assert [(e["coupon_id"], e["amount"]) for e in harness.events_of("coupon.issued")] == [("c1", 100), ("c2", 1)]


async def test_a_coupon_can_be_issued_in_the_batch_that_brings_its_template(harness: HandlerHarness) -> None:
    await harness.handle(template(), coupon())
    assert len(harness.events_of("coupon.issued")) == 1


ISSUES: list[tuple[dict[str, Any], list[tuple[str, str]], list[str]]] = [
    # template, (coupon, user) requested, the refusal of each
    ({}, [("c1", "u1"), ("c2", "u1"), ("c3", "u2")], ["", "", ""]),
    ({"valid_to": NOW - timedelta(seconds=1)}, [("c1", "u1")], ["template_expired"]),
    ({"valid_from": NOW + DAY / 2}, [("c1", "u1")], [""]),
    ({"count": 2}, [("c1", "u1"), ("c2", "u1"), ("c3", "u2")], ["", "", "issued_out"]),
    ({"count": 0}, [("c1", "u1")], ["issued_out"]),
    ({"per_user_limit": 1}, [("c1", "u1"), ("c2", "u1"), ("c3", "u2")], ["", "per_user_limit", ""]),
    ({"per_user_limit": 1, "count": 2}, [("c1", "u1"), ("c2", "u1"), ("c3", "u2")], ["", "per_user_limit", ""]),
]


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "one by one"])
@pytest.mark.parametrize(("terms", "requested", "expected"), ISSUES)
async def test_a_template_gives_what_its_terms_allow(
    terms: dict[str, Any],
    requested: list[tuple[str, str]],
    expected: list[str],
    together: bool,
    harness: HandlerHarness,
) -> None:
    await harness.handle(template(**terms))
    bodies = [coupon(*one) for one in requested]
    for batch in [bodies] if together else [[body] for body in bodies]:
        await harness.handle(*batch)
    issued = [why == "" for why in expected]
    why = [("COUPON_NOT_USABLE", {"template_id": "t1", "why": why}) for why in expected if why]
    assert harness.rejections() == why
    assert [e["coupon_id"] for e in harness.events_of("coupon.issued")] == [
        name for (name, _), given in zip(requested, issued, strict=True) if given
    ]
    assert await harness.pool.fetchval("SELECT issued FROM coupon_templates") == sum(issued)
    assert await harness.pool.fetchval("SELECT count(*) FROM coupons") == sum(issued)


async def test_used_and_expired_coupons_count_towards_what_a_user_may_have(harness: HandlerHarness) -> None:
    await harness.handle(template(per_user_limit=1), coupon())
    await harness.pool.execute("UPDATE coupons SET state = 'expired'")
    await harness.handle(coupon("c2"))
    assert harness.rejections() == [("COUPON_NOT_USABLE", {"template_id": "t1", "why": "per_user_limit"})]


async def test_no_coupon_is_issued_from_an_unknown_template(harness: HandlerHarness) -> None:
    await harness.handle(coupon())
    assert harness.rejections() == [("COUPON_NOT_FOUND", {"template_id": "t1"})]


async def test_a_coupon_is_issued_once_and_its_id_is_unique(harness: HandlerHarness) -> None:
    await harness.handle(template())
    await harness.handle(coupon("c1"))
    await harness.handle(coupon("c1"), reply_to="client.a")
    await harness.handle(coupon("c1", "u2"))
    assert [(r["type"], r["duplicate"]) for r in harness.replies] == [("coupon.issued.v1", True)]
    assert [code for code, _ in harness.rejections()] == ["IDEMPOTENCY_CONFLICT"]
    assert [r["user_id"] for r in await harness.pool.fetch("SELECT user_id FROM coupons")] == ["u1"]
    assert await harness.pool.fetchval("SELECT issued FROM coupon_templates") == 1


async def test_a_new_revision_of_a_template_forgets_nothing_that_was_issued(harness: HandlerHarness) -> None:
    await harness.handle(template(count=1), coupon())
    await harness.handle(template(revision=2, count=1))
    await harness.handle(coupon("c2"))
    assert [details["why"] for _, details in harness.rejections()] == ["issued_out"]


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"scope": "sku"}, "scope_ids"),
        ({"scope_ids": ("tea",)}, "scope_ids"),
        ({"valid_from": NOW, "valid_to": NOW}, "valid_to"),
    ],
)
async def test_a_senseless_template_is_refused_by_its_field(
    terms: dict[str, Any], field: str, harness: HandlerHarness
) -> None:
    await harness.handle(template(**terms))
    assert harness.rejections() == [("PROMOTION_INVALID", {"field": field})]


async def expire(harness: HandlerHarness) -> list[str]:
    """Run the chore; return the coupons and points that it announces as expired."""
    harness.events.clear()
    async with harness.pool.acquire() as tx, tx.transaction():
        await catalogue.expire_coupons(tx)
    await harness.relay()
    assert all(
        event["state"] == "expired" and event["order_id"] is None for event in harness.events_of("coupon.changed")
    )
    return sorted(event["coupon_id"] for event in harness.events_of("coupon.changed"))


async def test_coupons_that_ended_unused_expire_once_and_no_others_do(harness: HandlerHarness) -> None:
    await harness.handle(template(), *(coupon(f"c{n}") for n in range(5)))
    assert await expire(harness) == []
    await harness.pool.execute("UPDATE coupons SET valid_to = now() - interval '1 s' WHERE coupon_id <> 'c0'")
    await harness.pool.execute("UPDATE coupons SET state = 'locked', order_id = 1 WHERE coupon_id = 'c1'")
    await harness.pool.execute("UPDATE coupons SET state = 'used', order_id = 2 WHERE coupon_id = 'c2'")
    assert await expire(harness) == ["c3", "c4"]
    assert await expire(harness) == []
    states = await harness.pool.fetch("SELECT state FROM coupons ORDER BY coupon_id")
    assert [row["state"] for row in states] == ["issued", "locked", "used", "expired", "expired"]


async def test_expiry_takes_a_part_at_a_time_and_leaves_what_an_order_holds(
    harness: HandlerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coupons, "EXPIRE_MAX_COUPONS", 2)
    await harness.handle(template(), *(coupon(f"c{n}") for n in range(4)))
    await harness.pool.execute("UPDATE coupons SET valid_to = now() - interval '1 s'")
    async with harness.pool.acquire() as order, order.transaction():
        await order.fetch(SQL["benefits.lock_coupons"], ["c0"])
        assert [len(await expire(harness)) for _ in range(3)] == [2, 1, 0]
    assert await expire(harness) == ["c0"]


async def test_expiry_reads_only_coupons_that_ended(harness: HandlerHarness) -> None:
    await harness.handle(template(), coupon())
    await harness.pool.execute(
        "INSERT INTO coupons (coupon_id, template_id, user_id, state, name, amount, currency, min_amount, scope,"
        " scope_ids, channels, member_levels, valid_from, valid_to) SELECT 'n' || n, 't1', 'u', 'issued', 'x', 1,"
        " 'CNY', 0, 'all', '{}', '{}', '{}', now(), now() + interval '1 day' FROM generate_series(1, 5000) n"
    )
    await harness.pool.execute("ANALYZE coupons")
    plan = "\n".join(row[0] for row in await harness.pool.fetch(f"EXPLAIN {SQL['coupons.expire']}", 500))
    assert "coupons_expiry" in plan, plan
    assert "Seq Scan on coupons" not in plan, plan


async def test_grants_add_up_and_the_ledger_says_why(harness: HandlerHarness) -> None:
    await harness.handle(grant(5), grant(7, request_id="g2"), grant(3, "u2"))
    await harness.handle(grant(2, request_id="g3"))
    rows = await harness.pool.fetch("SELECT user_id, balance, held, growth FROM points_accounts ORDER BY user_id")
    assert [tuple(row) for row in rows] == [("u1", 14, 0, 0), ("u2", 3, 0, 0)]
    changes = [
        (e["user_id"], e["op"], e["points"], e["balance"], e["held"], e["order_id"])
        for e in harness.events_of("points.changed")
    ]
    assert changes == [
        ("u1", "grant", 5, 5, 0, None),
        ("u1", "grant", 7, 12, 0, None),
        ("u2", "grant", 3, 3, 0, None),
        ("u1", "grant", 2, 14, 0, None),
    ]
    ledger = await harness.pool.fetch("SELECT user_id, ref, points FROM points_ledger WHERE op = 'grant' ORDER BY 1, 2")
    assert [tuple(row) for row in ledger] == [("u1", "g1", 5), ("u1", "g2", 7), ("u1", "g3", 2), ("u2", "g1", 3)]


async def test_a_grant_counts_once_and_leaves_what_orders_hold(harness: HandlerHarness) -> None:
    await harness.handle(grant(5))
    await harness.pool.execute("UPDATE points_accounts SET held = 4, growth = 9")
    await harness.handle(grant(5), grant(6, request_id="g2"))
    await harness.handle(grant(1))
    row = await harness.pool.fetchrow("SELECT balance, held, growth FROM points_accounts")
    assert row is not None
    assert tuple(row) == (11, 4, 9)
    assert [code for code, _ in harness.rejections()] == ["IDEMPOTENCY_CONFLICT"]


async def test_no_account_grows_past_what_can_be_counted(harness: HandlerHarness) -> None:
    await harness.handle(grant(1))
    await harness.pool.execute("UPDATE points_accounts SET balance = $1", BALANCE_MAX - 10)
    await harness.handle(grant(11, request_id="g2"), grant(10, request_id="g3"), grant(1, request_id="g4"))
    assert harness.rejections() == [("POINTS_RULE", {"max": BALANCE_MAX})] * 2
    assert await harness.pool.fetchval("SELECT balance FROM points_accounts") == BALANCE_MAX
    with pytest.raises(ValidationError):
        grant(POINTS_MAX + 1)
    with pytest.raises(ValidationError):
        grant(0)


async def test_two_workers_do_not_give_out_the_last_coupon_twice(harness: HandlerHarness) -> None:
    await harness.handle(template(count=1))
    await harness.handle_overlapping([coupon("c1")], [coupon("c2", "u2")], trusted=True)
    assert [details["why"] for _, details in harness.rejections()] == ["issued_out"]


async def test_two_workers_do_not_give_a_user_more_than_the_limit(harness: HandlerHarness) -> None:
    await harness.handle(template(per_user_limit=1))
    await harness.handle_overlapping([coupon("c1")], [coupon("c2")], trusted=True)
    assert [details["why"] for _, details in harness.rejections()] == ["per_user_limit"]


async def test_two_workers_lose_no_points_of_an_old_account_nor_of_a_new_one(harness: HandlerHarness) -> None:
    await harness.handle_overlapping([grant(5)], [grant(7, request_id="g2")], trusted=True)
    assert await harness.pool.fetchval("SELECT balance FROM points_accounts") == 12
    await harness.handle_overlapping([grant(1, request_id="g3")], [grant(2, request_id="g4")], trusted=True)
    assert await harness.pool.fetchval("SELECT balance FROM points_accounts") == 15


async def test_an_operator_corrects_points_but_never_those_that_an_order_holds(harness: HandlerHarness) -> None:
    await harness.handle(grant(1000))
    await harness.pool.execute("UPDATE points_accounts SET held = 300")
    await harness.handle(
        correction(-700, "a1"), correction(-1, "a2"), correction(50, "a3"), correction(0, "a4"), trusted=True
    )
    await harness.handle(correction(50, "a3"), trusted=True, reply_to="client.a")
    await harness.handle(correction(50, "a5", user()), trusted=True)
    assert [(e["op"], e["points"], e["balance"], e["reason_code"]) for e in harness.events_of("points.changed")] == [
        ("grant", 1000, 1000, None), ("deduct", 700, 300, "MISTAKE"), ("add", 50, 350, "MISTAKE")
    ]  # fmt: skip
    assert harness.replies[-1]["duplicate"]
    assert [code for code, _ in harness.rejections()] == ["POINTS_INSUFFICIENT", "POINTS_RULE", "AUTH_FORBIDDEN"]
    assert harness.rejections()[0][1] == {"wanted": 1, "available": 0}
    assert "Wang" not in str(harness.events)
    assert await harness.rows("SELECT op, ref, points FROM points_ledger ORDER BY op") == [
        ("add", "a3", 50), ("deduct", "a1", 700), ("grant", "g1", 1000)
    ]  # fmt: skip
