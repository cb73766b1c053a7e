"""The demo exits with 0 only if every check of its verdict passes. Each check fails once here."""

import io
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from rich.console import Console

from scripts.amqp_client import ReceivedMessage
from scripts.demo.after_sales import KINDS
from scripts.demo.benefits_check import BenefitsComparison, compare_benefits
from scripts.demo.benefits_log import BenefitsLog
from scripts.demo.case_check import CaseComparison
from scripts.demo.day_check import DayComparison
from scripts.demo.demo_run import Standstill
from scripts.demo.group_check import GroupComparison
from scripts.demo.mail_check import MailComparison
from scripts.demo.money_check import DeadLetterComparison, MoneyComparison
from scripts.demo.notified_buyers import MAIL_KINDS
from scripts.demo.statement_check import StatementComparison
from scripts.demo.summary import as_json, print_summary
from scripts.demo.system_status import SystemStatus
from scripts.demo.verdict import RunResult, checks

LEDGER: dict[str, Any] = {
    "captures": [], "refunds": [], "unpaid": 0, "habits": {"forged": 2, "reserialised": 1},
    "notifications": {"given up": 1},
}  # fmt: skip
GOOD = RunResult(
    final={
        "notifications_refused": 3,
        "commands_sent": 3,
        "commands_open": 0,
        "contradictions": [],
        "malformed_sent": {"tag": "not JSON"},
        "mails": dict.fromkeys(MAIL_KINDS, 1),
    },
    status=SystemStatus(),
    money=MoneyComparison({"CNY": 100}, [], []),
    dead_letters=DeadLetterComparison([], [], []),
    benefits=BenefitsComparison([], [], []),
    gateways={"wechat": LEDGER},
    carriers={"lost": 1},
    waybills=(1, []),
    cases=CaseComparison(dict.fromkeys(KINDS, 1), 0, 0, []),
    groups=GroupComparison(1, 1, 5),
    mails=MailComparison(),
    statements=StatementComparison(),
    day=DayComparison(9, []),
    audit=(0, "clean"),
    stuck=(),
    restarts={},
    seconds=1.0,
)


def test_a_run_without_faults_passes_every_check() -> None:
    assert all(check.ok for check in checks(GOOD))
    assert json.loads(as_json(GOOD))["ok"] is True


