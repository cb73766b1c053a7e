"""`oms dead-letters` shows, replays and discards dead letters, and prevents an operator's mistakes."""

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
from tests.scripts.letters import ADDRESS, letter
from tests.scripts.oms_command import Oms
from workers.store import dead_letters

REASON = ("--reason", "repaired")
SENT = (*REASON, "--anyway", "--wait", "0")
Rows = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def rows(database_url: str) -> Rows:
    """Return a function that runs a statement on the test's database."""

    def run(statement: str) -> list[dict[str, Any]]:
        with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
            done = connection.execute(statement)  # type: ignore[arg-type, unused-ignore]
            return done.fetchall() if done.description else []

    return run


@pytest.fixture
def ids(database_url: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The ids of stored dead letters by name. The type of `misplaced` is one that its queue does not take."""
    letters = {
        "plain": letter("plain"),
        "second": letter("second", reason="failed"),
        "unrouted": letter("unrouted", queue="unrouted", reason="unroutable"),
        "typeless": letter("typeless", type=None),
        "misplaced": letter("misplaced", type="stock.receive.v1"),
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


def test_the_list_can_be_filtered_and_shows_no_personal_data(oms: Oms, ids: dict[str, str]) -> None:
    everything = oms("dead-letters", "list", "-o", "json")
    assert {row["id"] for row in everything.json} == {int(key) for key in ids.values()}
    for arguments in (("--queue", "unrouted"), ("--reason", "unroutable")):
        assert [row["id"] for row in oms("dead-letters", "list", *arguments, "-o", "json").json] == [
            int(ids["unrouted"])
        ]
    assert [row["id"] for row in oms("dead-letters", "list", "--type", "stock.receive.v1", "-o", "json").json] == [
        int(ids["misplaced"])
    ]
    assert oms("dead-letters", "list", "--state", "discarded", "-o", "json").json == []
    assert len(oms("dead-letters", "list", "--limit", "2", "-o", "json").json) == 2
    assert "13812345678" not in everything.out + oms("dead-letters", "list").out


def test_a_narrow_list_has_a_line_for_each_letter(
    oms: Oms, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    header, *lines = oms("dead-letters", "list").out.splitlines()
    assert header.split()[:4] == ["id", "queue", "type", "reason"]
    assert {line.split()[0] for line in lines} == set(ids.values())
    assert (len(lines), max(map(len, lines)) <= 80) == (len(ids), True)


@pytest.mark.parametrize(
    ("filter_", "value", "hint"),
    [
        ("queue", "order-craetion", "--queue order-creation"),
        ("queue", "oms.stock.dlq", "the queues are: "),
        ("reason", "unroutible", "--reason unroutable"),
        ("type", "order.create", "--type order.create.v1"),
        ("type", "nonsense", "the types are: "),
    ],
)
def test_a_filter_that_no_letter_can_match_is_an_error_with_the_known_values(
    oms: Oms, ids: dict[str, str], filter_: str, value: str, hint: str
) -> None:
    result = oms("dead-letters", "list", f"--{filter_}", value)
    assert (result.code, result.out) == (1, "")
    assert f"there is no {filter_} {value}" in result.err
    assert hint in result.err


def test_a_filter_may_name_what_strangers_sent_and_what_has_no_letter_now(
    oms: Oms, ids: dict[str, str], rows: Rows
) -> None:
    rows(f"UPDATE dead_letters SET type = 'made.up.v9', reason = 'maxlen' WHERE id = {ids['second']}")
    assert len(oms("dead-letters", "list", "--type", "made.up.v9", "-o", "json").json) == 1
    for arguments in (("--queue", "stock"), ("--reason", "expired"), ("--type", "made.up.v9", "--state", "discarded")):
        result = oms("dead-letters", "list", *arguments)
        assert (result.code, result.err) == (0, "0 dead letters\n")


def test_the_count_says_how_many_there_are_and_not_how_many_are_shown(oms: Oms, ids: dict[str, str]) -> None:
    assert oms("dead-letters", "list").err == "6 dead letters\n"
    assert oms("dead-letters", "list", "--limit", "6").err == "6 dead letters\n"
    shown = "6 dead letters, of which the newest 2 are shown; --limit shows more\n"
    assert oms("dead-letters", "list", "--limit", "2").err == shown
    assert oms("dead-letters", "list", "--limit", "2", "-o", "json").err == shown
    assert oms("dead-letters", "list", "--queue", "unrouted").err == "1 dead letter\n"


def test_a_plan_can_be_read_by_programs(oms: Oms, ids: dict[str, str]) -> None:
    plan = oms("dead-letters", "replay", ids["plain"], *SENT, "--dry-run", "-o", "json").json
    assert [(row["id"], row["plan"], row["to"]) for row in plan] == [(int(ids["plain"]), "replay", "order-creation")]


def test_a_letter_is_shown_masked_without_reveal(oms: Oms, ids: dict[str, str]) -> None:
    shown = oms("dead-letters", "show", ids["plain"], "-o", "json")
    assert shown.json["body"] == {"address": {"phone": "138****5678", "receiver": "W****"}, "qty": 1}
    assert shown.json["headers"]["headers"]["note"] == "call 138****5678"
    for_people = oms("dead-letters", "show", ids["plain"])
    assert "13812345678" not in shown.out + for_people.out
    assert f"next: oms dead-letters try {ids['plain']}" in for_people.err
    revealed = oms("dead-letters", "show", ids["plain"], "--reveal", *REASON, "-o", "json").json
    assert revealed["body"] == orjson.loads(ADDRESS)


def test_whoever_sees_a_letter_in_clear_is_recorded_with_a_reason(oms: Oms, ids: dict[str, str], rows: Rows) -> None:
    for blank in ([], ["--reason", " "]):
        refused = oms("dead-letters", "show", ids["plain"], "--reveal", *blank)
        assert (refused.code, refused.out) == (1, "")
        assert f"next: oms dead-letters show {ids['plain']} --reveal --reason" in refused.err
    assert oms("dead-letters", "show", ids["plain"], *REASON).code == 1
    assert oms("dead-letters", "show", "999", "--reveal", *REASON).code == 2
    looks = "SELECT what, dead_letter_id, note, reason, actor = session_user AS own FROM address_accesses"
    assert rows(looks) == []
    shown = oms("dead-letters", "show", ids["plain"], "--reveal", *REASON, "-o", "json", actor="ana").json
    assert [(look["note"], look["reason"]) for look in shown["accesses"]] == [("ana", REASON[1])]
    (look,) = rows(looks)
    assert tuple(look.values()) == ("letter", int(ids["plain"]), "ana", REASON[1], True)


def test_a_body_that_is_not_json_is_shown_only_with_reveal(oms: Oms, ids: dict[str, str]) -> None:
    assert "13812345678" not in oms("dead-letters", "show", ids["binary"]).out
    assert "13812345678" in oms("dead-letters", "show", ids["binary"], "--reveal", *REASON).out


def test_a_replay_without_a_terminal_requires_yes(oms: Oms, ids: dict[str, str], rows: Rows) -> None:
    result = oms("dead-letters", "replay", ids["plain"], *SENT)
    assert result.code == 6
    assert "--yes" in result.err
    assert states(rows) == {"open"}


def test_a_replay_on_a_terminal_requires_confirmation(
    oms: Oms, ids: dict[str, str], rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    for confirmed, code, sent in ((False, 6, 0), (True, 0, 1)):
        monkeypatch.setattr(typer, "confirm", lambda question, err, confirmed=confirmed: confirmed)
        assert oms("dead-letters", "replay", ids["plain"], *SENT).code == code
        assert len(rows("SELECT id FROM outbox WHERE destination = 'queue'")) == sent


def test_a_dry_run_shows_the_plan_and_changes_nothing(oms: Oms, ids: dict[str, str], rows: Rows) -> None:
    result = oms("dead-letters", "replay", ids["plain"], ids["second"], *SENT, "--dry-run")
    assert result.code == 0
    assert result.out.count("order-creation") >= 2, "where each goes, and on a wide terminal whence"
    assert rows("SELECT id FROM outbox WHERE destination = 'queue'") == rows("SELECT id FROM dead_letter_actions") == []
    assert states(rows) == {"open"}


def test_a_replay_is_sent_to_its_queue_and_recorded(oms: Oms, ids: dict[str, str], rows: Rows) -> None:
    result = oms("dead-letters", "replay", ids["plain"], ids["second"], "--yes", *SENT)
    assert result.code == 0
    sent = rows(
        "SELECT message_id, destination, routing_key, key_id FROM outbox WHERE destination = 'queue' ORDER BY id"
    )
    assert [(row["message_id"], row["destination"], row["routing_key"]) for row in sent] == [
        ("plain", "queue", "order-creation"),
        ("second", "queue", "order-creation"),
    ]
    assert all(row["key_id"] for row in sent)
    recorded = rows("SELECT action, note, reason FROM dead_letter_actions")
    assert recorded == [{"action": "replay", "note": "ana", "reason": "repaired"}] * 2
    assert oms("dead-letters", "show", ids["plain"], "-o", "json").json["actions"][0]["note"] == "ana"


def test_a_replayed_letter_is_replayed_again_only_with_again(oms: Oms, ids: dict[str, str], rows: Rows) -> None:
    assert oms("dead-letters", "replay", ids["plain"], *SENT, "-y").code == 0
    assert oms("dead-letters", "replay", ids["plain"], *SENT, "-y").code == 6
    assert oms("dead-letters", "replay", ids["plain"], *SENT, "-y", "--again").code == 0
    assert [row["message_id"] for row in rows("SELECT message_id FROM outbox WHERE destination = 'queue'")] == [
        "plain",
        "plain",
    ]


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("unrouted", "name its queue with --to"),
        ("unrouted --to stock", "which stock does not take"),
        ("plain --to stock", "goes nowhere else"),
        ("typeless", "has no type"),
        ("misplaced", "which order-creation does not take"),
    ],
)
def test_a_replay_that_would_fail_again_is_rejected_with_the_whole_command(
    oms: Oms, ids: dict[str, str], rows: Rows, command: str, reason: str
) -> None:
    name, *options = command.split()
    result = oms("dead-letters", "replay", ids["second"], ids[name], *options, *SENT, "--yes")
    assert result.code == 6
    assert reason in result.out + result.err
    assert rows("SELECT id FROM outbox WHERE destination = 'queue'") == []
    assert states(rows) == {"open"}


def test_an_unrouted_message_is_replayed_to_the_queue_given_with_to(oms: Oms, ids: dict[str, str], rows: Rows) -> None:
    assert oms("dead-letters", "replay", ids["unrouted"], *SENT, "--to", "order-creation", "-y").code == 0
    assert [row["routing_key"] for row in rows("SELECT routing_key FROM outbox WHERE destination = 'queue'")] == [
        "order-creation"
    ]


@pytest.mark.parametrize("verb", [("replay", *REASON), ("discard", *REASON)], ids=lambda verb: verb[0])
def test_a_command_with_an_unknown_id_exits_with_2_and_changes_nothing(
    oms: Oms, ids: dict[str, str], rows: Rows, verb: tuple[str, ...]
) -> None:
    result = oms("dead-letters", *verb, ids["plain"], "999999", "--yes")
    assert result.code == 2
    assert "999999" in result.err
    assert states(rows) == {"open"}
    assert oms("dead-letters", "show", "999999").code == 2


def test_a_discarded_letter_is_kept_and_cannot_be_replayed(oms: Oms, ids: dict[str, str], rows: Rows) -> None:
    assert oms("dead-letters", "discard", ids["plain"], "--reason", "a test message", "-y").code == 0
    assert rows("SELECT action, note, reason FROM dead_letter_actions") == [
        {"action": "discard", "note": "ana", "reason": "a test message"}
    ]
    for verb in (("replay", *SENT), ("replay", "--again", *SENT), ("discard", *REASON)):
        assert oms("dead-letters", verb[0], ids["plain"], *verb[1:], "-y").code == 6
    assert rows("SELECT id FROM outbox WHERE destination = 'queue'") == []
    assert len(oms("dead-letters", "list", "--state", "any", "-o", "json").json) == len(ids)


def test_a_letter_that_changed_after_the_plan_is_not_replayed(
    oms: Oms, ids: dict[str, str], rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(question: str, err: bool) -> bool:
        rows(f"UPDATE dead_letters SET state = 'discarded' WHERE id = {ids['plain']}")
        return True

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(typer, "confirm", meanwhile)
    result = oms("dead-letters", "replay", ids["plain"], *SENT)
    assert result.code == 6
    assert "changed meanwhile" in result.err
    assert rows("SELECT id FROM outbox WHERE destination = 'queue'") == []


def test_a_letter_is_not_replayed_without_its_key(oms: Oms, ids: dict[str, str], rows: Rows) -> None:
    result = oms("dead-letters", "replay", ids["plain"], *SENT, "-y", encryption_keys=cipher.new_key("other"))
    assert result.code == 1
    assert "OMS_ENCRYPTION_KEYS" in result.err
    assert states(rows) == {"open"}


def test_the_error_without_any_key_names_the_workers_keys_and_not_a_new_key(
    oms: Oms, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cipher._Process, "cipher", None)  # as in a new process
    for command in (("show", ids["plain"]), ("replay", ids["plain"], *REASON, "-y")):
        result = oms("dead-letters", *command, encryption_keys="")
        assert result.code == 1
        assert "the workers have" in result.err
        assert "keys new" not in result.err


@pytest.mark.parametrize(
    "command", [("show",), ("replay", *REASON, "-y"), ("discard", *REASON, "-y")], ids=lambda words: words[0]
)
def test_a_command_with_an_impossible_id_exits_with_2(oms: Oms, database_url: str, command: tuple[str, ...]) -> None:
    result = oms("dead-letters", *command, "99999999999999999999", database_url=database_url)
    assert (result.code, result.out) == (2, "")
    assert "no such id" in result.err


def test_a_command_exits_with_6_while_another_command_holds_the_same_rows(
    oms: Oms, ids: dict[str, str], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LOCK_TIMEOUT_SECONDS", 0.1)
    with psycopg.connect(database_url) as other:
        other.execute("SELECT id FROM dead_letters FOR UPDATE")
        result = oms("dead-letters", "discard", ids["plain"], *REASON, "-y")
    assert result.code == 6
    assert "another command holds the same rows" in result.err
