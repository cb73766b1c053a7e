"""Queries of buyers: previews of a price, and reads of orders. One that expired unanswered is sent again."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

from scripts.amqp_client import AmqpClient, OutgoingMessage, ReceivedMessage

ANSWER_TIMEOUT_SECONDS = 30.0
ANSWERS = frozenset({"order.previewed.v1", "order.described.v1", "order.listed.v1", "query.rejected.v1"})


class Queries:
    """Sends queries on one link, which also receives the answers."""

    def __init__(self, link: AmqpClient, reply_to: str) -> None:
        self.did: Counter[str] = Counter()
        self._link, self._reply_to = link, reply_to
        self._waiting: dict[str, asyncio.Future[ReceivedMessage]] = {}

    async def request(self, type_: str, body: Mapping[str, Any]) -> ReceivedMessage:
        """Return the answer to a query."""
        while True:
            message = OutgoingMessage(type_, body, reply_to=self._reply_to)
            answer: asyncio.Future[ReceivedMessage] = asyncio.get_running_loop().create_future()
            self._waiting[message.message_id] = answer
            await self._link.send(message)
            try:
                async with asyncio.timeout(ANSWER_TIMEOUT_SECONDS):
                    return await answer
            except TimeoutError:
                self.did["queries sent again"] += 1
            finally:
                del self._waiting[message.message_id]

    def receive(self, received: ReceivedMessage) -> None:
        """Handle an answer."""
        answer = self._waiting.get(received.correlation_id)
        if answer is not None and not answer.done():
            answer.set_result(received)
