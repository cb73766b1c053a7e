"""`oms outbox` shows what waits and what is held, has it tried again, and holds what a person names."""

import asyncio

import pytest

from db.pool import open_pool
from db.statements import SQL
from outbox import Announcement
from tests.outbox.harness import announce, event, hold
from tests.scripts.oms_command import Oms

REFUSED = "refused: 541 INTERNAL_ERROR"
KILLER = "amq.rabbitmq.reply-to.AAAA.B"


@pytest.fixture
def held(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply that the broker refuses, and an event with two behind it that a missing queue keeps."""

    async def store() -> None:
        pool = await open_pool(database_url, application_name="tests")
        reply = Announcement(
            type="t.v1", body=b"{}", destination="reply", routing_key=KILLER, correlation_id="c", must_route=False
        )
        await announce(pool, [reply, *(event(7, seq) for seq in (1, 2, 3))])
        stream = await pool.fetchval("SELECT stream FROM outbox WHERE destination = 'reply'")
        for name, reason, seconds in ((stream, REFUSED, 60), ("7", "unroutable: events order.paid", 1)):
            await hold(pool, name, reason, seconds=seconds)
        await pool.close()

    asyncio.run(store())
    monkeypatch.setenv("OMS_DATABASE_URL", database_url)


def test_the_list_names_what_is_held_and_why(oms: Oms, held: None) -> None:
    done = oms("outbox", "list", "-o", "json")
    assert (done.code, done.err) == (0, "2 held messages\n")
    shown = [(row["destination"], row["routing_key"], row["reason"], row["behind"]) for row in done.json]
    assert shown == [("reply", KILLER, REFUSED, 0), ("events", "order.paid", "unroutable: events order.paid", 2)]
    assert "body" not in done.json[0]


@pytest.mark.parametrize(
    ("filters", "count"), [(("--reason", "refused"), 1), (("--destination", "events"), 1), (("--reason", "nacked"), 0)]
)
def test_filters_choose_among_them(oms: Oms, held: None, filters: tuple[str, str], count: int) -> None:
    done = oms("outbox", "list", *filters, "-o", "json")
    assert (done.code, len(done.json)) == (0, count)


def test_a_limit_hides_rows_but_not_their_number(oms: Oms, held: None) -> None:
    shown = oms("outbox", "list", "--limit", "1").err
    assert shown.startswith("2 held messages, of which the oldest 1 are shown")
    assert "next: oms outbox retry " in shown


@pytest.mark.parametrize("filters", [("--reason", "refusd"), ("--destination", "event")])
def test_a_filter_that_cannot_match_is_an_error_with_the_known_values(oms: Oms, filters: tuple[str, str]) -> None:
    done = oms("outbox", "list", *filters)
    assert done.code == 1
    assert "s are: " in done.err


def test_retry_ends_a_hold_at_once(oms: Oms, held: None) -> None:
    refused = oms("outbox", "list", "--reason", "refused", "-o", "json").json[0]
    done = oms("outbox", "retry", str(refused["id"]))
    assert (done.code, done.err) == (0, "1 message will be tried again at once\n")
    again = oms("outbox", "list", "--reason", "refused", "-o", "json").json[0]
    assert again["next_try"] < refused["next_try"]
    assert again["attempts"] == refused["attempts"]


def test_retry_of_an_id_that_is_not_held_does_nothing(oms: Oms, held: None) -> None:
    refused = oms("outbox", "list", "--reason", "refused", "-o", "json").json[0]
    done = oms("outbox", "retry", str(refused["id"]), "999999")
    assert done.code == 2
    assert "no held message 999999" in done.err
    assert oms("outbox", "list", "--reason", "refused", "-o", "json").json[0] == refused


def test_the_status_says_how_much_waits_what_is_held_and_who_publishes(oms: Oms, held: None) -> None:
    done = oms("outbox", "status", "-o", "json")
    assert (done.code, done.json["pending"], done.json["held"]) == (0, 4, {"reply": 1, "events": 3})
    assert "no relay is alive" in done.err
    assert "next: oms outbox list" in done.err
    assert oms("outbox", "status", "--max-age", "0s").code == 3
    assert oms("outbox", "status", "--max-age", "1h").code == 0


def test_a_message_is_held_with_its_stream_until_a_person_lets_it_go(oms: Oms, held: None, database_url: str) -> None:
    async def announce_more() -> None:
        pool = await open_pool(database_url, application_name="tests")
        await announce(pool, [event(8, 1), event(8, 2)])
        await pool.close()

    asyncio.run(announce_more())
    first = str(oms("outbox", "list", "--waiting", "-o", "json").json[0]["id"])
    assert oms("outbox", "hold", first, "--dry-run").err == "dry run: nothing was changed\n"
    assert oms("outbox", "hold", first, "--yes").code == 1  # without a reason
    assert oms("outbox", "hold", first, "--for", "8d", "--yes", "--reason", "x").code == 6
    assert oms("outbox", "hold", "999999", "--yes", "--reason", "x").code == 2
    assert oms("outbox", "hold", first, "--for", "2h", "--yes", "--reason", "OPS-7").code == 0

    async def moved() -> list[str]:
        pool = await open_pool(database_url, application_name="tests")
        await pool.execute(SQL["outbox.release_held"], "events", "order.paid", 10)  # another event was taken there
        assert await pool.fetchval("SELECT until > now() + interval '1 h' FROM outbox_holds WHERE stream = '8'")
        rows = await pool.fetch(SQL["outbox.read"], list(range(64)), 10, 10_000, [])
        await pool.close()
        return [row["stream"] for row in rows if row["is_held"]]

    assert asyncio.run(moved()) == ["8", "8"]  # a relay moves both out of the way
    actions = oms("interventions", "-o", "json").json
    assert [(row["action"], row["subject"], row["reason"]) for row in actions] == [("outbox.hold", first, "OPS-7")]
