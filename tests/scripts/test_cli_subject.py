"""`oms subject` shows, exports and erases what is kept about a user, with a worker and both servers."""

import os
import subprocess
import sys
import time
from pathlib import Path

import orjson
import psycopg
import pytest

from db import cipher
from tests.broker import Broker
from tests.handlers.builders import cancel, create
from tests.handlers.harness import HandlerHarness
from tests.scripts.oms_command import Oms
from tests.scripts.placed import with_handlers
from tests.scripts.workers import worker

ROOT = Path(__file__).parents[2]
WHY = ("--reason", "USER_REQUEST")


@pytest.fixture
def cancelled(database_url: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """The id of the one order of user u1, which was cancelled. All its messages are published."""

    async def work(harness: HandlerHarness) -> int:
        order_id = await harness.place_order()
        await harness.handle(cancel(order_id))
        await harness.pool.execute("DELETE FROM outbox")
        return order_id

    monkeypatch.setenv("OMS_DATABASE_URL", database_url)
    return with_handlers(database_url, work)


@pytest.fixture
def live(database_url: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """The id of an order of user u1 that waits for its payment."""
    monkeypatch.setenv("OMS_DATABASE_URL", database_url)
    return with_handlers(database_url, lambda harness: harness.place_order())


def test_a_user_is_shown_exported_and_erased(
    oms: Oms, cancelled: int, database_url: str, declared_broker: Broker, tmp_path: Path
) -> None:
    urls = {"database_url": database_url, "prefix": declared_broker.names.prefix}
    urls |= {"operator_amqp_url": declared_broker["operator"]}
    shown = oms("subject", "status", "u1", "-o", "json", **urls)
    assert (shown.code, shown.json["orders"], shown.json["can_be_erased"], shown.json["live"]) == (0, 1, True, [])
    whole = tmp_path / "u1.json"
    exported = oms("subject", "export", "u1", "--file", str(whole), "-o", "json")
    assert (exported.code, exported.json["rows"]["orders"]) == (0, 1)
    assert "1 order" in exported.err
    assert whole.stat().st_mode & 0o777 == 0o600
    [order] = orjson.loads(whole.read_bytes())["data"]["orders"]
    assert order["address"]["text"]["receiver"] == "Wang Fang"
    assert [access["reason"] for access in order["address_accesses"]] == ["oms subject export"]

    planned = oms("subject", "erase", "u1", *WHY, "--dry-run")
    assert (planned.code, planned.err) == (0, "dry run: nothing was changed\n")
    unasked = oms("subject", "erase", "u1", *WHY)
    assert (unasked.code, "--yes" in unasked.err) == (6, True)
    with worker(declared_broker, database_url, "subjects"):
        erased = oms("subject", "erase", "u1", *WHY, "--yes", "-o", "json")
    assert (erased.code, erased.json["orders"], erased.err.splitlines()[-1]) == (0, 1, "u1 is erased"), erased
    with psycopg.connect(database_url) as connection:
        outcomes = connection.execute("SELECT outcome FROM commands WHERE scope = 'subject.erase:u1'").fetchall()
        announced = connection.execute("SELECT routing_key FROM outbox").fetchall()
    assert outcomes == [({"user_id": "u1", "orders": 1, "reason_code": "USER_REQUEST"},)]
    assert announced == [("subject.erased",)]
    after = oms("subject", "status", "u1", "-o", "json").json
    assert (after["key_since"], after["erased_at"] is None, after["orders"]) == (None, False, 1)
    again = oms("subject", "export", "u1").json
    assert [order["address"]["text"] for order in again["data"]["orders"]] == ["erased"]


def test_what_is_under_way_is_listed_and_the_user_is_not_erased(oms: Oms, live: int) -> None:
    shown = oms("subject", "status", "u1", "-o", "json")
    assert shown.json["live"] == [{"order_id": str(live), "state": "awaiting_payment"}]
    refused = oms("subject", "erase", "u1", *WHY, "--yes", "-o", "json")
    assert (refused.code, refused.json) == (6, shown.json["live"])
    what, why, next_ = refused.err.splitlines()
    assert (what, next_) == ("oms: u1 is not erased", "  next: oms subject status u1")
    assert why.endswith("have not ended: ask again then")
    assert str(live) in oms("subject", "status", "u1").out


def test_an_open_letter_about_money_is_decided_before_the_user_is_erased(
    oms: Oms, cancelled: int, database_url: str
) -> None:
    letter = "INSERT INTO dead_letters (queue, body_hash, type, reason, attempts, key_id, body, headers, about) VALUES"
    letter += " ('refunds', '', 'refund.result.v1', 'error', 7, 'k', '', '', ARRAY['order:%s']) RETURNING id"
    with psycopg.connect(database_url, autocommit=True) as connection:
        ((letter_id,),) = connection.execute((letter % cancelled).encode()).fetchall()
    refused = oms("subject", "erase", "u1", *WHY, "--yes", "-o", "json")
    assert (refused.code, refused.json) == (6, [{"order_id": None, "state": f"dead letter {letter_id} is open"}])
    assert "replay or discard them" in refused.err


def test_an_order_that_is_placed_after_the_plan_is_found_by_the_worker(
    cancelled: int, database_url: str, declared_broker: Broker
) -> None:
    variables = {"OMS_DATABASE_URL": database_url, "OMS_PREFIX": declared_broker.names.prefix}
    variables |= {"OMS_OPERATOR_AMQP_URL": declared_broker["operator"], "OMS_AMQP_URL": declared_broker["operator"]}
    command = [sys.executable, "-m", "scripts.cli", "subject", "erase", "u1", *WHY, "--yes", "--wait-seconds", "120"]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | variables, stderr=subprocess.PIPE, text=True)
    asks = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'oms-cli' AND query LIKE '%c.outcome::text%'"
    with psycopg.connect(database_url, autocommit=True) as connection:
        while (connection.execute(asks).fetchone() or (0,))[0] == 0:
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
    with_handlers(database_url, lambda harness: harness.create_order(create(("s1", 1), request_id="later")))
    with worker(declared_broker, database_url, "subjects"):
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 6
    assert "why:  SUBJECT_HAS_LIVE_ORDERS: orders of the user" in errors


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["status", "u2"], 2, "nothing is kept about u2"),
        (["export", "u2"], 2, "nothing is kept about u2"),
        (["erase", "u2", *WHY], 2, "nothing is kept about u2"),
        (["erase", "u1", "--reason", "call 13812345678"], 1, "$.reason_code"),
        (["erase", "u1"], 1, "Missing option '--reason'"),
        (["export", "u1", "--file", "/nonexistent/u1.json"], 1, "cannot be made"),
        (["export", "u1", "--file", __file__], 1, "cannot be made"),
    ],
    ids=str,
)
def test_wrong_use_is_explained(oms: Oms, cancelled: int, arguments: list[str], code: int, message: str) -> None:
    result = oms("subject", *arguments)
    assert (result.code, result.out) == (code, "")
    assert message in result.err


def test_without_a_worker_the_command_waits_and_says_what_to_do(
    oms: Oms, cancelled: int, declared_broker: Broker
) -> None:
    urls = {"prefix": declared_broker.names.prefix, "amqp_url": declared_broker["operator"]}
    result = oms("subject", "erase", "u1", *WHY, "--yes", "--wait-seconds", "0", **urls)
    assert (result.code, result.out) == (5, "")
    assert "next: oms worker --queues subjects; then oms subject status u1" in result.err


def test_an_export_names_what_its_keys_do_not_open_and_ends_with_3(
    oms: Oms, cancelled: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = oms("subject", "export", "u1", encryption_keys=f"k9:{'B' * 43}=")
    assert result.code == 3
    assert "could not be decrypted" in result.err
    assert result.json["data"]["orders"][0]["address"]["text"].startswith("unreadable: ")
    monkeypatch.setattr(cipher._Process, "cipher", None)
    without = oms("subject", "export", "u1", "--file", str(tmp_path / "u1.json"), encryption_keys="")
    assert (without.code, (tmp_path / "u1.json").exists()) == (1, False)
    assert "OMS_ENCRYPTION_KEYS" in without.err
