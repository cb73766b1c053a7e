"""What an engineer does with one letter before a replay: look, compare, try, edit; nothing of it is sent."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from psycopg.rows import dict_row

from db import cipher
from db.pool import open_pool
from outbox import tracebacks
from tests.scripts.letters import letter
from tests.scripts.oms_command import Oms
from workers.store import dead_letters

WHY = ("--reason", "mended")
Rows = Callable[[str], list[dict[str, Any]]]
ORDER: dict[str, Any] = {
    "request_id": "r1",
    "actor": {"type": "user", "id": "u1"},
    "user_id": "u1",
    "channel": "pc",
    "currency": "CNY",
    "items": [{"sku_id": "tea", "qty": 2}],
    "expected_pay_amount": 1000,
    "address": {"receiver": "Wang Fang", "phone": "13812345678", "country": "CN", "detail": "Lane 1"},
}
BROKEN = ORDER | {"items": [{"sku_id": "tea", "qty": "two"}]}
UNKNOWN: dict[str, Any] = {"order_id": "17", "request_id": "c1", "actor": {"type": "user", "id": "u1"}}
TRACEBACK = ["workers/handlers/order_creation.py:12 in create", "KeyError"]


def headers(**more: Any) -> bytes:
    return orjson.dumps({"headers": {"note": "call 13812345678"}, "reply_to": None} | more)


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
    """The ids of stored dead letters by name."""
    failed = {"reason": "failed", "error_type": "KeyError", "fingerprint": "g1", "error_path": None, "attempts": 7}
    letters = [
        letter("sound", body=orjson.dumps(ORDER), headers=headers(traceback=TRACEBACK), **failed),
        letter("broken", body=orjson.dumps(BROKEN), headers=headers()),
        letter("cancel", type="order.cancel.v1", body=orjson.dumps(UNKNOWN), headers=headers(), queue="order-changes"),
        letter("limit", reason="delivery_limit", fingerprint=None, error_type=None, error_path=None, headers=headers()),
    ]

    async def keep() -> None:
        pool = await open_pool(database_url, application_name="tests")
        async with pool.acquire() as tx:
            await dead_letters.keep(tx, letters)
        await pool.close()

    cipher.configure(os.environ["OMS_ENCRYPTION_KEYS"])
    asyncio.run(keep())
    monkeypatch.setenv("OMS_DATABASE_URL", database_url)
    monkeypatch.setenv("OMS_ACTOR", "ana")
    with psycopg.connect(database_url) as connection:
        return {name: str(key) for name, key in connection.execute("SELECT message_id, id FROM dead_letters")}


def test_every_filter_finds_its_letters_and_no_others(oms: Oms, ids: dict[str, str], rows: Rows) -> None:
    rows(f"UPDATE dead_letters SET died_at = now() - interval '3 hours', state = 'discarded' WHERE id = {ids['limit']}")
    found = {
        "--reason failed": "sound",
        "--reason failed --reason invalid --queue order-creation": "sound broken",
        "--exception KeyError": "sound",
        "--group g1": "sound",
        "--group delivery_limit --state any": "limit",
        "--fingerprint f": "broken cancel",
        "--user u1": "sound broken cancel",
        "--order 17": "cancel",
        "--message-id broken": "broken",
        "--attempts >3": "sound",
        "--attempts 1..2": "broken cancel",
        "--attempts <=1 --state any": "broken cancel limit",
        "--until 2h --state any": "limit",
        "--since 2h": "sound broken cancel",
        "--version 2": "",
        "--version 1 --type order.cancel.v1": "cancel",
        "--state discarded": "limit",
        "--where items.*.qty>1": "sound",
        "--where address.country=CN --where items.0.qty=two": "broken",
        "--where order_id": "cancel",
        "--header note=nobody": "",
    }
    for options, names in found.items():
        result = oms("dead-letters", "list", *options.split(" "), "-o", "ids")
        assert set(result.out.split()) == {ids[name] for name in names.split()}, options
    noted = oms("dead-letters", "list", "--header", "note=call 13812345678", "-o", "ids")
    assert set(noted.out.split()) == {ids[name] for name in ("sound", "broken", "cancel")}
    for wrong in (
        "--since soon",
        "--since 999999d",
        "--attempts many",
        "--where =",
        "--header x",
        "--state lost",
        "--group nothing",
    ):
        assert oms("dead-letters", "list", *wrong.split()).code == 1, wrong


def test_groups_status_and_lists_are_written_for_people_and_for_programs(
    oms: Oms, ids: dict[str, str], rows: Rows
) -> None:
    groups = oms("dead-letters", "groups", "-o", "json").json
    assert {(row["group"], row["queue"], row["letters"]) for row in groups} == {
        ("f", "order-creation", 1),
        ("f", "order-changes", 1),
        ("g1", "order-creation", 1),
        ("delivery_limit", "order-creation", 1),
    }
    for typed, next_command in (("deliv", "list --group delivery_limit"), ("0123", "groups")):
        assert oms("dead-letters", "list", "--group", typed).err.endswith(f"next: oms dead-letters {next_command}\n")
    by_queue = oms("dead-letters", "groups", "--by", "queue", "-o", "csv").out.splitlines()
    assert by_queue[0].startswith("queue,letters,")
    assert by_queue[1].startswith("order-creation,3,")
    assert oms("dead-letters", "note", "g1", "OPS-7: waits for 1.4").code == 0
    assert oms("dead-letters", "note", "nothing", "x").code == 2
    assert "OPS-7" in oms("dead-letters", "groups").out
    status = oms("dead-letters", "status", "-o", "ndjson").out.splitlines()
    assert [(row["queue"], row["open"], row["groups"]) for row in map(orjson.loads, status)] == [
        ("order-creation", 3, 3),
        ("order-changes", 1, 1),
    ]
    assert [oms("dead-letters", "status", "--max-open", n).code for n in ("3", "2")] == [0, 3]
    assert oms("dead-letters", "status", "--max-age-minutes", "5").code == 0
    assert oms("dead-letters", "list", "-o", "csv").out.count("order-creation") == 3


def test_show_has_the_traceback_and_what_else_died(oms: Oms, ids: dict[str, str]) -> None:
    shown = oms("dead-letters", "show", ids["sound"], "-o", "json").json
    assert shown["traceback"] == TRACEBACK
    assert "traceback" not in shown["headers"]
    text = oms("dead-letters", "show", ids["sound"]).out
    assert "workers/handlers/order_creation.py:12 in create" in text
    assert "13812345678" not in text
    assert shown["orders"] == shown["others"] == shown["replays"] == []


def test_diff_and_edit_lead_from_a_refused_body_to_a_replay_of_another(
    oms: Oms, ids: dict[str, str], rows: Rows, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = ids["broken"]
    refused = oms("dead-letters", "diff", broken, "-o", "json")
    assert (refused.code, [fault["path"] for fault in refused.json["faults"]]) == (3, ["$.items[0].qty"])
    assert oms("dead-letters", "diff", ids["sound"]).code == 0
    replay = oms("dead-letters", "replay", broken, *WHY, "--wait", "0", "-y")
    assert (replay.code, "would die again: $.items[0].qty" in replay.err) == (6, True)
    assert oms("dead-letters", "edit", broken, "--set", "items.0.qty=two", *WHY, "-y").code == 2  # the same
    assert oms("dead-letters", "edit", broken, "--set", "items.5.qty=2", *WHY, "-y").code == 1
    assert oms("dead-letters", "edit", broken, "--set", "items.0.qty=2", *WHY, "--dry-run").code == 0
    assert rows("SELECT id FROM dead_letter_edits") == rows("SELECT id FROM address_accesses") == []
    edited = oms("dead-letters", "edit", broken, "--set", "items.0.qty=2", *WHY, "-y")
    assert (edited.code, "changed: items.0.qty" in edited.err) == (0, True)
    assert oms("dead-letters", "diff", broken).code == 0
    shown = oms("dead-letters", "show", broken, "-o", "json").json
    assert shown["body"]["items"][0]["qty"] == "two"  # what came stays
    assert shown["edits"][0]["body"]["items"][0]["qty"] == 2
    script = tmp_path / "editor"
    script.write_text('#!/bin/sh\nsed -i \'s/"qty": 2/"qty": 3/\' "$1"\n')
    script.chmod(0o700)
    monkeypatch.setenv("EDITOR", str(script))
    monkeypatch.delenv("VISUAL", raising=False)
    assert oms("dead-letters", "edit", broken, *WHY, "-y").code == 0
    assert len(rows("SELECT id FROM address_accesses")) == 1  # who opens the body sees it in clear
    assert oms("dead-letters", "replay", broken, *WHY, "--wait", "0", "-y").code == 0
    (edit,) = rows("SELECT max(id) AS id FROM dead_letter_edits")
    assert [row["message_id"] for row in rows("SELECT message_id FROM outbox WHERE destination = 'queue'")] == [
        f"dead-letter/{broken}/{edit['id']}"
    ]
    history = oms("dead-letters", "history", "--actor", "ana", "-o", "json").json
    assert [row["action"] for row in history] == ["replay", "edit", "reveal", "edit"]


def test_a_trial_says_what_would_become_of_a_letter_and_changes_nothing(
    oms: Oms, ids: dict[str, str], rows: Rows
) -> None:
    counts = (
        "SELECT (SELECT count(*) FROM inbox) + (SELECT count(*) FROM outbox) + (SELECT count(*) FROM commands) AS n"
    )
    sound = oms("dead-letters", "try", ids["sound"], "-o", "json")
    assert (sound.code, sound.json["result"]) == (0, "works"), sound
    rejected = [sent for sent in sound.json["sends"] if sent["type"] == "command.rejected.v1"]
    assert [sent["body"]["code"] for sent in rejected] == ["PRODUCT_NOT_FOUND"]
    assert "13812345678" not in sound.out
    broken = oms("dead-letters", "try", ids["broken"])
    assert (broken.code, "invalid" in broken.out, "$.items[0].qty" in broken.out) == (3, True, True)
    rows("ALTER TABLE commands RENAME TO mislaid")  # so that the handler raises
    fails = oms("dead-letters", "try", ids["cancel"])
    rows("ALTER TABLE mislaid RENAME TO commands")
    assert (fails.code, "workers/store/commands.py" in fails.out) == (3, True)
    rows("INSERT INTO inbox (queue, message_id, sender, body_hash) VALUES ('order-changes', 'cancel', 'upstream', '')")
    assert oms("dead-letters", "try", ids["cancel"]).code == 3  # its id has another body
    for cell, code, result in (("a", 3, "handed on"), ("b", 0, "works")):  # the user u1 is of shard 54
        tried = oms("dead-letters", "try", ids["sound"], "-o", "json", cells="a:0-31,b:32-63", cell=cell)
        assert (tried.code, tried.json["result"]) == (code, result), tried
    assert rows(counts) == [{"n": 1}]


def test_discarded_letters_can_be_restored(oms: Oms, ids: dict[str, str], rows: Rows) -> None:
    assert oms("dead-letters", "discard", "--group", "f", *WHY, "-y").code == 0
    assert {row["message_id"] for row in rows("SELECT message_id FROM dead_letters WHERE state = 'discarded'")} == {
        "broken",
        "cancel",
    }
    assert oms("dead-letters", "restore", ids["sound"], *WHY, "-y").code == 6
    assert oms("dead-letters", "restore", "--all", *WHY, "-y").code == 0
    assert len(rows("SELECT id FROM dead_letters WHERE state = 'open'")) == len(ids)
    assert oms("dead-letters", "discard", *WHY, "-y").code == 1  # nothing is named
    assert oms("dead-letters", "discard", "--user", "nobody", *WHY, "-y").code == 2


def test_exported_letters_are_masked_unless_revealed_and_can_be_imported_once(
    oms: Oms, ids: dict[str, str], rows: Rows, tmp_path: Path
) -> None:
    masked, whole = tmp_path / "masked", tmp_path / "whole"
    whole.touch(mode=0o644)
    assert oms("dead-letters", "export", "--all", "--file", str(masked)).code == 0
    assert (masked.read_text().count("\n"), "13812345678" in masked.read_text()) == (len(ids), False)
    assert oms("dead-letters", "import", str(masked), *WHY, "-y").code == 1  # it has no bodies
    assert oms("dead-letters", "export", "--all", "--reveal", "--file", str(whole)).code == 1  # without a reason
    assert oms("dead-letters", "export", "--all", "--reveal", *WHY, "--file", str(whole)).code == 0
    assert len(rows("SELECT id FROM address_accesses")) == len(ids)
    assert whole.stat().st_mode & 0o077 == 0
    sound = f"SELECT queue, message_id, type, attempts, error_type, about FROM dead_letters WHERE id = {ids['sound']}"
    (before,) = rows(sound)
    rows("DELETE FROM dead_letters")
    imported = oms("dead-letters", "import", str(whole), *WHY, "-y", "-o", "json")
    assert (imported.code, len(imported.json["imported"])) == (0, len(ids))
    (after,) = rows(sound.replace(f"id = {ids['sound']}", "message_id = 'sound'"))
    assert after == before
    assert oms("dead-letters", "import", str(whole), *WHY, "-y", "-o", "json").json == {"imported": []}
    assert {row["repeats"] for row in rows("SELECT repeats FROM dead_letters")} == {0}


def test_a_traceback_has_places_and_causes_and_no_values() -> None:
    def inner() -> None:
        secret = "13812345678"
        raise KeyError(secret)

    def outer() -> None:
        try:
            inner()
        except KeyError as error:
            raise ValueError("of 13812345678") from error

    try:
        outer()
    except ValueError as error:
        lines = tracebacks.traceback_of(error)
    assert [line.rpartition(" ")[2] for line in lines] == [
        "outer",
        "inner",
        "KeyError",
        LAST_FRAMES[0],
        *LAST_FRAMES[1:],
    ]
    assert all(line.startswith("tests/scripts/test_cli_letters.py:") for line in lines if " in " in line)
    assert "138" not in str(lines)
    cipher.configure(os.environ["OMS_ENCRYPTION_KEYS"])
    sealed = tracebacks.seal(lines)
    assert "outer" not in sealed
    assert (tracebacks.unseal(sealed), tracebacks.unseal("k:x"), tracebacks.seal(())) == (list(lines), [], "")


LAST_FRAMES = ("test_a_traceback_has_places_and_causes_and_no_values", "outer", "ValueError")
