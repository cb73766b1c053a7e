"""How exceptions are classified, and that failures show no personal data."""

import asyncpg
import pytest

from workers.runtime.batch import Verdict
from workers.runtime.errors import ErrorClass, Failure, classify

CLASSES: list[tuple[BaseException, ErrorClass]] = [
    (asyncpg.ConnectionDoesNotExistError(), ErrorClass.UNAVAILABLE),
    (asyncpg.TooManyConnectionsError(), ErrorClass.UNAVAILABLE),
    (asyncpg.DiskFullError(), ErrorClass.UNAVAILABLE),
    (asyncpg.AdminShutdownError(), ErrorClass.UNAVAILABLE),
    (asyncpg.CannotConnectNowError(), ErrorClass.UNAVAILABLE),
    (asyncpg.ReadOnlySQLTransactionError(), ErrorClass.UNAVAILABLE),
    (asyncpg.InterfaceError("connection is closed"), ErrorClass.UNAVAILABLE),
    (ConnectionRefusedError(), ErrorClass.UNAVAILABLE),
    (TimeoutError(), ErrorClass.SLOW),
    (asyncpg.SerializationError(), ErrorClass.TRANSIENT),
    (asyncpg.DeadlockDetectedError(), ErrorClass.TRANSIENT),
    (asyncpg.LockNotAvailableError(), ErrorClass.LOCKED),
    (AssertionError(), ErrorClass.IMPOSSIBLE),
    (asyncpg.QueryCanceledError(), ErrorClass.SLOW),
    (asyncpg.UniqueViolationError(), ErrorClass.FAILURE),
    (asyncpg.InterfaceError("the server expects 2 arguments"), ErrorClass.FAILURE),
    (KeyError("x"), ErrorClass.FAILURE),
]


@pytest.mark.parametrize(("error", "expected"), CLASSES, ids=[type(error).__name__ for error, _ in CLASSES])
def test_classify(error: BaseException, expected: ErrorClass) -> None:
    assert classify(error) is expected


def raised(text: str) -> Failure:
    try:
        int(text)
    except ValueError as error:
        return Failure.of_exception(error, b"{}")
    raise AssertionError(text)


def test_one_mistake_has_one_fingerprint_for_all_messages() -> None:
    assert raised("one").fingerprint == raised("two").fingerprint
    other = Failure.of_exception(KeyError("one"), b"{}")
    assert other.fingerprint != raised("one").fingerprint


def test_an_assertion_is_not_retried() -> None:
    failure = Failure.of_exception(AssertionError("negative stock"), b"{}")
    assert (failure.reason, failure.retry) == ("impossible", False)


def test_a_database_error_shows_its_state_and_names_only() -> None:
    error = asyncpg.UniqueViolationError("Key (phone)=(555) exists")
    error.constraint_name = "orders_pkey"
    assert Failure.of_exception(error, b"{}").message == "23505 orders_pkey"


def test_a_handlers_verdict_keeps_its_reason() -> None:
    failure = Failure.of_verdict(Verdict("order_unknown", "no order 12345678", retry=True), b"{}")
    assert (failure.reason, failure.message, failure.retry) == ("order_unknown", "no order …", True)
