"""Who may send what: every message and every role, and senders who act for users (S0-31, S1-46)."""

from datetime import UTC, datetime
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
from workers.domain.codes import Code
from workers.runtime.decode import Decoder
from workers.services.authorization import unvouched

BUYERS = {Role.STOREFRONT, Role.OPERATOR}
SENDERS: dict[str, set[Role]] = {
    "order.create": BUYERS,
    "order.number.issue": BUYERS,
    "order.cancel": BUYERS,
    "order.change_address": BUYERS,
    "order.confirm_receipt": BUYERS,
    "order.delete": BUYERS,
    "order.merge": BUYERS,
    "order.shortage.decide": BUYERS,
    "order.hold": {Role.OPERATOR},
    "order.release": {Role.OPERATOR},
    "order.cancel_rest": BUYERS,
    "order.shortage.report": {Role.WAREHOUSE, Role.OPERATOR},
    "order.preview": BUYERS,
    "order.get": BUYERS,
    "order.history": BUYERS,
    "order.list": BUYERS,
    "order.track": BUYERS,
    "order.explain": BUYERS,
    "order.as_of": BUYERS,
    "payment.get": BUYERS,
    "cart.get": BUYERS,
    "coupon.list": BUYERS,
    "points.get": BUYERS,
    "stock.get": BUYERS | {Role.WAREHOUSE},
    "cart.put": BUYERS,
    "fulfilment.get": {Role.WAREHOUSE},
    "fulfilment.accept": {Role.WAREHOUSE},
    "fulfilment.refuse": {Role.WAREHOUSE},
    "fulfilment.pick": {Role.WAREHOUSE},
    "fulfilment.pack": {Role.WAREHOUSE},
    "fulfilment.hand_over": {Role.WAREHOUSE},
    "fulfilment.cancel_accepted": {Role.WAREHOUSE},
    "fulfilment.cancel_refused": {Role.WAREHOUSE},
    "subject.erase": {Role.OPERATOR},
    "subject.export": {Role.OPERATOR},
    "cart.remove": BUYERS,
    "payment.start": BUYERS,
    "payment.callback": set(Role),
    "payment.result": {Role.PAYMENTS},
    "payment.reconcile": {Role.PAYMENTS},
    "refund.result": {Role.PAYMENTS},
    "refund.request": {Role.OPERATOR},
    "risk.result": {Role.OPERATOR},
    "stock.receive": {Role.WAREHOUSE},
    "stock.adjust": {Role.WAREHOUSE},
    "shipment.book": {Role.WAREHOUSE},
    "shipment.create": {Role.WAREHOUSE, Role.OPERATOR},
    "shipment.update": {Role.CARRIER},
    "sku.upsert": {Role.CATALOGUE},
    "settings.set": {Role.CATALOGUE},
    "warehouses.set": {Role.CATALOGUE},
    "revision.reset": {Role.CATALOGUE, Role.OPERATOR},
    "promotion.upsert": {Role.CATALOGUE},
    "coupon_template.upsert": {Role.CATALOGUE},
    "coupon.issue": {Role.MARKETING},
    "points.grant": {Role.MARKETING},
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
    arrived = delivery(type_, example(type_), exchange=exchange, user_id=sender, reply_to=f"amq.gen-{'x' * 22}")
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
    return Code(refusal.code) if refusal else None


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
