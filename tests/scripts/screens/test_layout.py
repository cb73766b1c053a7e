"""Tables and fields fit the width of a terminal, whatever stands in them."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from scripts.commands.decisions import GROUPED
from scripts.commands.letter_lists import GROUP_COLUMNS, STATUS_COLUMNS
from scripts.commands.output import readable, table_of
from scripts.commands.replay_runner import OUTCOME_COLUMNS
from scripts.commands.replays import COLUMNS, COUNTS
from scripts.screens.layout import Column, fields, folded, grid, section, write_rows

TEA = "高山有机绿茶礼盒装特级明前龙井春茶"
LIST = (Column("id"), Column("number", extra=True), Column("name", least=8, cut=True), Column("due", right=True))
ROWS = [("1001", "n-1", "Tea", "5.00"), ("1002", "n-2", TEA, "10.00")]


def text_of(columns: tuple[Column, ...], rows: Sequence[tuple[str, ...]], width: int) -> list[str]:
    return [line.plain for line in grid(columns, rows, width).lines]


@pytest.mark.parametrize(
    ("width", "header", "last"),
    [
        (80, "id number name due", f"1002 n-2 {TEA} 10.00"),
        (35, "id number name due", "1002 n-2 高山有机绿茶… 10.00"),
        (26, "id name due", "1002 高山有机绿茶… 10.00"),
        (20, "id name due", "1002 高山有… 10.00"),
    ],
)
def test_a_narrow_screen_cuts_names_then_leaves_columns_out(width: int, header: str, last: str) -> None:
    shown = text_of(LIST, ROWS, width)
    assert [" ".join(shown[place].split()) for place in (0, -1)] == [header, last]
    assert len({cell_len(line) for line in shown}) == 1, "the last column is aligned to the right"
    assert max(map(cell_len, shown)) <= width


def test_a_column_without_content_is_left_out() -> None:
    assert text_of((Column("a"), Column("b"), Column("c")), [("1", "", "-"), ("2", "", "x")], 80) == [
        "a  c",
        "1  -",
        "2  x",
    ]


def test_numbers_that_are_folded_stay_whole() -> None:
    number = "2026112922001423450501234567"
    rows = grid((Column("number"), Column("note", least=4)), [(number, "a note of some length")], 36).rows
    assert "".join(line.plain[:28].strip() for line in rows[0]) == number


def test_a_table_without_rows_shows_nothing() -> None:
    assert section("refunds", LIST, [], 80) == []


def test_fields_are_folded_under_themselves_and_left_out_without_a_value() -> None:
    lines = fields([("state", "paid"), ("reason", None), ("waits for", "its warehouses and more")], 24)
    assert [line.plain for line in lines] == [
        "state      paid",
        "waits for  its",
        "           warehouses",
        "           and more",
    ]


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("", 5, [""]),
        ("one two three", 7, ["one two", "three"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("a bcdefgh i", 4, ["a", "bcde", "fgh", "i"]),
        ("return_refund", 8, ["return_", "refund"]),
        ("trade-no-20261129220014", 14, ["trade-no-", "20261129220014"]),
        ("a.b_cdefgh", 4, ["a.b_", "cdef", "gh"]),
        ("茶茶茶", 5, ["茶茶", "茶"]),
        ("茶", 1, ["茶"]),
    ],
)
def test_texts_are_broken_between_words_and_within_long_ones(text: str, width: int, lines: list[str]) -> None:
    assert folded(text, width) == lines


@given(
    st.lists(
        st.tuples(
            *[st.text(alphabet="ab -茶é\u202e\x1b\t", max_size=40)] * 4
        ),  # the last three must not reach a terminal
        min_size=1,
        max_size=4,
    ),
    st.sampled_from([40, 80, 120]),
)
def test_no_line_is_wider_than_the_screen(rows: list[tuple[str, ...]], width: int) -> None:
    columns = (Column("id"), Column("number", extra=True), Column("name", least=6), Column("due", right=True, cut=True))
    shown = text_of(columns, rows, width)
    assert max(map(cell_len, shown)) <= width
    assert all(line.isprintable() for line in shown)


def test_rows_leave_out_what_matters_least_on_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    about: dict[str, object] = {
        "queue": "order-creation",
        "type": "order.create.v1",
        "reason": "failed",
        "error": "KeyError",
    }
    group = {"group": "0123456789abcdef", **about, "letters": 4920}
    ages = {"last_hour": 4920, "oldest": "10m", "newest": "9m", "versions": "1.4", "notes": None}
    status = {"queue": "shipping-updates", "open": 29, "groups": 10, "largest": "0123456789abcdef"}
    status |= {"largest_reason": "unroutable"}
    outcome = {"outcome": "refused", "code": "PRODUCT_NOT_FOUND", "queue": "order-creation", "type": "order.create.v1"}
    run = {"id": 1, "state": "finished", "at": "2026-11-30 10:07:11Z", "actor": "oms", "note": "ana"}
    run |= {"reason": "mended", "selection": "--all", "why": None, **dict.fromkeys(COUNTS), "worked": 4920}
    for columns, row, least in (
        (GROUP_COLUMNS, group | ages, "group letters type reason queue error"),
        (GROUPED, group | {"to": "order-creation", "plan": "replay", "first": 17}, "group letters first type to plan"),
        (OUTCOME_COLUMNS, outcome | {"letters": 80, "first_ids": "1 2 3"}, "outcome letters code type first_ids queue"),
        (STATUS_COLUMNS, status | ages, "queue open oldest groups largest largest_reason newest"),
        (COLUMNS, run, "id state worked reason at selection note actor"),
    ):
        monkeypatch.setenv("COLUMNS", "80")
        write_rows([row], columns)
        header, *lines = capsys.readouterr().out.splitlines()
        assert (" ".join(header.split()), len(lines), len(lines[0]) <= 80) == (least, 1, True)
        monkeypatch.setenv("COLUMNS", "200")
        write_rows([row], columns)
        assert set(capsys.readouterr().out.split()) >= {name for name, value in row.items() if value is not None}


@pytest.mark.parametrize(("width", "whole"), [(100, True), (80, True), (40, False)])
def test_what_a_person_copies_stays_whole_on_a_narrow_terminal(width: int, whole: bool) -> None:
    due, woken, group = "2026-11-30 10:34:36Z", "2026-11-30 10:34:41Z", "0123456789abcdef"
    late = {"kind": "payment", "key": 385740081018701723, "group": group, "due_at": due, "wakes": 0, "next_wake": woken}
    screen = Console(width=width)
    with screen.capture() as shown:
        screen.print(table_of([late], width))
    assert [text in shown.get() for text in ("385740081018701723", group)] == [whole, whole]
    assert max(map(cell_len, shown.get().splitlines())) <= width


def test_a_cause_is_broken_between_words_and_what_to_type_stays_one_line() -> None:
    text = "oms: no answer came\n  why:  perhaps no worker serves order-creation\n  next: oms order show 1 --reveal"
    shown = readable(text, 30).split("\n")
    assert shown == [
        "oms: no answer came",
        "  why:  perhaps no worker",
        "        serves order-creation",
        "  next: oms order show 1 --reveal",
    ]
