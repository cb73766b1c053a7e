"""`oms timers` shows the timers that are woken soon, fires those that are due, and cancels those that nobody needs."""

import psycopg
import pytest

from scripts.commands.connections import person
from tests.handlers.harness import HandlerHarness
from tests.handlers.refund_builders import request_refund
from tests.scripts.oms_command import Oms
from tests.scripts.placed import with_handlers

AGE = """
UPDATE timers SET due_at = now() - interval '1 h', wake_at = now() - interval '1 min', wakes = 3 WHERE kind = 'payment';
INSERT INTO timers (kind, key, due_at, wake_at) SELECT 'refund', id, now(), now() + interval '30 min' FROM refunds
    ON CONFLICT (kind, key) DO UPDATE SET wake_at = excluded.wake_at;
INSERT INTO timers (kind, key, due_at, wake_at) VALUES ('receipt', 5, now(), now() + interval '3 h');
"""
EXPIRE = "UPDATE orders SET created_at = created_at - interval '1 d', expire_at = now() - interval '1 h'"


@pytest.fixture
def orders(database_url: str) -> tuple[int, int]:
    """An unpaid order whose timer is late, and a paid one with a refund; a third timer is due in three hours."""

    async def work(harness: HandlerHarness) -> tuple[int, int]:
        unpaid, paid = await harness.place_order(), await harness.place_paid_order(("s1", 2))
        await harness.handle(request_refund(paid, "r1", 100), trusted=True)
        return unpaid, paid

    made = with_handlers(database_url, work)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(AGE)
    return made


def test_the_list_has_the_timers_of_the_time_and_kinds_with_their_orders(
    oms: Oms, database_url: str, orders: tuple[int, int]
) -> None:
    def found(*arguments: str) -> list[tuple[str, int, int]]:
        rows = oms("timers", "list", "-o", "json", *arguments, database_url=database_url).json
        return [(row["kind"], int(row["order_id"]), row["wakes"]) for row in rows]

    unpaid, paid = orders
    late, soon, later = ("payment", unpaid, 3), ("refund", paid, 0), ("receipt", 5, 0)
    assert found() == [late, soon]
    assert found("--within", "0s") == [late]
    assert found("--within", "1d", "--kind", "refund", "--kind", "receipt") == [soon, later]
    assert found("--within", "1d", "--limit", "2") == [late, soon]
    assert oms("timers", "list", "--limit", "1").err == "1 timer; there are more: add --limit\n"
    for wrong, part in (("--kind", "there is no kind of timer 5x"), ("--within", "5x is no time")):
        refused = oms("timers", "list", wrong, "5x")
        assert (refused.code, part in refused.err) == (1, True)


WHY = ("--reason", "OPS-7", "--yes")


def test_a_timer_that_is_due_is_woken_at_once_and_one_that_is_not_never(
    oms: Oms, database_url: str, orders: tuple[int, int]
) -> None:
    unpaid, _ = orders
    key = str(unpaid)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE timers SET wake_at = now() + interval '5 min' WHERE kind = 'payment'")

        def wakes() -> tuple[object, ...] | None:
            return connection.execute(
                "SELECT wake_at <= now(), wakes FROM timers WHERE kind = 'payment' AND key = %s", (unpaid,)
            ).fetchone()

        planned = oms("timers", "fire", "payment", key, "--dry-run", "-o", "json", database_url=database_url)
        assert (planned.json[0]["plan"], wakes()) == ("woken at once", (False, 3))
        assert oms("timers", "fire", "payment", key, "--yes").err.startswith("oms: a reason is needed")
        assert oms("timers", "fire", "payment", key, "--reason", "x").code == 6  # nobody is there to confirm
        assert (oms("timers", "fire", "payment", key, *WHY).code, wakes()) == (0, (True, 0))
        connection.execute("UPDATE timers SET due_at = now() + interval '5 min' WHERE kind = 'payment'")
        early = oms("timers", "fire", "payment", key, *WHY)
        assert (early.code, "never acts early" in early.err) == (6, True)
        assert oms("timers", "fire", "payment", "9", *WHY).code == 2
        assert oms("timers", "fire", "paymet", "9", *WHY).code == 1
    (seen,) = oms("interventions", "-o", "json").json
    assert (seen["action"], seen["subject"], seen["reason"]) == ("timer.fire", f"payment {key}", "OPS-7")


def test_a_cancelled_timer_is_gone_and_repair_starts_it_again(
    oms: Oms, database_url: str, orders: tuple[int, int]
) -> None:
    key = str(orders[0])
    planned = oms("timers", "cancel", "payment", key, "--dry-run", "-o", "json", database_url=database_url)
    assert planned.json[0]["plan"] == "ended; an order that nobody pays is not cancelled"
    cancelled = oms("timers", "cancel", "payment", key, *WHY)
    assert (cancelled.code, "next: oms repair" in cancelled.err) == (0, True)
    assert oms("timers", "list", "--kind", "payment", "-o", "json").json == []
    owed = oms("repair", "--order", key, "--grace-seconds", "0", "-o", "json").json
    assert [row["owed"] for row in owed] == [f"timer payment {key}"]
    [waits] = oms("order", "explain", key, "-o", "json").json["awaits"]
    assert (waits["until"], waits["otherwise"]) == (None, None), "no timer cancels it any more"
    assert (waits["missing_timer"]["kind"], waits["missing_timer"]["cancelled_by"]) == ("payment", person())
    why = f"payment timer was cancelled by {person()}"
    explained = " ".join(oms("order", "explain", key).out.split())
    assert f"{why} since" in explained
    assert f"type oms repair --order {key}" in explained
    assert f"{why}: oms repair --order {key}" in " ".join(oms("order", "show", key).out.split())
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(EXPIRE)
    [late] = oms("stuck", "--kind", "payment", "-o", "json").json["stuck"]
    assert (late["missing_timer"], late["until"]) == (waits["missing_timer"], None)
    assert "oms repair" in oms("stuck", "--kind", "payment").out
    assert oms("repair", "--order", key, "--grace-seconds", "0", "--apply", *WHY).code == 0
    [waits] = oms("order", "explain", key, "-o", "json").json["awaits"]
    assert (waits["otherwise"], waits["missing_timer"]) == ("cancelled", None)
    [polled] = oms("timers", "list", "--kind", "refund", "-o", "json").json
    assert oms("timers", "cancel", "refund", str(polled["key"]), *WHY).code == 0
    explained = " ".join(oms("order", "explain", str(orders[1])).out.split())
    assert f"its refund timer was cancelled by {person()}" in explained
    assert f"type oms repair --order {orders[1]}" in explained
    refused = oms("timers", "cancel", "dispute", "5", *WHY)
    assert (refused.code, "nothing would start it again" in refused.err) == (6, True)
