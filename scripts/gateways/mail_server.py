"""A mail server on loopback, at which the order system delivers its buyers' mails. On request it misbehaves.

SMTP on a port of its own: `error` answers a recipient with 451, `lost` takes a mail and cuts the connection before it
says so. What comes again under a known Message-ID is the same mail, so it is counted and not kept.

GET /ledger   every mail: its Message-ID, recipient, language, subject and copies; and how often each habit happened
"""

import asyncio
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from email.policy import default
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP

from scripts.gateways.habits import Dice, Habits
from scripts.gateways.server import MisbehavingServer

MAILS_MAX = 1_000_000
HEADERS = BytesHeaderParser(policy=default)


@dataclass
class DeliveredMail:
    """One mail. `copies` is how often it came."""

    address: str
    language: str
    subject: str
    copies: int = 1


class MailServer(MisbehavingServer):
    """The server. `smtp_url` is where it takes mails, once it listens."""

    def __init__(self, habits: Habits | None = None, *, seed: int | None = None) -> None:
        super().__init__(Dice(habits or Habits(), seed))
        self.mails: dict[str, DeliveredMail] = {}
        self.smtp_url = ""
        self._smtp: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen on loopback, on free ports."""
        await self.listen([web.get("/ledger", self._ledger)])
        loop = asyncio.get_running_loop()
        self._smtp = await loop.create_server(lambda: SMTP(self, hostname="localhost", loop=loop), "127.0.0.1", 0)
        self.smtp_url = f"smtp://127.0.0.1:{self._smtp.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Stop listening."""
        if self._smtp is not None:
            self._smtp.close()
        await super().close()

    async def handle_RCPT(  # noqa: N802 (the name that aiosmtpd calls)
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        """Take a recipient, or none for now."""
        if self.dice("error") or len(self.mails) >= MAILS_MAX:
            return "451 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """Keep a mail, unless it is known."""
        headers = HEADERS.parsebytes(envelope.content)
        address, language, subject = (str(headers[name]) for name in ("To", "Content-Language", "Subject"))
        known = self.mails.get(str(headers["Message-ID"]))
        if known is not None:
            known.copies += 1
        else:
            self.mails[str(headers["Message-ID"])] = DeliveredMail(address, language, subject)
        if self.dice("lost"):
            server.transport.abort()
        return "250 OK"

    async def _ledger(self, _request: web.Request) -> web.Response:
        mails = [{"message_id": message_id} | vars(mail) for message_id, mail in self.mails.items()]
        return web.json_response({"mails": mails, "habits": self.dice.did})
