"""A reply goes only to a queue of the asking user's role, or to one that the broker named."""

from base64 import b64encode

import pytest

from messages.reply_addresses import DIRECT, refusal
from messages.roles import Role

KEY = b64encode(bytes(range(16))).decode()
TAIL = bytes([0, 0, 3, 0xBB, 0, 0, 0, 0, 0x6B, 0x0B, 0x40, 0xB4])


def direct(node: bytes = b"reply@26258948", tail: bytes = TAIL, key: str = KEY, length: int | None = None) -> str:
    """A name of direct reply-to, as the broker writes it."""
    term = b"\x83Xv" + (len(node) if length is None else length).to_bytes(2, "big") + node + tail
    return f"{DIRECT}{b64encode(term).decode()}.{key}"


SEEN = [
    # as these brokers made them
    ("3.10.8", "amq.rabbitmq.reply-to.g1h2AA5yZXBseUAyNjI1ODk0OAAAA7sAAAAAawtAtA==.26MQbMh+KwarwC4wlRap+w=="),
    ("4.0", "amq.rabbitmq.reply-to.g1h2AA5yZXBseUA0MjAzNjc0MAAAFZwAAAAAaws+KA==.a0wjC5rW7o50xz+3M1csHw=="),
    ("4.3", "amq.rabbitmq.reply-to.g1h2AA5yZXBseUA0MTk3MTIwNAAABE0AAAAAaws/4A==.OKSeNyszCqW7rf4r/GIT1g=="),
    ("a queue named by 3.10.8", "amq.gen-4uUESp1p2bmzMkjUNMHdSA"),
    ("a queue named by 4.0", "amq.gen-kngNsyqzr4JcQIGf9vB0ag"),
    ("a queue named by 4.3", "amq.gen-EBWC9cIv2czTWdoylb0nqg"),
]
ALLOWED = [
    ("of a role", "client.storefront.checkout", "checkout", {Role.STOREFRONT}),
    ("of one of several roles", "client.operator.a.b", "anna", {Role.MARKETING, Role.OPERATOR}),
    ("of the user's name", "client.checkout.1", "checkout", set[Role]()),
]
REFUSED = [
    ("another role's queue", "client.payments.results", "checkout", {Role.STOREFRONT}),
    ("a role that begins like it", "client.storefronts.x", "checkout", {Role.STOREFRONT}),
    ("a role without its queue", "client.storefront.", "checkout", {Role.STOREFRONT}),
    ("a role's queue without a user", "client.storefront.x", None, set[Role]()),
    ("a user's name in the place of none", "client.None.x", None, set[Role]()),
    ("a queue of ours", "oms.stock", "checkout", {Role.STOREFRONT}),
    ("a queue of another shop", "shop2.stock", "checkout", {Role.STOREFRONT}),
    ("any other name", "replies", "checkout", {Role.STOREFRONT}),
    ("nothing", "", "checkout", {Role.STOREFRONT}),
    ("256 bytes", "client.storefront." + "x" * 238, "checkout", {Role.STOREFRONT}),
    ("256 bytes in half as many characters", "client.storefront." + "é" * 119, "checkout", {Role.STOREFRONT}),
    ("bytes that are not UTF-8", "client.storefront.\udcff", "checkout", {Role.STOREFRONT}),
    ("a blank", "client.storefront.a b", "checkout", {Role.STOREFRONT}),
    ("a line break", "client.storefront.a\n", "checkout", {Role.STOREFRONT}),
    ("a short name of the broker", "amq.gen-x", "checkout", {Role.STOREFRONT}),
    ("an exchange of the broker", "amq.direct", "checkout", {Role.STOREFRONT}),
    ("direct reply-to, not yet replaced", "amq.rabbitmq.reply-to", "checkout", {Role.STOREFRONT}),
    ("what closes the channel of 3.10", "amq.rabbitmq.reply-to.AAAA.B", "checkout", {Role.STOREFRONT}),
]
NOT_DIRECT = [
    ("without a key", direct(key="")),
    ("with a short key", direct(key=b64encode(b"x" * 15).decode())),
    ("with a key that is no base64", direct(key=KEY[:-1])),
    ("of a node that is none of a broker's", direct(node=b"rabbit@host")),
    ("of a node with letters", direct(node=b"reply@abc")),
    ("of a node with a long number", direct(node=b"reply@99999999999")),
    ("with the wrong length of its node", direct(length=13)),
    ("with a longer process", direct(tail=TAIL + b"x")),
    ("with another term", f"{DIRECT}{b64encode(bytes([0x83, 0x77, 1, 97])).decode()}.{KEY}"),
    ("with a third part", f"{direct()}.x"),
    ("with base64 of URLs", direct(key="-_" + KEY[2:])),
]


@pytest.mark.parametrize(("case", "address"), SEEN, ids=[row[0] for row in SEEN])
def test_what_a_broker_named_is_an_address_for_anyone(case: str, address: str) -> None:
    assert refusal(address, None, set()) is None


@pytest.mark.parametrize(("case", "address", "user", "roles"), ALLOWED, ids=[row[0] for row in ALLOWED])
def test_a_queue_of_the_users_own_is_an_address(case: str, address: str, user: str, roles: set[Role]) -> None:
    assert refusal(address, user, roles) is None


@pytest.mark.parametrize(("case", "address", "user", "roles"), REFUSED, ids=[row[0] for row in REFUSED])
def test_anything_else_is_refused(case: str, address: str, user: str | None, roles: set[Role]) -> None:
    assert refusal(address, user, roles)


@pytest.mark.parametrize(("case", "address"), NOT_DIRECT, ids=[row[0] for row in NOT_DIRECT])
def test_only_the_form_of_the_broker_is_direct_reply_to(case: str, address: str) -> None:
    assert refusal(direct(), "checkout", set()) is None
    assert refusal(address, "checkout", {Role.STOREFRONT})
