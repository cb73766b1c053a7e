"""A member of the database role oms_oncall can do what on-call engineers do, nothing else, and in no other's name."""

import secrets
from collections.abc import Iterator

import psycopg
import pytest
from yarl import URL

from db import migrate
from tests.handlers.harness import HandlerHarness
from tests.scripts.letters import letter
from tests.scripts.oms_command import Oms
from tests.scripts.placed import cancel_without_release, with_handlers
from workers.store import dead_letters

WHY = ("--reason", "repaired", "--yes")
SENT = (*WHY, "--anyway", "--wait", "0")


@pytest.fixture
def ana(database_url: str) -> Iterator[str]:
    """The URL of a user who is a member of oms_oncall."""
    name = f"ana_{secrets.token_hex(4)}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'secret' IN ROLE oms_oncall")  # type: ignore[arg-type, unused-ignore]
        yield str(URL(database_url).with_user(name).with_password("secret"))
        connection.execute(f"DROP ROLE {name}")  # type: ignore[arg-type, unused-ignore]


@pytest.fixture
def order_id(database_url: str) -> int:
    """A cancelled order whose stock.release was lost, two dead letters and a held message."""

    async def make(harness: HandlerHarness) -> int:
        made = await cancel_without_release(harness)
        async with harness.pool.acquire() as tx:
            await dead_letters.keep(tx, [letter("plain"), letter("second")])
        return made

    return with_handlers(database_url, make)


def test_on_call_engineers_can_do_their_work(oms: Oms, order_id: int, ana: str, database_url: str) -> None:
    user = URL(ana).user
    assert oms("order", "show", str(order_id), "--reveal", "--reason", "a letter came back", database_url=ana).code == 0
    assert oms("order", "find", "--user", "u1").code == 0
    assert oms("subject", "status", "u1").code == 0
    assert oms("subject", "export", "u1").code == 0
    assert oms("audit").code in (0, 3)  # it could check
    assert oms("payments", "notifications", "--about", "nothing").code in (0, 2)
    assert [oms(*look).code for look in (["stuck"], ["stats"], ["cases", "list"], ["disputes", "list"])] == [0] * 4
    found = oms("doctor", "--section", "database", "-o", "json").json
    assert {row["check"] for row in found if row["diagnosis"] == "not looked at"} == set()
    assert oms("timers", "list").code == 0
    assert oms("outbox", "list").code == 0
    assert oms("outbox", "status").code == 0
    assert oms("outbox", "retry", "1").code == 2  # nothing is held under this id
    assert [oms("consumers", verb, "stock", *WHY).code for verb in ("pause", "resume")] == [0, 0]
    assert oms("timers", "fire", "payment", "1", *WHY).code == 2
    assert oms("timers", "cancel", "payment", "1", *WHY).code == 2
    first, second = (str(row["id"]) for row in oms("dead-letters", "list", "-o", "json").json)
    assert oms("dead-letters", "show", first).code == 0
    assert oms("dead-letters", "show", first, "--reveal", "--reason", "which field").code == 0
    replayed = oms("dead-letters", "replay", first, *SENT, actor="boss")
    assert (replayed.code, "under way 1" in replayed.err) == (0, True)
    assert oms("replays", "cancel", "1").code == 0
    assert oms("dead-letters", "edit", second, "--set", "qty=2", *WHY).code == 0
    assert oms("dead-letters", "discard", second, *WHY).code == 0
    assert oms("dead-letters", "restore", second, *WHY).code == 0
    assert oms("dead-letters", "note", "f", "a note").code == 0
    assert {row["actor"] for row in oms("dead-letters", "history", "-o", "json").json} == {user}
    (action,) = oms("dead-letters", "show", first, "-o", "json").json["actions"]
    assert (action["action"], action["actor"], action["note"], action["reason"]) == ("replay", user, "boss", "repaired")
    assert oms("repair", "--grace-seconds", "0", "--apply", *WHY).code == 0
    waiting = str(oms("outbox", "list", "--waiting", "-o", "json").json[0]["id"])
    assert oms("outbox", "hold", waiting, *WHY).code == 0
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT order_id, actor, note FROM repairs").fetchall() == [(order_id, user, "boss")]


FORBIDDEN = [
    "UPDATE orders SET payable_amount = 1",
    "UPDATE orders SET state = 'paid'",
    "DELETE FROM orders",
    "UPDATE stock SET on_hand = 9",
    "UPDATE payment_facts SET amount = 1",
    "DELETE FROM dead_letters",
    "UPDATE dead_letters SET body = ''",
    "DELETE FROM dead_letter_actions",
    "INSERT INTO dead_letters (queue, body_hash, reason, key_id, body, headers) VALUES ('stock', '', 'x', 'k', '', '')",
    "UPDATE dead_letter_edits SET body = ''",
    "UPDATE replay_runs SET actor = 'boss'",
    "DELETE FROM replay_run_letters",
    "UPDATE dead_letter_actions SET actor = 'boss'",
    "INSERT INTO dead_letter_actions (dead_letter_id, action, actor, reason) VALUES (1, 'replay', 'boss', 'x')",
    "INSERT INTO repairs (order_id, owed, actor, reason) VALUES (1, 'x', 'boss', 'x')",
    "INSERT INTO address_accesses (order_id, actor, reason) VALUES (1, 'boss', 'x')",
    "DELETE FROM address_accesses",
    "DELETE FROM outbox",
    "DELETE FROM outbox_holds",
    "DELETE FROM interventions",
    "INSERT INTO interventions (action, subject, actor, reason) VALUES ('timer.fire', 'x', 'boss', 'x')",
    "INSERT INTO consumer_pauses (queue, actor, reason) VALUES ('stock', 'boss', 'x')",
    "CREATE TABLE mine (id int)",
    "TRUNCATE inbox",
]


def test_on_call_engineers_can_do_nothing_else(order_id: int, ana: str) -> None:
    assert order_id
    with psycopg.connect(ana, autocommit=True) as connection:
        for statement in FORBIDDEN:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)  # type: ignore[arg-type, unused-ignore]


def test_migrating_again_grants_the_same(database_url: str) -> None:
    grants = (
        """SELECT table_name, privilege_type FROM information_schema.role_table_grants WHERE grantee = 'oms_oncall'"""
    )
    with psycopg.connect(database_url, autocommit=True) as connection:
        before = sorted(connection.execute(grants).fetchall())
        migrate.upgrade(database_url)
        assert sorted(connection.execute(grants).fetchall()) == before
    assert len(before) > 30
