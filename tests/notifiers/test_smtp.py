"""E-mails over a real SMTP server that misbehaves."""

import socket

import pytest

from tests.notifiers.fake_mailbox import open_mailbox
from workers.notifiers.port import BuyerLetter, LetterAccepted, LetterRefused
from workers.notifiers.smtp import SmtpSender
from workers.providers.calls import ProviderAwayError
from workers.providers.port import UnknownOutcome

LETTER = BuyerLetter("k1", "order_paid", "7", "zh", "ada@mail.example", "订单已付款", "您好", "短", "<p>您好</p>")


def sender(url: str) -> SmtpSender:
    return SmtpSender(url, "Shop <orders@shop.example>", timeout_seconds=0.5)


async def test_a_letter_arrives_with_text_html_and_its_key() -> None:
    async with open_mailbox() as mailbox:
        assert await sender(mailbox.url).send(LETTER) == LetterAccepted()
        [(message_id, mail)] = mailbox.letters.items()
    assert message_id == "<k1@shop.example>"
    assert (mail["From"], mail["To"], mail["Subject"]) == ("Shop <orders@shop.example>", LETTER.address, LETTER.subject)
    bodies = [mail.get_body([kind]) for kind in ("plain", "html")]
    assert [body.get_content().strip() for body in bodies if body] == ["您好", "<p>您好</p>"]


@pytest.mark.parametrize(
    ("habit", "expected"),
    [
        ("refuse", LetterRefused("SMTP_550")),
        ("later", UnknownOutcome("SMTP_451")),
        ("hang", UnknownOutcome("TimeoutError")),
        ("drop", UnknownOutcome("SMTPServerDisconnected")),
    ],
)
async def test_a_server_that_misbehaves(habit: str, expected: object) -> None:
    async with open_mailbox() as mailbox:
        mailbox.habit = habit
        assert await sender(mailbox.url).send(LETTER) == expected


async def test_a_letter_that_is_sent_again_has_the_same_message_id() -> None:
    """SMTP is at least once: the server took it and did not say so. One that remembers the id drops the copy."""
    async with open_mailbox() as mailbox:
        mailbox.habit = "drop"
        await sender(mailbox.url).send(LETTER)
        mailbox.habit = ""
        assert await sender(mailbox.url).send(LETTER) == LetterAccepted()
    assert (len(mailbox.letters), mailbox.copies) == (1, 1)


async def test_a_server_that_is_not_there_is_away() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(ProviderAwayError, match="not reached"):
            await sender(f"smtp://user:secret@127.0.0.1:{free.getsockname()[1]}").send(LETTER)


@pytest.mark.parametrize(
    ("url", "mailbox"), [("http://x", "a@b.example"), ("smtp://", "a@b.example"), ("smtp://x", "shop")]
)
def test_a_wrong_setting_is_refused(url: str, mailbox: str) -> None:
    with pytest.raises(ValueError, match=r"SMTP server|mailbox"):
        SmtpSender(url, mailbox, 1.0)
