"""`oms dead-letters` at three in the morning: it is hard to make things worse."""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import orjson
import psycopg
import pytest
import typer
from psycopg.rows import dict_row

from db import cipher
from db.pool import open_pool
from scripts.commands import connections
from tests.scripts.oms_command import Oms
from workers.store import dead_letters
from workers.store.dead_letters import Letter

ADDRESS = b'{"address":{"phone":"13812345678","receiver":"Wang Fang"},"qty":1}'
WHY = ("--reason", "mended")
Rows = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def rows(database_url: str) -> Rows:
    """Runs a statement on the test's database."""

    def run(statement: str) -> list[dict[str, Any]]:
        with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
            done = connection.execute(statement)  # type: ignore[arg-type, unused-ignore]
            return done.fetchall() if done.description else []

    return run


def letter(message_id: str, **said: Any) -> Letter:
    known: dict[str, Any] = {
        "queue": "order-creation",
        "type": "order.create.v1",
        "correlation_id": None,
        "reason": "invalid",
        "error_path": "$.qty",
        "error_type": "int_type",
        "error_message": "no number",
        "fingerprint": "f",
        "attempts": 1,
        "exchange": "oms.commands",
        "routing_key": "order.create",
        "origin_user": "upstream",
        "worker_version": "1",
        "occurred_at": None,
        "first_failed_at": None,
        "last_failed_at": None,
        "body": ADDRESS,
        "headers": b'{"headers":{"note":"call 13812345678"},"reply_to":null}',
    }
    return Letter(message_id=message_id, body_hash=message_id.encode(), **known | said)


