"""Which mails the demo's buyers must get, and how those that they do not get are named."""

import csv
from pathlib import Path
from typing import Any, cast

import pytest

from scripts.amqp_client import OutgoingMessage, ReceivedMessage
from scripts.demo.command_outcomes import CommandOutcomes
from scripts.demo.mail_check import compare_mails, differences
from scripts.demo.notified_buyers import CHINESE, ENGLISH, NOT_WANTED, QUIET, WISHES, NotifiedBuyers
from scripts.demo.role_links import RoleLinks


class ContactLink(RoleLinks):
    """A link to an order system that sets each contact at once."""

    def __init__(self, outcomes: CommandOutcomes) -> None:
        super().__init__({})
        self.outcomes, self.sent = outcomes, list[Any]()

    async def send(self, message: OutgoingMessage, *, signed: bool = True) -> None:
        self.sent.append(message.body)
        self.outcomes.receive(ReceivedMessage("contact.changed.v1", {}, message.message_id))


def order_event(kind: str, user: str, version: int, **changes: Any) -> ReceivedMessage:
    body = {"order_id": user, "order_no": f"no-{user}", "user_id": user, "version": version, "previous": "paid"}
    return ReceivedMessage(f"order.{kind}.v1", body | changes, "c")


async def test_each_event_must_cause_the_mail_that_its_buyer_wants(tmp_path: Path) -> None:
    file, outcomes = tmp_path / "mails.csv", CommandOutcomes()
    buyers = NotifiedBuyers(link := ContactLink(outcomes), outcomes, file)
    users = [f"u{number}" for number in range(len(WISHES))]
    for user in (*users, "u0"):
        await buyers.introduce(user)
    assert [body["user_id"] for body in link.sent] == ["u0", "u1", "u2", "u3"]
    assert [sorted(body["opt_outs"]) for body in link.sent if body["opt_outs"]] == [["order_created", "service"]]

    for user in users:
        for kind, version in (("created", 1), ("paid", 2), ("paid", 2), ("completed", 3)):
            buyers.receive(order_event(kind, user, version))
    buyers.receive(order_event("cancelled", "u0", 9, order_id="part", parent_id="u0", previous="awaiting_payment"))
    buyers.receive(ReceivedMessage("refund.succeeded.v1", {"order_id": "u1", "refund_no": "R1"}, "c"))
    buyers.write()
    with file.open(encoding="utf-8", newline="") as opened:
        found = sorted(csv.reader(opened))
    assert found == [
        ["u0@mail.example", "en", "0", "order no-u0 awaits payment"],
        ["u0@mail.example", "en", "0", "order no-u0 is paid"],
        ["u1@mail.example", "zh", "0", "订单 no-u1 已付款"],
        ["u1@mail.example", "zh", "0", "订单 no-u1 待付款"],
        ["u1@mail.example", "zh", "0", "订单 no-u1 的退款"],
        ["u2@mail.example", "zh", "0", "订单 no-u2 已付款"],
        ["u3@mail.example", "en", "1", "order no-u3 awaits payment"],
        ["u3@mail.example", "en", "1", "order no-u3 is paid"],
    ]
    assert buyers.did == {ENGLISH: 2, CHINESE: 4, QUIET: 2, NOT_WANTED: 1}


PAID = ("ada@mail.example", "en", "order 7 is paid")


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        ([PAID], []),
        ([], ["ada@mail.example has no mail in en: order 7 is paid"]),
        ([PAID, PAID], ["ada@mail.example has a mail too many in en: order 7 is paid"]),
    ],
)
def test_a_mail_that_is_missing_or_too_many_is_named(came: list[tuple[str, str, str]], expected: list[str]) -> None:
    assert differences([PAID], came) == expected


async def test_a_client_that_wrote_no_file_is_a_difference(tmp_path: Path) -> None:
    found = await compare_mails(cast(Any, None), tmp_path / "mails.csv", [{"copies": 1}])
    assert found.mails == 1
    assert found.differences == ["the client has not written mails.csv: its mails cannot be checked"]
