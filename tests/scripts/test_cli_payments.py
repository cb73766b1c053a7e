"""`oms payments` compares a statement with the database, and shows notifications without personal data."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from db import cipher
from db.pool import Pool, open_pool
from scripts.gateways import alipay_protocol
from scripts.gateways.alipay_protocol import AlipayBillLine
from tests.handlers.harness import HandlerHarness
from tests.handlers.statement_builders import DAY, NOON, pay_order_at, refund_order_at
from tests.providers import alipay_builders, keys
from tests.scripts.oms_command import Oms
from workers import shop
from workers.domain.shop import Policy, Shop
from workers.providers.port import Notification
from workers.store import notifications
from workers.store.notifications import NotificationRecord

ALIPAY = orjson.dumps(
    {
        "app_id": alipay_builders.APP_ID,
        "seller_id": alipay_builders.SELLER_ID,
        "notify_url": "https://shop.example/notify/alipay",
        "app_private_keys": [keys.private_pem("ours")],
        "alipay_public_keys": [keys.public_pem("alipay")],
    }
).decode()
DAY_TEXT = DAY.isoformat()
WORDS = ("payments", "reconcile")


@dataclass(frozen=True)
class RefundedOrder:
    """An order of 10.00 that was paid through Alipay with trade number t1, and of which 3.00 was refunded."""

    order_id: int
    out_trade_no: str
    refund_no: str


def in_database(url: str, work: Callable[[Pool], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        cipher.configure(os.environ["OMS_ENCRYPTION_KEYS"])
        shop.configure(Shop(policy=Policy(rate_limit_orders=0)))
        pool = await open_pool(url, application_name="tests")
        made = await work(pool)
        await pool.close()
        return made

    return asyncio.run(run())


@pytest.fixture
def order(database_url: str) -> RefundedOrder:
    async def make_order(pool: Pool) -> RefundedOrder:
        harness = HandlerHarness(pool)
        await harness.fill_stock()
        order_id, paid = await pay_order_at(harness)
        return RefundedOrder(order_id, paid, await refund_order_at(harness, order_id, 300))

    made: RefundedOrder = in_database(database_url, make_order)
    return made


@pytest.fixture
def statement(tmp_path: Path) -> Callable[..., str]:
    """Return a function that writes a statement with these lines and returns its path."""

    def write(*lines: AlipayBillLine) -> str:
        path = tmp_path / "bill.csv"
        path.write_bytes(alipay_protocol.bill(DAY, alipay_builders.SELLER_ID, lines))
        return str(path)

    return write


def lines(order: RefundedOrder) -> tuple[AlipayBillLine, AlipayBillLine]:
    return AlipayBillLine(NOON, order.out_trade_no, "t1", 1000), AlipayBillLine(
        NOON, order.out_trade_no, "t1", 300, refund_no=order.refund_no
    )


def reconcile(path: str, *more: str, provider: str = "alipay", day: str = DAY_TEXT) -> tuple[str, ...]:
    return (*WORDS, path, "--provider", provider, "--day", day, *more)


def test_a_statement_that_agrees_with_the_database_exits_with_0(
    oms: Oms, database_url: str, order: RefundedOrder, statement: Callable[..., str]
) -> None:
    result = oms(*reconcile(statement(*lines(order))), database_url=database_url, alipay=ALIPAY)
    assert result.code == 0
    names, values = (line.split() for line in result.out.splitlines())
    assert dict(zip(names, values, strict=True)) == {
        "provider": "alipay",
        "day": DAY_TEXT,
        "rows": "2",
        "matched": "2",
        "differences": "0",
    }
    assert result.err == "the statement agrees with the database\n"


def test_differences_are_listed_and_exit_with_3(
    oms: Oms, database_url: str, order: RefundedOrder, statement: Callable[..., str]
) -> None:
    path = statement(AlipayBillLine(NOON, order.out_trade_no, "t1", 999), AlipayBillLine(NOON, "X9", "t9", 500))
    result = oms(*reconcile(path), database_url=database_url, alipay=ALIPAY)
    assert result.code == 3
    rows = [line.split() for line in result.out.splitlines()]
    order_id = str(order.order_id)
    assert rows[1] == ["alipay", DAY_TEXT, "2", "0", "3"]
    assert rows[5:] == [
        ["6", "amount", "capture", order.out_trade_no, "t1", "10.00", "CNY", "9.99", "CNY", order_id],
        ["7", "missing_here", "capture", "X9", "t9", "-", "5.00", "CNY", "-"],
        ["-", "missing_there", "refund", order.refund_no, "t1", "3.00", "CNY", "-", order_id],
    ]
    assert "3 differences" in result.err
    assert "next: oms order show ORDER_ID, or oms payments notifications --about NUMBER" in result.err


def test_differences_as_json_have_amounts_in_minor_units_and_ids_as_text(
    oms: Oms, database_url: str, order: RefundedOrder, statement: Callable[..., str]
) -> None:
    path = statement(AlipayBillLine(NOON, order.out_trade_no, "t1", 1000))
    result = oms(*reconcile(path, "-o", "json"), database_url=database_url, alipay=ALIPAY)
    assert result.code == 3
    assert result.json == {
        "provider": "alipay",
        "day": DAY_TEXT,
        "rows": 1,
        "matched": 1,
        "differences": [
            {
                "kind": "missing_there",
                "movement": "refund",
                "number": order.refund_no,
                "trade_no": "t1",
                "ours": 300,
                "theirs": None,
                "currency": "CNY",
                "their_currency": None,
                "order_id": str(order.order_id),
                "line": None,
                "capture_no": None,
            }
        ],
    }


def test_the_comparison_writes_nothing(
    oms: Oms, database_url: str, order: RefundedOrder, statement: Callable[..., str]
) -> None:
    async def rows(pool: Pool) -> int:
        count = "SELECT (SELECT count(*) FROM reconciliations) + (SELECT count(*) FROM reconciliation_rows)"
        return int(await pool.fetchval(count))

    for _ in range(2):
        assert oms(*reconcile(statement(*lines(order))), database_url=database_url, alipay=ALIPAY).code == 0
    assert in_database(database_url, rows) == 0


def test_the_day_is_a_day_in_the_business_time_zone(
    oms: Oms, database_url: str, order: RefundedOrder, statement: Callable[..., str]
) -> None:
    empty = reconcile(statement())
    assert oms(*empty, database_url=database_url, alipay=ALIPAY).code == 3
    away = oms(*empty, database_url=database_url, alipay=ALIPAY, business_time_zone="America/Los_Angeles")
    assert away.code == 0, "04:00 UTC is the evening of the day before in Los Angeles"
    assert away.out.splitlines()[1].split()[2:] == ["0", "0", "0"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"path": "/nonexistent"}, "/nonexistent cannot be read"),
        ({"provider": "cheque"}, "there is no provider cheque"),
        ({"provider": "wechat"}, "OMS_WECHAT is not set"),
        ({"day": "2026-11-22"}, "why:  line 3: expected 2026-11-22"),
        ({"day": "0001-01-01"}, "0001-01-01 is not a day of a statement"),
        ({"day": "yesterday"}, "Invalid value for '--day'"),
        ({"alipay": "{"}, "OMS_ALIPAY is no JSON"),
        ({"alipay": "{}"}, "app_id: Field required"),
    ],
    ids=str,
)
def test_wrong_use_exits_with_1_and_explains_what_to_type(
    oms: Oms, statement: Callable[..., str], changes: dict[str, str], message: str
) -> None:
    alipay = changes.pop("alipay", ALIPAY)
    path = changes.pop("path", None) or statement()
    result = oms(*reconcile(path, **changes), database_url="postgresql://nobody@127.0.0.1:1/none", alipay=alipay)
    assert (result.code, result.out) == (1, "")
    assert message in result.err


def test_a_file_of_another_layout_is_named_with_its_line(oms: Oms, tmp_path: Path) -> None:
    path = tmp_path / "bill.csv"
    path.write_bytes(b"hello\n")
    result = oms(*reconcile(str(path)), database_url="postgresql://nobody@127.0.0.1:1/none", alipay=ALIPAY)
    assert result.code == 1
    assert f"{path} is not a statement of alipay for {DAY_TEXT}" in result.err
    assert "line 1" in result.err
    assert "next:" in result.err


def test_the_comparison_exits_with_5_if_the_database_does_not_answer(oms: Oms, statement: Callable[..., str]) -> None:
    result = oms(*reconcile(statement()), database_url="postgresql://nobody@127.0.0.1:1/none", alipay=ALIPAY)
    assert (result.code, result.out) == (5, "")


BUYER = {
    "buyer_id": "2088102116773037", "buyer_logon_id": "159****5620", "buyer_open_id": "074a1CcTG1LelxKe4xQC0zgNdId0nx",
    "total_amount": "88.88", "buyer_pay_amount": "88.80", "sign": "c2lnbg==", "subject": "call 13812345678",
    "fund_bill_list": '[{"amount":"88.88","buyer_name":"王芳"}]',
}  # fmt: skip
PERSONAL = ("2088102116773037", "159****5620", "074a1CcTG1LelxKe4xQC0zgNdId0nx", "13812345678", "王芳", "hush")
RECEIVED = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


@pytest.fixture
def notification_ids(database_url: str) -> list[int]:
    form = alipay_protocol.notification(BUYER, keys.private("alipay"))
    headers = {"content-type": "application/x-www-form-urlencoded", "cookie": "hush", "authorization": "Bearer hush"}
    body = orjson.dumps({"resource": {"payer": {"name": {"surname": "Fang"}, "payer_id": "QYR5Z8XDVJNXQ"}}})
    kept = [
        NotificationRecord("alipay", Notification(headers, form, RECEIVED), about="P7"),
        NotificationRecord("paypal", Notification({}, body, RECEIVED), about="P8"),
        NotificationRecord("alipay", Notification({}, b"hello 13812345678", RECEIVED), code="PAY_CALLBACK_INVALID"),
    ]

    async def keep(pool: Pool) -> list[int]:
        async with pool.acquire() as tx, tx.transaction():
            return await notifications.keep(tx, kept)

    made: list[int] = in_database(database_url, keep)
    return made


def test_a_notification_is_shown_with_its_amounts_and_without_personal_data(
    oms: Oms, database_url: str, notification_ids: list[int]
) -> None:
    result = oms("payments", "notifications", "--about", "P7", "-o", "json", database_url=database_url)
    assert result.code == 0
    [shown] = result.json
    assert {name: shown[name] for name in ("id", "provider", "verdict", "code", "about", "copies")} == {
        "id": str(notification_ids[0]),
        "provider": "alipay",
        "verdict": "believed",
        "code": None,
        "about": "P7",
        "copies": 1,
    }
    assert shown["body"]["total_amount"] == "88.88"
    assert shown["body"]["buyer_pay_amount"] == "88.80"
    assert shown["body"]["buyer_id"] == "208****3037"
    assert shown["body"]["sign"]
    assert shown["headers"]["content-type"] == "application/x-www-form-urlencoded"
    table = oms("payments", "notifications", "--about", "P7", database_url=database_url)
    assert table.code == 0
    assert not [word for word in PERSONAL if word in result.out + table.out]


def test_personal_data_in_nested_json_is_masked(oms: Oms, database_url: str, notification_ids: list[int]) -> None:
    result = oms("payments", "notifications", "--id", str(notification_ids[1]), "-o", "json", database_url=database_url)
    assert result.json[0]["body"] == {"resource": {"payer": {"name": {"surname": "F****"}, "payer_id": "QYR****JNXQ"}}}


def test_a_body_that_is_neither_json_nor_a_form_is_not_shown(
    oms: Oms, database_url: str, notification_ids: list[int]
) -> None:
    result = oms("payments", "notifications", "--id", str(notification_ids[2]), "-o", "json", database_url=database_url)
    assert result.json[0]["code"] == "PAY_CALLBACK_INVALID"
    assert result.json[0]["body"] == {"neither JSON nor form, characters": 17}


def test_a_notification_cannot_be_read_with_other_keys(
    oms: Oms, database_url: str, notification_ids: list[int]
) -> None:
    other = "other:" + "B" * 43 + "="
    words = ("payments", "notifications", "--id", str(notification_ids[0]), "-o", "json")
    result = oms(*words, database_url=database_url, encryption_keys=other)
    assert result.code == 0
    assert "key 'test' is not in OMS_ENCRYPTION_KEYS" in result.json[0]["body"]["unreadable"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--about", "P9"), 2, "no notification about P9"),
        (("--id", "1"), 2, "no notification with id 1"),
        (("--id", "9" * 30), 2, "no such id"),
        ((), 1, "one of them"),
        (("--about", "P7", "--id", "1"), 1, "one of them"),
    ],
    ids=str,
)
def test_an_unknown_notification_or_an_unclear_selection_is_reported(
    oms: Oms, database_url: str, words: tuple[str, ...], code: int, message: str
) -> None:
    result = oms("payments", "notifications", *words, database_url=database_url)
    assert (result.code, result.out) == (code, "")
    assert message in result.err


def test_refunds_above_their_captures_are_listed_and_counted(oms: Oms, database_url: str, order: RefundedOrder) -> None:
    result = oms("payments", "excess", database_url=database_url)
    assert (result.code, result.out, result.err) == (0, "", "0 refunds above what was captured\n")

    async def mark(pool: Pool) -> None:
        await pool.execute("UPDATE refunds SET state = 'excess', excess_amount = 100")

    in_database(database_url, mark)
    result = oms("payments", "excess", database_url=database_url)
    assert (result.code, result.err) == (0, "1 refund above what was captured\n")
    assert {str(order.order_id), order.refund_no, "1.00"} <= set(result.out.split())
    [found] = orjson.loads(oms("payments", "excess", "-o", "json", database_url=database_url).out)
    assert (found["refund_no"], found["excess_amount"]) == (order.refund_no, 100)
