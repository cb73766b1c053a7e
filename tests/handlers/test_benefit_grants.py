"""Coupons and points: what a template allows is given out, once, and ends by itself."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from db.statements import SQL
from messages.catalogue import POINTS_MAX
from tests.handlers.catalogue_builders import DAY, NOW, coupon, grant, refused, side_by_side, template
from tests.handlers.harness import Floor
from workers.handlers import catalogue
from workers.store import coupons


async def test_a_coupon_keeps_the_terms_it_was_issued_under(floor: Floor) -> None:
    terms: dict[str, Any] = {
        "scope": "category",
        "scope_ids": ("tea", "cups"),
        "channels": ("mobile",),
        "member_levels": ("gold",),
    }
    await floor.say(template(amount=100, min_amount=500, **terms))
    await floor.say(coupon())
    await floor.say(template(revision=2, amount=1))
    await floor.say(coupon("c2"))
    rows = await floor.pool.fetch("SELECT * FROM coupons ORDER BY coupon_id")
    assert [(r["state"], r["user_id"], r["amount"], r["min_amount"]) for r in rows] == [
        ("issued", "u1", 100, 500),
        ("issued", "u1", 1, 0),
    ]
    assert {name: tuple(rows[0][name]) for name in terms if name != "scope"} == {
        name: value for name, value in terms.items() if name != "scope"
    }
    assert [(e["coupon_id"], e["amount"]) for e in floor.heard("coupon.issued")] == [("c1", 100), ("c2", 1)]


async def test_a_coupon_can_be_issued_in_the_batch_that_brings_its_template(floor: Floor) -> None:
    await floor.say(template(), coupon())
    assert len(floor.heard("coupon.issued")) == 1


ISSUES: list[tuple[dict[str, Any], list[tuple[str, str]], list[str]]] = [
    # template, (coupon, user) asked for, the refusal of each
    ({}, [("c1", "u1"), ("c2", "u1"), ("c3", "u2")], ["", "", ""]),
    ({"valid_to": NOW - timedelta(seconds=1)}, [("c1", "u1")], ["template_expired"]),
    ({"valid_from": NOW + DAY / 2}, [("c1", "u1")], [""]),
    ({"count": 2}, [("c1", "u1"), ("c2", "u1"), ("c3", "u2")], ["", "", "issued_out"]),
    ({"count": 0}, [("c1", "u1")], ["issued_out"]),
    ({"per_user_limit": 1}, [("c1", "u1"), ("c2", "u1"), ("c3", "u2")], ["", "per_user_limit", ""]),
    ({"per_user_limit": 1, "count": 2}, [("c1", "u1"), ("c2", "u1"), ("c3", "u2")], ["", "per_user_limit", ""]),
]


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "one by one"])
@pytest.mark.parametrize(("terms", "asked", "expected"), ISSUES)
async def test_a_template_gives_what_its_terms_allow(
    terms: dict[str, Any], asked: list[tuple[str, str]], expected: list[str], together: bool, floor: Floor
) -> None:
    await floor.say(template(**terms))
    bodies = [coupon(*one) for one in asked]
    for batch in [bodies] if together else [[body] for body in bodies]:
        await floor.say(*batch)
    issued = [why == "" for why in expected]
    why = [("COUPON_NOT_USABLE", {"template_id": "t1", "why": why}) for why in expected if why]
    assert refused(floor) == why
    assert [e["coupon_id"] for e in floor.heard("coupon.issued")] == [
        name for (name, _), given in zip(asked, issued, strict=True) if given
    ]
    assert await floor.pool.fetchval("SELECT issued FROM coupon_templates") == sum(issued)
    assert await floor.pool.fetchval("SELECT count(*) FROM coupons") == sum(issued)


async def test_used_and_expired_coupons_count_towards_what_a_user_may_have(floor: Floor) -> None:
    await floor.say(template(per_user_limit=1), coupon())
    await floor.pool.execute("UPDATE coupons SET state = 'expired'")
    await floor.say(coupon("c2"))
    assert refused(floor) == [("COUPON_NOT_USABLE", {"template_id": "t1", "why": "per_user_limit"})]


async def test_no_coupon_comes_from_a_template_that_nobody_knows(floor: Floor) -> None:
    await floor.say(coupon())
    assert refused(floor) == [("COUPON_NOT_FOUND", {"template_id": "t1"})]


async def test_a_coupon_is_issued_once_and_its_id_is_nobody_elses(floor: Floor) -> None:
    await floor.say(template())
    await floor.say(coupon("c1"))
    await floor.say(coupon("c1"), reply_to="client.a")
    await floor.say(coupon("c1", "u2"))
    assert [(r["type"], r["duplicate"]) for r in floor.replies] == [("coupon.issued.v1", True)]
    assert [code for code, _ in refused(floor)] == ["IDEMPOTENCY_CONFLICT"]
    assert [r["user_id"] for r in await floor.pool.fetch("SELECT user_id FROM coupons")] == ["u1"]
    assert await floor.pool.fetchval("SELECT issued FROM coupon_templates") == 1


async def test_a_new_revision_of_a_template_forgets_nothing_that_was_issued(floor: Floor) -> None:
    await floor.say(template(count=1), coupon())
    await floor.say(template(revision=2, count=1))
    await floor.say(coupon("c2"))
    assert [details["why"] for _, details in refused(floor)] == ["issued_out"]


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"scope": "sku"}, "scope_ids"),
        ({"scope_ids": ("tea",)}, "scope_ids"),
        ({"valid_from": NOW, "valid_to": NOW}, "valid_to"),
    ],
)
async def test_a_senseless_template_is_refused_by_its_field(terms: dict[str, Any], field: str, floor: Floor) -> None:
    await floor.say(template(**terms))
    assert refused(floor) == [("PROMOTION_INVALID", {"field": field})]


async def expire(floor: Floor) -> list[str]:
    """What a run of the chore announces as expired."""
    floor.events.clear()
    async with floor.pool.acquire() as tx, tx.transaction():
        await catalogue.expire_coupons(tx)
    await floor.pump()
    assert all(event["state"] == "expired" and event["order_id"] is None for event in floor.heard("coupon.changed"))
    return sorted(event["coupon_id"] for event in floor.heard("coupon.changed"))


async def test_coupons_that_ended_unused_expire_once_and_no_others_do(floor: Floor) -> None:
    await floor.say(template(), *(coupon(f"c{n}") for n in range(5)))
    assert await expire(floor) == []
    await floor.pool.execute("UPDATE coupons SET valid_to = now() - interval '1 s' WHERE coupon_id <> 'c0'")
    await floor.pool.execute("UPDATE coupons SET state = 'locked', order_id = 1 WHERE coupon_id = 'c1'")
    await floor.pool.execute("UPDATE coupons SET state = 'used', order_id = 2 WHERE coupon_id = 'c2'")
    assert await expire(floor) == ["c3", "c4"]
    assert await expire(floor) == []
    states = await floor.pool.fetch("SELECT state FROM coupons ORDER BY coupon_id")
    assert [row["state"] for row in states] == ["issued", "locked", "used", "expired", "expired"]


async def test_expiry_takes_a_part_at_a_time_and_leaves_what_an_order_holds(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coupons, "EXPIRE_MAX", 2)
    await floor.say(template(), *(coupon(f"c{n}") for n in range(4)))
    await floor.pool.execute("UPDATE coupons SET valid_to = now() - interval '1 s'")
    async with floor.pool.acquire() as order, order.transaction():
        await order.fetch(SQL["benefits.lock_coupons"], ["c0"])
        assert [len(await expire(floor)) for _ in range(3)] == [2, 1, 0]
    assert await expire(floor) == ["c0"]


async def test_expiry_reads_only_coupons_that_ended(floor: Floor) -> None:
    await floor.say(template(), coupon())
    await floor.pool.execute(
        "INSERT INTO coupons (coupon_id, template_id, user_id, state, name, amount, currency, min_amount, scope,"
        " scope_ids, channels, member_levels, valid_from, valid_to) SELECT 'n' || n, 't1', 'u', 'issued', 'x', 1,"
        " 'CNY', 0, 'all', '{}', '{}', '{}', now(), now() + interval '1 day' FROM generate_series(1, 5000) n"
    )
    await floor.pool.execute("ANALYZE coupons")
    plan = "\n".join(row[0] for row in await floor.pool.fetch(f"EXPLAIN {SQL['coupons.expire']}", 500))
    assert "coupons_expiry" in plan, plan
    assert "Seq Scan on coupons" not in plan, plan


async def test_grants_add_up_and_the_ledger_says_why(floor: Floor) -> None:
    await floor.say(grant(5), grant(7, request_id="g2"), grant(3, "u2"))
    await floor.say(grant(2, request_id="g3"))
    rows = await floor.pool.fetch("SELECT user_id, balance, held, growth FROM points_accounts ORDER BY user_id")
    assert [tuple(row) for row in rows] == [("u1", 14, 0, 0), ("u2", 3, 0, 0)]
    said = [
        (e["user_id"], e["op"], e["points"], e["balance"], e["held"], e["order_id"])
        for e in floor.heard("points.changed")
    ]
    assert said == [
        ("u1", "grant", 5, 5, 0, None),
        ("u1", "grant", 7, 12, 0, None),
        ("u2", "grant", 3, 3, 0, None),
        ("u1", "grant", 2, 14, 0, None),
    ]
    ledger = await floor.pool.fetch("SELECT user_id, ref, points FROM points_ledger WHERE op = 'grant' ORDER BY 1, 2")
    assert [tuple(row) for row in ledger] == [("u1", "g1", 5), ("u1", "g2", 7), ("u1", "g3", 2), ("u2", "g1", 3)]


async def test_a_grant_counts_once_and_leaves_what_orders_hold(floor: Floor) -> None:
    await floor.say(grant(5))
    await floor.pool.execute("UPDATE points_accounts SET held = 4, growth = 9")
    await floor.say(grant(5), grant(6, request_id="g2"))
    await floor.say(grant(1))
    row = await floor.pool.fetchrow("SELECT balance, held, growth FROM points_accounts")
    assert row is not None
    assert tuple(row) == (11, 4, 9)
    assert [code for code, _ in refused(floor)] == ["IDEMPOTENCY_CONFLICT"]


async def test_no_account_grows_past_what_can_be_counted(floor: Floor) -> None:
    await floor.say(grant(1))
    await floor.pool.execute("UPDATE points_accounts SET balance = $1", catalogue.BALANCE_MAX - 10)
    await floor.say(grant(11, request_id="g2"), grant(10, request_id="g3"), grant(1, request_id="g4"))
    assert refused(floor) == [("POINTS_RULE", {"max": catalogue.BALANCE_MAX})] * 2
    assert await floor.pool.fetchval("SELECT balance FROM points_accounts") == catalogue.BALANCE_MAX
    with pytest.raises(ValidationError):
        grant(POINTS_MAX + 1)
    with pytest.raises(ValidationError):
        grant(0)


async def test_two_workers_do_not_give_out_the_last_coupon_twice(floor: Floor) -> None:
    await floor.say(template(count=1))
    await side_by_side(floor, coupon("c1"), coupon("c2", "u2"))
    assert [details["why"] for _, details in refused(floor)] == ["issued_out"]


async def test_two_workers_do_not_give_a_user_more_than_the_limit(floor: Floor) -> None:
    await floor.say(template(per_user_limit=1))
    await side_by_side(floor, coupon("c1"), coupon("c2"))
    assert [details["why"] for _, details in refused(floor)] == ["per_user_limit"]


async def test_two_workers_lose_no_points_of_an_old_account_nor_of_a_new_one(floor: Floor) -> None:
    await side_by_side(floor, grant(5), grant(7, request_id="g2"))
    assert await floor.pool.fetchval("SELECT balance FROM points_accounts") == 12
    await side_by_side(floor, grant(1, request_id="g3"), grant(2, request_id="g4"))
    assert await floor.pool.fetchval("SELECT balance FROM points_accounts") == 15
