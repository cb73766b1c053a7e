"""An operator with a reason sees an address in clear on the wire; first it is recorded who, when and why (S1-46)."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from messages.after_sale_queries import AfterSaleDescribed, AfterSaleGet
from messages.base import Actor, QueryRejected, Reply
from messages.envelope import Envelope
from messages.order_queries import OrderDescribed, OrderGet
from messages.roles import Role
from messages.subjects import SubjectExport
from tests.handlers.builders import OPERATOR, user
from tests.handlers.case_builders import apply, open_case
from tests.handlers.harness import HandlerHarness
from tests.handlers.querying import record
from workers.handlers import queries
from workers.runtime.batch import Batch
from workers.services import answer_cache, revelations

WHY = "the carrier asks for the house number"
LOOKS = "what, order_id, user_id, actor, note, reason FROM address_accesses ORDER BY id"
NOW = datetime(2026, 11, 29, tzinfo=UTC)


def get(order: object, actor: Actor = OPERATOR, why: str | None = WHY, role: Role = Role.OPERATOR) -> Envelope[Any]:
    """order.get by a broker user with this role. All have the same message id, as strangers' queries may."""
    body = OrderGet(actor=actor, order=str(order), reveal_reason=why)
    return Envelope(body, "q-1", "c", NOW, user="desk", roles=frozenset({role}))


async def answers(harness: HandlerHarness, *items: Envelope[Any]) -> list[Reply]:
    """Answer them in one batch, as the runtime does."""
    recorded = await record(harness, items)
    async with harness.pool.acquire() as tx, tx.transaction(readonly=True, isolation="repeatable_read"):
        return await queries.answer(tx, Batch(items, NOW, recorded))


def after_sale(actor: Actor, role: Role = Role.OPERATOR, why: str | None = WHY, **name: str) -> Envelope[Any]:
    """after_sale.get by a broker user with this role."""
    body = AfterSaleGet(actor=actor, reveal_reason=why, **name)
    return Envelope(body, "q-1", "c", NOW, user="desk", roles=frozenset({role}))


def texts(reply: Reply) -> str | tuple[str | None, str]:
    """What was written with the first step of the case, and its evidence; or the code of the refusal."""
    if isinstance(reply, QueryRejected):
        return reply.code
    assert isinstance(reply, AfterSaleDescribed)
    [case] = reply.cases
    return case.steps[0].written, case.evidence[0]


def phone(reply: Reply) -> str:
    if isinstance(reply, QueryRejected):
        return reply.code
    assert isinstance(reply, OrderDescribed)
    assert reply.address is not None
    return reply.address.phone


@pytest.fixture
async def order_id(harness: HandlerHarness) -> int:
    await harness.fill_stock()
    return await harness.place_order()


async def test_an_operator_with_a_reason_sees_the_address_and_everyone_else_what_is_masked(
    harness: HandlerHarness, order_id: int
) -> None:
    """In one batch, so that what one may see is not shown to another, who uses the same message id."""
    buyer, system = user("u1"), Actor(type="system", id="s")
    with capture_logs() as logs:
        replies = await answers(
            harness,
            get(order_id, why=None),
            get(order_id),
            get(order_id, buyer, None, Role.STOREFRONT),
            get(order_id, buyer, WHY, Role.STOREFRONT),
            get(order_id, buyer),
            get(order_id, system),
            get(order_id, OPERATOR, WHY, Role.WAREHOUSE),
            get(7),
            get(order_id, why=None),
        )
    masked, clear = phone(replies[0]), phone(replies[1])
    assert "*" in masked
    assert clear.isdecimal()
    forbidden = ["AUTH_FORBIDDEN"] * 4
    assert [phone(reply) for reply in replies] == [masked, clear, masked, *forbidden, "ORDER_NOT_FOUND", masked]
    looks = await harness.rows(f"SELECT {LOOKS}")
    assert looks == [("address", order_id, None, "broker user desk", "operator ops-7", WHY)]
    assert clear not in str(looks) + str(logs)


