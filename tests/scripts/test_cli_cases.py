"""`oms cases` lists and shows after-sale cases, and the screens of an order show them."""

from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from rich.cells import cell_len

from messages.after_sale_queries import AfterSaleListed, CaseShown
from tests.handlers.builders import create
from tests.handlers.case_builders import apply, arrive, inspect, open_case, review, ship_back
from tests.handlers.exchange_builders import approved, back, delivered, exchange_order
from tests.handlers.harness import HandlerHarness
from tests.scripts.oms_command import Oms
from tests.scripts.placed import with_handlers


@dataclass(frozen=True)
class OneCase:
    """The names of a case about two units, of which one was accepted; its money is on its way back."""

    case_no: str
    case_id: str
    order_id: str
    url: str


@dataclass(frozen=True)
class OneExchange:
    """The names of an exchange case, of the order whose goods come back, and of the exchange order."""

    case_no: str
    first: str
    second: str
    url: str


@pytest.fixture
def case(database_url: str) -> OneCase:
    async def work(harness: HandlerHarness) -> OneCase:
        order_id = await harness.create_order(create(("s1", 2)))
        await harness.pay(order_id)
        await harness.deliver(order_id)
        words = {"reason_code": "quality", "description": "torn, call 13812345678", "evidence": ("photos/1.jpg",)}
        event = await open_case(harness, apply(order_id, (1, 2), type="return_refund", **words))
        await harness.handle(review(event, note="regular customer"), trusted=True)
        await harness.handle(ship_back(event, "B7"), arrive(event))
        await harness.handle(inspect(event, (1, 1, "restock"), (1, 1, "send_back")))
        return OneCase(event["case_no"], event["case_id"], event["order_id"], database_url)

    return with_handlers(database_url, work)


@pytest.fixture
def exchanged(database_url: str) -> OneExchange:
    async def work(harness: HandlerHarness) -> OneExchange:
        first = await delivered(harness)
        case = await approved(harness, first, (1, 1, "s1"))
        await back(harness, case, (1, 1, "restock"))
        return OneExchange(case["case_no"], str(first), str((await exchange_order(harness))[0]), database_url)

    return with_handlers(database_url, work)


@pytest.mark.parametrize("width", [80, 120])
def test_an_exchange_order_and_its_case_name_each_other_on_every_screen(
    oms: Oms, exchanged: OneExchange, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    second_no = oms("order", "show", exchanged.second, "-o", "json", database_url=exchanged.url).json["order_no"]

    def names(words: tuple[str, ...], *wanted: str) -> None:
        out = oms(*words, database_url=exchanged.url).out
        assert [line for line in out.splitlines() if cell_len(line) > width] == [], words
        assert [one for one in wanted if one not in out] == [], words

    for word in ("show", "explain", "timeline"):
        names(("order", word, exchanged.first), second_no, exchanged.case_no)
        names(("order", word, exchanged.second), exchanged.case_no)
    names(("cases", "show", exchanged.case_no), second_no)
    names(("cases", "list"), second_no, exchanged.case_no)


def test_an_exchange_order_and_its_case_name_each_other_in_json(oms: Oms, exchanged: OneExchange) -> None:
    def read(*words: str) -> Any:
        return oms(*words, "-o", "json", database_url=exchanged.url).json

    for word in ("show", "explain", "timeline"):
        assert [one["order_id"] for one in read("order", word, exchanged.first)["exchanges"]] == [exchanged.second]
        assert read("order", word, exchanged.second)["replaces"]["first_order_id"] == exchanged.first
    assert read("cases", "show", exchanged.case_no)["exchange"]["order_id"] == exchanged.second
    assert [one["exchange"]["order_id"] for one in read("cases", "list")["cases"]] == [exchanged.second]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_about_a_case_is_wider_than_the_screen(
    oms: Oms, case: OneCase, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for arguments in (
        ("cases", "list"),
        ("cases", "show", case.case_no),
        *(("order", word, case.order_id) for word in ("show", "explain", "timeline")),
    ):
        shown = oms(*arguments, database_url=case.url)
        assert shown.code == 0, shown.err
        assert [line for line in shown.out.splitlines() if cell_len(line) > width] == []
        assert "case" in shown.out.lower()


def test_a_case_is_shown_to_people_and_to_programs(oms: Oms, case: OneCase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    screen = oms("cases", "show", case.case_no, database_url=case.url).out
    assert "torn" not in screen
    assert "****" in screen
    assert "1 accepted, 1 refused, 1 refunded" in screen
    assert f"1 unit: oms order explain {case.order_id} says whether they have to go back to the buyer" in screen
    shown = CaseShown.model_validate_json(oms("cases", "show", case.case_id, "-o", "json", database_url=case.url).out)
    assert (shown.case_no, shown.state, shown.evidence) == (case.case_no, "refunding", ("****",))


def test_what_people_wrote_is_shown_with_a_reason_which_is_recorded(
    oms: Oms, case: OneCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for wrong in (("--reveal",), ("--reason", "why"), ("--reveal", "--reason", " ")):
        assert oms("cases", "show", case.case_no, *wrong, database_url=case.url).code == 1
    screen = oms("cases", "show", case.case_no, "--reveal", "--reason", "the review", database_url=case.url).out
    for written in ("torn, call 13812345678", "regular customer", "photos/1.jpg"):
        assert written in screen
    with psycopg.connect(case.url) as connection:
        looks = connection.execute("SELECT what, order_id::text, reason, actor = session_user FROM address_accesses")
        assert looks.fetchall() == [("case", case.order_id, "the review", True)]


def test_cases_are_listed_with_those_that_wait_longest_first(oms: Oms, case: OneCase) -> None:
    assert case.case_no in oms("cases", "list", database_url=case.url).out
    found = oms("cases", "list", "--newest", "--type", "return_refund", "-o", "json", database_url=case.url).out
    assert [one.case_no for one in AfterSaleListed.model_validate_json(found).cases] == [case.case_no]
    assert "no cases" in oms("cases", "list", "--state", "requested", database_url=case.url).err


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("show", "999"), "oms cases list --newest"),
        (("list", "--state", "open"), "the states are requested"),
        (("list", "--type", "swap"), "the types are refund_only"),
    ],
    ids=str,
)
def test_an_error_says_what_to_type(oms: Oms, case: OneCase, arguments: tuple[str, ...], hint: str) -> None:
    refused = oms("cases", *arguments, database_url=case.url)
    assert refused.code != 0
    assert hint in refused.err


def test_the_document_s3_has_the_operate_log_with_the_steps_of_the_case(oms: Oms, case: OneCase) -> None:
    log = oms("order", "show", case.order_id, "--view", "s3", "-o", "json", database_url=case.url).json
    entries = log["order_operate_log"]
    assert [(one["operate_type"], one["pre_status"], one["current_status"]) for one in entries][:1] == [
        (10, None, None)
    ]
    last = entries[-1]
    assert (last["operate_type"], last["pre_status"], last["remark"]) == (
        230,
        60,
        f"refund_opened {case.case_no}: refunding",
    )
