"""Each part of the overview fails by itself, says why and what to type, and loads its server only now and then."""

import asyncio

import pytest

from db.statements import SQL
from scripts.commands.problems import Code, CommandError
from scripts.console import part_watch
from scripts.console.part_watch import PartWatch
from tests.scripts.console.console_scene import ConsoleScene, console


async def test_a_missing_right_hides_one_part_and_a_database_that_is_away_only_what_it_holds(
    scene: ConsoleScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with console() as client:
        assert "5</b> open dead letters" in (await client.get("/"))[1]
    url, user = scene.url, f"reader_{scene.order_id}"
    await scene.pool.execute(f"CREATE ROLE {user} LOGIN PASSWORD 'p'")
    try:
        await scene.pool.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {user}")
        await scene.pool.execute(f"REVOKE SELECT ON outbox FROM {user}")
        monkeypatch.setenv("OMS_DATABASE_URL", str(url.with_user(user).with_password("p")))
        async with console() as client:
            status, text = await client.get("/")
    finally:
        await scene.pool.execute(f"DROP OWNED BY {user}; DROP ROLE {user}")
    assert (status, "5</b> open dead letters" in text, "nothing is stuck" in text) == (200, True, True)
    assert text.count("not known: see below") == 2
    assert "permission denied for table outbox" in text
    assert f"GRANT oms_oncall TO &#34;{user}&#34;" in text

    monkeypatch.setenv("OMS_DATABASE_URL", str(url.with_port(1)))
    async with console() as client:
        status, text = await client.get("/")
    assert (status, text.count("not known: see below")) == (200, 5)
    assert text.count("pg_isready -d &#34;$OMS_DATABASE_URL&#34;") == 1
    assert "export OMS_MANAGEMENT_URL" in text


async def test_no_count_of_the_overview_goes_on_past_its_limit(scene: ConsoleScene) -> None:
    async with scene.pool.acquire() as tx:
        block = tx.transaction()
        await block.start()
        await tx.execute(
            "INSERT INTO dead_letters (queue, message_id, body_hash, reason, key_id, body, headers)"
            " SELECT 'queue ' || n % 2, n, '', 'x', 'k', '', '' FROM generate_series(1, 20) n"
        )
        await tx.execute(
            "INSERT INTO timers (kind, key, due_at, wake_at)"
            " SELECT 'receipt', -n, now(), now() FROM generate_series(1, 20) n"
        )
        open_ = {row["queue"]: row["open"] for row in await tx.fetch(SQL["overview.letters"], 3)}
        timers = await tx.fetchrow(SQL["overview.timers"], 3)
        await block.rollback()
    assert {open_[f"queue {number}"] for number in (0, 1)} == {3}
    assert timers is not None
    assert timers["running"] == 3


async def test_a_part_is_read_once_for_all_pages_and_seldom_if_that_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    reads, answer = 0, asyncio.Event()

    async def read() -> int:
        nonlocal reads
        reads += 1
        await answer.wait()
        return reads

    watch = PartWatch("the database", read, 0.0, "pg_isready")
    monkeypatch.setattr(part_watch, "WAITED_SECONDS", 0.01)
    first, second = await asyncio.gather(watch.reading(), watch.reading())
    assert (reads, str(first.problem), str(second.problem)) == (1, *2 * ("the database does not answer",))
    answer.set()
    assert [(await watch.reading()).value for _ in range(3)] == [1, 1, 1]  # it took long, so it rests
    await watch.close()


async def test_what_fails_is_tried_again_soon_and_says_who_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes: list[Exception | None] = [OSError("refused"), CommandError(Code.FAILED, "wrong"), None]

    async def read() -> str:
        if (error := outcomes.pop(0)) is not None:
            raise error
        return "well"

    monkeypatch.setattr(part_watch, "TRIED_AGAIN_SECONDS", 0.0)
    watch = PartWatch("the broker", read, 0.0, "rabbitmq-diagnostics")
    seen = [await watch.reading() for _ in range(3)]
    assert [str(one.problem) for one in seen] == ["the broker does not answer", "wrong", "None"]
    assert seen[0].problem is not None
    assert seen[0].problem.hint == "rabbitmq-diagnostics"
    assert seen[2].value == "well"
