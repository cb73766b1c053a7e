"""Messages that are held do not slow the others, keep their order, and replies among them are not tried for ever."""

from collections.abc import Callable

from prometheus_client import REGISTRY

from db.pool import Pool
from db.statements import SQL
from outbox import Announcement
from outbox.packing import shard_of
from outbox.settings import RelaySettings
from tests.broker import Broker
from tests.outbox.harness import (
    announce,
    consume,
    event,
    hold,
    opened,
    pages_read,
    pending,
    running,
    sequences_by_stream,
    subscribe,
    wait_until,
    wait_until_empty,
)

Settings = Callable[..., RelaySettings]
FULL = {"x-max-length": 1, "x-overflow": "reject-publish"}
SHARDS = list(range(64))
HELD_ROWS = 5_000
PAGES_MAX = 600  # 64 probes of an index, and a hold looked up for each of 20 rows; 5,000 held rows fill more


def reply(to: str, number: int) -> Announcement:
    """One answer to a client."""
    return Announcement(
        type="t.v1", body=b"{}", destination="reply", routing_key=to, correlation_id=f"c{number}", must_route=False
    )


async def hold_many(pool: Pool, rows: int) -> None:
    """Hold many replies without the work of a relay."""
    await pool.execute(
        "INSERT INTO outbox_holds (stream, until, attempts, reason, shard, destination, routing_key)"
        " SELECT 'm' || n, now() + interval '1 hour', 3, 'nacked: full', n % 64, 'reply', 'client.full'"
        " FROM generate_series(1, $1::int) n",
        rows,
    )
    await pool.execute(
        "INSERT INTO outbox_held SELECT 'm' || n, n, n % 64, 'm' || n, 't.v1', 'reply', 'client.full', 'c', '{}', '{}',"
        " NULL, false, now() FROM generate_series(1, $1::int) n",
        rows,
    )


async def test_what_a_person_holds_is_not_tried_sooner_because_the_broker_refuses_it_meanwhile(pool: Pool) -> None:
    await announce(pool, [event(1, 1), event(2, 1)])
    for stream in ("1", "2"):
        await pool.execute(SQL["outbox.hold_by_hand"], [stream], [shard_of(stream)], ["events"], ["order.paid"], 7200.0)
    await pool.execute("UPDATE outbox_holds SET until = now() WHERE stream = '2'")  # a person lets it go
    for stream in ("1", "2"):
        await hold(pool, stream, "nacked: full", seconds=60)
    rows = await pool.fetch(
        "SELECT stream, reason, until > now() + interval '1 h' AS long FROM outbox_holds ORDER BY 1"
    )
    assert [tuple(row) for row in rows] == [("1", "by_hand: a person holds it", True), ("2", "nacked: full", False)]


async def test_thousands_of_held_rows_add_nothing_to_a_read(pool: Pool) -> None:
    await announce(pool, [event(order, 1) for order in range(1, 21)])
    await hold_many(pool, HELD_ROWS)
    assert await pages_read(pool, "outbox.read", SHARDS, 62, 10_000, []) < PAGES_MAX
    assert await pages_read(pool, "outbox.read_held", SHARDS, 62, 100, 10_000, [], None, 2000) < PAGES_MAX


async def test_what_follows_a_held_message_is_moved_behind_it_and_arrives_after_it(
    pool: Pool, declared: Broker, settings: Settings
) -> None:
    await subscribe(declared["admin"], declared.names.events, "listener", "order.paid")
    stuck = Announcement(**{**vars(event(1, 1, type="order.odd.v1")), "must_route": True})
    await announce(pool, [stuck, event(1, 2)])

    async def moved(rows: int) -> bool:
        return bool(await pool.fetchval("SELECT count(*) = $1 FROM outbox_held WHERE stream = '1'", rows))

    async with running(settings(hold_max_seconds=1)):
        await wait_until(lambda: moved(2))
        await announce(pool, [event(1, 3), event(2, 1)])
        await wait_until(lambda: moved(3))
        assert await pool.fetchval("SELECT count(*) FROM outbox WHERE stream = '1'") == 0
        await subscribe(declared["admin"], declared.names.events, "listener", "order.odd")
        await announce(pool, [event(1, 4)])
        await wait_until_empty(pool)
        await announce(pool, [event(1, 5)])
        arrived = await consume(declared["admin"], "listener", 6)
    assert sequences_by_stream(arrived) == {"1": [1, 2, 3, 4, 5], "2": [1]}


def dropped() -> float:
    """How many replies this process has dropped."""
    return REGISTRY.get_sample_value("oms_outbox_dropped_replies_total", {"outcome": "nacked"}) or 0


async def test_a_reply_that_is_refused_again_when_it_is_old_is_dropped_and_counted(
    pool: Pool, declared: Broker, settings: Settings
) -> None:
    before = dropped()
    async with opened(declared["admin"]) as channel:
        await channel.queue_declare("client.full", durable=True, arguments={"x-queue-type": "classic", **FULL})
        await channel.basic_publish(b"full", routing_key="client.full")
    await announce(pool, [reply("client.full", number) for number in range(3)])
    await pool.execute("UPDATE outbox SET created_at = created_at - interval '10 minutes' WHERE correlation_id <> 'c2'")
    async with running(settings()):

        async def expired() -> bool:
            return dropped() == before + 2

        await wait_until(expired)

        async def one_left() -> bool:
            return await pending(pool) == 1

        await wait_until(one_left)
        assert await pool.fetchval("SELECT correlation_id FROM outbox_held") == "c2"


async def test_metrics_say_how_many_rows_are_held_for_each_destination(
    pool: Pool, declared: Broker, settings: Settings
) -> None:
    def held(destination: str) -> float | None:
        return REGISTRY.get_sample_value("oms_outbox_held", {"destination": destination})

    await announce(pool, [event(1, 1), event(1, 2), reply("client.x", 1)])
    await hold(pool, "1", "nacked: x", seconds=3600)

    async def measured() -> bool:
        return (held("events"), held("reply")) == (2, 0)

    async with running(settings()):
        await wait_until(measured)
