"""A real SMTP server on a free port, which can misbehave.

`habit` says how: refuse (550 for the recipient), later (451), hang (no answer after DATA), drop (it takes the letter
and disconnects before it answers). `once` says it of the next letter alone. `letters` has what it took, by Message-ID;
`copies` counts what came again under a known one.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP


class FakeMailbox:
    """What the server has seen."""

    def __init__(self) -> None:
        self.habit = ""
        self.once = ""
        self.letters: dict[str, EmailMessage] = {}
        self.copies = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_RCPT(  # noqa: N802 (the name that aiosmtpd calls)
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        habit, self.once = self.once or self.habit, ""
        if habit in ("refuse", "later"):
            return "550 no such mailbox" if habit == "refuse" else "451 later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.habit == "hang":
            await asyncio.sleep(3600)
        letter = message_from_bytes(envelope.content, policy=policy.default)
        self.copies += letter["Message-ID"] in self.letters
        self.letters[letter["Message-ID"]] = letter
        if self.habit == "drop":
            server.transport.abort()
        return "250 OK"


@asynccontextmanager
async def open_mailbox(port: int = 0, **options: Any) -> AsyncIterator[FakeMailbox]:
    """Run the server. `options` are those of aiosmtpd: what it demands of a client."""
    mailbox, loop = FakeMailbox(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(mailbox, loop=loop, **options), "127.0.0.1", port)
    mailbox.port = server.sockets[0].getsockname()[1]
    try:
        yield mailbox
    finally:
        server.close()
