"""A replay of a frozen selection: what it sends when, what it leaves out, and what becomes of each letter."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from db import cipher
from db.pool import Pool, Transaction
from scripts.commands import replay_runner
from tests.scripts.letters import letter
from workers.domain.replay_rules import ReplayPlan
from workers.services import dead_letters as decisions
from workers.services import replay_runs as runs
from workers.services.replay_runs import ReplayState
from workers.store import dead_letters, replay_runs
from workers.store.replay_runs import RunLetter

NAMES = [f"m{number}" for number in range(6)]
PLAN = ReplayPlan(
    rate_per_minute=600, canary=2, canary_wait_seconds=60, success_min_percent=95, per_order=1, one_try=False
)


@pytest.fixture
async def tx(pool: Pool) -> AsyncIterator[Transaction]:
    cipher.configure(os.environ["OMS_ENCRYPTION_KEYS"])
    async with pool.acquire() as connection:
        await dead_letters.keep(
            connection, [letter(name, body=b'{"order_id":"1%d"}' % (int(name[1:]) // 5)) for name in NAMES]
        )
        yield connection


async def started(tx: Transaction, names: list[str], plan: ReplayPlan = PLAN, repeats: int = 0) -> int:
    ids = {row["message_id"]: row["id"] for row in await tx.fetch("SELECT id, message_id FROM dead_letters")}
    letters = [
        RunLetter(place, ids[name], "order-creation", "open", repeats, name, "order.create:u1", name)
        for place, name in enumerate(names)
    ]
    async with tx.transaction():
        return await runs.start(tx, plan, letters, selection="--all", reason="mended", note="ana")


async def advance(tx: Transaction, run_id: int, waited_seconds: int = 0) -> ReplayState:
    async with tx.transaction():
        return await runs.advance(
            tx, run_id, letters_max=100, waited_seconds=waited_seconds, attempts_max=7, note="ana"
        )


async def handled(tx: Transaction, *names: str) -> None:
    await tx.executemany(
        "INSERT INTO inbox (queue, message_id, body_hash) VALUES ('order-creation', $1, '')",
        [(name,) for name in names],
    )


async def sent(tx: Transaction) -> list[str]:
    return [
        row["message_id"]
        for row in await tx.fetch("SELECT message_id FROM outbox WHERE destination = 'queue' ORDER BY id")
    ]


async def outcomes(tx: Transaction, run_id: int) -> dict[str, tuple[str | None, str | None]]:
    return {row["message_id"]: (row["outcome"], row["code"]) for row in await replay_runs.letters(tx, run_id)}


async def test_a_canary_goes_first_then_the_rest_and_each_letter_gets_its_outcome(tx: Transaction) -> None:
    free = PLAN.__class__(**{**vars(PLAN), "per_order": 9, "success_min_percent": 0})
    run_id = await started(tx, NAMES, free)
    assert ((await advance(tx, run_id)).sent, await sent(tx)) == (2, NAMES[:2])
    assert (await advance(tx, run_id)).sent == 0
    await handled(tx, "m0", "m1")
    assert (await advance(tx, run_id)).sent == 4
    await handled(tx, "m2", "m3")
    await dead_letters.keep(tx, [letter("m4", reason="failed", body=b'{"order_id":"10"}')])
    await tx.execute(
        "INSERT INTO commands (scope, request_id, type, payload_hash, message_id, correlation_id, outcome_type,"
        " outcome, decided_at)"
        " VALUES ('order.create:u1', 'm3', '', '', '', '', 'order.rejected.v1', '{\"code\": \"NO\"}', now())"
    )
    found = await advance(tx, run_id)
    assert (found.state, found.counts.worked, found.counts.under_way) == ("running", 3, 1)
    await handled(tx, "m5")
    assert (await advance(tx, run_id)).state == "finished"
    assert await outcomes(tx, run_id) == {
        **dict.fromkeys(("m0", "m1", "m2", "m5"), ("worked", None)),
        "m3": ("refused", "NO"),
        "m4": ("died_again", "failed"),
    }
    assert await tx.fetchval("SELECT count(*) FROM dead_letters WHERE state = 'open'") == 1
    assert await sent(tx) == NAMES


async def test_a_replay_stops_by_itself_and_goes_on_with_a_new_canary(tx: Transaction) -> None:
    run_id = await started(tx, NAMES)
    await advance(tx, run_id)
    assert await sent(tx) == ["m0", "m5"]  # the first of each order
    await handled(tx, "m0")
    await dead_letters.keep(tx, [letter("m5", body=b'{"order_id":"11"}')])
    stopped = await advance(tx, run_id)
    assert (stopped.state, stopped.run["why"]) == ("stopped", "1 of 2 letters did not work")
    assert (await advance(tx, run_id)).sent == 0
    assert await runs.change(tx, run_id, "resume", None, note="ana") == "stopped"
    assert (await advance(tx, run_id)).sent == 1
    assert (await advance(tx, run_id)).sent == 0  # m1 is of the same order as the others
    await handled(tx, "m1")
    assert (await advance(tx, run_id)).sent == 1
    await handled(tx, "m2")
    assert await runs.change(tx, run_id, "pause", "wait", note="ana") == "running"
    assert (await advance(tx, run_id)).sent == 0  # though m3 could go
    assert await runs.change(tx, run_id, "cancel", "enough", note="ana") == "paused"
    assert (await advance(tx, run_id)).sent == 0
    assert await runs.change(tx, run_id, "resume", None, note="ana") == "cancelled"
    assert (await advance(tx, run_id)).state == "cancelled"


async def test_a_letter_that_is_not_as_planned_or_was_handled_before_gets_another_outcome(tx: Transaction) -> None:
    plan = PLAN.__class__(**{**vars(PLAN), "canary": 0, "per_order": 9})
    await handled(tx, "m0")
    run_id, other = await started(tx, NAMES, plan), await started(tx, ["m2"], plan)
    async with tx.transaction():
        rows = await dead_letters.lock(tx, [await tx.fetchval("SELECT id FROM dead_letters WHERE message_id = 'm1'")])
        await decisions.discard(tx, rows, note="bob", reason="old")
        [row] = await tx.fetch("SELECT * FROM dead_letters WHERE message_id = 'm4'")
        await decisions.edit(tx, dict(row), b"{}", note="bob", reason="mistyped")
    assert (await advance(tx, other)).sent == 1
    assert (await advance(tx, run_id)).sent == 3
    await advance(tx, run_id)
    found = await outcomes(tx, run_id)
    assert [found[name] for name in NAMES[:5]] == [
        ("handled_before", None),
        ("left_out", "discarded"),
        ("left_out", "replayed"),
        (None, None),
        ("left_out", "edited meanwhile"),
    ]
    with pytest.raises(runs.LettersChangedError):
        await started(tx, ["m1", "m3"], plan)
    with pytest.raises(runs.LettersChangedError):
        await started(tx, ["m4"], plan, repeats=7)


async def test_a_run_that_is_paused_may_be_sent_by_another_at_once(
    tx: Transaction, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def connected() -> AsyncIterator[Transaction]:
        yield tx

    monkeypatch.setattr(replay_runner, "connected", connected)
    run_id = await started(tx, NAMES)
    await runs.change(tx, run_id, "pause", "wait", note="ana")
    found, _ = await replay_runner.send(run_id, wait_seconds=0, note="ana", tell=lambda _: None)
    assert found.state == runs.PAUSED
    async with pool.acquire() as other:
        assert await replay_runs.own(other, run_id)
