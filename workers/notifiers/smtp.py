"""Sends letters as e-mail to an SMTP server: smtp:// in clear, smtp+starttls:// or smtps:// encrypted.

Over the encrypted ones nothing is sent, and nobody logs in, before the server has shown a certificate that we trust.

SMTP delivers at least once: if the connection ends after the letter went over and before the server's answer, it is
sent again. Its Message-ID is made from the idempotency key, so that a server or mailbox that remembers it drops the
copy.
"""

import asyncio
import ssl
from collections.abc import Mapping
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, parseaddr

import aiosmtplib
from prometheus_client import Histogram
from yarl import URL

from workers.notifiers.port import BuyerLetter, LetterAccepted, LetterAnswer, LetterRefused
from workers.providers.calls import ProviderAwayError
from workers.providers.port import UnknownOutcome

TOO_LARGE = 552
LATER = range(400, 500)
STARTTLS = "smtp+starttls"
IN_FLIGHT_MAX = 4  # connections per process: servers limit those of one client
PORTS: Mapping[str, int] = {"smtp": 25, STARTTLS: 587, "smtps": 465}
MAILS = Histogram(
    "oms_smtp_send_seconds",
    "E-mails by outcome: accepted, refused, unknown (no answer in time), away (not reached)",
    ["outcome"],
    buckets=(0.1, 0.5, 2, 10, 30),
)


class SmtpSender:
    """Sends through the server at `url`, smtp+starttls://user:password@host:587, from the mailbox `sender`.

    `?cafile=PATH` names the certificates that it trusts besides those of the system.
    """

    def __init__(self, url: str, sender: str, timeout_seconds: float) -> None:
        self._url = URL(url)
        if self._url.scheme not in PORTS or not self._url.host:
            raise ValueError("is no URL of an SMTP server, such as smtp+starttls://user:password@host:587")
        name, mailbox = parseaddr(sender)
        if "@" not in mailbox:
            raise ValueError("needs the mailbox that e-mails come from, such as Shop <orders@shop.example>")
        self._mailbox = mailbox
        self._from = Address(name, addr_spec=mailbox)
        self._trust = None if self._url.scheme == "smtp" else _trust(self._url.query.get("cafile"))
        self._timeout_seconds = timeout_seconds
        self._busy = asyncio.Semaphore(IN_FLIGHT_MAX)
        self._own_name: str | None = None

    async def send(self, letter: BuyerLetter) -> LetterAnswer:
        """Send one letter. Raises ProviderAwayError if the server is not reached, or refuses our login or mailbox."""
        async with self._busy:
            began, outcome = asyncio.get_running_loop().time(), "accepted"
            try:
                answer = await self._exchange(self.message(letter))
                outcome = {LetterRefused: "refused", UnknownOutcome: "unknown"}.get(type(answer), outcome)
            except ProviderAwayError:
                outcome = "away"
                raise
            finally:
                MAILS.labels(outcome).observe(asyncio.get_running_loop().time() - began)
        return answer

    async def close(self) -> None:
        """Nothing stays open: each letter has a connection of its own."""

    def message(self, letter: BuyerLetter) -> EmailMessage:
        """Build the e-mail, with an HTML part beside the text."""
        made = EmailMessage()
        made["From"], made["To"], made["Subject"] = self._from, letter.address, letter.subject
        made["Date"] = formatdate(usegmt=True)
        made["Message-ID"] = f"<{letter.idempotency_key}@{self._mailbox.rpartition('@')[2]}>"
        made["Auto-Submitted"] = "auto-generated"
        made.set_content(letter.text)
        made.add_alternative(letter.html, subtype="html")
        made["Content-Language"] = letter.language  # set_content drops such a header
        return made

    async def _exchange(self, message: EmailMessage) -> LetterAnswer:
        client = self._client()
        try:
            await self._login(client)
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    await client.send_message(message, sender=self._mailbox, recipients=[str(message["To"])])
            except aiosmtplib.SMTPRecipientsRefused as error:
                return _answer(error.recipients[0].code)
            except aiosmtplib.SMTPSenderRefused as error:
                if error.code in (TOO_LARGE, *LATER):
                    return _answer(error.code)
                raise ProviderAwayError(f"the SMTP server refuses our mailbox: SMTP_{error.code}") from None
            except aiosmtplib.SMTPResponseException as error:
                return _answer(error.code)
            except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
                return UnknownOutcome(type(error).__qualname__)
            return LetterAccepted()
        finally:
            client.close()

    async def _login(self, client: aiosmtplib.SMTP) -> None:
        """Connect, encrypt and log in. Nothing of a letter is sent before that is done."""
        refusal = "is not reached"
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await client.connect()
                self._own_name = client.local_hostname  # looking it up takes a while, so it is done once
                if self._url.scheme == STARTTLS:
                    refusal = "does not begin TLS"
                    await client.starttls()
                if self._url.user is not None:
                    refusal = "does not let us log in"
                    await client.login(self._url.user, self._url.password or "")
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            # the text of the error may quote the login
            raise ProviderAwayError(f"the SMTP server {refusal}: {_cause(error)}") from None

    def _client(self) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=self._url.host,
            port=self._url.port or PORTS[self._url.scheme],
            local_hostname=self._own_name,
            use_tls=self._url.scheme == "smtps",
            start_tls=False,
            tls_context=self._trust,
            timeout=self._timeout_seconds,
        )


def _trust(cafile: str | None) -> ssl.SSLContext:
    """Trust the certificates of the system and those of a file. Raises ValueError."""
    context = ssl.create_default_context()
    if cafile:
        try:
            context.load_verify_locations(cafile)
        except OSError:
            raise ValueError("names a ?cafile= that this worker cannot read certificates from") from None
    return context


def _cause(error: BaseException) -> str:
    """Say what was wrong, without the text that came from the server."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return f"we do not trust its certificate: {seen.verify_message}"
        seen = seen.__cause__
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"SMTP_{error.code}"
    return "it does not offer that" if type(error) is aiosmtplib.SMTPException else type(error).__qualname__


def _answer(code: int) -> LetterRefused | UnknownOutcome:
    """Codes from 500 are for good, those from 400 may pass."""
    return LetterRefused(f"SMTP_{code}") if code >= 500 else UnknownOutcome(f"SMTP_{code}")
