"""`oms keys rotate` and `oms keys status` on a real database: killed, twice at once, with a missing and a wrong key."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from db import cipher
from scripts.commands import keys as command
from tests.handlers.builders import cancel
from tests.handlers.harness import HandlerHarness
from tests.handlers.personal_data import as_before_user_keys, die
from tests.scripts.oms_command import CommandResult, Oms
from tests.scripts.placed import with_handlers

ROOT = Path(__file__).parents[2]
OLD = os.environ.get("OMS_ENCRYPTION_KEYS", "")
OLD_ID = OLD.partition(":")[0]
NEW = f"k2:{'B' * 43}="
BOTH = f"{NEW},{OLD}"
ROTATE = [sys.executable, "-m", "scripts.cli", "keys", "rotate", "--yes"]
STATUS = ("keys", "status", "-o", "json")
WAITS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'oms-cli' AND wait_event_type = 'Lock'"


@pytest.fixture
def url(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database with ciphertexts in four tables: of a user with a key, and of one from before there were any."""

    async def work(harness: HandlerHarness) -> None:
        order_id = await harness.place_order()
        await harness.handle(cancel(order_id).model_copy(update={"reason": "I moved"}))
        await die(harness, b'{"user_id": "u1"}')
        await as_before_user_keys(harness)
        await harness.place_order(("s1", 1), user_id="u2")
        await harness.pool.execute("DELETE FROM outbox")

    with_handlers(database_url, work)
    monkeypatch.setenv("OMS_DATABASE_URL", database_url)
    yield database_url
    cipher.configure(OLD)


def under(oms: Oms, keys: str = BOTH) -> dict[str, str]:
    """Table -> the keys of its ciphertexts."""
    return {row["place"]: row["key"] for row in oms(*STATUS, encryption_keys=keys).json if row["key"] != "users"}