def test_the_summary_shows_what_every_gateway_did(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(width=132, file=io.StringIO(), record=True)
    print_summary(replace(GOOD, gateways={"wechat": LEDGER, "paypal": LEDGER | {"unpaid": 7}}), console)
    assert capsys.readouterr().out.startswith("clean")
    found = re.sub(r"[│┃ ]+", " ", console.export_text())
    assert all(
        row in found for row in ("wechat paypal", "forged 2 2", "unpaid 0 7", "yes there are no other dead letters")
    )


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("the dashboard shows what the demo counted", replace(GOOD, day=DayComparison(9, ["paid_orders"]))),
        ("each group was all or none", replace(GOOD, groups=GroupComparison(1, 1, 5, ["team-1"]))),
        (
            "each group was all or none",
            replace(GOOD, final=GOOD.final | {"ordered": 1_000}, groups=GroupComparison(1, 0, 3)),
        ),
        ("everything ended", replace(GOOD, stuck=("orders paid: 1",))),
        ("every command has its outcome", replace(GOOD, final=GOOD.final | {"commands_open": 1})),
        ("every command has its outcome", replace(GOOD, final={"notifications_refused": 3})),
        ("no command has two outcomes", replace(GOOD, final=GOOD.final | {"contradictions": ["c"]})),
        (
            "what orders keep is what buyers paid",
            replace(GOOD, money=MoneyComparison({}, ["order 1: ours 1, theirs 2"], [])),
        ),
        ("the providers' ledgers agree with ours", replace(GOOD, money=MoneyComparison({}, [], ["alipay T"]))),
        ("orders cost what the checkout computes", replace(GOOD, final=GOOD.final | {"unexpected_answers": ["s"]})),
        (
            "each warehouse gets its own instructions alone",
            replace(GOOD, final=GOOD.final | {"misled": ["east got"]}),
        ),
        ("carriers know the parcels that we booked", replace(GOOD, waybills=(1, ["air W1: ours None"]))),
        (
            "every kind of shipping occurred",
            replace(GOOD, final=GOOD.final | {"ordered": 1_000, "kinds": {"holds": 0}}),
        ),
        (
            "every parcel has the address that its buyer gave",
            replace(GOOD, final=GOOD.final | {"labels": {"unequal": 1}}),
        ),
        ("buyers read what they know", replace(GOOD, final=GOOD.final | {"unexpected_reads": ["o"]})),
        ("split orders add up", replace(GOOD, final=GOOD.final | {"split_wrongly": ["o"]})),
        (
            "the providers' day statements agree with ours",
            replace(GOOD, statements=StatementComparison(1, 1, ("line 1",))),
        ),
        (
            "every notification that was tampered with is refused",
            replace(GOOD, final=GOOD.final | {"notifications_refused": 1}),
        ),
        (
            "every notification that was tampered with is refused",
            replace(GOOD, final=GOOD.final | {"notifications_refused": 4}),
        ),
        ("every coupon is used once at most", replace(GOOD, benefits=BenefitsComparison(["c"], [], []))),
        ("every coupon is used once at most", replace(GOOD, benefits=BenefitsComparison([], ["c"], []))),
        ("every point is accounted for", replace(GOOD, benefits=BenefitsComparison([], [], ["u"]))),
        (
            "every malformed message is one dead letter",
            replace(GOOD, dead_letters=DeadLetterComparison(["tag"], [], [])),
        ),
        (
            "every malformed message is one dead letter",
            replace(GOOD, dead_letters=DeadLetterComparison([], ["tag"], [])),
        ),
        (
            "there are no other dead letters",
            replace(GOOD, dead_letters=DeadLetterComparison([], [], ["stock.reserve"])),
        ),
        (
            "buyers' mails equal the events that caused them",
            replace(GOOD, mails=MailComparison(1, 0, 0, ["ada has no mail"])),
        ),
        (
            "buyers' mails equal the events that caused them",
            replace(GOOD, final=GOOD.final | {"ordered": 1_000, "mails": {}}),
        ),
        ("the audit is clean", replace(GOOD, audit=(1, "violated"))),
    ],
)
def test_each_fault_fails_only_its_own_check(name: str, result: RunResult) -> None:
    assert [check.name for check in checks(result) if not check.ok] == [name]
    assert json.loads(as_json(result))["ok"] is False


COUNTS = {
    "outbox_pending": 0.0,
    "outbox_age": 0.0,
    "undecided": 0.0,
    "timers": 0.0,
    "refunds_open": 0.0,
    "attempts_open": 0.0,
    "mails_open": 0.0,
}
IDLE = SystemStatus({"completed": 3, "cancelled": 1}, {"invalid": 2}, COUNTS, {"oms.stock": 0})


@pytest.mark.parametrize(
    "status",
    [
        replace(IDLE, states={"paid": 1}),
        replace(IDLE, counts=COUNTS | {"outbox_pending": 1.0}),
        replace(IDLE, counts=COUNTS | {"undecided": 1.0}),
        replace(IDLE, counts=COUNTS | {"timers": 1.0}),
        replace(IDLE, counts=COUNTS | {"refunds_open": 1.0}),
        replace(IDLE, counts=COUNTS | {"attempts_open": 1.0}),
        replace(IDLE, queues={"oms.stock": 1}),
        replace(IDLE, queues=None),
        replace(IDLE, counts=None),
    ],
)
def test_a_system_with_work_in_progress_is_not_idle_and_names_the_work(status: SystemStatus) -> None:
    assert IDLE.is_idle
    assert not IDLE.in_progress()
    assert not status.is_idle
    assert len(status.in_progress()) == 1


def test_a_standstill_is_the_same_signature_for_the_whole_limit() -> None:
    at_once = Standstill(-1.0)
    assert at_once.since(lambda: 1)
    patient = Standstill(60.0)
    assert not patient.since(lambda: 1)
    assert not patient.since(lambda: 1)


