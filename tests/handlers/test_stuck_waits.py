"""order.stuck shows what waits too long, as order.explain explains it (S3-38)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from messages.base import QueryRejected
from messages.explanations import OrderExplain, OrderExplained
from messages.stuck_waits import OrderStuck, OrderStuckListed, StuckShown
from scripts.commands.timers import ENDS_WITHOUT
from tests.handlers.builders import OPERATOR, user
from tests.handlers.harness import HandlerHarness
from tests.handlers.hold_builders import hold
from tests.handlers.querying import ask
from tests.handlers.stuck_scenes import PLAIN, age, everything_waits, explained
from workers import shop
from workers.domain.standing_alerts import Watch
from workers.views.awaits import Awaits
from workers.views.wait_limits import LIMITS

HOUR = 3600
WITHOUT_TIMER = {
    *("captcha", "reservation", "payment", "payment_result", "decision", "cancel_answer", "receipt"),
    *("booking", "booking_cancelled"),
}
"""What may be awaited for ever once a person has cancelled a timer."""


def query(**fields: Any) -> OrderStuck:
    return OrderStuck.model_validate({"actor": OPERATOR, "limit": 100} | fields)


async def listed(harness: HandlerHarness, **fields: Any) -> OrderStuckListed:
    [reply] = await ask(harness, query(**fields))
    assert isinstance(reply, OrderStuckListed), reply
    return reply


def key(one: StuckShown) -> tuple[int, str, str]:
    return one.order_id, one.what, " ".join(filter(None, (one.name, one.ref)))


async def _a_person_ends_every_timer(harness: HandlerHarness) -> None:
    """As `oms timers cancel` does, of the kinds that it ends, and long ago."""
    await harness.pool.execute(
        """WITH ended AS (DELETE FROM timers WHERE kind = ANY($1::text[]) RETURNING kind, key)
        INSERT INTO interventions (action, subject, reason, note, at)
        SELECT 'timer.cancel', kind || ' ' || key, 'OPS-9', 'ana', now() - interval '300 d' FROM ended""",
        list(ENDS_WITHOUT),
    )


async def _every_timer_is_started_again(harness: HandlerHarness) -> None:
    """As `oms repair` does, of those that a person has ended."""
    await harness.pool.execute(
        """INSERT INTO timers (kind, key, due_at, wake_at)
        SELECT split_part(subject, ' ', 1), split_part(subject, ' ', 2)::bigint, later, later
        FROM interventions, (SELECT now() + interval '3 d' AS later) AS n"""
    )


def counts(reply: OrderStuckListed) -> dict[str, int]:
    return {one.what: one.count for one in reply.counts}


def test_every_wait_has_a_limit_unless_what_stops_it_has_one() -> None:
    assert set(Awaits) - set(LIMITS) == {Awaits.RESUMPTION, Awaits.CASE_OUTCOME}


async def test_what_is_stuck_is_what_explanations_say(harness: HandlerHarness) -> None:
    await everything_waits(harness)
    assert (await listed(harness, what=tuple(LIMITS))).stuck == (), "nothing is old yet"
    await age(harness)
    await harness.pool.execute("UPDATE order_holds SET placed_at = (SELECT min(placed_at) FROM order_holds)")
    expected, found = await explained(harness), await listed(harness)
    assert {what for _, what, _ in expected} == set(LIMITS), "the scenes have each kind of wait"
    assert {key(one) for one in found.stuck} == set(expected)
    assert counts(found) == {what: sum(what == one for _, one, _ in expected) for what in LIMITS}
    since = [one.since for one in found.stuck if one.since is not None]
    assert since == sorted(since)
    assert all(one.since == expected[key(one)].since for one in found.stuck)
    assert min(one.oldest for one in found.counts) == found.stuck[0].since

    for shown in (found.stuck[0], *(one for one in found.stuck if one.what in {"refund_again", "dispute_answer"})):
        [reply] = await ask(harness, OrderExplain(actor=OPERATOR, order=str(shown.order_id)))
        assert isinstance(reply, OrderExplained)
        fields = {name: getattr(shown, name) for name in type(reply.awaits[0]).model_fields}
        assert fields in [dict(one) for one in reply.awaits]
        assert (shown.order_no, shown.state) == (reply.order_no, reply.state)

    paged, cursor = list[StuckShown](), None
    for _ in range(100):
        page = await listed(harness, limit=4, cursor=cursor)  # fewer than the holds of the same time
        paged += page.stuck
        assert page.counts == found.counts
        if (cursor := page.next_cursor) is None:
            break
    assert paged == list(found.stuck)

    await _a_person_ends_every_timer(harness)
    expected, found = await explained(harness), await listed(harness)
    assert {key(one) for one in found.stuck} == set(expected), "what lacks its timer stays in the list"
    assert {one.what for one in found.stuck if one.missing_timer is not None} == WITHOUT_TIMER
    assert {one.missing_timer.cancelled_by for one in found.stuck if one.missing_timer is not None} == {"ana"}
    await _every_timer_is_started_again(harness)
    expected, found = await explained(harness), await listed(harness)
    assert [one.what for one in expected.values() if one.missing_timer is not None] == [], "it runs"
    assert not {"receipt", "payment_result"} & counts(found).keys()

    one, several = list[str](), list[str]()
    await ask(harness, query(), statements=one)
    await ask(harness, *(query(limit=limit, what=("refund", "parcel")) for limit in range(1, 13)), statements=several)
    assert len(several) <= len(one), "a dozen queries take as many statements as one"


async def test_a_wait_is_stuck_after_the_limit_of_its_kind_or_of_the_question(harness: HandlerHarness) -> None:
    shop.configure(replace(PLAIN, watch=Watch(stuck_after_seconds={"release": 3 * HOUR})))
    await harness.fill_stock()
    order_id = await harness.place_order()
    await harness.handle(hold(order_id), trusted=True)
    await age(harness, timedelta(hours=2))
    assert counts(await listed(harness)) == {"payment": 1}, "its timer has passed, and the hold is young"
    assert counts(await listed(harness, longer_than_seconds=HOUR)) == {"payment": 1, "release": 1}
    await age(harness, timedelta(hours=2))
    found = await listed(harness, what=("release",))
    assert [(one.what, one.longer_than_seconds) for one in found.stuck] == [("release", 3 * HOUR)]
    assert (found.stuck[0].whom, found.stuck[0].moved_by, found.stuck[0].until) == (
        "operator",
        ("order.release",),
        None,
    )


@pytest.mark.parametrize(
    ("fields", "code", "path"),
    [
        ({"actor": user()}, "AUTH_FORBIDDEN", None),
        ({"what": ("refunds",)}, "ORDER_PARAM_INVALID", "$.what"),
        ({"what": ("resumption",)}, "ORDER_PARAM_INVALID", "$.what"),
        ({"limit": 101}, "ORDER_PARAM_INVALID", "$.limit"),
        ({"longer_than_seconds": -1}, "ORDER_PARAM_INVALID", "$.longer_than_seconds"),
        ({"cursor": "next"}, "ORDER_PARAM_INVALID", "$.cursor"),
    ],
)
async def test_a_wrong_question_says_which_field_is_wrong(
    harness: HandlerHarness, fields: dict[str, Any], code: str, path: str | None
) -> None:
    [reply, right] = await ask(harness, query(**fields), query())
    assert isinstance(reply, QueryRejected)
    assert (reply.code, reply.path) == (code, path)
    assert isinstance(right, OrderStuckListed)
