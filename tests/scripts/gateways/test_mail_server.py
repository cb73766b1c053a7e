"""The mail server of the demo, as the order system's own sender meets it."""

import aiohttp

from scripts.gateways.habits import Habits
from scripts.gateways.mail_server import MailServer
from workers.notifiers.port import BuyerLetter, LetterAccepted
from workers.notifiers.smtp import SmtpSender
from workers.providers.port import UnknownOutcome

SUBJECT = "订单 20261130 已付款, and a subject that is so long that its header takes more than one line"
LETTER = BuyerLetter("k1", "order_paid", "7", "zh", "ada@mail.example", SUBJECT, "您好", "短", "<p>您好</p>")


async def test_a_mail_is_in_the_ledger_once_however_often_it_comes() -> None:
    server = MailServer()
    await server.start()
    sender = SmtpSender(server.smtp_url, "orders@shop.example", 5.0)
    assert [await sender.send(LETTER) for _ in range(2)] == [LetterAccepted()] * 2
    async with aiohttp.ClientSession() as session, session.get(f"{server.origin}/ledger") as answer:
        [mail] = (await answer.json())["mails"]
    await server.close()
    assert mail == {
        "message_id": "<k1@shop.example>",
        "address": LETTER.address,
        "language": "zh",
        "subject": SUBJECT,
        "copies": 2,
    }


async def test_it_refuses_for_now_and_loses_its_answer_as_its_habits_say() -> None:
    for habits, answer, kept in (
        (Habits(error=1.0), UnknownOutcome("SMTP_451"), 0),
        (Habits(lost=1.0), UnknownOutcome("SMTPServerDisconnected"), 1),
    ):
        server = MailServer(habits)
        await server.start()
        assert await SmtpSender(server.smtp_url, "orders@shop.example", 5.0).send(LETTER) == answer
        assert len(server.mails) == kept
        await server.close()
