"""`oms repair` shows what is owed, changes nothing without --apply, and records who repaired what and why."""

import os
from typing import Any

import psycopg
import pytest

from tests.scripts.oms_command import Oms
from tests.scripts.placed import cancel_without_release, with_handlers

NOW = ("--grace-seconds", "0")


@pytest.fixture
def order_id(database_url: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """A cancelled order whose stock.release was lost."""
    monkeypatch.setenv("OMS_DATABASE_URL", database_url)
    return with_handlers(database_url, cancel_without_release)


def one(database_url: str, statement: str) -> Any:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(statement).fetchone()  # type: ignore[arg-type, unused-ignore]
        return row and row[0]


def test_without_apply_the_plan_is_shown_and_nothing_changes(oms: Oms, order_id: int, database_url: str) -> None:
    for arguments in (NOW, (*NOW, "--dry-run"), (*NOW, "--order", str(order_id))):
        result = oms("repair", *arguments, "-o", "json")
        assert result.code == 0
        assert [(row["order"], row["state"], row["owed"], row["because"]) for row in result.json] == [
            (str(order_id), "cancelled", "stock.release", "its stock is reserved")
        ]
        assert "1 message or timer of 1 order owed; dry run" in result.err
    assert one(database_url, "SELECT count(*) FROM outbox") == 0
    assert one(database_url, "SELECT count(*) FROM repairs") == 0


def test_apply_announces_and_records_it(oms: Oms, order_id: int, database_url: str) -> None:
    result = oms("repair", *NOW, "--apply", "--reason", "the queue was deleted", "--yes")
    assert result.code == 0
    assert "announced 1 as" in result.err
    assert one(database_url, "SELECT type FROM outbox") == "stock.release.v1"
    assert one(database_url, "SELECT reason FROM repairs WHERE message_id = (SELECT message_id FROM outbox)") == (
        "the queue was deleted"
    )


def test_an_order_that_changed_within_the_grace_is_left_alone(oms: Oms, order_id: int) -> None:
    result = oms("repair")
    assert (result.code, result.out, result.err) == (0, "", "nothing is owed\n")


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (("--apply",), "a reason is needed", 1),
        (("--apply", "--dry-run", "--reason", "x"), "exclude each other", 1),
        ((*NOW, "--apply", "--reason", "x"), "standard input is not a terminal", 6),
    ],
)
def test_wrong_use_changes_nothing(
    oms: Oms, order_id: int, arguments: tuple[str, ...], message: str, code: int
) -> None:
    result = oms("repair", *arguments)
    assert result.code == code
    assert message in result.err
    assert one(os.environ["OMS_DATABASE_URL"], "SELECT count(*) FROM repairs") == 0
