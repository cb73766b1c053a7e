"""The story of one order happens on real servers and shows what really happened."""

import asyncio

import pytest

from scripts.demo.environment import create_environment, remove_environment
from scripts.demo.story import Story
from scripts.demo.story_page import COLUMNS, Pages
from scripts.servers.find import Servers


def test_the_story_shows_every_table_and_message_of_one_order(
    servers: Servers, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = create_environment(servers, 1_800)
    for name, value in (environment.variables("worker") | {"COLUMNS": str(COLUMNS - 1)}).items():
        monkeypatch.setenv(name, value)
    try:
        assert asyncio.run(Story(environment, Pages(0)).run()), capsys.readouterr().out
    finally:
        remove_environment(servers, environment)
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= COLUMNS
    for part in (
        "in         order.create.v1 from storefront",
        "queue      oms.order-creation, handled by workers/handlers/order_creation.py",
        "orders (1 new)",
        "outbox     order.created.v1 to events, number 1 of its order",
        "out        order.paid.v1: {state: paid, because of: payment.result.v1}",
        "waits for  receipt, by order.confirm_receipt",
        "timers (1 gone)",
        "outbox     order.completed.v1 to events, number 9 of its order",
        "receipt_expired: completed",
    ):
        assert part in " ".join(shown.split("\n" + " " * 11)), part
    order = [shown.rindex(f"parcel T-0001: {what}") for what in ("booked", "outbound", "delivered")]
    assert order == sorted(order), "the timeline is in the order of what happened"
    paths = [line for line in shown.splitlines() if "handled by..." in line]
    assert paths == [], "the file that handles a message is not cut off"
