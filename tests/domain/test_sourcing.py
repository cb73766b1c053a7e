"""Where the goods of an order come from that names no warehouse (S3-44)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.domain.sourcing import Demand, WarehouseLists, choose

NAMES = ("east", "north", "west")
LISTS = WarehouseLists(
    {"tea": {("CN", "Jiangsu"): ("a",), ("CN", ""): ("b",), ("", ""): ("c",)}, "cup": {("CN", "Jiangsu"): ()}},
    {("CN", "Jiangsu"): ("d",), ("CN", ""): ("e",)},
)


@pytest.mark.parametrize(
    ("sku_id", "country", "province", "expected"),
    [
        ("tea", "CN", "Jiangsu", ("a",)),
        ("tea", "CN", "Anhui", ("b",)),
        ("tea", "DE", "", ("c",)),
        ("cup", "CN", "Jiangsu", ("d",)),
        ("pot", "CN", "Anhui", ("e",)),
        ("pot", "DE", "", ()),
    ],
)
def test_the_list_counts_that_says_most_about_the_line(
    sku_id: str, country: str, province: str, expected: tuple[str, ...]
) -> None:
    assert LISTS.of(sku_id, country, province) == expected


def chosen(free: dict[tuple[str, str], int], *demands: Demand, named: tuple[str, ...] = ()) -> dict[str, str]:
    return choose(demands, named, lambda sku_id, name: free.get((sku_id, name), 0))


TEA, CUP = Demand("tea", 2, NAMES), Demand("cup", 1, NAMES)


def test_all_comes_from_one_warehouse_if_one_has_all_though_others_are_better_for_a_part() -> None:
    free = {("tea", "east"): 2, ("tea", "west"): 2, ("cup", "north"): 1, ("cup", "west"): 1}
    assert chosen(free, TEA, CUP) == {"tea": "west", "cup": "west"}


def test_of_several_that_have_all_the_best_of_the_lists_counts_after_the_one_that_is_named() -> None:
    free = {(sku_id, name): 9 for sku_id in ("tea", "cup") for name in NAMES}
    assert chosen(free, TEA, CUP) == {"tea": "east", "cup": "east"}
    assert chosen(free, TEA, CUP, named=("west",)) == {"tea": "west", "cup": "west"}
    assert chosen(free, Demand("tea", 1, ("north", "west")), Demand("cup", 1, ("west", "north"))) == {
        "tea": "north",
        "cup": "north",
    }


def test_what_is_not_in_one_warehouse_comes_from_the_best_that_has_it() -> None:
    free = {("tea", "north"): 2, ("tea", "west"): 5, ("cup", "east"): 1}
    assert chosen(free, TEA, CUP) == {"tea": "north", "cup": "east"}


def test_what_no_warehouse_has_is_short_where_there_is_most() -> None:
    assert chosen({("tea", "west"): 1, ("cup", "north"): 1}, TEA, CUP) == {"tea": "west", "cup": "north"}
    assert chosen({}, TEA) == {"tea": "east"}


@st.composite
def orders(draw: st.DrawFn) -> tuple[list[Demand], dict[tuple[str, str], int]]:
    skus = draw(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, unique=True))
    lists = st.lists(st.sampled_from(NAMES), min_size=1, unique=True).map(tuple)
    demands = [Demand(sku_id, draw(st.integers(1, 4)), draw(lists)) for sku_id in skus]
    return demands, {(sku_id, name): draw(st.integers(0, 4)) for sku_id in skus for name in NAMES}


@given(orders(), st.sets(st.sampled_from(NAMES)))
def test_every_order_that_can_be_sourced_is_from_one_place_if_one_can_and_by_priority_otherwise(
    order: tuple[list[Demand], dict[tuple[str, str], int]], named: set[str]
) -> None:
    demands, free = order

    def has(one: Demand, name: str) -> bool:
        return name in one.warehouses and free[one.sku_id, name] >= one.qty

    found = chosen(free, *demands, named=tuple(named))
    assert found == chosen(free, *reversed(demands), named=tuple(named)), "the order of the lines does not matter"
    assert set(found) == {one.sku_id for one in demands}
    assert all(found[one.sku_id] in one.warehouses for one in demands)
    for one in demands:
        enough = [name for name in one.warehouses if has(one, name)]
        assert has(one, found[one.sku_id]) == bool(enough), "never more than is free, if it is anywhere"
    whole = [name for name in NAMES if all(has(one, name) for one in demands)]
    if whole:
        assert len(set(found.values())) == 1
        assert set(found.values()) <= (named & set(whole) or set(whole))
    else:
        for one in demands:
            enough = [name for name in one.warehouses if has(one, name)]
            assert not enough or found[one.sku_id] == enough[0]
