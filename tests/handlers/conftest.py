"""Fixtures of the handler tests: a harness on a database of its own, and an attempt that is open at Alipay.

While they run, each outcome of a command is compared with scripts/commands/command_answers.py: the contract shows it.
"""

from collections.abc import Iterator

import pytest

from db.pool import Pool, Transaction
from messages.base import CommandRejected
from outbox import Announcement
from scripts.commands.answers import ANY_COMMAND
from scripts.commands.command_answers import COMMANDS
from tests.handlers.alipay_payments import MERCHANT, opened
from tests.handlers.harness import HandlerHarness, open_harness
from tests.handlers.provider_answers import OpenAttempt
from workers import providers
from workers.domain.refusal import Refusal
from workers.providers.alipay import Alipay, AlipaySettings
from workers.services import commands


def announced(type_: str, outcome: str, code: str) -> None:
    """Refuse an outcome that the contract does not have. Only commands have rows: their repeats may be concluded by
    other messages.
    """
    if (row := COMMANDS.get(type_)) is None:
        return
    assert outcome in (CommandRejected.TYPE, *row.types), (
        f"scripts/commands/command_answers.py: {type_} may end with {outcome}"
    )
    assert code in ("", *ANY_COMMAND, *row.codes), (
        f"scripts/commands/command_answers.py: {type_} may be refused with {code}"
    )


@pytest.fixture(scope="session", autouse=True)
def outcomes_are_those_of_the_contract() -> Iterator[None]:
    """Compare each outcome as it is stored or sent."""
    conclude, rejected_by = commands.conclude, commands.rejected_by

    async def compared(tx: Transaction, outcomes: commands.Outcomes) -> list[Announcement]:
        for event, item in outcomes.values():
            announced(item.body.TYPE, event.TYPE, str(getattr(event, "code", "")))
        return await conclude(tx, outcomes)

    def compared_rejection(command_id: str, type_: str, refusal: Refusal) -> CommandRejected:
        announced(type_, CommandRejected.TYPE, refusal.code)
        return rejected_by(command_id, type_, refusal)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commands, "conclude", compared)
        patch.setattr(commands, "rejected_by", compared_rejection)
        yield


@pytest.fixture
def harness(pool: Pool) -> HandlerHarness:
    return open_harness(pool)


@pytest.fixture
def alipay_configured() -> Iterator[None]:
    """Configure Alipay for the test."""
    providers.configure({"alipay": Alipay(AlipaySettings.model_validate(MERCHANT))})
    yield
    providers.configure({})


@pytest.fixture
async def open_attempt(harness: HandlerHarness, alipay_configured: None) -> OpenAttempt:
    """An attempt that is open at the provider."""
    _, started = await opened(harness)
    return OpenAttempt(harness, int(started["attempt_id"]), started["out_trade_no"])
