"""Request ids of people who send with tokens through one broker user: each person has request ids of their own."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from db import cipher
from messages.account_queries import PointsGet, PointsShown
from messages.base import Command, Message
from messages.benefits import PointsGrant
from messages.envelope import Envelope
from messages.refunds import RefundRequest
from messages.registry import MODELS
from messages.roles import EVERY_ROLE, Role
from messages.stock import StockAdjust
from messages.subjects import SubjectExport, SubjectExported
from tests.golden.examples import example
from tests.handlers.builders import OPERATOR, end_quarantine, user
from tests.handlers.harness import HandlerHarness
from tests.handlers.querying import ask
from workers.services import commands
from workers.store import case_texts, free_texts

COMMANDS: dict[str, type[Command]] = {type_: model for type_, model in MODELS.items() if issubclass(model, Command)}
SHARED = {
    "order.create.v1": "request_id",  # of the buyer, whoever places the order
    "order.import.v1": "external_no",
    "coupon.issue.v1": "coupon_id",
    "coupon_template.upsert.v1": "revision",
    "member.upsert.v1": "revision",
    "promotion.upsert.v1": "revision",
    "settings.set.v1": "revision",
    "sku.upsert.v1": "revision",
    "stock.receive.v1": "ref",
    "warehouses.set.v1": "revision",
    "warehouse_hours.set.v1": "revision",
}
"""Commands whose key is that of what they are about, and nobody's own."""
OWN = sorted(COMMANDS.keys() - SHARED.keys())


def sent(harness: HandlerHarness, body: Message, subject: str | None) -> Envelope[Any]:
    """The message of a person with an operator's token; with no subject, of the broker user alone."""
    granted = frozenset({Role.OPERATOR}) if subject else frozenset()
    return replace(
        harness.envelope(body, trusted=True), user="desk", subject=subject, granted=granted, roles=EVERY_ROLE
    )


def given(type_: str, subject: str | None) -> Command:
    """The example of a command, with one request id for everybody, for a buyer if a buyer may give it."""
    model, body = COMMANDS[type_], example(type_)
    if "actor" in body:
        acts = {"type": "user", "id": "u1"} if Role.STOREFRONT in model.SENDERS else {"type": "operator", "id": subject}
        body |= {"actor": acts if subject else {"type": "operator", "id": "carol"}}
        body |= {"user_id": "u1"} if "user_id" in body and Role.STOREFRONT in model.SENDERS else {}
    return model.model_validate_json(orjson.dumps(body))


def test_every_command_has_request_ids_of_its_sender_or_a_key_of_what_it_is_about() -> None:
    keys = {type_: model.KEY for type_, model in COMMANDS.items() if model.SHARED or model.KEY != "request_id"}
    assert keys == SHARED


@pytest.mark.parametrize("type_", OWN)
async def test_two_people_who_choose_one_request_id_do_not_meet(harness: HandlerHarness, type_: str) -> None:
    """Neither gets the other's outcome, nor a conflict; a repeat is a repeat. Without a token the key is as it was."""
    items = [sent(harness, given(type_, subject), subject) for subject in ("anna", "bob", None, "anna")]
    async with harness.pool.acquire() as tx, tx.transaction():
        claims = await commands.claim(tx, items)
    assert [id(item) for item in claims.fresh] == [id(item) for item in items[:3]]
    assert claims.answers == ()
    plain = items[2].body
    assert commands.key_of(items[2]) == (plain.command_scope(), plain.request_id)


async def test_a_key_of_what_a_command_is_about_is_the_same_for_all(harness: HandlerHarness) -> None:
    for type_ in SHARED:
        keys = {commands.key_of(sent(harness, given(type_, "anna"), subject)) for subject in ("anna", "bob", None)}
        assert len(keys) == 1, type_


async def handled(harness: HandlerHarness, *bodies: tuple[Message, str | None]) -> None:
    for body, subject in bodies:
        await harness.handle_batch([sent(harness, body, subject)])
        await harness.relay()


async def test_two_people_grant_points_under_one_request_id(harness: HandlerHarness) -> None:
    grants = [PointsGrant(request_id="g", user_id="u1", points=points, reason="hello") for points in (5, 70, 800)]
    await handled(harness, (grants[0], "anna"), (grants[1], "bob"), (grants[2], None), (grants[0], "anna"))
    assert harness.rejections() == []
    [shown] = await ask(harness, PointsGet(actor=user(), user_id="u1"))
    assert isinstance(shown, PointsShown)
    assert shown.balance == 875
    assert {entry.ref for entry in shown.entries} == {"g"}  # a buyer does not see who of the shop acted


