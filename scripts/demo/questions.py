"""Asking what an order would cost. The order system forgets what it does not answer in time: it is asked again."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

from scripts.demo.wire import Heard, Letter, Link

ANSWER_TIMEOUT_SECONDS = 30.0


class Questions:
    """Asks on one link, which also hears the answers."""

    def __init__(self, link: Link, reply_to: str) -> None:
        self.did: Counter[str] = Counter()
        self._link, self._reply_to = link, reply_to
        self._waiting: dict[str, asyncio.Future[Heard]] = {}

    async def preview(self, question: Mapping[str, Any]) -> Heard:
        """The answer to an order.preview."""
        while True:
            letter = Letter("order.preview.v1", question, reply_to=self._reply_to)
            answer: asyncio.Future[Heard] = asyncio.get_running_loop().create_future()
            self._waiting[letter.message_id] = answer
            await self._link.send(letter)
            try:
                async with asyncio.timeout(ANSWER_TIMEOUT_SECONDS):
                    return await answer
            except TimeoutError:
                self.did["previews asked again"] += 1
            finally:
                del self._waiting[letter.message_id]

    def hear(self, heard: Heard) -> bool:
        """Whether it was an answer."""
        answer = self._waiting.get(heard.correlation_id)
        if answer is not None and not answer.done():
            answer.set_result(heard)
        return heard.type in {"order.previewed.v1", "query.rejected.v1"}
