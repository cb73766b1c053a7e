"""Leases on a real database. Only its clock decides when a lease ends."""

import asyncio

from db.pool import Pool
from db.statements import SQL
from outbox.leases import Leases
from outbox.packing import SHARDS


async def holding(pool: Pool) -> dict[str | None, int]:
    """Maps each live relay to its shards."""
    rows = await pool.fetch(
        "SELECT owner, count(*) AS shards FROM outbox_shards JOIN outbox_relays USING (owner)"
        " WHERE live_until > clock_timestamp() GROUP BY owner"
    )
    return {row["owner"]: row["shards"] for row in rows}


async def rounds(*relays: Leases, times: int = 3) -> None:
    for _ in range(times):
        for relay in relays:
            await relay.keep()


async def test_one_relay_holds_every_shard(pool: Pool) -> None:
    alone = Leases(pool, lease_seconds=30)
    await alone.keep()
    assert len(alone.held) == SHARDS
    assert alone.valid


async def test_relays_come_to_share_the_shards_fairly(pool: Pool) -> None:
    first, second, third = (Leases(pool, lease_seconds=30) for _ in range(3))
    await rounds(first)
    await rounds(first, second)
    assert (len(first.held), len(second.held)) == (32, 32)
    await rounds(first, second, third)
    assert sorted(len(relay.held) for relay in (first, second, third)) == [20, 22, 22]
    held = [shard for relay in (first, second, third) for shard in relay.held]
    assert sorted(held) == list(range(SHARDS))


async def test_a_shard_to_give_away_is_not_read_for_a_while_before_another_gets_it(pool: Pool) -> None:
    first, second = Leases(pool, lease_seconds=30), Leases(pool, lease_seconds=30)
    await first.keep()
    await second.keep()
    await first.keep()
    assert len(first.held) == 32
    assert (await holding(pool))[first.owner] == SHARDS
    await second.keep()
    assert second.held == {}
    await first.keep()
    await second.keep()
    assert len(second.held) == 32


async def test_a_shard_with_rows_in_flight_is_given_away_when_they_are_answered(pool: Pool) -> None:
    first, second = Leases(pool, lease_seconds=30), Leases(pool, lease_seconds=30)
    await first.keep()
    await second.keep()
    await first.keep()
    leaving = sorted(set(range(SHARDS)) - first.held.keys())
    await first.keep(in_flight=leaving[:3])
    await second.keep()
    assert sorted(second.held) == leaving[3:]
    assert first.leaving
    await first.keep()
    await second.keep()
    assert sorted(second.held) == leaving
    assert not first.leaving


async def test_a_relay_keeps_what_it_was_giving_away_if_the_other_relay_ends(pool: Pool) -> None:
    first, second = Leases(pool, lease_seconds=30), Leases(pool, lease_seconds=30)
    await first.keep()
    await second.keep()
    await first.keep(in_flight=range(SHARDS))
    await second.release()
    await first.keep(in_flight=range(SHARDS))
    assert len(first.held) == SHARDS
    assert not first.leaving


async def test_a_relay_that_leaves_frees_its_shards_at_once(pool: Pool) -> None:
    first, second = Leases(pool, lease_seconds=30), Leases(pool, lease_seconds=30)
    await first.keep()
    await first.release()
    assert first.held == {}
    assert not first.valid
    await second.keep()
    assert len(second.held) == SHARDS


async def test_a_dead_relays_shards_are_taken_when_their_lease_is_over_under_a_new_epoch(pool: Pool) -> None:
    dead, heir = Leases(pool, lease_seconds=0.5), Leases(pool, lease_seconds=30)
    await dead.keep()
    await heir.keep()
    assert heir.held == {}
    await asyncio.sleep(0.6)
    await heir.keep()
    assert len(heir.held) == SHARDS
    assert all(heir.held[shard] == epoch + 1 for shard, epoch in dead.held.items())


async def test_a_relay_that_cannot_renew_stops_before_its_lease_is_over(pool: Pool) -> None:
    relay = Leases(pool, lease_seconds=1)
    await relay.keep()
    assert relay.valid
    await asyncio.sleep(0.75)
    assert not relay.valid
    assert (await holding(pool))[relay.owner] == SHARDS


async def test_renewing_writes_no_row_of_a_shard(pool: Pool) -> None:
    """Else each renewal would leave 64 dead rows, which every delete passes while an old transaction is open."""
    relay = Leases(pool, lease_seconds=30)
    await relay.keep()
    before = await pool.fetch("SELECT shard, xmin FROM outbox_shards ORDER BY shard")
    await rounds(relay)
    assert await pool.fetch("SELECT shard, xmin FROM outbox_shards ORDER BY shard") == before


async def test_a_relay_that_was_buried_before_it_acquired_gets_no_shard(pool: Pool) -> None:
    await pool.execute(SQL["outbox.register"], "late", 30.0)
    await pool.execute("UPDATE outbox_relays SET live_until = now() - interval '1 s'")
    assert await pool.fetch(SQL["outbox.acquire"], "late", 64) == []
    await pool.execute(SQL["outbox.bury"])
    assert await pool.fetch(SQL["outbox.acquire"], "late", 64) == []


async def test_a_shard_that_another_relay_took_over_is_not_renewed(pool: Pool) -> None:
    frozen, heir = Leases(pool, lease_seconds=0.3), Leases(pool, lease_seconds=30)
    await frozen.keep()
    await asyncio.sleep(0.4)
    await heir.keep()
    await frozen.keep()
    assert frozen.held == {}
    assert len(heir.held) == SHARDS