async def test_an_address_in_clear_is_never_kept_in_memory(harness: HandlerHarness, order_id: int) -> None:
    answer_cache.configure(10)
    first = await answers(harness, get(order_id), get(order_id, why=None))
    second = await answers(harness, get(order_id, why=None), get(order_id))
    assert [phone(reply) for reply in second] == [phone(reply) for reply in reversed(first)]
    assert len(await harness.rows(f"SELECT {LOOKS}")) == 2  # each look has a record of its own


async def test_what_is_not_recorded_is_not_shown(harness: HandlerHarness, order_id: int) -> None:
    items = [get(order_id), get(order_id)]
    recorded = await record(harness, items[:1])
    async with harness.pool.acquire() as tx, tx.transaction(readonly=True):
        clear, hidden = await queries.answer(tx, Batch(items, NOW, recorded))
    assert phone(clear).isdecimal()
    assert phone(hidden) == "ORDER_NOT_FOUND"


async def test_the_record_names_the_subject_of_the_token(harness: HandlerHarness, order_id: int) -> None:
    anna = Actor(type="operator", id="anna")
    with_token = replace(get(order_id, anna), user=None, subject="anna", granted=frozenset({Role.OPERATOR}))
    another = replace(with_token, body=get(order_id).body)
    replies = await answers(harness, with_token, another)
    assert phone(replies[0]).isdecimal()
    assert phone(replies[1]) == "AUTH_FORBIDDEN"
    looks = await harness.rows(f"SELECT {LOOKS}")
    assert [look[3:5] for look in looks] == [("no broker user, token of anna", "operator anna")]


async def test_what_people_wrote_about_a_case_is_shown_to_whom_it_is_recorded(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order()
    await harness.pay(order_id)
    await harness.deliver(order_id)
    event = await open_case(harness, apply(order_id, description="it leaks", evidence=("photo/1",)))
    names = {"case": event["case_id"]}, {"case": event["case_no"]}, {"order": str(order_id)}
    recorded_looks = [after_sale(OPERATOR, **name) for name in names]
    others = [after_sale(user("u1"), **names[0]), after_sale(OPERATOR, Role.WAREHOUSE, **names[0])]
    replies = await answers(
        harness, *recorded_looks, *others, after_sale(OPERATOR, case="7"), after_sale(OPERATOR, why=None, **names[0])
    )
    assert [texts(reply) for reply in replies] == [
        *[("it leaks", "photo/1")] * 3,
        *["AUTH_FORBIDDEN"] * 2,
        "AFTERSALE_NOT_FOUND",
        ("****", "****"),
    ]
    assert (
        await harness.rows(f"SELECT {LOOKS}")
        == [("case", order_id, None, "broker user desk", "operator ops-7", WHY)] * 3
    )
    async with harness.pool.acquire() as tx, tx.transaction(readonly=True):
        [hidden] = await queries.answer(tx, Batch(recorded_looks[:1], NOW, {}))
    assert texts(hidden) == "AFTERSALE_NOT_FOUND"


async def test_each_part_of_an_export_on_the_wire_is_recorded(harness: HandlerHarness, order_id: int) -> None:
    bodies = [SubjectExport(actor=OPERATOR, user_id="u1", cursor=cursor) for cursor in (None, "orders.1")]
    items = [Envelope(body, "m", "c", NOW, user="desk", roles=frozenset({Role.OPERATOR})) for body in bodies]
    refused = replace(items[0], roles=frozenset({Role.STOREFRONT}))
    replies = await answers(harness, *items, refused)
    assert [reply.TYPE for reply in replies] == ["subject.exported.v1", "subject.exported.v1", "query.rejected.v1"]
    who = ("broker user desk", "operator ops-7", revelations.EXPORT)
    looks = await harness.rows(f"SELECT {LOOKS}")
    assert sorted(looks, key=str) == sorted(
        [("export", None, "u1", *who), ("export", order_id, None, *who), ("export", None, "u1", *who)], key=str
    )


@pytest.mark.parametrize("why", ["", " ", "\t", " \n ", "a\x00b", "x" * 256])
def test_a_reason_is_a_text_that_is_not_blank(why: str) -> None:
    with pytest.raises(ValidationError):
        get(7, why=why)
