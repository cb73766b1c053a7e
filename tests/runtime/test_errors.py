"""Whose fault an exception is, and what may be said about it."""

import asyncpg
import orjson
import pytest

from workers.runtime.batch import Verdict
from workers.runtime.errors import Failure, Trouble, redacted, trouble

TROUBLES: list[tuple[BaseException, Trouble]] = [
    (asyncpg.ConnectionDoesNotExistError(), Trouble.UNAVAILABLE),
    (asyncpg.TooManyConnectionsError(), Trouble.UNAVAILABLE),
    (asyncpg.DiskFullError(), Trouble.UNAVAILABLE),
    (asyncpg.AdminShutdownError(), Trouble.UNAVAILABLE),
    (asyncpg.CannotConnectNowError(), Trouble.UNAVAILABLE),
    (asyncpg.ReadOnlySQLTransactionError(), Trouble.UNAVAILABLE),
    (asyncpg.InterfaceError("connection is closed"), Trouble.UNAVAILABLE),
    (ConnectionRefusedError(), Trouble.UNAVAILABLE),
    (TimeoutError(), Trouble.UNAVAILABLE),
    (asyncpg.SerializationError(), Trouble.TRANSIENT),
    (asyncpg.DeadlockDetectedError(), Trouble.TRANSIENT),
    (asyncpg.LockNotAvailableError(), Trouble.TRANSIENT),
    (AssertionError(), Trouble.IMPOSSIBLE),
    (asyncpg.QueryCanceledError(), Trouble.FAILURE),
    (asyncpg.UniqueViolationError(), Trouble.FAILURE),
    (asyncpg.InterfaceError("the server expects 2 arguments"), Trouble.FAILURE),
    (KeyError("x"), Trouble.FAILURE),
]


@pytest.mark.parametrize(("error", "expected"), TROUBLES, ids=[type(error).__name__ for error, _ in TROUBLES])
def test_trouble(error: BaseException, expected: Trouble) -> None:
    assert trouble(error) is expected


def raised(text: str) -> Failure:
    try:
        int(text)
    except ValueError as error:
        return Failure.raised(error, b"{}")
    raise AssertionError(text)


def test_one_mistake_has_one_fingerprint_whatever_the_message_said() -> None:
    assert raised("one").fingerprint == raised("two").fingerprint
    other = Failure.raised(KeyError("one"), b"{}")
    assert other.fingerprint != raised("one").fingerprint


def test_an_assertion_is_not_tried_again() -> None:
    failure = Failure.raised(AssertionError("negative stock"), b"{}")
    assert (failure.reason, failure.retry) == ("impossible", False)


def test_what_is_said_holds_no_value_of_the_body_and_no_long_number() -> None:
    body = orjson.dumps({"name": "Wang Fang", "lines": [{"sku": "SKU-77", "qty": 4711}]})
    said = redacted("Wang Fang wants 4711 of SKU-77, call 13812345678", body)
    assert said == "… wants … of …, call …"


def test_a_database_error_shows_its_state_and_names_only() -> None:
    error = asyncpg.UniqueViolationError("Key (phone)=(555) exists")
    error.constraint_name = "orders_pkey"
    assert Failure.raised(error, b"{}").message == "23505 orders_pkey"


def test_a_handlers_verdict_keeps_its_reason() -> None:
    failure = Failure.judged(Verdict("order_unknown", "no order 12345678", retry=True), b"{}")
    assert (failure.reason, failure.message, failure.retry) == ("order_unknown", "no order …", True)
