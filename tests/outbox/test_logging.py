"""Logs show no personal data."""

import logging

import pytest

from outbox.logging import (
    MASK,
    leave_out_repetitions,
    log_alike_once_in_a_while,
    log_closed_channels_once,
    masked,
    without_values,
)
from outbox.tracebacks import own_place

TABLE = [
    ({"phone": "13812345678"}, {"phone": MASK}),
    ({"receiver_name": "Wang"}, {"receiver_name": MASK}),
    ({"shipping_address": {"city": "x"}}, {"shipping_address": MASK}),
    ({"details": {"mobile": "1", "sku": "A"}}, {"details": MASK}),
    ({"body": {"mobile": "1", "sku": "A"}}, {"body": {"mobile": MASK, "sku": "A"}}),
    ({"why": "call +86 138 1234 5678 now"}, {"why": f"call {MASK} now"}),
    ({"why": ["13812345678"]}, {"why": [MASK]}),
    ({"order_id": "712345678901234567"}, {"order_id": "712345678901234567"}),
    ({"message_id": "0192f7a0-1234-7000-8000-123456789012"}, {"message_id": "0192f7a0-1234-7000-8000-123456789012"}),
    ({"count": 12345678}, {"count": 12345678}),
]


@pytest.mark.parametrize(("fields", "shown"), TABLE)
def test_personal_fields_are_masked(fields: dict[str, object], shown: dict[str, object]) -> None:
    assert masked(None, "", {**fields, "event": "x"}) == {**shown, "event": "x"}


def test_the_event_text_is_masked() -> None:
    assert masked(None, "", {"event": "sent to 13812345678"})["event"] == f"sent to {MASK}"


def test_frames_for_a_closed_channel_make_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """A consumer that was frozen past the broker's timeout finds hundreds of them behind the close."""
    log_closed_channels_once()
    log_closed_channels_once()
    logger = logging.getLogger("aiormq.connection")
    for number in range(200):
        logger.error("Got frame for closed channel %d: %r", 7, number)
        logger.error("Got frame for closed channel %d: %r", 8, number)
    logger.error("another line")
    assert [record.getMessage() for record in caplog.records] == [
        "Got frame for closed channel 7: 0",
        "Got frame for closed channel 8: 0",
        "another line",
    ]


def test_each_try_to_reach_a_broker_is_our_line_and_not_the_librarys_too(caplog: pytest.LogCaptureFixture) -> None:
    leave_out_repetitions()
    logger = logging.getLogger("aiormq.connection")
    logger.error("error when creating transport: %r", ConnectionRefusedError(111))
    logger.warning("Cancelling cause reader exited abnormally", exc_info=ConnectionError())
    logger.error("Unexpected connection close from remote %r", "amqp://oms-worker")
    assert [record.msg for record in caplog.records] == ["Unexpected connection close from remote %r"]


def test_an_exception_is_named_by_its_type_and_the_steps_to_it_and_not_by_its_text() -> None:
    try:
        int("Ada Lovelace")
    except ValueError as caught:
        for given in (True, caught, (ValueError, caught, caught.__traceback__)):
            line = without_values(None, "", {"event": "x", "exc_info": given})
            assert line["error"] == "ValueError"
            assert line["at"].startswith("tests/outbox/test_logging.py:")
            assert "Ada" not in str(line)
    assert without_values(None, "", {"event": "x"}) == {"event": "x"}
    steps = ["workers/store/stock.py:7 in lock", "db/watching.py:19 in run", "asyncpg/protocol.pyx:165 in query"]
    assert own_place(steps) == "workers/store/stock.py:7", "every statement passes through db/watching.py"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "Task exception was never retrieved\nfuture: <Task finished exception=KeyError('Ada')>",
            "Task exception was never retrieved",
        ),
        ("Exception in callback int('Ada')\nhandle: <Handle int('Ada')>", "Exception in callback"),
        ("Executing <Task finished result='Ada'> took 0.2 seconds", "Executing <...> took 0.2 seconds"),
    ],
)
def test_what_asyncio_says_of_a_task_quotes_no_value(text: str, shown: str) -> None:
    assert without_values(None, "", {"event": text, "logger": "asyncio"})["event"] == shown
    assert without_values(None, "", {"event": text, "logger": "workers"})["event"] == text


def test_what_tries_again_writes_lines_that_differ_only_in_their_time_once_in_ten_seconds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log_alike_once_in_a_while()
    logger = logging.getLogger("outbox.relay")
    for second in (0.0, 0.6, 9.0, 11.0):
        for chore in ("leases", "counts"):
            line = {"event": "trying again", "chore": chore, "timestamp": str(second)}
            record = logger.makeRecord(logger.name, logging.WARNING, __file__, 1, line, (), None)
            record.created = 1_000.0 + second
            logger.handle(record)
    written = [(record.created - 1_000.0, record.msg["chore"]) for record in caplog.records]  # type: ignore[index]
    assert written == [(second, chore) for second in (0.0, 11.0) for chore in ("leases", "counts")]
