"""Who may send what: every message and every role, with and without tokens, and who acts for users (S0-31, S1-46)."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import orjson
import pytest

from messages import registry
from messages.base import Actor, MessageCode, MessageKind
from messages.envelope import Envelope
from messages.orders import OrderCreate
from messages.registry import FROM_OUTSIDE, MODELS
from messages.roles import Role
from messages.strict_json import read, why_unread
from messages.topology import TAKEN
from messages.user_roles import Trust
from tests.golden.examples import example
from tests.handlers.builders import cancel, create, user
from tests.runtime.builders import NAMES, delivery
from tests.workers.token_builders import keys, token
from workers.domain.codes import Code
from workers.runtime.decode import Decoder
from workers.services.authorization import unvouched

BUYERS = {Role.STOREFRONT, Role.OPERATOR}
SENDERS: dict[str, set[Role]] = {
    "order.create": BUYERS,
    "order.import": {Role.OPERATOR},
    "archived_order.get": BUYERS,
    "archived_order.list": BUYERS,
    "order.draft.save": BUYERS,
    "order.draft.delete": BUYERS,
    "order.draft.get": BUYERS,
    "order.draft.list": BUYERS,
    "order.number.issue": BUYERS,
    "order.cancel": BUYERS,
    "order.cancel_later": BUYERS,
    "order.change_remark": BUYERS,
    "order.change_note": {Role.OPERATOR},
    "comment.mark": BUYERS,
    "order.keep": BUYERS,
    "order.change_address": BUYERS,
    "order.confirm_receipt": BUYERS,
    "order.delete": BUYERS,
    "order.merge": BUYERS,
    "order.shortage.decide": BUYERS,
    "order.hold": {Role.OPERATOR},
    "order.release": {Role.OPERATOR},
    "order.amount.adjust": {Role.OPERATOR},
    "order.cancel_rest": BUYERS,
    "order.shortage.report": {Role.WAREHOUSE, Role.OPERATOR},
    "after_sale.apply": BUYERS,
    "after_sale.cancel": BUYERS,
    "after_sale.reopen": BUYERS,
    "after_sale.ship_back": BUYERS,
    "after_sale.receive": {Role.WAREHOUSE, Role.OPERATOR},
    "after_sale.inspect": {Role.WAREHOUSE, Role.OPERATOR},
    "after_sale.review": {Role.OPERATOR},
    "after_sale.close": {Role.OPERATOR},
    "after_sale.send_back": {Role.WAREHOUSE, Role.OPERATOR},
    "order.preview": BUYERS,
    "order.get": BUYERS,
    "order.history": BUYERS,
    "order.list": BUYERS,
    "after_sale.get": BUYERS,
    "after_sale.list": BUYERS,
    "dispute.get": {Role.OPERATOR},
    "group.get": BUYERS,
    "dispute.list": {Role.OPERATOR},
    "order.track": BUYERS,
    "order.explain": BUYERS,
    "order.as_of": BUYERS,
    "payment.get": BUYERS,
    "cart.get": BUYERS,
    "coupon.list": BUYERS,
    "points.get": BUYERS,
    "stock.get": BUYERS | {Role.WAREHOUSE},
    "plan.reorder": {Role.OPERATOR, Role.CATALOGUE},
    "plan.forecast": {Role.OPERATOR, Role.CATALOGUE},
    "dashboard.get": {Role.OPERATOR},
    "order.stuck": {Role.OPERATOR},
    "plan.price": {Role.OPERATOR, Role.CATALOGUE},
    "contact.list": BUYERS,
    "contact.set": BUYERS,
    "cart.put": BUYERS,
    "fulfilment.get": {Role.WAREHOUSE},
    "fulfilment.accept": {Role.WAREHOUSE},
    "fulfilment.refuse": {Role.WAREHOUSE},
    "fulfilment.pick": {Role.WAREHOUSE},
    "fulfilment.pack": {Role.WAREHOUSE},
    "fulfilment.hand_over": {Role.WAREHOUSE},
    "fulfilment.cancel_accepted": {Role.WAREHOUSE},
    "fulfilment.cancel_refused": {Role.WAREHOUSE},
    "payment.capture": {Role.OPERATOR},
    "subject.erase": {Role.OPERATOR},
    "subject.export": {Role.OPERATOR},
    "cart.remove": BUYERS,
    "payment.start": BUYERS,
    "payment.callback": set(Role),
    "payment.result": {Role.PAYMENTS},
    "dispute.submit_evidence": {Role.OPERATOR},
    "payment.reconcile": {Role.PAYMENTS},
    "refund.result": {Role.PAYMENTS},
    "refund.request": {Role.OPERATOR},
    "risk.result": {Role.OPERATOR},
    "order.captcha.answer": BUYERS,
    "stock.receive": {Role.WAREHOUSE},
    "stock.adjust": {Role.WAREHOUSE},
    "stock.transfer": {Role.WAREHOUSE, Role.OPERATOR},
    "stock.threshold.set": {Role.WAREHOUSE, Role.CATALOGUE, Role.OPERATOR},
    "stock.end_quarantine": {Role.WAREHOUSE},
    "shipment.book": {Role.WAREHOUSE},
    "shipment.create": {Role.WAREHOUSE, Role.OPERATOR},
    "shipment.update": {Role.CARRIER},
    "sku.upsert": {Role.CATALOGUE},
    "settings.set": {Role.CATALOGUE},
    "warehouses.set": {Role.CATALOGUE},
    "warehouse_hours.set": {Role.CATALOGUE},
    "revision.reset": {Role.CATALOGUE, Role.OPERATOR},
    "promotion.upsert": {Role.CATALOGUE},
    "coupon_template.upsert": {Role.CATALOGUE},
    "coupon.issue": {Role.MARKETING},
    "points.grant": {Role.MARKETING},
    "points.adjust": {Role.OPERATOR},
    "member.upsert": {Role.MARKETING},
}
TRUST = Trust(frozenset({"relay"}), {role.value: frozenset({role}) for role in Role})
QUEUE_OF = {model.TYPE: queue for queue, models in TAKEN.items() for model in models}
NOBODY = ("stranger", None)
"""A broker user whom OMS_ROLES does not name, and a sender who sets no `user_id`."""


def answer(type_: str, sender: str | None) -> str:
    """What a message on the wire meets: allowed, the reason of its dead letter, or the code of its rejection."""
    model = MODELS[type_]
    exchange = NAMES.exchange_of(model.KIND)
    body = example(type_)
    if Role.STOREFRONT in model.SENDERS and "actor" in body:
        body |= {
            "actor": {"type": "user", "id": body.get("user_id") or "user-77"}
        }  # a storefront speaks for users alone
    arrived = delivery(type_, body, exchange=exchange, user_id=sender, reply_to=f"amq.gen-{'x' * 22}")
    work = Decoder(QUEUE_OF[type_], NAMES, TRUST)(arrived)
    if work.failure is not None:
        return work.failure.reason
    (envelope,) = work.envelopes
    if model.KIND is MessageKind.FACT:
        return "allowed"
    refusal = unvouched(envelope)
    return refusal.code if refusal else "allowed"


FROM_OTHERS = sorted(type_ for type_, model in MODELS.items() if model.KIND in FROM_OUTSIDE)


@pytest.mark.parametrize("type_", FROM_OTHERS)
def test_each_message_is_taken_from_its_roles_and_from_no_one_else(type_: str) -> None:
    model = MODELS[type_]
    senders = SENDERS[model.routing_key()]
    no = "untrusted_user" if model.KIND is MessageKind.FACT else Code.AUTH_FORBIDDEN
    expected = {role: "allowed" if role in senders else no for role in Role}
    assert {role: answer(type_, role) for role in Role} == expected
    everyone = "allowed" if senders == set(Role) else no
    nobody = Code.AUTH_REQUIRED if everyone == Code.AUTH_FORBIDDEN else everyone
    assert {sender: answer(type_, sender) for sender in NOBODY} == {
        sender: nobody if sender is None else everyone for sender in NOBODY
    }


def test_only_what_a_signature_proves_may_come_from_anyone() -> None:
    """Nothing that moves money, stock, prices, points or goods is open to everyone."""
    assert [key for key, senders in SENDERS.items() if senders == set(Role)] == ["payment.callback"]
    assert {MODELS[type_].routing_key() for type_ in FROM_OTHERS} == set(SENDERS)


def sent(body: Any, *roles: Role) -> Code | None:
    envelope = Envelope(body, "m", "c", datetime(2026, 1, 1, tzinfo=UTC), roles=frozenset(roles), user="u")
    refusal = unvouched(envelope)
    return Code[refusal.code] if refusal else None


ACTORS = [
    (Actor(type="user", id="u1"), [Role.STOREFRONT], None),
    (Actor(type="user", id="u1"), [Role.OPERATOR], None),
    (Actor(type="user", id="u2"), [Role.STOREFRONT], Code.AUTH_FORBIDDEN),
    (Actor(type="user", id="u2"), [Role.OPERATOR], Code.AUTH_FORBIDDEN),
    (Actor(type="operator", id="o"), [Role.STOREFRONT], Code.AUTH_FORBIDDEN),
    (Actor(type="operator", id="o"), [Role.STOREFRONT, Role.PAYMENTS, Role.WAREHOUSE], Code.AUTH_FORBIDDEN),
    (Actor(type="operator", id="o"), [Role.OPERATOR], None),
    (Actor(type="operator", id="o"), [Role.STOREFRONT, Role.OPERATOR], None),
    (Actor(type="system", id="s"), [Role.STOREFRONT], Code.AUTH_FORBIDDEN),
    (Actor(type="system", id="s"), [Role.OPERATOR], None),
    (Actor(type="user", id="u1"), [], Code.AUTH_FORBIDDEN),
]


@pytest.mark.parametrize(("actor", "roles", "code"), ACTORS)
def test_a_storefront_speaks_for_users_and_an_operator_for_anyone(
    actor: Actor, roles: list[Role], code: Code | None
) -> None:
    assert sent(create().model_copy(update={"actor": actor, "user_id": "u1"}), *roles) == code


def test_the_refusal_names_the_roles_and_what_to_do() -> None:
    envelope = Envelope(cancel(7, "k", user()), "m", "c", datetime(2026, 1, 1, tzinfo=UTC))
    refusal = unvouched(envelope)
    assert refusal is not None
    assert refusal.details == {"roles": ["operator", "storefront"]}
    assert refusal.message == (
        "a message without user_id has no role that may send it: publish as a broker user with the role "
        "operator or storefront, with user_id set to that user"
    )


def test_a_message_that_names_no_sender_ends_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(OrderCreate, "SENDERS")
    with pytest.raises(TypeError, match=r"order\.create\.v1 names no SENDERS"):
        registry._registry()


ACTING = sorted(
    model.TYPE
    for model in MODELS.values()
    if model.KIND in (MessageKind.COMMAND, MessageKind.QUERY)
    and (Role.STOREFRONT in model.SENDERS or {Role.OPERATOR} == model.SENDERS)
)
"""What a storefront sends for a buyer, or operators alone send, acts for somebody; a machine's own messages do not."""