COUPON = "INSERT INTO coupon_ledger (coupon_id, order_id, op) VALUES ($1, $2, $3)"
ACCOUNT = "INSERT INTO points_accounts (user_id, balance, held) VALUES ($1, $2, $3)"


@pytest.fixture
def benefits_log(tmp_path: Path) -> BenefitsLog:
    return BenefitsLog(tmp_path / "benefits_log.csv")


def coupon(benefits_log: BenefitsLog, order_id: int | None, *states: str) -> None:
    for state in states:
        benefits_log.receive(
            ReceivedMessage("coupon.changed.v1", {"coupon_id": "c", "order_id": order_id, "state": state}, "")
        )


def points(benefits_log: BenefitsLog, **ops: int) -> None:
    for op, many in ops.items():
        benefits_log.receive(
            ReceivedMessage("points.changed.v1", {"user_id": "u", "op": op, "points": many, "order_id": None}, "")
        )


Compare = Callable[..., Awaitable[BenefitsComparison]]


@pytest.fixture
def compare(database_url: str, tmp_path: Path, benefits_log: BenefitsLog) -> Compare:
    """Return a function that inserts rows and compares them with the log."""

    async def insert_and_compare(sql: str, *rows: tuple[object, ...]) -> BenefitsComparison:
        benefits_log.flush()
        session = await asyncpg.connect(database_url)
        await session.executemany(sql, rows)
        found = await compare_benefits(session, tmp_path / "benefits_log.csv")
        await session.close()
        return found

    return insert_and_compare


async def test_a_coupon_that_was_returned_may_be_used_again(compare: Compare, benefits_log: BenefitsLog) -> None:
    coupon(benefits_log, 1, "locked", "released")
    coupon(benefits_log, 2, "locked", "used", "returned")
    coupon(benefits_log, 3, "locked", "expired")
    coupon(benefits_log, 4, "locked", "used")
    coupon(benefits_log, None, "expired")
    ends = {1: ("release",), 2: ("use", "return"), 3: ("release",), 4: ("use",)}
    booked = [(order_id, op) for order_id, ops in ends.items() for op in ("lock", *ops)]
    found = await compare(COUPON, *(("c", *row) for row in booked))
    assert found == BenefitsComparison([], [], [])
    assert benefits_log.coupons_used == 1


@pytest.mark.parametrize("second", [("locked", "used"), ("locked",), ("used",)])
async def test_a_coupon_that_two_orders_used_is_reported(
    second: tuple[str, ...], compare: Compare, benefits_log: BenefitsLog
) -> None:
    coupon(benefits_log, 1, "locked", "used")
    coupon(benefits_log, 2, *second)
    found = await compare(COUPON)
    assert found.twice == ["coupon c: orders 1 2"]


async def test_a_difference_between_coupon_events_and_the_coupon_ledger_is_reported(
    compare: Compare, benefits_log: BenefitsLog
) -> None:
    coupon(benefits_log, 1, "locked", "used")
    found = await compare(COUPON, ("c", 1, "lock"), ("c", 1, "release"))
    assert found.coupons == [
        "coupon c, order 1: free 1 times, announced 0 times",
        "coupon c, order 1: used 0 times, announced 1 times",
    ]


@pytest.mark.parametrize(
    ("ops", "account", "wrong"),
    [
        ({"grant": 250, "hold": 200, "use": 200, "award": 7, "return": 100, "revoke": 3}, (154, 0), 0),
        ({"grant": 250, "hold": 200, "release": 200}, (250, 0), 0),
        ({"grant": 250, "hold": 200}, (250, 200), 1),
        ({"grant": 250}, (249, 0), 1),
        ({}, (1, 0), 1),
        ({}, (0, 0), 0),
    ],
)
async def test_an_account_that_differs_from_its_points_events_is_reported(
    ops: dict[str, int], account: tuple[int, int], wrong: int, compare: Compare, benefits_log: BenefitsLog
) -> None:
    points(benefits_log, **ops)
    found = await compare(ACCOUNT, ("u", *account))
    assert len(found.points) == wrong
