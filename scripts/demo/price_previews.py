"""Previews of an order's price. A query that expired unanswered is sent again."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

from scripts.amqp_client import AmqpClient, OutgoingMessage, ReceivedMessage

ANSWER_TIMEOUT_SECONDS = 30.0
ANSWERS = frozenset({"order.previewed.v1", "query.rejected.v1"})


class PricePreviews:
    """Sends queries on one link, which also receives the answers."""

    def __init__(self, link: AmqpClient, reply_to: str) -> None:
        self.did: Counter[str] = Counter()
        self._link, self._reply_to = link, reply_to
        self._waiting: dict[str, asyncio.Future[ReceivedMessage]] = {}

    async def preview(self, question: Mapping[str, Any]) -> ReceivedMessage:
        """Return the answer to an order.preview."""
        while True:
            message = OutgoingMessage("order.preview.v1", question, reply_to=self._reply_to)
            answer: asyncio.Future[ReceivedMessage] = asyncio.get_running_loop().create_future()
            self._waiting[message.message_id] = answer
            await self._link.send(message)
            try:
                async with asyncio.timeout(ANSWER_TIMEOUT_SECONDS):
                    return await answer
            except TimeoutError:
                self.did["previews sent again"] += 1
            finally:
                del self._waiting[message.message_id]

    def receive(self, received: ReceivedMessage) -> None:
        """Handle the answer to a preview."""
        answer = self._waiting.get(received.correlation_id)
        if answer is not None and not answer.done():
            answer.set_result(received)