@pytest.mark.parametrize("type_", ACTING)
def test_every_message_that_acts_for_somebody_names_an_actor(type_: str) -> None:
    """Without one it is refused with AUTH_REQUIRED; as an operator without that role with AUTH_FORBIDDEN (S0-31)."""
    model, body = MODELS[type_], example(type_)
    operator = body | {"actor": {"type": "operator", "id": "ops-7"}}
    assert [
        sent(model.model_validate_json(orjson.dumps(operator)), role) for role in (Role.STOREFRONT, Role.OPERATOR)
    ] == [
        Code.AUTH_FORBIDDEN,
        None,
    ]
    for actor in ({}, {"actor": None}, {"actor": {"id": "u1"}}, {"actor": {"type": "user"}}):
        without = {name: value for name, value in body.items() if name != "actor"} | actor
        faults = read(model, orjson.dumps(without)).faults
        assert why_unread(faults, MessageCode.MESSAGE_INVALID)[0] == MessageCode.AUTH_REQUIRED, actor


def test_a_machine_that_sends_an_actor_is_not_to_name_one() -> None:
    """Its message is invalid as with any unknown field."""
    faults = read(MODELS["stock.receive.v1"], orjson.dumps(example("stock.receive.v1") | {"actor": None})).faults
    assert why_unread(faults, MessageCode.MESSAGE_INVALID)[0] == MessageCode.MESSAGE_INVALID


