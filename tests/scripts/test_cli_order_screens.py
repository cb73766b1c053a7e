"""`oms order show`, `find` and `timeline` show orders to people at any width, and to programs as JSON."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
import psycopg
import pytest
from rich.cells import cell_len

from messages.explanations import OrderExplained
from messages.fulfilments import FulfilmentAccept
from messages.order_queries import HandOverShown, HoldShown, OrderDescribed, OrderListed
from messages.shipments import ShipmentUpdate
from tests.handlers.builders import book, cancel, captured, create, receive, sku, update, user
from tests.handlers.harness import HandlerHarness
from tests.handlers.hold_builders import hold, release
from tests.scripts.letters import letter
from tests.scripts.oms_command import Oms
from tests.scripts.placed import with_handlers
from workers import shop
from workers.domain.shop import Policy, Shop
from workers.store import dead_letters

WIDTHS = (80, 120)
TEA = "高山有机绿茶礼盒装特级明前龙井春茶2026新茶 250克x2罐 Limited Spring Edition"
LONG_SKU = "tea-longjing-2026-gift-box-250g-x2-for-new-year"
TRADE_NO = "2026112922001423450501234567"
TRACKING_NO = "SF1029384756012345678"
BUYER = "customer-of-the-app-0042"
SECRETS = ("13812345678", "Wang Fang", "Nanjing Road")
WHY = "the carrier asks for the house number"


@dataclass(frozen=True)
class Shelf:
    """The ids of orders in different states. `queued` has an event that has not left."""

    shipped: int
    held: int
    split: int
    child: int
    bulk: int
    rejected: int
    queued: int


async def make_shipped(harness: HandlerHarness) -> int:
    """An order of long names, with a payment that does not fit, and a parcel that travels."""
    lines = (("s1", 2), (LONG_SKU, 1))
    order_id = await harness.create_order(create(*lines, request_id="session-8c1e8b9e-3a7c-4b63", user_id=BUYER))
    await harness.handle(captured(order_id, 100, TRADE_NO), trusted=True)
    await harness.pay(order_id)
    await harness.handle(book(order_id, TRACKING_NO))
    await harness.handle(update(order_id, TRACKING_NO, "outbound"))
    place = "上海青浦转运中心 (Shanghai Qingpu Transfer Hub, gate 7)"
    moved = ShipmentUpdate(
        order_id=order_id,
        carrier="sf",
        tracking_no=TRACKING_NO,
        event_id="e1",
        status="in_transit",
        place=place,
        occurred_at=datetime.now(UTC),
    )
    await harness.handle(moved)
    return order_id


async def make_held(harness: HandlerHarness) -> int:
    """An order in a warehouse, with an open hold, a released one, and a dead letter that names it."""
    order_id = await harness.create_order(create(("s1", 1), request_id="r-held"))
    await harness.pay(order_id)
    accepted = FulfilmentAccept(order_id=order_id, warehouse="main", number=1, occurred_at=datetime.now(UTC))
    await harness.handle(accepted)
    await harness.handle(hold(order_id), hold(order_id, "h2", code="ADDRESS_UNCLEAR"), trusted=True)
    last = int(harness.events_of("order.held")[-1]["hold_id"])
    await harness.handle(release(order_id, hold_id=last), trusted=True)
    lost = letter("m77", queue="shipping-updates", type="shipment.update.v1", body=b'{"order_id":"%d"}' % order_id)
    async with harness.pool.acquire() as tx:
        await dead_letters.keep(tx, [lost])
    return order_id


async def make_shelf(harness: HandlerHarness) -> Shelf:
    shop.configure(Shop(policy=Policy(rate_limit_orders=0), fulfilment_warehouses={"main": frozenset()}))
    names = [f"bulk-{number:03}" for number in range(100)]
    await harness.handle(sku("s2", product_type="pre_sale", revision=2), sku(LONG_SKU, name=TEA), *map(sku, names))
    await harness.handle(receive(LONG_SKU, 9), *(receive(name, 9) for name in names))
    shipped, held = await make_shipped(harness), await make_held(harness)
    split = await harness.create_order(create(("s1", 1), ("s2", 1), request_id="r-split"))
    await harness.pay(split)
    child, cancelled = await harness.children(split)
    await harness.handle(cancel(cancelled))
    bulk = await harness.create_order(create(*((name, 1) for name in names), request_id="r-bulk", user_id="u9"))
    await harness.handle(create(("s1", 99), request_id="r-rejected"))
    rejected = int(harness.events_of("order.rejected")[-1]["order_id"])
    queued = await harness.place_order(("s1", 1), user_id="u8")
    await harness.handle_batch([harness.envelope(cancel(queued, actor=user("u8")))])
    return Shelf(shipped, held, split, child, bulk, rejected, queued)


@pytest.fixture
def shelf(database_url: str) -> Shelf:
    return with_handlers(database_url, make_shelf)


def screen(oms: Oms, monkeypatch: pytest.MonkeyPatch, width: int, *arguments: str) -> list[str]:
    """The lines that a command prints on a terminal of this width, none of which is wider."""
    monkeypatch.setenv("COLUMNS", str(width))
    result = oms("order", *arguments)
    assert (result.code, [line for line in result.out.splitlines() if cell_len(line) > width]) == (0, [])
    return result.out.splitlines()


def titles(lines: Sequence[str]) -> list[str]:
    """The titles of the parts of a screen: the lines after empty ones."""
    return [line for before, line in zip(["x", *lines], lines, strict=False) if not before]


def test_every_screen_fits_its_width(
    oms: Oms, database_url: str, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMS_DATABASE_URL", database_url)
    for width in WIDTHS:
        for order_id in vars(shelf).values():
            for command in ("show", "timeline", "explain"):
                assert len(screen(oms, monkeypatch, width, command, str(order_id))) > 3
        assert len(screen(oms, monkeypatch, width, "find", "--limit", "100")) > 6
    listed = screen(oms, monkeypatch, 80, "find", "--limit", "100")
    number = oms("order", "show", str(shelf.held), "-o", "json").json["order_no"]
    assert [line.split()[:2] for line in listed if number in line] == [[number, "fulfilling,"]], "buyers name numbers"
    assert [str(shelf.rejected), "rejected"] in [line.split()[:2] for line in listed], "it never got a number"
    narrow = screen(oms, monkeypatch, 80, "show", str(shelf.shipped))
    assert any(TRADE_NO in line for line in narrow), "numbers that people copy are not folded"
    assert any(TRACKING_NO in line for line in narrow)
    bulk = screen(oms, monkeypatch, 80, "show", str(shelf.bulk))
    assert sum("bulk-" in line and " main " in line for line in bulk) == 100, "a line of the order is a line here"


def test_a_screen_begins_with_what_a_support_person_has_to_know(
    oms: Oms, database_url: str, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMS_DATABASE_URL", database_url)
    held = screen(oms, monkeypatch, 120, "show", str(shelf.held))
    summary = "\n".join(held[: held.index("")])
    number = oms("order", "show", str(shelf.held), "-o", "json").json["order_no"]
    assert held[0] == f"Order {number}: fulfilling, held"
    for part in (
        "waits for  an operator to release hold ",
        "           the end of the hold that stops warehouse main",
        "held       FRAUD (operator) by operator ops-7",
        "failed     1 open dead letter: oms dead-letters show 1",
        "money      5.00 CNY to pay, 5.00 CNY captured, 0.00 CNY refunded: paid",
        "address    CN, W****, 138****5678, N****",
    ):
        assert part in summary
    assert titles(held) == [
        "timeline",
        "lines",
        "payments",
        "hand-overs",
        "holds",
        "dead letters (oms dead-letters show ID)",
        "commands",
    ]
    shipped = "\n".join(screen(oms, monkeypatch, 120, "show", str(shelf.shipped)))
    assert f"waits for  sf to deliver parcel {TRACKING_NO}\n           alipay to finish refund R" in shipped
    queued = "\n".join(screen(oms, monkeypatch, 120, "show", str(shelf.queued)))
    assert "behind     " in queued
    assert "outbox: events that have not left" in queued
    split = screen(oms, monkeypatch, 120, "show", str(shelf.split))
    assert any(line.startswith("child 1  ") and str(shelf.child) in line for line in split)
    assert [secret for secret in SECRETS if secret in summary + shipped] == []


def test_json_has_the_fields_of_the_wire(oms: Oms, database_url: str, shelf: Shelf) -> None:
    page = oms("order", "show", str(shelf.held), "-o", "json", database_url=database_url).json
    described = {name: value for name, value in page.items() if name in OrderDescribed.model_fields}
    for name, part in (("holds", HoldShown), ("hand_overs", HandOverShown)):
        described[name] = [{field: row[field] for field in part.model_fields} for row in page[name]]
    assert OrderDescribed.model_validate_json(orjson.dumps(described)).held
    assert [step["trigger"] for step in page["steps"]] == [
        *("created", "reserved", "captured", "accepted"),
        *("held", "held", "released"),
    ]
    assert [hold["reason_code"] for hold in page["holds"] if hold["released_at"] is None] == ["FRAUD"]
    assert [(one["warehouse"], one["state"]) for one in page["hand_overs"]] == [("main", "accepted")]
    assert [one["type"] for one in page["commands"]] == [
        *("order.create.v1", "order.hold.v1", "order.hold.v1", "order.release.v1"),
    ]
    assert [one["reason"] for one in page["dead_letters"]] == ["invalid"]
    assert [one["type"] for one in oms("order", "show", str(shelf.queued), "-o", "json").json["outbox"]]
    listed = oms("order", "find", "-o", "json").json
    assert OrderListed.model_validate_json(orjson.dumps(listed)).next_cursor is None


def test_a_timeline_has_every_step_with_its_cause_and_the_time_since_the_one_before(
    oms: Oms, database_url: str, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMS_DATABASE_URL", database_url)
    shown = screen(oms, monkeypatch, 120, "timeline", str(shelf.shipped))
    whats = [line[30:].split("  ")[0] for line in shown[2:] if line.startswith("20")]
    assert whats[0] == "created: placing"
    assert [what for what in whats if what.startswith(("payment", "captured", "all_shipped"))] == [
        "payment captured 1.00 CNY, mismatch",
        "payment captured 15.00 CNY",
        "captured: paid",
        "all_shipped: shipped",
    ]
    narrow = screen(oms, monkeypatch, 80, "timeline", str(shelf.shipped))
    assert f"    trade {TRADE_NO}" in narrow
    assert any(line.startswith("    order.create.v1 m") for line in narrow)
    found = oms("order", "timeline", str(shelf.split), "-o", "json").json
    first, *later = found["steps"]
    assert (first["trigger"], first["after_seconds"]) == ("created", None)
    assert [step["trigger"] for step in later] == ["reserved", "captured", "split"]
    assert all(step["after_seconds"] >= 0 for step in later)
    assert [child["steps"][-1]["state"] for child in found["child_orders"]] == ["paid", "cancelled"]


def test_an_explanation_names_what_is_awaited_and_what_would_move_the_order(
    oms: Oms, database_url: str, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMS_DATABASE_URL", database_url)
    held = "\n".join(screen(oms, monkeypatch, 80, "explain", str(shelf.held)))
    for part in (
        "because  fulfilment.accept.v1 m",
        "for       an operator to release hold ",
        "for       the end of the hold that stops warehouse main",
        "cancel       cancelling",
        "shipping-updates  shipment.update.v1  invalid  open",
    ):
        assert part in held
    unpaid = "\n".join(screen(oms, monkeypatch, 80, "explain", str(shelf.bulk)))
    assert re.search(
        r"for       the buyer to pay\nsince     .* ago\)\nuntil     .*\(in .* min .*\), then it is cancelled", unpaid
    )
    assert "order     child 1\nfor       warehouse main to accept it" in "\n".join(
        screen(oms, monkeypatch, 80, "explain", str(shelf.split))
    )
    assert "waits for  nothing" in oms("order", "explain", str(shelf.rejected)).out
    found = oms("order", "explain", str(shelf.held), "-o", "json")
    assert [one.what for one in OrderExplained.model_validate_json(found.out).awaits] == ["release", "resumption"]
    assert oms("order", "show", str(shelf.held), "-o", "json").json["awaits"] == found.json["awaits"]


def test_an_address_is_shown_in_clear_only_with_a_reason_which_is_recorded(
    oms: Oms, database_url: str, shelf: Shelf
) -> None:
    refused = oms("order", "show", str(shelf.held), "--reveal", database_url=database_url)
    assert (refused.code, refused.out) == (1, "")
    assert f"next: oms order show {shelf.held} --reveal --reason" in refused.err
    shown = oms("order", "show", str(shelf.held), "--reveal", "--reason", WHY, actor="ana")
    assert [secret for secret in SECRETS if secret not in shown.out] == []
    page = oms("order", "show", str(shelf.held), "--reveal", "--reason", WHY, "-o", "json").json
    assert (page["address"]["receiver"], page["address"]["changes"]) == ("Wang Fang", 0)
    assert oms("order", "show", "7", "--reveal", "--reason", WHY).code == 2
    with psycopg.connect(database_url) as connection:
        accesses = connection.execute("SELECT order_id, note, reason, actor = session_user FROM address_accesses")
        assert accesses.fetchall() == [(shelf.held, "ana", WHY, True)] * 2
        connection.execute("UPDATE order_addresses SET key_id = 'erased', ciphertext = ''")
    erased = oms("order", "show", str(shelf.held), "--reveal", "--reason", WHY)
    assert (erased.code, erased.out) == (2, "")


def ids(oms: Oms, *arguments: str) -> list[str]:
    result = oms("order", "find", *arguments, "-o", "ids")
    assert result.code == 0, result.err
    return result.out.split()


def test_orders_are_found_by_each_of_their_names(oms: Oms, database_url: str, shelf: Shelf) -> None:
    page = oms("order", "show", str(shelf.shipped), "-o", "json", database_url=database_url).json
    wanted = [str(shelf.shipped)]
    for name in (wanted[0], page["order_no"], page["order_uuid"], TRACKING_NO, TRADE_NO, f"t-{shelf.shipped}"):
        assert ids(oms, name) == wanted
    for option in (
        ("--order-no", page["order_no"]),
        ("--tracking-no", TRACKING_NO),
        ("--trade-no", TRADE_NO),
        ("--request-id", "session-8c1e8b9e-3a7c-4b63", "--user", BUYER),
        ("--sku", LONG_SKU),
        ("--user", BUYER),
        ("--state", "shipped"),
        ("--state", "shipped", "--from", "1h", "--before", "2199-01-01"),
    ):
        assert ids(oms, *option) == wanted
    assert ids(oms, str(shelf.child)) == [str(shelf.child)]
    assert ids(oms, "--before", "2h") == []
    unknown = oms("order", "find", "SF999")
    assert (unknown.code, unknown.out) == (2, "")
    assert "tracking number" in unknown.err
    assert oms("order", "find", "--tracking-no", "SF999").code == 2


def test_a_list_is_read_page_by_page_with_the_command_that_each_page_names(
    oms: Oms, database_url: str, shelf: Shelf
) -> None:
    arguments, seen = ["--user", "u1", "--from", "2h", "--limit", "1"], []
    while arguments:
        page = oms("order", "find", *arguments, "-o", "ids", database_url=database_url)
        seen += page.out.split()
        arguments = page.err.split("oms order find ")[1].split() if "more: " in page.err else []
    assert seen == [str(one) for one in (shelf.rejected, shelf.split, shelf.held)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["find", "--state", "payd"], "next: oms order find --state paid"),
        (["find", "--from", "yesterday"], "yesterday is no time"),
        (["find", "--request-id", "r1"], "name the user, too"),
        (["find", "--cursor", "abc"], "--cursor cannot be searched"),
        (["find", "--sku", "s" * 65], "--sku cannot be searched"),
        (["find", "SF1", "--user", "u1"], "--user does not go with it"),
        (["show", "1", "--rows", "--view", "s0"], "one of them at a time"),
        (["show", "1", "--reason", "x"], "a reason is for --reveal only"),
    ],
    ids=str,
)
def test_wrong_use_of_a_search_is_explained(
    oms: Oms, database_url: str, arguments: Sequence[str], message: str
) -> None:
    result = oms("order", *arguments, database_url=database_url)
    assert (result.code, result.out) == (1, "")
    assert message in result.err


def test_an_unknown_order_leads_to_the_search(oms: Oms, database_url: str) -> None:
    for command in ("show", "timeline", "explain"):
        result = oms("order", command, "SF1", database_url=database_url)
        assert (result.code, result.out) == (2, "")
        assert "next: oms order find SF1" in result.err
