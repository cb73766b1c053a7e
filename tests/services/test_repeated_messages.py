"""A command that comes again under its own message id is answered again, and does nothing else. For every command."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from messages.base import MessageKind
from messages.registry import MODELS
from messages.roles import Role
from tests.e2e.scenarios import SCENARIOS
from tests.e2e.stock_scenarios import STOCK
from tests.handlers.builders import create
from tests.handlers.harness import HandlerHarness

COMMANDS = [name for name in (SCENARIOS | STOCK) if MODELS[f"{name.split(' ')[0]}.v1"].KIND is MessageKind.COMMAND]


async def announced(harness: HandlerHarness) -> Counter[str]:
    """Take what the outbox has: the number of rows for each destination."""
    rows = await harness.pool.fetch("DELETE FROM outbox RETURNING destination")
    return Counter(row["destination"] for row in rows)


@pytest.mark.parametrize("name", COMMANDS)
async def test_a_copy_is_answered_and_changes_nothing(name: str, harness: HandlerHarness) -> None:
    await harness.fill_stock(qty=10_000)
    bodies = await (SCENARIOS | STOCK)[name](harness, 2)
    alone, twice = (harness.envelope(body, trusted=True, reply_to="client.a") for body in bodies)
    await announced(harness)

    await harness.handle_batch([alone])
    once = await announced(harness)
    await harness.handle_batch([twice, replace(twice, repeated=True)])
    both = await announced(harness)
    assert both - Counter(reply=2) == once - Counter(reply=2)

    await harness.handle_batch([replace(alone, repeated=True)])
    assert set(await announced(harness)) <= {"reply"}


async def test_while_it_is_undecided_the_reply_to_of_a_copy_is_added_once(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    first = harness.envelope(create(("s1", 1)), reply_to="client.a")
    copies: list[Any] = [replace(first, repeated=True, reply_to=to) for to in ("client.a", "client.b", "client.b")]
    await harness.handle_batch([first, *copies])
    await harness.handle_batch(copies)
    await harness.relay()
    assert [reply["to"] for reply in harness.replies] == ["client.a", "client.b"]
    assert len(harness.events_of("order.created")) == 1


EXPIRED: dict[str, Any] = {"roles": frozenset(), "granted": frozenset(), "token_fault": "has expired"}
NO_ROLE: dict[str, Any] = {"roles": frozenset(), "granted": frozenset()}
ALLOWED: dict[str, Any] = {"roles": frozenset({Role.STOREFRONT}), "granted": frozenset()}
SENT: list[tuple[dict[str, Any], str]] = [
    (EXPIRED, "AUTH_REQUIRED"),
    (NO_ROLE, "AUTH_FORBIDDEN"),
    (ALLOWED, "order.created.v1"),
]
ORDER = [(was, now) for was in range(len(SENT)) for now in range(len(SENT))]


@pytest.mark.parametrize(("was", "now"), ORDER)
@pytest.mark.parametrize("together", [False, True])
async def test_a_delivery_gets_one_answer_whatever_becomes_of_its_token_and_roles(
    harness: HandlerHarness, was: int, now: int, *, together: bool
) -> None:
    """The copy of a delivery, later or in its batch, gets the answer that the delivery had, and has no other effect."""
    await harness.fill_stock()
    plain = replace(harness.envelope(create(("s1", 1)), reply_to="client.a"), user="shop", subject="u1", sender="shop")
    first, copy = replace(plain, **SENT[was][0]), replace(plain, **SENT[now][0], repeated=True)
    for batch in [[first, copy]] if together else [[first], [copy]]:
        await harness.handle_batch(batch)
        await harness.relay()
    answers = [reply.get("code", reply["type"]) for reply in harness.replies]
    undecided = together and was == SENT.index((ALLOWED, "order.created.v1"))  # then they are one question
    assert answers == [SENT[was][1]] * (1 if undecided else 2)
    assert undecided or [reply.get("duplicate", False) for reply in harness.replies] == [False, True]
    assert len(await harness.states()) == len(harness.events_of("order.created")) == (SENT[was][0] is ALLOWED)
    assert len(harness.events_of("command.rejected")) == (SENT[was][0] is not ALLOWED)


async def test_a_refused_message_takes_no_request_id_and_no_message_id_of_another_sender(
    harness: HandlerHarness,
) -> None:
    """The request id may be sent under a new message id, and another sender's message has its own refusal or none."""
    await harness.fill_stock()
    plain = replace(harness.envelope(create(("s1", 1)), reply_to="client.a"), user="shop", subject="u1", sender="shop")
    for item in (
        replace(plain, **EXPIRED),
        replace(plain, **ALLOWED, sender="desk"),
        replace(plain, **ALLOWED, message_id="new"),
    ):
        await harness.handle_batch([item])
        await harness.relay()
    answers = [reply.get("code", reply["type"]) for reply in harness.replies]
    assert answers == ["AUTH_REQUIRED", "order.created.v1", "order.created.v1"]
    assert len(await harness.states()) == 1


async def test_a_copy_of_what_its_sender_may_not_send_is_refused_at_its_reply_to_alone(harness: HandlerHarness) -> None:
    item = harness.envelope(create(("s1", 1)), roles=frozenset(), reply_to="client.a")
    await harness.handle_batch([item])
    await harness.handle_batch([replace(item, repeated=True)])
    await harness.relay()
    assert [reply["code"] for reply in harness.replies] == ["AUTH_FORBIDDEN"] * 2
    assert len(harness.events_of("command.rejected")) == 1
