"""subject.export has everything that is kept about a user, in clear and in parts, and nothing of another (S1-47)."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from messages.base import QueryRejected, Reply
from messages.envelope import Envelope
from messages.roles import Role
from messages.subjects import SubjectErase, SubjectExport, SubjectExported
from tests.handlers.builders import OPERATOR
from tests.handlers.harness import HandlerHarness
from tests.handlers.personal_data import FIELDS, as_before_user_keys, canary, lived
from tests.handlers.querying import record
from workers.handlers import queries
from workers.runtime.batch import Batch
from workers.services import subject_exports
from workers.store import subjects

pytestmark = pytest.mark.usefixtures("alipay_configured")


async def reply(harness: HandlerHarness, cursor: str | None = None, role: Role = Role.OPERATOR) -> Reply:
    body = SubjectExport(actor=OPERATOR, user_id="u1", cursor=cursor)
    item = Envelope(body, "m", "c", datetime(2026, 1, 1, tzinfo=UTC), roles=frozenset({role}), user="ops")
    recorded = await record(harness, [item])
    async with harness.pool.acquire() as tx, tx.transaction(readonly=True):
        (found,) = await queries.answer(tx, Batch([item], datetime.now(UTC), recorded))
    return found


async def exported(harness: HandlerHarness) -> tuple[dict[str, list[Any]], int]:
    """All parts as one, and how many there were."""
    whole: dict[str, list[Any]] = {}
    cursor, parts = None, 0
    while parts == 0 or cursor is not None:
        part = await reply(harness, cursor)
        assert isinstance(part, SubjectExported), part
        for section, rows in part.data.items():
            whole.setdefault(section, []).extend(rows)
        cursor, parts = part.next, parts + 1
    for order in whole.get("orders", ()):
        assert order.pop("address_accesses")  # each export adds a row
    assert whole["user"][0].pop("exports")
    return whole, parts


def seen(whole: Any, user_id: str = "u1") -> set[str]:
    text = orjson.dumps(whole).decode()
    return {field for field in FIELDS if canary(field, user_id) in text}


@pytest.mark.parametrize("before_keys", [False, True], ids=["user key", "before user keys"])
async def test_an_export_has_every_personal_field_of_the_user_and_none_of_another(
    harness: HandlerHarness, before_keys: bool
) -> None:
    await harness.fill_stock()
    await lived(harness)
    await lived(harness, "u2")
    if before_keys:
        await as_before_user_keys(harness)
        async with harness.pool.acquire() as tx, tx.transaction():
            await subjects.note_old_letters(tx)
    whole, _ = await exported(harness)
    assert (seen(whole), seen(whole, "u2")) == (set(FIELDS), set())
    assert [row["state"] for row in whole["orders"]] == ["completed", "cancelled"]
    completed = whole["orders"][0]
    parts = ("items", "address", "log", "attempts", "payments", "refunds", "parcels", "intent")
    assert all(completed[part] for part in parts)
    assert isinstance(completed["id"], str)
    order_id = completed["id"]
    assert {command["scope"] for command in completed["commands"]} == {
        f"payment.start:{order_id}:user:u1",
        f"order.confirm_receipt:{order_id}:user:u1",
        f"refund.request:{order_id}",
    }
    assert {command["scope"] for command in whole["commands"]} >= {
        "order.create:u1",
        "points.grant:u1",
        "points.adjust:u1",
    }
    assert {"user", "orders", "points", "texts", "notifications", "letters", "commands"} <= set(whole)


async def test_the_parts_are_bounded_and_make_the_same_whole(
    harness: HandlerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await harness.fill_stock()
    await lived(harness)
    whole, parts = await exported(harness)
    assert parts == 1
    monkeypatch.setattr(subject_exports, "PART_BYTES", 1)
    monkeypatch.setattr(subject_exports, "ROWS_MAX", 1)
    again, many = await exported(harness)
    assert again == whole
    assert many == sum(map(len, whole.values())) + 1


@pytest.mark.parametrize("cursor", ["nowhere", "orders.x", "letters.9999999999999999999", "orders.1 or 1=1"])
async def test_a_cursor_that_no_part_has_is_refused(harness: HandlerHarness, cursor: str) -> None:
    found = await reply(harness, cursor)
    assert isinstance(found, QueryRejected)
    assert (found.code, found.path) == ("SUBJECT_CURSOR_INVALID", "$.cursor")


async def test_the_log_keeps_who_exported_whom(harness: HandlerHarness) -> None:
    with capture_logs() as logged:
        await reply(harness)
    [entry] = [one for one in logged if one["event"] == "personal data exported"]
    assert (entry["actor"], entry["user_id"], entry["broker_user"]) == (OPERATOR.id, "u1", "ops")


async def test_only_operators_may_export(harness: HandlerHarness) -> None:
    found = await reply(harness, role=Role.STOREFRONT)
    assert isinstance(found, QueryRejected)
    assert found.code == "AUTH_FORBIDDEN"


async def test_the_export_of_an_erased_user_says_erased(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    await lived(harness)
    await harness.handle(SubjectErase(request_id="e", actor=OPERATOR, user_id="u1"), trusted=True)
    whole, _ = await exported(harness)
    assert seen(whole) == set()
    assert [row["address"]["text"] for row in whole["orders"]] == ["erased", "erased"]
    await harness.place_order(("s1", 1))
    whole, _ = await exported(harness)
    assert [row["address"]["text"] == "erased" for row in whole["orders"]] == [True, True, False]
    assert whole["orders"][2]["address"]["text"]["receiver"] == "Wang Fang"