NOW = datetime.now(UTC)
TOMORROW, YESTERDAY = (int((NOW + timedelta(days=days)).timestamp()) for days in (1, -1))
TOKEN_TRUST = Trust(frozenset({"relay"}), {"app": frozenset()}, keys())
OPEN = ["payment.callback.v1"]
"""What its own signature proves, whoever sends it."""
WITH_ACTOR = [
    (type_, actor)
    for type_ in FROM_OTHERS
    if "actor" in example(type_)
    for actor in (("user", "operator") if Role.STOREFRONT in SENDERS[MODELS[type_].routing_key()] else ("operator",))
]
MACHINES: list[tuple[str, str | None]] = [(type_, None) for type_ in FROM_OTHERS if "actor" not in example(type_)]
SAYINGS = [*WITH_ACTOR, *MACHINES]
"""Each message, with each kind of actor that it may have; the messages of machines have none."""


def right_roles(type_: str, actor: str | None) -> frozenset[Role]:
    """The roles that may send it: those of the table, but a storefront for users alone."""
    senders = SENDERS[MODELS[type_].routing_key()]
    return frozenset(senders if actor in (None, "user") else senders - {Role.STOREFRONT})


def actor_id(type_: str, actor: str | None) -> str:
    return (example(type_).get("user_id") or "user-77") if actor == "user" else "ops-7"


