"""`oms disputes` lists and shows disputes, and the screens of an order have them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from rich.cells import cell_len

from messages.dispute_queries import DisputeListed, DisputeShown
from tests.handlers.harness import HandlerHarness
from tests.handlers.refund_builders import dispute, evidence
from tests.scripts.oms_command import Oms
from tests.scripts.placed import with_handlers

DUE = datetime.now(UTC).replace(microsecond=0) + timedelta(days=10)


@dataclass(frozen=True)
class Disputed:
    """A paid order with an open dispute PP-R-ABC-1 and a lost one, PP-R-ABC-2."""

    order_id: str
    url: str


@pytest.fixture
def disputed(database_url: str) -> Disputed:
    async def work(harness: HandlerHarness) -> Disputed:
        await harness.fill_stock()
        order_id = await harness.place_paid_order(("s1", 2))
        await harness.handle(dispute(dispute_no="PP-R-ABC-1", due_at=DUE, reason_code="UNAUTHORISED"))
        await harness.handle(dispute("lost", dispute_no="PP-R-ABC-2"))
        await harness.handle(evidence("e1", "proofs/delivery.pdf", dispute_no="PP-R-ABC-1"), trusted=True)
        return Disputed(str(order_id), database_url)

    return with_handlers(database_url, work)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_about_a_dispute_is_wider_than_the_screen(
    oms: Oms, disputed: Disputed, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for arguments in (
        ("disputes", "list", "--newest"),
        ("disputes", "show", "PP-R-ABC-1"),
        *(("order", word, disputed.order_id) for word in ("show", "explain", "timeline")),
    ):
        shown = oms(*arguments, database_url=disputed.url)
        assert shown.code == 0, shown.err
        assert [line for line in shown.out.splitlines() if cell_len(line) > width] == []
        assert "disp" in shown.out.lower()
    listed = oms("disputes", "list", "--newest", database_url=disputed.url).out
    assert (disputed.order_id in listed) is (width >= 80)


def test_a_dispute_is_shown_to_people_and_to_programs(
    oms: Oms, disputed: Disputed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    screen = oms("disputes", "show", "PP-R-ABC-1", database_url=disputed.url).out
    assert "signed by Ada, 138****5678" in screen
    assert "proofs/delivery.pdf" in screen
    assert f"until {DUE:%Y-%m-%d %H:%M:%S}Z" in screen
    found = oms("disputes", "show", "PP-R-ABC-1", "--provider", "alipay", "-o", "json", database_url=disputed.url).out
    shown = DisputeShown.model_validate_json(found)
    assert (shown.state, shown.due_at, shown.evidence[0].references) == ("opened", DUE, ("proofs/delivery.pdf",))


def test_disputes_are_listed_with_the_nearest_date_first(oms: Oms, disputed: Disputed) -> None:
    def listed(*arguments: str) -> list[str]:
        out = oms("disputes", "list", *arguments, "-o", "json", database_url=disputed.url).out
        return [one.dispute_no for one in DisputeListed.model_validate_json(out).disputes]

    assert listed() == ["PP-R-ABC-1"]
    assert listed("--newest", "--state", "lost") == ["PP-R-ABC-2"]
    assert sorted(listed("--newest", "--order", disputed.order_id)) == ["PP-R-ABC-1", "PP-R-ABC-2"]
    assert "PP-R-ABC-1" in oms("disputes", "list", database_url=disputed.url).out
    assert "no disputes" in oms("disputes", "list", "--due-before", "2026-01-01", database_url=disputed.url).err


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [(("show", "999"), "oms disputes list --newest"), (("list", "--state", "open"), "the states are opened")],
    ids=str,
)
def test_an_error_says_what_to_type(oms: Oms, disputed: Disputed, arguments: tuple[str, ...], hint: str) -> None:
    refused = oms("disputes", *arguments, database_url=disputed.url)
    assert refused.code != 0
    assert hint in refused.err


def test_the_timeline_of_an_order_has_its_disputes(oms: Oms, disputed: Disputed) -> None:
    happened = oms("order", "timeline", disputed.order_id, "-o", "json", database_url=disputed.url).json["happenings"]
    found = [one["what"] for one in happened if one["what"].startswith("dispute")]
    assert sorted(found) == [
        "dispute PP-R-ABC-1: evidence 1 submitted",
        "dispute PP-R-ABC-1: opened, 4.00 CNY",
        "dispute PP-R-ABC-2: lost, 4.00 CNY",
    ]
