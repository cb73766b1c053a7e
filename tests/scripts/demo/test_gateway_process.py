"""The demo's gateway process, and the day statements that the demo makes from its ledgers."""

import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace
from typing import Any

import pytest

from scripts.demo.gateway_process import GatewaysDiedError, running_gateways
from scripts.demo.money_check import movements as compared
from scripts.demo.statement_check import StatementComparison, StatementLine, movements, reconcile, statements

MIDNIGHT_IN_CHINA = "2026-11-21T16:00:00+00:00"
LEDGER = {
    "captures": [
        {"out_trade_no": "P1", "trade_no": "T1", "amount": 500, "currency": "CNY", "at": "2026-11-21T15:59:59+00:00"},
        {"out_trade_no": "P2", "trade_no": "T2", "amount": 70, "currency": "CNY", "at": MIDNIGHT_IN_CHINA},
    ],
    "refunds": [
        {"refund_no": "R1", "trade_no": "T1", "amount": 40, "currency": "CNY", "at": MIDNIGHT_IN_CHINA},
        {"refund_no": "R2", "trade_no": "T1", "amount": 2, "currency": "CNY", "at": MIDNIGHT_IN_CHINA},
    ],
}
for one, state in zip(LEDGER["refunds"], ("succeeded", "processing"), strict=True):
    one["state"] = state


async def test_the_error_about_gateways_that_do_not_start_has_the_reason(tmp_path: Path) -> None:
    """Without a broker the edge cannot start."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OMS_")}
    with pytest.raises(GatewaysDiedError, match="OMS_AMQP_URL"):
        async with running_gateways(tmp_path, environment, rotate_after=2):
            pytest.fail("they started")


def test_a_statement_has_the_completed_movements_of_a_day_in_china() -> None:
    first, second = statements("wechat", LEDGER)
    assert (first.day, [line.out_trade_no for line in first.lines]) == (date(2026, 11, 21), ["P1"])
    assert (second.day, [(line.out_trade_no, line.refund_no) for line in second.lines]) == (
        date(2026, 11, 22),
        [("P2", None), ("P1", "R1")],
    )


def test_the_money_check_compares_all_movements_and_the_state_of_refunds() -> None:
    assert compared({"wechat": LEDGER}) == [
        ("wechat", "T1", 500, "CNY", None),
        ("wechat", "T2", 70, "CNY", None),
        ("wechat", "R1", -40, "CNY", "succeeded"),
        ("wechat", "R2", -2, "CNY", "processing"),
    ]


@pytest.mark.parametrize("wrong", [0, 1])
def test_every_statement_is_reconciled_under_its_day_and_a_difference_is_reported(wrong: int, tmp_path: Path) -> None:
    reconciled = list[tuple[str, str]]()

    def oms(_: str, *commands: Sequence[str], **variables: str) -> CompletedProcess[str]:
        assert variables == {"OMS_X": "x"}
        for _, _, file, _, provider, _, day in commands:
            assert Path(file).read_bytes()
            reconciled.append((provider, day))
        return CompletedProcess("oms", wrong, "what differs", "")

    environment: Any = SimpleNamespace(oms=oms, folder=tmp_path)
    providers = ["alipay", "wechat", "unionpay", "paypal", "stripe"]
    found = reconcile(environment, dict.fromkeys(providers, LEDGER), {"OMS_X": "x"})
    assert reconciled == [(provider, day) for provider in providers for day in ("2026-11-21", "2026-11-22")]
    assert found == StatementComparison(15, 10, ("what differs",) * wrong)


def test_a_refund_in_a_statement_names_its_payment() -> None:
    *_, back = movements(LEDGER)
    assert isinstance(back, StatementLine)
    assert (back.out_trade_no, back.trade_no, back.refund_no, back.amount) == ("P1", "T1", "R1", 40)
