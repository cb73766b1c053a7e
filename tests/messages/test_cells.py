"""Which cell owns a shard, and to which cell a message belongs."""

from typing import Any
from uuid import UUID

import pytest

from messages.base import Actor, Message
from messages.cell_topology import HASH_TYPE, entry
from messages.cells import EVERY_CELL, FOUND_LATER, Cell, parse_cells, shards_of, shown
from messages.registry import FROM_OUTSIDE, MODELS
from messages.user_shards import USER_SHARDS, shard_of_user

CELLS: dict[str, frozenset[int]] = parse_cells("a:0-31,b:32-63")
HERE = Cell("a", CELLS)
IN_A, IN_B = 5 << 16, 40 << 16  # ids of these shards
FAULTS = {
    "a:0-63,b:10": "the cells a and b both own shard 10",
    "a:0-31": "no cell owns shard 32, 33, 34, 35, 36, 37, 38, 39 ...",
    "a:0-64": "'a:0-64' is no range of shards, which are 0 to 63",
    "a:9-3": "'a:9-3' is no range of shards, which are 0 to 63",
    "A:0-63": "'A:0-63' is no cell",
    "a": "'a' is no cell",
}


def test_cells_own_every_shard_once() -> None:
    assert parse_cells("") == {}
    assert {name: shown(shards) for name, shards in parse_cells("a:0-15, b:16-47,a:48-63").items()} == {
        "a": "0-15,48-63",
        "b": "16-47",
    }
    assert [HERE.owners[shard] for shard in (0, 31, 32, 63)] == ["a", "a", "b", "b"]
    for text, fault in FAULTS.items():
        with pytest.raises(ValueError, match=fault.replace(".", r"\.")):
            parse_cells(text)


def message(type_: str, **fields: Any) -> Message:
    """A message that was not checked: only the fields that lead to a shard count."""
    model = MODELS[f"{type_}.v1"]
    return model.model_construct(**dict.fromkeys(model.model_fields) | fields)


NUMBER = "20261130010000004240"
BELONGS: tuple[tuple[Message, set[str]], ...] = (
    (message("order.create", user_id="u1"), {"b"}),  # 54
    (message("order.create", user_id="u2"), {"a"}),  # 12
    (message("order.cancel", order_id=IN_B), {"b"}),
    (message("order.merge", order_ids=[IN_A, IN_B]), {"a", "b"}),
    (message("shipment.book", order_id=IN_A), {"a"}),
    (message("order.get", order=NUMBER), {"b"}),
    (message("order.get", order=str(UUID(int=IN_B))), {"b"}),
    (message("order.get", order="shop-17", actor=Actor(type="user", id="u1")), {"b"}),
    (message("order.get", order="shop-17", actor=Actor(type="operator", id="u1")), set()),
    (message("after_sale.get", case=NUMBER), {"b"}),
    (message("refund.result", refund_no=f"R{IN_B}"), {"b"}),
    (message("refund.result", refund_no="2088001"), set()),
    (message("refund.result", refund_no="re_3PX"), set()),
    (message("stock.receive", sku_id="s1"), set()),
    (message("sku.upsert", sku_id="s1"), {"a"}),
    (message("order.stuck"), set()),
)


def test_a_message_belongs_to_the_cell_of_its_user_its_order_or_its_number() -> None:
    for one, cells in BELONGS:
        assert set(HERE.of(one)) == cells, one.TYPE
    assert HERE.other_of(f"P{IN_B}") == "b"
    assert [HERE.other_of(number) for number in (f"P{IN_A}", "re_3PX", None)] == [None, None, None]


LEAD_NOWHERE = {
    "stock.adjust", "stock.end_quarantine", "stock.get", "stock.receive", "stock.threshold.set", "stock.transfer",
    "after_sale.list", "dashboard.get", "dispute.get", "dispute.list", "order.list", "order.stuck", "plan.forecast",
    "group.get", "plan.price", "plan.reorder", "dispute.submit_evidence", "shipment.update",
}  # fmt: skip
"""What names its cell in a header, at least if an operator sends it."""


def test_every_message_from_outside_leads_to_its_cell_or_is_known_to_need_the_header() -> None:
    operator = Actor(type="operator", id="ops-7")
    leading: dict[str, Any] = {
        "user_id": "u1",
        "order_id": IN_B,
        "order_ids": [IN_B],
        "order": str(IN_B),
        "refund_no": f"R{IN_B}",
    }
    nowhere = set()
    for model in MODELS.values():
        if model.KIND not in FROM_OUTSIDE or issubclass(model, (*EVERY_CELL, *FOUND_LATER)):
            continue
        required = {name for name, field in model.model_fields.items() if field.is_required()} & leading.keys()
        given = {name: leading[name] for name in required}
        if not required and "order" in model.model_fields and "case" in model.model_fields:
            given = {"order": str(IN_B)}
        given |= {"actor": operator} if "actor" in model.model_fields else {}
        if not shards_of(message(model.routing_key(), **given)):
            nowhere.add(model.routing_key())
    assert nowhere == LEAD_NOWHERE


def test_the_entry_leads_each_shard_to_one_cell_and_takes_away_what_led_to_others() -> None:
    for hashing in (True, False):
        wanted = entry("oms", CELLS, hashing=hashing)
        by_shard = [
            one for one in wanted.bindings if one.source == "oms.commands.by-shard" and "shard" in one.arguments
        ]
        assert {int(one.arguments["shard"]): one.destination for one in by_shard} == {
            shard: f"oms-{HERE.owners[shard]}.commands" for shard in range(USER_SHARDS)
        }
        assert len(by_shard) == USER_SHARDS
        assert not {(one.source, one.destination, *one.arguments.values()) for one in wanted.stale} & {
            (one.source, one.destination, *one.arguments.values()) for one in wanted.bindings
        }
        assert any(exchange.type == HASH_TYPE for exchange in wanted.exchanges) is hashing
    assert shard_of_user("u1") == 54
