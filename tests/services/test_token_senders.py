"""Senders with a token of the shop's permission service: what they may send, and as whom."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from db import cipher
from messages.roles import Role
from messages.user_roles import ORIGIN_TOKEN, Trust
from tests.runtime.builders import DELETE, NAMES, PAYMENT, delete, delivery, payment
from tests.workers.token_builders import OTHER, keys, token
from workers.handlers.dead_letters import letter
from workers.runtime.decode import Decoder, Work
from workers.runtime.delivery import RawDelivery
from workers.runtime.republish import dead_headers, properties, retry_headers
from workers.services.authorization import unvouched

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


@pytest.mark.parametrize("header", [OPERATOR, EXPIRED], ids=["operator", "expired"])
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
    kept = letter(RawDelivery.taken("unrouted", arrived), frozenset({"relay"}))
    assert orjson.loads(kept.headers)["headers"].keys() & {"authorization", "Authorization", "x"} == {"x"}
    work = Decoder("order-changes", NAMES, TRUST)(arrived)
    assert work.failure is not None
    assert OPERATOR not in str(dead_headers(work, work.failure))
