"""`oms events` refuses what cannot be meant, and says what to type."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import pytest

from scripts.commands.event_reading import KeptEvent
from scripts.commands.events import EventFilter
from tests.broker import Broker
from tests.scripts.oms_command import Oms


def test_without_the_stream_the_error_says_how_to_switch_it_on(oms: Oms, broker: Broker) -> None:
    result = oms(
        "events", "replay", "--from", "first", amqp_url=broker["oncall"], prefix=broker.names.prefix, database_url="-"
    )
    assert (result.code, result.out) == (2, "")
    assert "there is no event history" in result.err
    assert "OMS_EVENT_HISTORY=on oms topology declare" in result.err


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (("--from", "tomorrow"), "oms events replay --from 3d", 1),
        (("--from", "2999-01-01"), "2999-01-01 is in the future", 1),
        (("--from", "first", "--queue", "oms.stock"), "oms.stock is no queue of a consumer", 6),
        (("--from", "first", "--queue", "oms.events"), "oms.events is no queue of a consumer", 6),
    ],
)
def test_what_cannot_be_meant_is_refused_without_a_server(
    oms: Oms, arguments: tuple[str, ...], message: str, code: int
) -> None:
    result = oms("events", "replay", *arguments)
    assert (result.code, result.out) == (code, "")
    assert message in result.err


EVENT = KeptEvent(
    offset=7,
    message_id="m1",
    type="order.paid.v1",
    correlation_id="c1",
    occurred_at=datetime(2026, 11, 21, tzinfo=UTC),
    stream="1",
    seq=2,
    body={"order_id": "2", "parent_id": "1", "user_id": "u1"},
    message=Mock(),
)


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [
        ({}, True),
        ({"order": "2"}, True),
        ({"order": "1"}, True),  # its parent
        ({"order": "3"}, False),
        ({"type": "order.*"}, True),
        ({"type": "order.paid"}, True),
        ({"type": "order.paid.v1"}, True),
        ({"type": "order.pai"}, False),
        ({"type": "refund.*"}, False),
        ({"user": "u1"}, True),
        ({"user": "u2"}, False),
        ({"since": EVENT.occurred_at}, True),
        ({"until": EVENT.occurred_at}, False),
    ],
)
def test_an_event_is_taken_if_it_fits_everything_that_was_given(wanted: dict[str, Any], taken: bool) -> None:
    assert EventFilter(**wanted).takes(EVENT) is taken


def test_events_about_several_orders_are_found_by_each() -> None:
    event = replace(EVENT, type="order.merged.v1", body={"order_ids": ["5", "6"]})
    assert [EventFilter(order=order).takes(event) for order in ("5", "6", "7")] == [True, True, False]
