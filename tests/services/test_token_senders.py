"""Senders with a token of the shop's permission service: what they may send, and as whom."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from db import cipher
from messages.roles import Role
from messages.strict_json import Fault
from messages.user_roles import ORIGIN_TOKEN, Trust
from tests.runtime.builders import DELETE, NAMES, PAYMENT, delete, delivery, payment
from tests.workers.token_builders import OTHER, keys, token
from workers.handlers.dead_letters import letter
from workers.runtime.decode import Decoder, Work
from workers.runtime.delivery import Delivery, RawDelivery
from workers.runtime.errors import Failure
from workers.runtime.republish import dead_headers, properties, retry_headers
from workers.services.authorization import unvouched
from workers.services.dead_letters import again
from workers.store.dead_letters import AAD

ROLES = {"desk": frozenset({Role.OPERATOR}), "shop": frozenset({Role.STOREFRONT}), "mail": frozenset({Role.NOTIFIER})}
TRUST = Trust(own=frozenset({"relay"}), roles=ROLES, tokens=keys())
QUEUE_OF = {DELETE: "order-changes", PAYMENT: "payment-results"}


def now() -> datetime:
    return datetime.now(UTC)


def read(type_: str, body: Any, trust: Trust = TRUST, **about: Any) -> Work:
    """What the decoder makes of a message; `authorization` is its header."""
    headers = {name: about.pop(name) for name in ("authorization", ORIGIN_TOKEN) if name in about}
    return Decoder(QUEUE_OF[type_], NAMES, trust)(delivery(type_, body, headers=headers, **about))


def answer(authorization: Any, user: str | None, actor: tuple[str, str], trust: Trust = TRUST) -> str:
    """What a buyer's or operator's command meets."""
    headers = {} if authorization is None else {"authorization": authorization}
    body = delete(actor={"type": actor[0], "id": actor[1]})
    work = read(DELETE, body, trust, user_id=user, **headers)
    assert work.failure is None, work.failure
    refusal = unvouched(work.envelopes[0])
    return refusal.code if refusal else "allowed"


ADA, BOB, ANNA = ("user", "ada"), ("user", "bob"), ("operator", "anna")
FRESH = now()
TOMORROW = int((FRESH + timedelta(days=1)).timestamp())  # these tokens are made once, and a run of all tests takes long
NOTHING, OPERATOR, STOREFRONT = (token(FRESH, sub=sub, roles=roles, exp=TOMORROW) for sub, roles in [
    ("ada", []),
    ("anna", ["operator"]),
    ("ada", ["storefront"]),
])  # fmt: skip
EXPIRED = token(FRESH - timedelta(hours=1), sub="anna")
FORGED = token(FRESH, OTHER, sub="anna")
CASES = [
    ("no token: the broker user's roles count", None, "shop", ADA, "allowed"),
    ("no token: a storefront is no operator", None, "shop", ANNA, "AUTH_FORBIDDEN"),
    ("a buyer's token", NOTHING, "shop", ADA, "allowed"),
    ("another buyer's token", NOTHING, "shop", BOB, "AUTH_FORBIDDEN"),
    ("a token without roles gives none", NOTHING, "mail", ADA, "AUTH_FORBIDDEN"),
    ("a token gives its roles to a broker user without", STOREFRONT, "mail", ADA, "allowed"),
    ("a token gives its roles to a sender without user_id", STOREFRONT, None, ADA, "allowed"),
    ("an operator's token", OPERATOR, "mail", ANNA, "allowed"),
    ("an operator's token acts for any buyer", OPERATOR, "mail", BOB, "allowed"),
    ("an operator's token is not that of another operator", OPERATOR, "mail", ("operator", "bob"), "AUTH_FORBIDDEN"),
    ("a role of the broker user does not outlive a wrong token", EXPIRED, "shop", ADA, "AUTH_REQUIRED"),
    ("an expired token", EXPIRED, "mail", ANNA, "AUTH_REQUIRED"),
    ("a forged token", FORGED, "mail", ANNA, "AUTH_REQUIRED"),
    ("no token at all", "Bearer x", "shop", ADA, "AUTH_REQUIRED"),
    ("an empty header", "", "shop", ADA, "AUTH_REQUIRED"),
    ("a header that is no text", 7, "shop", ADA, "AUTH_REQUIRED"),
    (
        "a buyer's token acts for no other buyer, also through an operator's user",
        NOTHING,
        "desk",
        BOB,
        "AUTH_FORBIDDEN",
    ),
]


@pytest.mark.parametrize(("given", "user", "actor", "expected"), [row[1:] for row in CASES], ids=[c[0] for c in CASES])
def test_what_a_token_allows(given: Any, user: str | None, actor: tuple[str, str], expected: str) -> None:
    assert answer(given, user, actor) == expected


def test_a_shop_without_a_permission_service_reads_no_token() -> None:
    alone = replace(TRUST, tokens=None)
    assert answer("Bearer x", "shop", ADA, alone) == "allowed"
    assert answer(OPERATOR, "mail", ANNA, alone) == "AUTH_FORBIDDEN"


def test_a_fact_needs_a_role_of_its_broker_user_or_of_a_token_that_is_believed() -> None:
    body = payment()
    paying = token(now(), sub="pay-1", roles=["payments"])
    assert read(PAYMENT, body, user_id="mail", authorization=paying).failure is None
    for header, why in ((OPERATOR, "needs the role payments"), (EXPIRED, "its token has expired")):
        failure = read(PAYMENT, body, user_id="mail", authorization=header).failure
        assert failure is not None
        assert failure.reason == "untrusted_user"
        assert why in failure.message


EAST = token(FRESH, sub="anna", roles=["operator"], warehouses=["east"], exp=TOMORROW)


@pytest.mark.parametrize("header", [OPERATOR, EXPIRED, EAST], ids=["operator", "expired", "of a warehouse"])
def test_a_retry_keeps_what_the_token_gave_and_the_token_goes_no_further(header: str) -> None:
    body = delete(actor={"type": "operator", "id": "anna"})
    first = read(DELETE, body, user_id="mail", authorization=header)
    sent = properties(first, "relay", retry_headers(first))
    assert header not in str(vars(sent))
    assert header.rpartition(".")[2] not in str(sent.headers)
    kept = {ORIGIN_TOKEN: (sent.headers or {})[ORIGIN_TOKEN], "origin-user": "mail"}
    about: dict[str, Any] = {"exchange": "", "routing_key": "oms.order-changes", "user_id": "relay"}
    again = Decoder("order-changes", NAMES, TRUST)(delivery(DELETE, body, headers=kept, **about))
    assert again.failure is None
    assert again.sent_by == first.sent_by
    assert unvouched(again.envelopes[0]) == unvouched(first.envelopes[0])


def test_a_sender_works_for_the_warehouses_that_both_the_setting_and_the_token_name() -> None:
    bound = replace(TRUST, warehouses={"wms": frozenset({"main", "east"}), "dock": frozenset({"main"})})

    def works_for(user: str, header: str | None = None) -> frozenset[str] | None:
        headers = {} if header is None else {"authorization": header}
        work = read(DELETE, delete(actor={"type": "operator", "id": "anna"}), bound, user_id=user, **headers)
        return work.envelopes[0].warehouses

    assert (works_for("mail"), works_for("relay"), works_for("mail", OPERATOR)) == (None, None, None)
    assert works_for("wms") == works_for("wms", OPERATOR) == frozenset({"main", "east"})
    assert works_for("mail", EAST) == works_for("wms", EAST) == frozenset({"east"})
    assert works_for("dock", EAST) == frozenset()


def test_a_carrier_is_bound_by_its_broker_user_with_a_token_and_without() -> None:
    bound = replace(TRUST, carriers={"sf-app": frozenset({"sf"})})
    for user, header, expected in (("sf-app", None, {"sf"}), ("sf-app", OPERATOR, {"sf"}), ("mail", OPERATOR, None)):
        headers = {} if header is None else {"authorization": header}
        work = read(DELETE, delete(actor={"type": "operator", "id": "anna"}), bound, user_id=user, **headers)
        assert work.envelopes[0].carriers == (expected and frozenset(expected))


def test_only_our_own_users_vouch_for_a_token_that_was_read_before() -> None:
    mine = orjson.dumps({"subject": "anna", "roles": ["operator"], "fault": None}).decode()
    body = delete(actor={"type": "operator", "id": "anna"})
    carried: dict[str, Any] = {ORIGIN_TOKEN: mine}
    work = read(DELETE, body, user_id="mail", **carried)
    assert work.sent_by.roles == {Role.NOTIFIER}
    assert unvouched(work.envelopes[0]) is not None


def test_a_replay_address_is_that_of_the_broker_user_alone() -> None:
    body = delete(actor={"type": "operator", "id": "anna"})
    work = read(DELETE, body, user_id="mail", authorization=OPERATOR, reply_to="client.operator.a")
    assert work.failure is not None
    assert work.reply_to is None


def test_no_dead_letter_keeps_a_token() -> None:
    cipher.configure(cipher.new_key("k1"))
    arrived = delivery(DELETE, b"{", headers={"authorization": OPERATOR, "Authorization": OPERATOR, "x": "kept"})
    kept = letter(RawDelivery.taken("unrouted", arrived), TRUST, now())
    assert orjson.loads(kept.headers)["headers"].keys() & {"authorization", "Authorization", "x"} == {"x"}
    work = Decoder("order-changes", NAMES, TRUST)(arrived)
    assert work.failure is not None
    assert OPERATOR not in str(dead_headers(work, work.failure))


def replayed(arrived: Delivery, trust: Trust = TRUST, queue: str = "order-changes.dlq") -> Work:
    """What the worker reads when the dead letter of this delivery is replayed, long after every token has expired."""
    cipher.configure(cipher.new_key("k1"))
    kept = letter(RawDelivery.taken(queue, arrived), trust, now())
    key_id, body = cipher.current().encrypt(kept.body, AAD)
    _, headers = cipher.current().encrypt(kept.headers, AAD)
    row = vars(kept) | {"id": 1, "key_id": key_id, "body": body, "headers": headers}
    announced = again(row, "order-changes")
    about: dict[str, Any] = {"exchange": "", "routing_key": "oms.order-changes", "user_id": "relay"}
    sent = delivery(DELETE, orjson.loads(kept.body), headers=dict(announced.headers), message_id="m", **about)
    return Decoder("order-changes", NAMES, trust)(sent)


def died(body: Any, *, ours: bool, **about: Any) -> Delivery:
    """A message as it reaches the dead letters: sent there by our worker, or by the broker, as its sender made it."""
    headers = {name: about.pop(name) for name in ("authorization", ORIGIN_TOKEN, "origin-user") if name in about}
    arrived = delivery(DELETE, body, headers=headers, **about)
    if not ours:
        return arrived
    work = Decoder("order-changes", NAMES, TRUST)(arrived)
    sent = properties(work, "relay", dead_headers(work, Failure.invalid(Fault("$", "x", "x"))))
    return delivery(DELETE, body, headers=dict(sent.headers or {}), user_id="relay", exchange="oms.dlx")


BY_ANNA = delete(actor={"type": "operator", "id": "anna"})
BY_BOB = delete(actor={"type": "operator", "id": "bob"})
REPLAYS = [
    ("an operator's token", BY_ANNA, OPERATOR, "mail", "allowed"),
    ("a token acts for its subject alone", BY_BOB, OPERATOR, "mail", "AUTH_FORBIDDEN"),
    ("a role of the broker user does not replace the subject", BY_BOB, OPERATOR, "desk", "AUTH_FORBIDDEN"),
    ("an expired token", BY_ANNA, EXPIRED, "desk", "AUTH_REQUIRED"),
    ("a forged token", BY_ANNA, FORGED, "desk", "AUTH_REQUIRED"),
    ("no token: the broker user's roles count", BY_ANNA, None, "desk", "allowed"),
    ("no token and no role", BY_ANNA, None, "mail", "AUTH_FORBIDDEN"),
]


@pytest.mark.parametrize("ours", [True, False], ids=["by our worker", "by the broker"])
@pytest.mark.parametrize(
    ("body", "header", "user", "expected"), [row[1:] for row in REPLAYS], ids=[r[0] for r in REPLAYS]
)
def test_a_replay_has_the_rights_of_its_first_sender(
    body: Any, header: str | None, user: str, expected: str, ours: bool
) -> None:
    """Of the broker user and of the subject of its token, and no more: whoever replays it adds nothing (S0-31)."""
    token_of: dict[str, Any] = {} if header is None else {"authorization": header}
    arrived = died(body, ours=ours, user_id=user, **token_of)
    first = read(DELETE, body, user_id=user, **token_of)
    work = replayed(arrived)
    assert work.failure is None
    refusal = unvouched(work.envelopes[0])
    assert (refusal.code if refusal else "allowed") == expected
    assert work.sender == first.sender  # so that it is known as the same message


def test_no_foreign_user_gives_itself_a_subject_or_roles_through_a_dead_letter() -> None:
    mine = orjson.dumps({"subject": "anna", "roles": ["operator"], "fault": None}).decode()
    forged: dict[str, Any] = {ORIGIN_TOKEN: mine, "origin-user": "desk", "user_id": "mail"}
    for queue in ("order-changes.dlq", "unrouted"):
        work = replayed(died(BY_ANNA, ours=False, **forged), queue=queue)
        assert (work.user, work.sent_by.roles, work.sent_by.subject) == ("mail", frozenset({Role.NOTIFIER}), None)


@pytest.mark.parametrize("carried", ["{", "[]", "7", '{"subject": "a", "roles": ["none of ours"], "fault": null}'])
def test_what_this_version_cannot_read_of_a_carried_token_gives_no_right(carried: str) -> None:
    about: dict[str, Any] = {"exchange": "", "routing_key": "oms.order-changes", "user_id": "relay"}
    kept = {ORIGIN_TOKEN: carried, "origin-user": "desk"}
    work = Decoder("order-changes", NAMES, TRUST)(delivery(DELETE, BY_ANNA, headers=kept, **about))
    assert work.failure is None
    refusal = unvouched(work.envelopes[0])
    assert refusal is not None
    assert refusal.code == "AUTH_REQUIRED"


def test_letters_of_two_senders_are_two_letters() -> None:
    """One who sends another's message again does not become its first sender, whose rights a replay has."""
    senders: list[tuple[str, str | None]] = [("mail", None), ("desk", None), ("mail", OPERATOR), ("mail", NOTHING)]
    arrived = [
        died(BY_ANNA, ours=False, user_id=user, message_id="m", **({} if header is None else {"authorization": header}))
        for user, header in senders
    ]
    kept = [letter(RawDelivery.taken("unrouted", one), TRUST, now()).identity for one in arrived]
    assert len(set(kept)) == len(senders)


def test_ids_of_two_subjects_of_one_broker_user_never_meet() -> None:
    """Messages with the same id, of one broker user, are the same message only if their token is the same person's."""
    headers = [None, NOTHING, OPERATOR, EXPIRED, FORGED, "Bearer x"]
    works = [
        read(DELETE, BY_ANNA, TRUST, user_id="mail", **({} if header is None else {"authorization": header}))
        for header in headers
    ]
    keys = [work.sender for work in works]
    assert keys[2] == keys[3]  # anna's token, and anna's token that has expired
    assert keys[4] == keys[5]  # nobody's tokens
    assert len(set(keys)) == 4