@pytest.fixture
def ids(database_url: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Letters by a name: plain, second, unrouted, typeless, strange (a type its queue does not take), binary."""
    letters = {
        "plain": letter("plain"),
        "second": letter("second", reason="failed"),
        "unrouted": letter("unrouted", queue="unrouted", reason="unroutable"),
        "typeless": letter("typeless", type=None),
        "strange": letter("strange", type="stock.receive.v1"),
        "binary": letter("binary", body=b"\xff\x00 13812345678"),
    }

    async def keep() -> None:
        pool = await open_pool(database_url, application_name="tests")
        async with pool.acquire() as tx:
            await dead_letters.keep(tx, letters.values())
        await pool.close()

    cipher.configure("test:" + "A" * 43 + "=")
    asyncio.run(keep())
    monkeypatch.setenv("OMS_DATABASE_URL", database_url)
    monkeypatch.setenv("OMS_ACTOR", "ana")
    with psycopg.connect(database_url) as connection:
        return {name: str(key) for name, key in connection.execute("SELECT message_id, id FROM dead_letters")}


def states(rows: Rows) -> set[str]:
    return {row["state"] for row in rows("SELECT state FROM dead_letters")}


def test_the_list_can_be_narrowed_and_shows_nothing_personal(oms: Oms, ids: dict[str, str]) -> None:
    everything = oms("dead-letters", "list", "-o", "json")
    assert {row["id"] for row in everything.json} == {int(key) for key in ids.values()}
    for arguments in (("--queue", "unrouted"), ("--reason", "unroutable")):
        assert [row["id"] for row in oms("dead-letters", "list", *arguments, "-o", "json").json] == [
            int(ids["unrouted"])
        ]
    assert [row["id"] for row in oms("dead-letters", "list", "--type", "stock.receive.v1", "-o", "json").json] == [
        int(ids["strange"])
    ]
    assert oms("dead-letters", "list", "--state", "discarded", "-o", "json").json == []
    assert len(oms("dead-letters", "list", "--limit", "2", "-o", "json").json) == 2
    assert "13812345678" not in everything.out + oms("dead-letters", "list").out


def test_a_letter_is_shown_masked_unless_it_is_revealed(oms: Oms, ids: dict[str, str]) -> None:
    shown = oms("dead-letters", "show", ids["plain"], "-o", "json")
    assert shown.json["body"] == {"address": {"phone": "138****5678", "receiver": "W****"}, "qty": 1}
    assert shown.json["headers"]["headers"]["note"] == "call 138****5678"
    assert "13812345678" not in shown.out + oms("dead-letters", "show", ids["plain"]).out
    revealed = oms("dead-letters", "show", ids["plain"], "--reveal", "-o", "json").json
    assert revealed["body"] == orjson.loads(ADDRESS)


def test_a_body_that_is_no_json_is_shown_only_when_asked_for(oms: Oms, ids: dict[str, str]) -> None:
    assert "13812345678" not in oms("dead-letters", "show", ids["binary"]).out
    assert "13812345678" in oms("dead-letters", "show", ids["binary"], "--reveal").out


def test_replay_off_a_terminal_wants_yes(oms: Oms, ids: dict[str, str], rows: Rows) -> None:
    answer = oms("dead-letters", "replay", ids["plain"], *WHY)
    assert answer.code == 6
    assert "--yes" in answer.err
    assert states(rows) == {"open"}


def test_replay_on_a_terminal_asks(oms: Oms, ids: dict[str, str], rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    for answer, code, sent in ((False, 6, 0), (True, 0, 1)):
        monkeypatch.setattr(typer, "confirm", lambda question, err, answer=answer: answer)
        assert oms("dead-letters", "replay", ids["plain"], *WHY).code == code
        assert len(rows("SELECT id FROM outbox")) == sent


def test_a_dry_run_shows_the_plan_and_changes_nothing(oms: Oms, ids: dict[str, str], rows: Rows) -> None:
    answer = oms("dead-letters", "replay", ids["plain"], ids["second"], *WHY, "--dry-run")
    assert answer.code == 0
    assert answer.out.count("order-creation") == 4
    assert rows("SELECT id FROM outbox") == rows("SELECT id FROM dead_letter_actions") == []
    assert states(rows) == {"open"}


def test_a_replay_is_sent_to_its_queue_and_recorded(oms: Oms, ids: dict[str, str], rows: Rows) -> None:
    answer = oms("dead-letters", "replay", ids["plain"], ids["second"], "--yes", "--reason", "repaired")
    assert answer.code == 0
    sent = rows("SELECT message_id, destination, routing_key, key_id FROM outbox ORDER BY id")
    assert [(row["message_id"], row["destination"], row["routing_key"]) for row in sent] == [
        ("plain", "queue", "order-creation"),
        ("second", "queue", "order-creation"),
    ]
    assert all(row["key_id"] for row in sent)
    recorded = rows("SELECT action, actor, reason FROM dead_letter_actions")
    assert recorded == [{"action": "replay", "actor": "ana", "reason": "repaired"}] * 2
    assert oms("dead-letters", "show", ids["plain"], "-o", "json").json["actions"][0]["actor"] == "ana"


def test_a_replayed_letter_is_replayed_again_only_on_request(oms: Oms, ids: dict[str, str], rows: Rows) -> None:
    assert oms("dead-letters", "replay", ids["plain"], *WHY, "-y").code == 0
    assert oms("dead-letters", "replay", ids["plain"], *WHY, "-y").code == 6
    assert oms("dead-letters", "replay", ids["plain"], *WHY, "-y", "--again").code == 0
    assert [row["message_id"] for row in rows("SELECT message_id FROM outbox")] == ["plain", "plain"]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("unrouted", "name its queue with --to"),
        ("unrouted --to stock", "which stock does not take"),
        ("plain --to stock", "goes nowhere else"),
        ("typeless", "has no type"),
        ("strange", "which order-creation does not take"),
    ],
)
def test_what_would_die_again_or_go_astray_is_refused_with_all_that_came_along(
    oms: Oms, ids: dict[str, str], rows: Rows, command: str, why: str
) -> None:
    name, *options = command.split()
    answer = oms("dead-letters", "replay", ids["second"], ids[name], *options, *WHY, "--yes")
    assert answer.code == 6
    assert why in answer.out + answer.err
    assert rows("SELECT id FROM outbox") == []
    assert states(rows) == {"open"}


def test_an_unrouted_message_goes_to_the_queue_that_is_named(oms: Oms, ids: dict[str, str], rows: Rows) -> None:
    assert oms("dead-letters", "replay", ids["unrouted"], *WHY, "--to", "order-creation", "-y").code == 0
    assert [row["routing_key"] for row in rows("SELECT routing_key FROM outbox")] == ["order-creation"]


@pytest.mark.parametrize("verb", [("replay", *WHY), ("discard", *WHY)], ids=lambda verb: verb[0])
def test_an_unknown_id_exits_with_2_and_nothing_is_done(
    oms: Oms, ids: dict[str, str], rows: Rows, verb: tuple[str, ...]
) -> None:
    answer = oms("dead-letters", *verb, ids["plain"], "999999", "--yes")
    assert answer.code == 2
    assert "999999" in answer.err
    assert states(rows) == {"open"}
    assert oms("dead-letters", "show", "999999").code == 2


def test_a_discarded_letter_stays_and_cannot_be_replayed(oms: Oms, ids: dict[str, str], rows: Rows) -> None:
    assert oms("dead-letters", "discard", ids["plain"], "--reason", "a test of theirs", "-y").code == 0
    assert rows("SELECT action, actor, reason FROM dead_letter_actions") == [
        {"action": "discard", "actor": "ana", "reason": "a test of theirs"}
    ]
    for verb in (("replay", *WHY), ("replay", "--again", *WHY), ("discard", *WHY)):
        assert oms("dead-letters", verb[0], ids["plain"], *verb[1:], "-y").code == 6
    assert rows("SELECT id FROM outbox") == []
    assert len(oms("dead-letters", "list", "--state", "any", "-o", "json").json) == len(ids)


def test_a_letter_that_changed_since_the_plan_is_left_alone(
    oms: Oms, ids: dict[str, str], rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(question: str, err: bool) -> bool:
        rows(f"UPDATE dead_letters SET state = 'discarded' WHERE id = {ids['plain']}")
        return True

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(typer, "confirm", meanwhile)
    answer = oms("dead-letters", "replay", ids["plain"], *WHY)
    assert answer.code == 6
    assert "changed meanwhile" in answer.err
    assert rows("SELECT id FROM outbox") == []


def test_without_its_key_a_letter_is_not_replayed(oms: Oms, ids: dict[str, str], rows: Rows) -> None:
    answer = oms("dead-letters", "replay", ids["plain"], *WHY, "-y", encryption_keys=cipher.new_key("other"))
    assert answer.code == 1
    assert "OMS_ENCRYPTION_KEYS" in answer.err
    assert states(rows) == {"open"}


def test_without_any_key_the_workers_keys_are_asked_for_and_no_new_one(
    oms: Oms, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cipher._Process, "cipher", None)  # as in a process of its own
    for command in (("show", ids["plain"]), ("replay", ids["plain"], *WHY, "-y")):
        answer = oms("dead-letters", *command, encryption_keys="")
        assert answer.code == 1
        assert "the workers have" in answer.err
        assert "keys new" not in answer.err


@pytest.mark.parametrize(
    "command", [("show",), ("replay", *WHY, "-y"), ("discard", *WHY, "-y")], ids=lambda words: words[0]
)
def test_an_id_that_no_letter_can_have_exits_with_2(oms: Oms, database_url: str, command: tuple[str, ...]) -> None:
    answer = oms("dead-letters", *command, "99999999999999999999", database_url=database_url)
    assert (answer.code, answer.out) == (2, "")
    assert "no such id" in answer.err


def test_while_another_operator_decides_the_answer_is_to_try_again(
    oms: Oms, ids: dict[str, str], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LOCK_TIMEOUT_SECONDS", 0.1)
    with psycopg.connect(database_url) as other:
        other.execute("SELECT id FROM dead_letters FOR UPDATE")
        answer = oms("dead-letters", "discard", ids["plain"], *WHY, "-y")
    assert answer.code == 6
    assert "another command holds the same rows" in answer.err
