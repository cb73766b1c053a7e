"""The shop's key is rotated while everything goes on; a rotation that was stopped is finished by the next (S1-47)."""

import os
from collections.abc import Iterator

import asyncpg
import pytest

from db import cipher
from scripts.commands import keys as command
from tests.handlers.harness import HandlerHarness
from tests.handlers.personal_data import FIELDS, as_before_user_keys, canary, die, lived, readable
from workers.services import dead_letters as decisions
from workers.store import dead_letters, keys

pytestmark = pytest.mark.usefixtures("alipay_configured")
NEW = "k2:" + "B" * 43 + "="


@pytest.fixture(autouse=True)
def _old_key(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    yield
    cipher.configure(os.environ["OMS_ENCRYPTION_KEYS"])


async def under(harness: HandlerHarness) -> set[tuple[str, str]]:
    """(table, key) of everything that is encrypted."""
    async with harness.pool.acquire() as tx:
        return {(row["place"], row["key"]) for row in await keys.status(tx)}


async def in_every_table(harness: HandlerHarness) -> None:
    """Fill every table with ciphertexts: of users with keys, of before there were any, and of none."""
    await harness.fill_stock()
    await lived(harness, "u2")
    await as_before_user_keys(harness)
    await lived(harness)
    await die(harness, b'{"user_id": "u3"}')
    async with harness.pool.acquire() as tx, tx.transaction():
        (row,) = await dead_letters.lock(tx, [await tx.fetchval("SELECT max(id) FROM dead_letters")])
        await decisions.replay(tx, [row], to="order-creation", note="n", reason="r")
        await decisions.edit(tx, row, b"{}", note="n", reason="r")


async def test_after_the_rotation_the_old_key_is_not_needed(
    harness: HandlerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = os.environ["OMS_ENCRYPTION_KEYS"]
    await in_every_table(harness)
    tables = {table for table, _ in await under(harness)}
    assert tables >= set(keys.PLACES) - {
        "outbox_held",
        "revision_resets",
        "user_contacts",
        "order_drafts",
        "order_notes",
    }  # a contact, a draft and a note have their user's key
    cipher.configure(f"{NEW},{old}")
    async with harness.pool.acquire() as tx:
        rotated = await command.rotate_all(tx)
    assert (rotated.done > 10, rotated.unreadable) == (True, 0)
    assert {key for _, key in await under(harness)} == {"k2", "users"}
    cipher.configure(NEW)
    monkeypatch.setenv("OMS_ENCRYPTION_KEYS", NEW)
    text = await readable(harness.pool)
    assert {(field, user) for user in ("u1", "u2") for field in FIELDS if canary(field, user) in text} == {
        (field, user) for user in ("u1", "u2") for field in FIELDS
    }


async def test_a_rotation_that_was_killed_is_finished_by_the_next(
    harness: HandlerHarness, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await in_every_table(harness)
    cipher.configure(f"{NEW},{os.environ['OMS_ENCRYPTION_KEYS']}")
    rotate, killed = keys.rotate, await asyncpg.connect(database_url)

    async def dying(tx: asyncpg.Connection, table: str, first: int, end: int) -> keys.Rotated:
        done = await rotate(tx, table, first, end)
        if table == "free_texts":
            tx.terminate()  # the database sees the same as of a process that was killed
        return done

    monkeypatch.setattr(keys, "rotate", dying)
    with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError)):
        await command.rotate_all(killed)
    monkeypatch.undo()
    half = await under(harness)
    assert {("order_addresses", "k2"), ("user_keys", "k2")} <= half
    assert ("free_texts", "k2") not in half
    async with harness.pool.acquire() as tx:
        await command.rotate_all(tx)
    assert {key for _, key in await under(harness)} == {"k2", "users"}


async def test_a_row_whose_key_is_missing_is_counted_and_left(harness: HandlerHarness) -> None:
    await in_every_table(harness)
    before = await harness.rows("SELECT key_id, body FROM dead_letters ORDER BY id")
    cipher.configure(NEW)
    async with harness.pool.acquire() as tx:
        rotated = await command.rotate_all(tx)
    assert (rotated.done, rotated.unreadable > 10) == (0, True)
    assert await harness.rows("SELECT key_id, body FROM dead_letters ORDER BY id") == before