async def test_two_people_correct_a_counter_under_one_request_id(harness: HandlerHarness) -> None:
    await harness.fill_stock(qty=10)
    fixes = [
        StockAdjust(request_id="a", sku_id="s1", warehouse="main", delta=delta, reason="count") for delta in (-1, -2)
    ]
    await handled(harness, (fixes[0], "anna"), (fixes[1], "bob"), (fixes[1], "bob"))
    assert harness.rejections() == []
    assert (await harness.stock())[0] == 7


async def test_two_people_end_a_quarantine_under_one_request_id(harness: HandlerHarness) -> None:
    await harness.fill_stock(qty=10)
    await harness.pool.execute("UPDATE stock SET quarantined = 5")
    ends = [end_quarantine(qty, request_id="q") for qty in (1, 2)]
    await handled(harness, (ends[0], "anna"), (ends[1], "bob"), (ends[1], "bob"))
    assert harness.rejections() == []
    assert (await harness.stock())[0] == 13


async def test_two_people_refund_under_one_request_id(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 2))
    by = {
        name: RefundRequest(
            request_id="r",
            actor=OPERATOR.model_copy(update={"id": name}),
            order_id=order_id,
            amount=amount,
            reason="sorry",
        )
        for name, amount in (("anna", 100), ("bob", 200))
    }
    await handled(harness, (by["anna"], "anna"), (by["bob"], "bob"), (by["bob"], "bob"))
    assert harness.rejections() == []
    events = harness.events_of("refund.requested")
    assert sorted((event["amount"], event["cause"]) for event in events) == [(100, "operator:r"), (200, "operator:r")]


async def test_an_export_is_read_on_after_a_command_of_a_person(harness: HandlerHarness) -> None:
    """The longest place of a part is a cursor that the query takes."""
    key = ("subject.erase:" + "u" * 64, "r" * 128 + "\x1f" + "s" * 64)
    cursor = "commands." + " ".join(key)
    query = SubjectExport(actor=OPERATOR, user_id="u" * 64, cursor=cursor)
    [part] = await ask(harness, query)
    assert isinstance(part, SubjectExported)


def written(harness: HandlerHarness, body: Message) -> list[Envelope[Any]]:
    """The same message id of two people, and of one whose sender has no name; the first comes twice."""
    items = [sent(harness, body, subject) for subject in ("anna", "bob", None, "anna")]
    return [replace(item, message_id="m-1", sender=f"desk {item.subject}" if item.subject else "") for item in items]


async def test_two_people_write_under_one_message_id_and_both_texts_are_kept(harness: HandlerHarness) -> None:
    items = [
        replace(item, body=item.body.model_copy(update={"reason": f"of {item.subject}"}))
        for item in written(harness, PointsGrant(request_id="g", user_id="u1", points=5, reason="hello"))
    ]
    async with harness.pool.acquire() as tx, tx.transaction():
        await free_texts.keep(tx, [(item, "u1", "u1") for item in items])
    found = await harness.pool.fetch("SELECT * FROM free_texts LEFT JOIN user_keys USING (key_id)")
    texts = []
    for row in found:
        aad = free_texts.aad_of(row["about"], row["type"], row["field"], row["message_id"], row["sender"])
        texts.append(cipher.current().decrypt(row["key_id"], row["ciphertext"], aad, cipher.Wrapped.of(row)).decode())
    assert sorted(texts) == ["of None", "of anna", "of bob"]
    assert not [row for row in found if "anna" in row["sender"]]
    [part] = await ask(harness, SubjectExport(actor=OPERATOR, user_id="u1", cursor="texts"))
    assert isinstance(part, SubjectExported)
    assert sorted(str(row["text"]) for row in part.data["texts"]) == sorted(texts)


async def test_a_case_shows_no_text_of_another_sender_with_the_same_message_id(harness: HandlerHarness) -> None:
    model = MODELS["after_sale.apply.v1"]
    items = written(
        harness, model.model_validate_json(orjson.dumps(example("after_sale.apply.v1") | {"description": "broken"}))
    )
    alone = replace(items[0], message_id="m-2")
    async with harness.pool.acquire() as tx, tx.transaction():
        await free_texts.keep(tx, [(item, 7, "u1") for item in (*items, alone)])
        assert await case_texts.read(tx, [7]) == {("after_sale.apply", "m-2"): "broken"}
