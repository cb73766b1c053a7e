"""The highest revision is not the last word: the catalogue's authority sets it back, and jumps are refused."""

from collections.abc import Callable
from typing import Any

import pytest

from messages.base import Command
from messages.catalogue import REVISION_MAX
from messages.roles import Role
from tests.handlers.builders import sku
from tests.handlers.catalogue_builders import hours, member, promotion, revision_reset, settings, template, warehouses
from tests.handlers.harness import HandlerHarness
from workers.domain.revision_steps import REVISION_STEP_MAX

Make = Callable[[int], Command]
KINDS: dict[str, tuple[Make, str, str, str]] = {
    "sku": (lambda n: sku("s1", revision=n, price=n % 1000), "s1", "skus", "price"),
    "promotion": (lambda n: promotion("p1", revision=n, name=str(n % 1000)), "p1", "promotions", "name"),
    "coupon_template": (lambda n: template(revision=n, amount=n % 1000), "t1", "coupon_templates", "amount"),
    "member": (lambda n: member(str(n % 1000), revision=n), "u1", "members", "level"),
    "settings": (
        lambda n: settings(revision=n, units_max_per_line=n % 1000),
        "normal",
        "business_policies",
        "policy->>'units_max_per_line'",
    ),
    "warehouse_hours": (
        lambda n: hours("monday", revision=n, ship_cutoff=f"00:{n % 60:02}"),
        "main",
        "warehouse_hours",
        "(substr(hours ->> 'ship_cutoff', 4))::integer",
    ),
    "warehouses": (
        lambda n: warehouses(f"w{n % 1000}", revision=n, sku_id="s1", country="CN", province="Jiangsu"),
        "CN/Jiangsu/s1",
        "warehouse_lists",
        "substr(warehouses[1], 2)",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batches", ["one batch", "a batch each"])
async def test_an_entry_with_the_highest_revision_can_be_corrected(
    kind: str, batches: str, harness: HandlerHarness
) -> None:
    make, entry, table, column = KINDS[kind]
    messages = [make(REVISION_MAX), revision_reset(entry, 6, kind=kind), make(6), make(7)]
    for batch in [messages] if batches == "one batch" else [[message] for message in messages]:
        await harness.handle(*batch, trusted=True)
    [row] = await harness.rows(f"SELECT revision, {column} FROM {table}")
    assert (row[0], str(row[1])) == (7, "7")
    changed = [{"kind": kind, "id": entry, "revision": 6, "previous_revision": REVISION_MAX}]
    assert [{key: event[key] for key in changed[0]} for event in harness.events_of("revision.changed")] == changed
    assert [event["revision"] for event in harness.events_of(f"{kind}.changed")] == [REVISION_MAX, 7]


async def test_revisions_above_the_reset_count_again_though_they_were_used(harness: HandlerHarness) -> None:
    await harness.handle(sku("s1", revision=5, price=1), sku("s1", revision=6, price=2))
    await harness.handle(revision_reset("s1", 5), sku("s1", revision=6, price=3), trusted=True)
    assert await harness.rows("SELECT revision, price FROM skus") == [(6, 3)]
    await harness.handle(sku("s1", revision=5, price=9))
    assert await harness.rows("SELECT revision, price FROM skus") == [(6, 3)]
    assert [event["code"] for event in harness.events_of("command.rejected")] == ["IDEMPOTENCY_CONFLICT"]


async def test_who_reset_it_is_kept_and_why_only_encrypted(harness: HandlerHarness) -> None:
    await harness.handle(sku("s1", revision=5))
    await harness.handle(revision_reset("s1", 0), revision_reset("s1", 2, request_id="reset-2"), trusted=True)
    rows = await harness.rows(
        "SELECT kind, id, previous, revision, by_user FROM revision_resets ORDER BY at, previous DESC"
    )
    assert rows == [("sku", "s1", 5, 0, "oms-operator"), ("sku", "s1", 0, 2, "oms-operator")]
    stored = await harness.rows("SELECT reason FROM revision_resets")
    assert not any(b"typed" in reason for (reason,) in stored)
    assert all("reason" not in event for event in harness.events_of("revision.changed"))


async def test_an_unknown_entry_has_no_revision_to_reset(harness: HandlerHarness) -> None:
    await harness.handle(revision_reset("nothing", 1), trusted=True)
    assert harness.rejections() == [("CATALOGUE_ENTRY_UNKNOWN", {"field": "id"})]


async def test_only_the_catalogue_and_operators_reset_revisions(harness: HandlerHarness) -> None:
    await harness.handle(sku("s1", revision=5))
    await harness.handle_batch([harness.envelope(revision_reset("s1", 1), roles=frozenset({Role.STOREFRONT}))])
    assert await harness.rows("SELECT revision FROM skus") == [(5,)]


MILLIS, NANOS = 1_790_000_000_000, 1_790_000_000_000_000_000
STEPS: list[tuple[str, int, int, bool]] = [
    ("a counter that goes on", 6, 7, True),
    ("a counter that becomes a clock", 6, MILLIS, True),
    ("a clock after a year", MILLIS, MILLIS + 365 * 86_400_000, True),
    ("nanoseconds after a year", NANOS, NANOS + 365 * 86_400 * 10**9, True),
    ("the highest step", 6, 6 + REVISION_STEP_MAX, True),
    ("one more", 6, 7 + REVISION_STEP_MAX, False),
    ("the highest revision", NANOS, REVISION_MAX, False),
]


@pytest.mark.parametrize(("before", "after", "accepted"), [s[1:] for s in STEPS], ids=[s[0] for s in STEPS])
async def test_a_revision_that_is_too_far_above_the_stored_one_is_refused(
    before: int, after: int, accepted: bool, harness: HandlerHarness
) -> None:
    await harness.handle(sku("s1", revision=before), sku("s1", revision=after))
    details: dict[str, Any] = {"field": "revision", "current_revision": before, "max": before + REVISION_STEP_MAX}
    assert harness.rejections() == ([] if accepted else [("CATALOGUE_REVISION_STEP", details)])
    assert await harness.rows("SELECT revision FROM skus") == [(after if accepted else before,)]