@cache
def signed(subject: str, roles: Collection[Role], exp: int = TOMORROW) -> str:
    return token(NOW, sub=subject, roles=sorted(roles), exp=exp)


def token_answer(type_: str, actor: str | None, authorization: str) -> str:
    """What the message meets: allowed, the reason of its dead letter, or the code of its rejection."""
    model, body = MODELS[type_], example(type_)
    if actor is not None:
        body |= {"actor": {"type": actor, "id": actor_id(type_, actor)}}
    about: dict[str, Any] = {"exchange": NAMES.exchange_of(model.KIND), "user_id": "app"}
    arrived = delivery(type_, body, headers={"authorization": authorization}, reply_to=f"amq.gen-{'x' * 22}", **about)
    work = Decoder(QUEUE_OF[type_], NAMES, TOKEN_TRUST)(arrived)
    if work.failure is not None:
        return work.failure.reason
    (envelope,) = work.envelopes
    refusal = None if model.KIND is MessageKind.FACT else unvouched(envelope)
    return refusal.code if refusal else "allowed"


def refused(type_: str, code: Code) -> str:
    """How it is refused: a fact has nobody to answer."""
    if type_ in OPEN:
        return "allowed"
    return "untrusted_user" if MODELS[type_].KIND is MessageKind.FACT else code


@pytest.mark.parametrize(("type_", "actor"), SAYINGS)
def test_a_token_with_the_role_and_the_actors_subject_may_send_it(type_: str, actor: str | None) -> None:
    own = actor_id(type_, actor)
    roles = sorted(right_roles(type_, actor))
    assert roles
    assert {role: token_answer(type_, actor, signed(own, frozenset({role}))) for role in roles} == dict.fromkeys(
        roles, "allowed"
    )


@pytest.mark.parametrize(("type_", "actor"), SAYINGS)
def test_a_token_of_another_than_the_actor_may_not(type_: str, actor: str | None) -> None:
    """An operator's token may for a buyer; and a machine names no actor, so that its subject does not matter."""
    expected = {
        role: "allowed" if actor is None or (actor, role) == ("user", Role.OPERATOR) else Code.AUTH_FORBIDDEN
        for role in sorted(right_roles(type_, actor))
    }
    assert {role: token_answer(type_, actor, signed("zed", frozenset({role}))) for role in expected} == expected


@pytest.mark.parametrize(("type_", "actor"), SAYINGS)
def test_a_token_without_the_role_may_not_whatever_other_roles_it_has(type_: str, actor: str | None) -> None:
    others = frozenset(Role) - right_roles(type_, actor)
    given = [signed(actor_id(type_, actor), roles) for roles in (others, frozenset[Role]())]
    assert [token_answer(type_, actor, one) for one in given] == [refused(type_, Code.AUTH_FORBIDDEN)] * 2


@pytest.mark.parametrize(("type_", "actor"), SAYINGS)
def test_an_expired_token_gives_nothing_whatever_its_roles(type_: str, actor: str | None) -> None:
    expired = signed(actor_id(type_, actor), frozenset(Role), YESTERDAY)
    assert token_answer(type_, actor, expired) == refused(type_, Code.AUTH_REQUIRED)


def test_the_table_has_every_message_from_outside_and_every_kind_of_its_actor() -> None:
    assert {type_ for type_, _ in SAYINGS} == set(FROM_OTHERS)
    assert [type_ for type_ in FROM_OTHERS if SENDERS[MODELS[type_].routing_key()] == set(Role)] == OPEN
    assert {actor for _, actor in SAYINGS} == {"user", "operator", None}
