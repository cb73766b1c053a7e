"""The line to a provider, on the floor."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from messages.base import Message
from tests.handlers.harness import Floor
from tests.handlers.provider_calls import callback
from tests.handlers.test_payment_attempts import MERCHANT
from workers import providers, shop
from workers.handlers.provider_calls import take_answers
from workers.providers.alipay import Alipay, AlipaySettings
from workers.providers.port import Notification, Paid, Refused, Unknown
from workers.runtime.batch import Batch

AT = datetime(2026, 1, 21, 2, 0, tzinfo=UTC)
SILENCE, NO = Unknown("TimeoutError"), Refused("ACQ.TRADE_NOT_EXIST", "there is no such trade")


@dataclass
class Line:
    """The line to a provider: `told` hands an answer to the handler as if the provider had been asked."""

    floor: Floor
    attempt_id: int
    number: str

    async def told(self, body: Message, answer: Any, attempt: int = 0) -> Batch[Any]:
        item = replace(self.floor.wrap(body), attempt=attempt)
        async with self.floor.pool.acquire() as tx, tx.transaction():
            batch = Batch[Any]([item], await tx.fetchval("SELECT clock_timestamp()"), {item.id: answer})
            await take_answers(tx, batch, provider="alipay")
        self.floor.asked.clear()
        await self.floor.pump()
        return batch

    def paid(self, status: Any, amount: int = 1000) -> Paid:
        return Paid(self.number, "t1", status, amount, "CNY", AT)

    async def over(self, just: bool = False) -> None:
        """The time to pay has passed, by any clock."""
        ago = timedelta(seconds=1) + (timedelta() if just else timedelta(seconds=shop.current().payment_grace_seconds))
        await self.floor.pool.execute("UPDATE payment_attempts SET expire_at = now() - $1::interval", ago)

    @property
    def asked(self) -> list[str]:
        return [message.routing_key().removeprefix("provider.") for _, message in self.floor.asked]

    async def state(self) -> str:
        state: str = await self.floor.pool.fetchval("SELECT state FROM payment_attempts WHERE id = $1", self.attempt_id)
        return state

    async def is_watched(self, kind: str = "attempt") -> bool:
        watched: bool = await self.floor.pool.fetchval("SELECT EXISTS (SELECT FROM timers WHERE kind = $1)", kind)
        return watched


class Teller(Alipay):
    """Whoever writes, this is what it says."""

    said: Any = None

    def verify(self, notification: Notification) -> Any:
        return self.said


async def tells(line: Line, said: Any, provider: str = "alipay") -> Batch[Any]:
    teller = Teller(AlipaySettings.model_validate(MERCHANT))
    teller.said = said
    providers.configure({"alipay": teller, "wechat": teller})
    line.floor.events.clear()
    line.floor.asked.clear()
    return await line.floor.say(callback(provider, Notification({}, repr(said).encode(), AT)))
