"""An attempt that is open at Alipay, and the answers and notifications of the provider about it.

`take_answer` gives an answer to the handler as if the provider had been called. `notify` gives a verified notification.
`calls` are the calls that the handler requests in return: start, query, capture, close, refund, refund_query.
NO_ANSWER is a call without an answer; NOT_FOUND is an answer that the provider has no such trade.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from messages.base import Message
from tests.handlers.alipay_payments import MERCHANT
from tests.handlers.harness import HandlerHarness
from tests.handlers.provider_calls import callback
from workers import providers, shop
from workers.handlers.provider_calls import take_answers
from workers.providers.alipay import Alipay, AlipaySettings
from workers.providers.port import Notification, PaymentReport, ProviderRefusal, UnknownOutcome
from workers.runtime.batch import Batch

AT = datetime(2026, 1, 21, 2, 0, tzinfo=UTC)
NO_ANSWER, NOT_FOUND = UnknownOutcome("TimeoutError"), ProviderRefusal("ACQ.TRADE_NOT_EXIST", "there is no such trade")


@dataclass
class OpenAttempt:
    """One attempt that its buyer can pay now."""

    harness: HandlerHarness
    attempt_id: int
    out_trade_no: str

    async def take_answer(self, body: Message, answer: Any, attempt: int = 0) -> Batch[Any]:
        item = replace(self.harness.envelope(body), attempt=attempt)
        async with self.harness.pool.acquire() as tx, tx.transaction():
            batch = Batch[Any]([item], await tx.fetchval("SELECT clock_timestamp()"), {item.id: answer})
            await take_answers(tx, batch, provider="alipay")
        self.harness.provider_calls.clear()
        await self.harness.relay()
        return batch

    def paid(self, status: Any, amount: int = 1000) -> PaymentReport:
        return PaymentReport(self.out_trade_no, "t1", status, amount, "CNY", AT)

    async def expire(self, just: bool = False) -> None:
        """Let the payment window end; with `just`, not yet by a clock that is behind ours."""
        ago = timedelta(seconds=1) + (timedelta() if just else timedelta(seconds=shop.current().payment_grace_seconds))
        await self.harness.pool.execute("UPDATE payment_attempts SET expire_at = now() - $1::interval", ago)

    @property
    def calls(self) -> list[str]:
        return [message.routing_key().removeprefix("provider.") for _, message in self.harness.provider_calls]

    async def state(self) -> str:
        state: str = await self.harness.pool.fetchval(
            "SELECT state FROM payment_attempts WHERE id = $1", self.attempt_id
        )
        return state

    async def has_timer(self, kind: str = "attempt") -> bool:
        has_timer: bool = await self.harness.pool.fetchval("SELECT EXISTS (SELECT FROM timers WHERE kind = $1)", kind)
        return has_timer


class FakeAlipay(Alipay):
    """Alipay that verifies each notification as `verified`."""

    verified: Any = None

    def verify(self, notification: Notification) -> Any:
        return self.verified


async def notify(open_attempt: OpenAttempt, verified: Any, provider: str = "alipay") -> Batch[Any]:
    """Handle a notification that verifies as `verified`."""
    fake = FakeAlipay(AlipaySettings.model_validate(MERCHANT))
    fake.verified = verified
    providers.configure({"alipay": fake, "wechat": fake})
    open_attempt.harness.events.clear()
    open_attempt.harness.provider_calls.clear()
    return await open_attempt.harness.handle(callback(provider, Notification({}, repr(verified).encode(), AT)))
