"""Ids and order numbers: unique, and the shard of the user can be read from the id (C-25, S4-23)."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.user_shards import USER_SHARDS, shard_of_id, shard_of_number, shard_of_user
from workers.domain.ids import EPOCH_MS, ID_MAX, SPREAD_MS, case_number, dated, is_id, make_id, order_number
from workers.domain.shop import CHANNELS
from workers.views.keys import uuid_of

GRAMMAR = re.compile(r"^\d{8}\d{2}\d{2}\d{6,}\d{2}$")
LAST_MS = EPOCH_MS + 2**41 - 1

moments = st.integers(EPOCH_MS + 1, LAST_MS)
shards = st.integers(0, USER_SHARDS - 1)
sequences = st.integers(0, 2**16 - 1)
parts = st.tuples(moments, shards, sequences)


@given(parts)
def test_an_id_is_a_positive_64_bit_number_and_gives_its_parts_back(given_parts: tuple[int, int, int]) -> None:
    made = make_id(*given_parts)
    assert 0 < made < 2**63
    assert ((made >> 22) + EPOCH_MS, made >> 16 & 0x3F, made & 0xFFFF) == given_parts


@given(parts, st.integers(0, LAST_MS))
def test_an_id_with_another_time_is_one_of_the_second_after_it(given_parts: tuple[int, int, int], at_ms: int) -> None:
    begin = max(at_ms, EPOCH_MS)
    found = dated(make_id(*given_parts), at_ms)
    assert begin < (found >> 22) + EPOCH_MS <= begin + SPREAD_MS
    assert found & 0x3FFFFF == make_id(*given_parts) & 0x3FFFFF


@given(st.integers(EPOCH_MS, LAST_MS - 999), shards, sequences, st.integers(0, LAST_MS))
def test_ids_of_one_number_of_the_sequence_differ_also_with_the_same_other_time(
    made_at: int, shard: int, sequence: int, at_ms: int
) -> None:
    found = {dated(make_id(made_at + later, shard, sequence), at_ms) for later in (0, 1, 500, 999)}
    assert len(found) == 4


@given(st.sets(parts, min_size=2, max_size=100))
def test_different_parts_make_different_ids(several: set[tuple[int, int, int]]) -> None:
    assert len({make_id(*one) for one in several}) == len(several)


@given(moments, shards, st.integers(0, 2**63))
def test_65536_ids_of_one_millisecond_and_shard_differ_at_any_start_of_the_sequence(
    at_ms: int, shard: int, first: int
) -> None:
    made = [make_id(at_ms, shard, first + step) for step in (0, 1, 2**15, 2**16 - 1)]
    assert len(set(made)) == len(made)
    assert make_id(at_ms, shard, first + 2**16) == made[0]


@given(st.integers(EPOCH_MS, LAST_MS - 1), shards, sequences, shards, sequences)
def test_later_ids_are_larger(at_ms: int, shard: int, sequence: int, next_shard: int, next_sequence: int) -> None:
    assert make_id(at_ms, shard, sequence) < make_id(at_ms + 1, next_shard, next_sequence)


def test_the_bits_last_until_the_year_2093() -> None:
    assert datetime.fromtimestamp(LAST_MS / 1000, UTC).year == 2093
    assert make_id(LAST_MS, 63, 2**16 - 1) == 2**63 - 1


SHARDS = {"123456789": 0x26, "": 0, "u1": 54, "u2": 12, "张三": 10, "a" * 64: 21}
"""CRC-32 modulo 64; its published check value for the digits is 0xCBF43926."""


@given(st.text(max_size=64))
def test_every_user_has_a_shard(user_id: str) -> None:
    assert 0 <= shard_of_user(user_id) < USER_SHARDS


@pytest.mark.parametrize(("user_id", "shard"), SHARDS.items())
def test_a_users_shard_is_the_same_for_ever(user_id: str, shard: int) -> None:
    """The shard is fixed for ever, since the ids of existing orders contain it."""
    assert shard_of_user(user_id) == shard


@given(st.dates(), st.sampled_from(sorted(CHANNELS.values())), st.integers(1, 10**9), shards)
def test_order_numbers_have_the_grammar_of_s4(day: object, source: str, sequence: int, shard: int) -> None:
    number = order_number(f"{day}".replace("-", ""), source, sequence, shard)
    assert GRAMMAR.match(number)
    assert len(number) >= 20


@given(
    st.sets(st.tuples(st.sampled_from(["20260131", "20260201"]), st.sampled_from(["00", "01"]), st.integers(1, 10**8)))
)
def test_order_numbers_differ_where_day_source_or_sequence_do(several: set[tuple[str, str, int]]) -> None:
    assert len({order_number(*one, 17) for one in several}) == len(several)


def test_an_order_number_reads_day_source_unknown_pay_type_sequence_and_shard() -> None:
    assert order_number("20260131", "01", 42, 7) == "20260131010000004207"
    assert order_number("20260131", "01", 1_234_567, 63) == "202601310100123456763"


THIS_ERA = st.integers(1_761_955_200_000, 2_177_452_800_000)
"""Milliseconds from November 2025 to the end of 2038, when an id looks like no older order number."""


@given(THIS_ERA, st.text(max_size=64), sequences, st.integers(1, 10**9))
def test_every_id_and_number_of_ours_leads_to_the_shard_of_its_user(
    at_ms: int, user_id: str, sequence: int, number: int
) -> None:
    """Which is C-25: from the order number alone, and from the user alone."""
    shard = shard_of_user(user_id)
    key = make_id(at_ms, shard, sequence)
    ours = [f"{key}", f"P{key}", f"P{key}-taken-2", f"R{key}", uuid_of(key)]
    ours += [order_number("20261130", "01", number, shard), case_number("20261130", number, shard)]
    assert {shard_of_id(key), *map(shard_of_number, ours)} == {shard}


def test_numbers_that_are_not_ours_or_carry_no_shard_lead_nowhere() -> None:
    older = ["202611220100000042", "2026112201001234567"]
    others = ["2026113001000000044299", "re_3PX", "P", "", "0d5f2a3e-7c1b-4f5e-9a51-0a2f4f0c8f11", "9" * 19]
    assert {shard_of_number(one) for one in (*older, *others)} == {None}


@given(parts)
def test_every_id_is_read_as_one(part: tuple[int, int, int]) -> None:
    assert is_id(str(make_id(*part)))


@pytest.mark.parametrize("text", ["", "-1", "1.0", "u-7", "\u0661", "9" * 19, str(ID_MAX + 1), "1" * 30])
def test_what_the_database_takes_for_no_number_is_no_id(text: str) -> None:
    assert not is_id(text)
