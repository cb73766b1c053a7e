"""A relay that has lost a shard deletes nothing in it, and each read of the outbox is bounded."""

import pytest

from db.pool import Pool
from db.statements import SQL
from outbox.leases import Leases
from tests.outbox.harness import announce, event, hold, pending


async def deleted(pool: Pool, owner: str, epoch_change: int) -> int:
    """The number of waiting rows that this owner can delete, under the shards' epochs plus `epoch_change`."""
    rows = await pool.fetch("SELECT o.shard, o.id, s.epoch FROM outbox o JOIN outbox_shards s USING (shard)")
    columns = (
        [row["shard"] for row in rows],
        [row["epoch"] + epoch_change for row in rows],
        [row["id"] for row in rows],
    )
    return int((await pool.execute(SQL["outbox.delete"], owner, *columns)).split()[1])


@pytest.mark.parametrize(
    ("owner", "epoch_change", "expected"),
    [("me", 0, 20), ("me", -1, 0), ("another", 0, 0)],
    ids=["owner and epoch", "an epoch ago", "another owner"],
)
async def test_only_the_owner_with_the_epoch_of_the_read_deletes_a_row(
    pool: Pool, owner: str, epoch_change: int, expected: int
) -> None:
    await Leases(pool, owner="me", lease_seconds=30).keep()
    await announce(pool, [event(order, 1) for order in range(1, 21)])
    assert await deleted(pool, owner, epoch_change) == expected
    assert await pending(pool) == 20 - expected


@pytest.mark.parametrize(
    ("rows", "body_bytes", "expected"),
    [(3, 10_000, 3), (10, 250, 3), (10, 1, 1)],
    ids=["rows", "bytes", "at least one"],
)
async def test_one_read_is_bounded_in_rows_and_bytes(pool: Pool, rows: int, body_bytes: int, expected: int) -> None:
    await announce(pool, [event(7, seq, body=b"x" * 100) for seq in range(1, 11)])
    read = await pool.fetch(SQL["outbox.read"], list(range(64)), rows, body_bytes, [])
    assert [row["id"] for row in read] == [1, 2, 3][:expected]


async def test_streams_in_flight_are_not_read_and_rows_behind_a_held_one_are_marked(pool: Pool) -> None:
    await announce(pool, [event(order, 1) for order in (1, 2, 3)])
    await hold(pool, "2", "nacked")
    await announce(pool, [event(order, 2) for order in (1, 2, 3)])
    read = await pool.fetch(SQL["outbox.read"], list(range(64)), 10, 10_000, ["3"])
    assert [(row["stream"], row["is_held"]) for row in read] == [("1", False), ("1", False), ("2", True)]


async def test_a_hold_doubles_up_to_its_limit_and_ends_when_its_last_row_is_gone(pool: Pool) -> None:
    await announce(pool, [event(2, 1)])
    waits = []
    for _ in range(5):
        await hold(pool, "2", "nacked", seconds=300)
        waits.append(
            await pool.fetchval("SELECT round(extract(epoch FROM until - clock_timestamp())) FROM outbox_holds")
        )
    assert waits == [300, 600, 1200, 2400, 3600]
    await pool.execute(SQL["outbox.unhold"], ["2"])
    assert await pool.fetchval("SELECT count(*) FROM outbox_holds") == 1
    await pool.execute("DELETE FROM outbox_held")
    await pool.execute(SQL["outbox.unhold"], ["2"])
    assert await pool.fetchval("SELECT count(*) FROM outbox_holds") == 0


@pytest.mark.parametrize(
    ("owner", "epoch_change", "moved"),
    [("me", 0, 20), ("me", -1, 0), ("another", 0, 0)],
    ids=["owner and epoch", "an epoch ago", "another owner"],
)
async def test_only_the_owner_with_the_epoch_of_the_read_moves_held_rows(
    pool: Pool, owner: str, epoch_change: int, moved: int
) -> None:
    await Leases(pool, owner="me", lease_seconds=30).keep()
    await announce(pool, [event(order, 1) for order in range(1, 21)])
    rows = await pool.fetch("SELECT o.*, s.epoch FROM outbox o JOIN outbox_shards s USING (shard)")
    shards, ids = [row["shard"] for row in rows], [row["id"] for row in rows]
    epochs, streams = [row["epoch"] + epoch_change for row in rows], [row["stream"] for row in rows]
    texts = [["x"] * 20, [60.0] * 20, [60.0] * 20, ["events"] * 20, ["k"] * 20]
    await pool.execute(SQL["outbox.hold"], streams, shards, *texts)
    await pool.execute(SQL["outbox.move"], owner, shards, epochs, ids)
    assert await pool.fetchval("SELECT count(*) FROM outbox_held") == moved
    assert await pool.fetchval("SELECT count(*) FROM outbox") == 20 - moved
