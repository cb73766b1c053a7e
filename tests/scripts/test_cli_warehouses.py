"""`oms warehouses` shows and sets the lists of warehouses, with a worker and both servers (S3-44)."""

from typing import Any

import psycopg
import pytest

from tests.broker import Broker
from tests.handlers.builders import ADDRESS, create, receive, sku
from tests.handlers.catalogue_builders import warehouses
from tests.handlers.harness import HandlerHarness
from tests.scripts.oms_command import Oms
from tests.scripts.placed import with_handlers
from tests.scripts.workers import worker

ZHEJIANG = ("--country", "CN", "--province", "Zhejiang")


@pytest.fixture
def lists(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists of tea, of China, and of everything; west has tea, of which one is locked."""

    async def work(harness: HandlerHarness) -> None:
        await harness.handle(sku("tea"), warehouses("west", "east"), warehouses("east", country="CN", revision=7))
        await harness.handle(warehouses("west", sku_id="tea", country="DE"), warehouses(sku_id="cup"))
        await harness.handle(receive("tea", 5, warehouse="west"))

        await harness.handle(create(("tea", 1), address=ADDRESS.model_copy(update={"country": "DE"})))
        await harness.pool.execute("DELETE FROM outbox")

    monkeypatch.setenv("OMS_DATABASE_URL", database_url)
    with_handlers(database_url, work)


def stored(database_url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute("SELECT id, revision, warehouses FROM warehouse_lists ORDER BY id").fetchall()


def test_the_lists_are_listed_by_id_in_pages(oms: Oms, lists: None) -> None:
    first = oms("warehouses", "list", "-o", "json", "--limit", "3")
    assert [row["id"] for row in first.json] == ["//", "//cup", "CN//"]
    assert [row["warehouses"] for row in first.json] == [["west", "east"], [], ["east"]]
    assert first.err == "3 lists; more: oms warehouses list --after 'CN//'\n"
    rest = oms("warehouses", "list", "--after", "CN//")
    assert "DE//tea" in rest.out
    assert rest.err == "1 list\n"


@pytest.mark.parametrize(
    ("arguments", "expected", "ids"),
    [
        (("tea", "--country", "DE"), [("west", 5, 1, 4)], ["DE//tea", "//"]),
        (("tea", *ZHEJIANG), [("east", 0, 0, 0)], ["CN//", "//"]),
        (("cup",), [("west", 0, 0, 0), ("east", 0, 0, 0)], ["//", "//cup"]),
    ],
    ids=["a SKU's own list", "the list of a country", "an ended list counts for nothing"],
)
def test_the_list_that_counts_is_shown_with_its_stock(
    oms: Oms, lists: None, arguments: tuple[str, ...], expected: list[tuple[Any, ...]], ids: list[str]
) -> None:
    shown = oms("warehouses", "show", *arguments, "-o", "json")
    assert [tuple(row.values()) for row in shown.json["warehouses"]] == expected
    assert [row["id"] for row in shown.json["lists"]] == ids
    table = oms("warehouses", "show", *arguments)
    assert (table.code, expected[0][0] in table.out, "the one that counts first" in table.out) == (0, True, True)


def test_a_list_is_set_and_ended_by_the_message_that_upstream_sends(
    oms: Oms, lists: None, database_url: str, declared_broker: Broker
) -> None:
    urls = {"prefix": declared_broker.names.prefix, "catalogue_amqp_url": declared_broker["catalogue"]}
    before = stored(database_url)
    planned = oms("warehouses", "set", "north", "west", *ZHEJIANG, "--dry-run", **urls)
    assert (planned.code, planned.err, "north" in planned.out) == (0, "dry run: nothing was changed\n", True)
    unasked = oms("warehouses", "set", "north", *ZHEJIANG)
    assert (unasked.code, "--yes" in unasked.err) == (6, True)
    assert stored(database_url) == before
    with worker(declared_broker, database_url, "catalogue"):
        placed = oms("warehouses", "set", "north", "west", *ZHEJIANG, "--yes", "-o", "json")
        ended = oms("warehouses", "set", "--none", "--country", "CN", "--yes")
    assert (placed.code, placed.json["revision"]) == (0, 1), placed
    assert (ended.code, ended.err) == (0, "list CN// is set\n"), ended
    changed = [("CN//", 8, []), ("CN/Zhejiang/", 1, ["north", "west"])]
    assert [row for row in stored(database_url) if row not in before] == changed
    with psycopg.connect(database_url) as connection:
        announced = connection.execute("SELECT routing_key FROM outbox").fetchall()
    assert announced == [("warehouses.changed",)] * 2


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["set"], 1, "next: oms warehouses set shanghai-1 chengdu-1, or oms warehouses set --none"),
        (["set", "--none", "east"], 1, "name the warehouses, or --none"),
        (["set", "east", "--province", "Zhejiang"], 1, "next: --country CN --province Zhejiang"),
        (["set", "east", "east", "--yes"], 1, "a warehouse is named twice"),
        (["set", "east", "--country", "cn", "--yes"], 1, "$.country"),
        (["show", "tea", "--province", "Zhejiang"], 1, "a province has a country: name it too"),
        (["show"], 1, "Missing argument 'SKU'"),
    ],
    ids=str,
)
def test_wrong_use_says_what_to_type(oms: Oms, lists: None, arguments: list[str], code: int, message: str) -> None:
    result = oms("warehouses", *arguments)
    assert (result.code, result.out) == (code, "")
    assert message in result.err


def test_without_any_list_it_says_where_lines_come_from(
    oms: Oms, database_url: str, declared_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMS_DATABASE_URL", database_url)
    empty = oms("warehouses", "list")
    assert (empty.code, empty.err) == (0, "no lists: every line comes from OMS_DEFAULT_WAREHOUSE\n")
    nothing = oms("warehouses", "show", "tea")
    assert (nothing.code, "next: oms warehouses set WAREHOUSE... --sku tea" in nothing.err) == (2, True)
    urls = {"prefix": declared_broker.names.prefix, "amqp_url": declared_broker["catalogue"]}
    late = oms("warehouses", "set", "east", "--yes", "--wait-seconds", "0", **urls)
    assert (late.code, "next: oms worker --queues catalogue; then oms warehouses list" in late.err) == (5, True)