def started(url: str) -> subprocess.Popen[str]:
    """Start a rotation in a process of its own, and wait until it waits for a lock."""
    process = subprocess.Popen(
        ROTATE,
        cwd=ROOT,
        env=os.environ | {"OMS_DATABASE_URL": url, "OMS_ENCRYPTION_KEYS": BOTH},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(600):
            if (connection.execute(WAITS).fetchone() or (0,))[0]:
                return process
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
    raise AssertionError("it waits for no lock")


def everything_is_new(oms: Oms) -> None:
    """The old key encrypts nothing, and what it encrypted can be read without it."""
    assert under(oms, NEW) == dict.fromkeys(("user_keys", "order_addresses", "free_texts", "dead_letters"), "k2")
    for user in ("u1", "u2"):
        exported = oms("subject", "export", user, encryption_keys=NEW)
        assert (exported.code, "Wang Fang" in exported.out) == (0, True)


def test_a_rotation_that_is_killed_in_the_middle_is_finished_by_the_next(oms: Oms, url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE free_texts IN ACCESS EXCLUSIVE MODE")
        process = started(url)
        process.kill()
        process.communicate()
    half = under(oms)
    assert (half["order_addresses"], half["free_texts"], half["dead_letters"]) == ("k2", OLD_ID, OLD_ID)
    done = oms("keys", "rotate", "--yes", "-o", "json", encryption_keys=BOTH)
    assert (done.code, done.json) == (0, {"current": "k2", "dry_run": False, "left": []})
    assert [line.partition(":")[0] for line in done.err.splitlines()] == ["free_texts", "dead_letters"]
    everything_is_new(oms)


def test_a_rotation_asks_first_whether_all_workers_have_the_key(oms: Oms, url: str) -> None:
    before = under(oms)
    refused = oms("keys", "rotate", encryption_keys=BOTH)
    assert (refused.code, "the same command with --yes" in refused.err) == (6, True)
    assert under(oms) == before


def test_a_rotation_without_anything_to_do_says_so(oms: Oms, url: str) -> None:
    for words in (("keys", "rotate", "--dry-run"), ("keys", "rotate", "--yes")):
        done = oms(*words, encryption_keys=OLD)
        line = f"all is under {OLD_ID}, the first key of OMS_ENCRYPTION_KEYS: nothing to do"
        assert (done.code, done.err.splitlines(), done.out) == (0, [line], "")


def test_two_rotations_at_once_share_the_work_and_neither_waits_for_the_other(
    oms: Oms, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One has locked rows of free_texts and cannot write them yet; the other passes them by, and says so."""
    monkeypatch.setattr(command, "PASS_SECONDS", 0.0)
    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE free_texts IN SHARE MODE")
        first = started(url)
        second = oms("keys", "rotate", "--yes", "-o", "json", encryption_keys=BOTH)
    _, errors = first.communicate(timeout=60)
    assert first.returncode == 0, errors
    assert second.code == 1
    assert second.json["left"] == [{"place": "free_texts", "key": OLD_ID, "count": 1}]
    assert "why:  other transactions hold them\n  next: oms keys status; then oms keys rotate again" in second.err
    everything_is_new(oms)


def stored(url: str) -> list[object]:
    with psycopg.connect(url) as connection:
        tables = ("order_addresses", "free_texts", "dead_letters", "user_keys")
        return [connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in tables]  # type: ignore[arg-type, unused-ignore]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (NEW, "the key of 4 rows is not in OMS_ENCRYPTION_KEYS"),
        (f"{NEW},{OLD_ID}:{'C' * 43}=", "4 rows cannot be opened with the key of that id in OMS_ENCRYPTION_KEYS"),
    ],
    ids=["missing", "wrong"],
)
def test_rows_whose_key_is_missing_or_wrong_are_counted_and_left(oms: Oms, url: str, given: str, why: str) -> None:
    before = stored(url)
    result: CommandResult = oms("keys", "rotate", "--yes", "-o", "json", encryption_keys=given)
    assert result.code == 1
    assert f"why:  {why}" in result.err
    assert "0 encrypted again, 1 unreadable" in result.err
    assert {row["key"] for row in result.json["left"]} == {OLD_ID}
    assert stored(url) == before
    assert given.rpartition(":")[2] not in result.err + result.out


@pytest.mark.parametrize(
    ("given", "why"),
    [("", "OMS_ENCRYPTION_KEYS is not set"), ("k2:c2VjcmV0", "key 'k2' is not id:base64")],
    ids=["none", "short"],
)
def test_without_a_usable_key_nothing_begins(
    oms: Oms, url: str, monkeypatch: pytest.MonkeyPatch, given: str, why: str
) -> None:
    monkeypatch.setattr(cipher._Process, "cipher", None)
    result = oms("keys", "rotate", "--yes", encryption_keys=given)
    assert (result.code, result.out) == (1, "")
    assert why in result.err
    assert "next: set OMS_ENCRYPTION_KEYS" in result.err
    assert "c2VjcmV0" not in result.err


def test_a_dry_run_shows_what_is_left_and_changes_nothing(oms: Oms, url: str) -> None:
    before = stored(url)
    planned = oms("keys", "rotate", "--dry-run", "-o", "json", encryption_keys=BOTH)
    assert (planned.code, planned.err) == (0, "")
    assert [(row["place"], row["key"]) for row in planned.json["left"]] == [
        (table, OLD_ID) for table in ("dead_letters", "free_texts", "order_addresses", "user_keys")
    ]
    assert stored(url) == before
    assert "order_addresses" in oms("keys", "status").out


def test_a_long_rotation_reports_how_far_it_is(oms: Oms, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "PROGRESS_SECONDS", 0.0)
    done = oms("keys", "rotate", "--yes", encryption_keys=BOTH)
    assert done.code == 0
    assert done.err.splitlines()[:2] == [
        "user_keys: 1 of 1 pages, 1 encrypted again",
        "user_keys: 1 encrypted again, 0 unreadable, 1 pages",
    ]
