"""The inbox keeps claims for its retention, and tells when the database accepts writes."""

import pytest

from db.pool import Pool
from workers.runtime import inbox


async def test_only_claims_past_the_retention_are_purged(pool: Pool) -> None:
    for name, days in (("old", 46), ("young", 44)):
        await pool.execute(
            "INSERT INTO inbox VALUES ('stock', $1, '', clock_timestamp() - make_interval(days => $2))", name, days
        )
    await inbox.purge(pool)
    assert [row["message_id"] for row in await pool.fetch("SELECT message_id FROM inbox")] == ["young"]


async def test_a_purge_deletes_small_batches_and_reports_whether_more_is_left(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "PURGE_ROWS", 2)
    await pool.execute("INSERT INTO inbox SELECT 'stock', n::text, '', '2020-01-01' FROM generate_series(1, 3) AS n")
    assert [await inbox.purge(pool), await inbox.purge(pool)] == [True, False]


async def test_a_database_set_read_only_does_not_count_as_back(pool: Pool) -> None:
    assert await inbox.accepts_writes(pool)
    async with pool.acquire() as connection:
        await connection.execute("SET default_transaction_read_only = on")
        assert not await inbox.accepts_writes(connection)  # type: ignore[arg-type]
