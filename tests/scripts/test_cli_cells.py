"""The commands of a shop with cells: `oms cells`, `oms audit --cells`, and what the others say of the cells."""

import json

from tests.broker import Broker
from tests.handlers.harness import HandlerHarness
from tests.scripts.oms_command import Oms
from tests.scripts.placed import with_handlers

CELLS = "a:0-31,b:32-63"
NOBODY = "postgresql://nobody:secret@127.0.0.1:1/none"
OF_B = "20261130010000004240"


def test_wrong_cells_end_a_process_with_what_to_correct(oms: Oms) -> None:
    """Else two cells would handle one user, or none."""
    urls = {"database_url": NOBODY, "amqp_url": "amqp://nobody:secret@127.0.0.1:1/"}
    for cells, cell, why in (
        ("a:0-40,b:32-63", "a", "the cells a and b both own shard 32"),
        ("a:0-31", "a", "no cell owns shard 32"),
        (CELLS, "c", "the cell c of OMS_CELL is not in OMS_CELLS, whose cells are a, b"),
        ("", "a", "the cell a of OMS_CELL is not in OMS_CELLS, which is not set"),
        (CELLS, "", "set OMS_CELL to one of a, b"),
    ):
        for command in (["worker"], ["relay"], ["topology", "declare"]):
            result = oms(*command, cells=cells, cell=cell, **urls)
            assert result.code == 1, (command, result.err)
            assert why in result.err, (command, cells, result.err)


def test_cells_are_listed_and_one_that_is_away_hides_no_other(oms: Oms, database_url: str) -> None:
    urls = json.dumps({"a": database_url, "b": NOBODY})
    result = oms("cells", "-o", "json", cells=CELLS, cell_databases=urls)
    here, away = result.json
    assert here == {"cell": "a", "shards": "0-31", "database": "answers", "orders": 0, "misplaced": 0}
    assert (away["cell"], away["shards"], away["orders"]) == ("b", "32-63", None)
    assert result.code == 5
    assert "secret" not in result.out + result.err
    assert "OMS_CELL_DATABASES does not name" in oms("cells", cell_databases=json.dumps({"a": NOBODY})).err


def test_an_order_in_another_cell_is_named_with_that_cell(oms: Oms, database_url: str) -> None:
    result = oms("order", "show", OF_B, database_url=database_url, cells=CELLS, cell="a")
    assert "the cell b has it" in result.err
    assert "the cell b has it" not in oms("order", "show", OF_B, cell="b").err


def test_one_audit_of_all_cells_finds_what_is_in_two_or_in_the_wrong_one(oms: Oms, database_url: str) -> None:
    """The same database as both cells is the worst case: every order is in both."""

    async def work(harness: HandlerHarness) -> None:
        await harness.place_paid_order(("s1", 1))

    with_handlers(database_url, work)
    urls = json.dumps({"a": database_url, "b": database_url})
    result = oms("audit", "--cells", "-o", "json", cells=CELLS, cell_databases=urls)
    assert result.code == 3
    assert {one["id"].partition(":")[0] for one in result.json} == {"a", "b", "cells"}
    violated = {one["invariant"]: one["first"] for one in result.json if one["violations"]}
    assert sorted(violated) == [
        "no order is in two cells",
        "no order number is in two cells",
        "no payment of a provider is in two cells",
        "no user has orders in two cells",
        "orders are in the cell of their user",
    ]
    assert violated["no user has orders in two cells"] == ["u1 in a and b"]
    assert oms("cells", "-o", "json").json[0]["misplaced"] == 1, "u1 is of shard 54"


def test_the_entry_is_declared_with_the_last_cell(oms: Oms, broker: Broker) -> None:
    urls = {"prefix": broker.names.prefix, "amqp_url": broker["admin"], "cells": CELLS}
    assert "until every cell has its queues" in oms("topology", "declare", cell="a", **urls).err
    entered = oms("topology", "declare", cell="b", **urls).err
    assert "declared the entry into 2 cells" in entered
    shown = oms("topology", "show", "-o", "json").json
    assert {"exchanges", "queues", "bindings", "entry_exchanges", "entry_bindings"} == shown.keys()
