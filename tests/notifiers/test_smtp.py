"""E-mails over a real SMTP server that misbehaves, or that demands TLS and a login."""

import socket
import ssl
import traceback
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword

from scripts.gateways.authorities import Authority, new_key, pem, private_pem
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
    assert (mail["Content-Language"], mail["Auto-Submitted"]) == ("zh", "auto-generated")
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


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a server on localhost shows, and the file with the authority that vouches for it."""
    folder, authority, key = tmp_path_factory.mktemp("tls"), Authority("Mail", datetime.now(UTC)), new_key()
    shown = authority.certificate(
        key.public_key(), "mail", dns="localhost", since=datetime.now(UTC) - timedelta(days=1)
    )
    for name, text in {
        "key.pem": private_pem(key),
        "chain.pem": pem(shown) + pem(authority.issuer),
        "roots.pem": pem(authority.root),
    }.items():
        (folder / name).write_text(text)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    return {"context": context, "roots": folder / "roots.pem"}


def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, given: LoginPassword) -> AuthResult:
    right = (given.login, given.password) == (b"shop", b"s3:cret")
    return AuthResult(success=right, handled=right)


def demanding(identity: dict[str, Any]) -> dict[str, Any]:
    """A server that takes nothing without STARTTLS and a login."""
    starting_tls = {"tls_context": identity["context"], "require_starttls": True}
    return starting_tls | {"auth_required": True, "authenticator": authenticate}


LOGIN, WRONG = "shop:s3%3Acret", "shop:0ld-s3cret"
REFUSALS = [
    (f"smtp+starttls://{WRONG}@localhost", True, r"does not let us log in: SMTP_535"),
    (f"smtp+starttls://{LOGIN}@localhost", False, r"does not begin TLS: we do not trust its certificate: .*unable to"),
    (f"smtp+starttls://{LOGIN}@127.0.0.1", True, r"we do not trust its certificate: IP address mismatch"),
    (f"smtps://{LOGIN}@localhost", True, r"is not reached: SMTPConnectError"),
]


async def test_a_letter_goes_over_starttls_with_a_login(identity: dict[str, Any]) -> None:
    async with open_mailbox(**demanding(identity)) as mailbox:
        url = f"smtp+starttls://{LOGIN}@localhost:{mailbox.port}"
        assert await sender(f"{url}?cafile={identity['roots']}").send(LETTER) == LetterAccepted()
        with pytest.raises(ProviderAwayError, match="refuses our mailbox: SMTP_530"):
            await sender(f"smtp://localhost:{mailbox.port}").send(LETTER)
    assert len(mailbox.letters) == 1


@pytest.mark.parametrize(("url", "trusts", "why"), REFUSALS)
async def test_a_wrong_certificate_or_password_is_named_and_not_shown(
    identity: dict[str, Any], url: str, trusts: bool, why: str
) -> None:
    async with open_mailbox(**demanding(identity)) as mailbox:
        query = f"?cafile={identity['roots']}" if trusts else ""
        with pytest.raises(ProviderAwayError, match=why) as raised:
            await sender(f"{url}:{mailbox.port}{query}").send(LETTER)
    shown = "".join(traceback.format_exception(raised.value))
    assert not any(secret in shown for secret in ("s3:cret", "s3%3Acret", "0ld-s3cret"))
    assert mailbox.letters == {}


async def test_a_server_without_tls_gets_neither_letter_nor_password() -> None:
    async with open_mailbox() as mailbox:
        with pytest.raises(ProviderAwayError, match="does not begin TLS: it does not offer that"):
            await sender(f"smtp+starttls://{LOGIN}@localhost:{mailbox.port}").send(LETTER)
    assert mailbox.letters == {}


@pytest.mark.parametrize(
    ("url", "mailbox"),
    [
        ("http://x", "a@b.example"),
        ("smtp://", "a@b.example"),
        ("smtp://x", "shop"),
        ("smtps://x?cafile=/none", "a@b.example"),
    ],
)
def test_a_wrong_setting_is_refused(url: str, mailbox: str) -> None:
    with pytest.raises(ValueError, match=r"SMTP server|mailbox|cafile"):
        SmtpSender(url, mailbox, 1.0)
