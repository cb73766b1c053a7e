"""Largest remainder: exact to the last minor unit, whatever the size (R-03)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.domain.pricing.allocation import allocate, allocate_within

BIG = 10**18
weights = st.lists(st.integers(0, BIG), min_size=1, max_size=200)


@given(st.integers(0, BIG), weights)
def test_the_parts_add_up_to_the_amount(amount: int, weights: list[int]) -> None:
    parts = allocate(amount, weights)
    assert sum(parts) == amount
    assert len(parts) == len(weights)
    assert min(parts) >= 0


@given(st.integers(0, BIG), weights.filter(any))
def test_no_part_is_a_unit_away_from_its_exact_share(amount: int, weights: list[int]) -> None:
    total = sum(weights)
    for part, weight in zip(allocate(amount, weights), weights, strict=True):
        assert abs(part * total - amount * weight) < total


@given(weights.filter(any), st.data())
def test_no_line_gives_more_than_it_weighs(weights: list[int], data: st.DataObject) -> None:
    amount = data.draw(st.integers(0, sum(weights)))
    assert all(part <= weight for part, weight in zip(allocate(amount, weights), weights, strict=True))


@given(st.integers(0, BIG), st.lists(st.integers(0, 3), min_size=1, max_size=200).filter(any))
def test_larger_remainders_are_served_first_and_ties_by_line(amount: int, weights: list[int]) -> None:
    total = sum(weights)
    extra = [part - amount * w // total for part, w in zip(allocate(amount, weights), weights, strict=True)]
    assert set(extra) <= {0, 1}
    ranked = sorted(range(len(weights)), key=lambda line: (-(amount * weights[line] % total), line))
    assert [extra[line] for line in ranked] == sorted(extra, reverse=True)


@given(st.integers(0, BIG), st.integers(1, 200))
def test_where_nothing_weighs_anything_the_shares_are_equal(amount: int, lines: int) -> None:
    parts = allocate(amount, [0] * lines)
    assert sum(parts) == amount
    assert max(parts) - min(parts) <= 1
    assert parts == sorted(parts, reverse=True)


EXAMPLES = [
    ("MALL gives 49.50 of 50.00", 5000, [10000, 10000, 10000], [1667, 1667, 1666]),
    ("MALL gives 9.80 of 10.00", 1000, [1500] * 7, [143, 143, 143, 143, 143, 143, 142]),
    ("RY's last line gets -1", 1, [100, 100, 100], [1, 0, 0]),
    ("RY's last line gets -4", 5, [100] * 10, [1] * 5 + [0] * 5),
    ("a line that weighs nothing gets nothing", 100, [0, 50, 50], [0, 50, 50]),
    ("nothing to share", 0, [1, 2, 3], [0, 0, 0]),
    ("one line takes all", 999, [7], [999]),
]


@pytest.mark.parametrize(("amount", "weights", "parts"), [e[1:] for e in EXAMPLES], ids=[e[0] for e in EXAMPLES])
def test_the_examples_of_the_requirements(amount: int, weights: list[int], parts: list[int]) -> None:
    assert allocate(amount, weights) == parts


@pytest.mark.parametrize(("amount", "weights"), [(-1, [1]), (1, [])])
def test_what_makes_no_sense_is_a_defect_of_the_caller(amount: int, weights: list[int]) -> None:
    with pytest.raises(AssertionError):
        allocate(amount, weights)


either = st.one_of(st.integers(0, 9), st.integers(0, BIG))
capped = st.lists(st.tuples(either, either), min_size=1, max_size=50)


@given(capped, st.data())
def test_with_caps_the_parts_add_up_and_none_is_above_its_cap(
    lines: list[tuple[int, int]], data: st.DataObject
) -> None:
    weights, caps = [w for w, _ in lines], [c for _, c in lines]
    amount = data.draw(st.integers(0, sum(caps)))
    parts = allocate_within(amount, weights, caps)
    assert sum(parts) == amount
    assert all(0 <= part <= cap for part, cap in zip(parts, caps, strict=True))


@given(capped.filter(lambda lines: any(w for w, _ in lines)), st.data())
def test_a_cap_takes_nothing_from_the_other_lines(lines: list[tuple[int, int]], data: st.DataObject) -> None:
    weights, caps = [w for w, _ in lines], [c for _, c in lines]
    amount = data.draw(st.integers(0, sum(caps)))
    for part, weight, cap in zip(allocate_within(amount, weights, caps), weights, caps, strict=True):
        assert part >= min(cap, amount * weight // sum(weights))


@given(weights.filter(any), st.data())
def test_caps_that_are_not_reached_change_nothing(weights: list[int], data: st.DataObject) -> None:
    amount = data.draw(st.integers(0, sum(weights)))
    assert allocate_within(amount, weights, weights) == allocate(amount, weights)


@pytest.mark.parametrize(
    ("amount", "weights", "caps", "parts"),
    [
        (100, [50, 50], [10, 100], [10, 90]),
        (100, [50, 30, 20], [10, 40, 100], [10, 40, 50]),  # the second line is full only with what the first gave
        (100, [1, 0, 0], [10, 50, 50], [10, 45, 45]),
        (11, [1, 1], [5, 10], [5, 6]),  # rounding alone would put the first line above its cap
        (30, [1, 1, 1], [10, 10, 10], [10, 10, 10]),
        (0, [1, 1], [0, 0], [0, 0]),
    ],
)
def test_what_a_full_line_cannot_take_goes_to_the_others(
    amount: int, weights: list[int], caps: list[int], parts: list[int]
) -> None:
    assert allocate_within(amount, weights, caps) == parts


def test_more_than_all_caps_together_is_a_defect_of_the_caller() -> None:
    with pytest.raises(AssertionError, match="caps"):
        allocate_within(3, [1, 1], [1, 1])
