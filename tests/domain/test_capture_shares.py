"""What is refunded and what is left is always what was captured, whatever a provider reports and in which order.

A history draws on one capture: operators request what is left, the provider reports each refund as failed, submitted or
succeeded, also after it had reported a failure.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from messages.refunds import RefundObserved
from workers.domain.book import Book
from workers.domain.refund_amounts import GONE, PENDING, CaptureShare, RefundState, excess_without, share_out
from workers.handlers.refunds import RefundContext, judge
from workers.store.refunds import RefundEnd, RefundRow

ORDER_ID = 7
DRAWN_ON = (ORDER_ID, "alipay", "t1")
Status = Literal["succeeded", "failed", "submitted", "unknown"]


@dataclass
class History:
    """The refunds of one capture as the handler decides about them, and what the provider really gave back."""

    captured: int
    context: RefundContext = field(init=False)
    ends: dict[str, RefundEnd] = field(default_factory=dict)
    given_back: int = 0

    def __post_init__(self) -> None:
        self.context = RefundContext(Book({}), {}, {DRAWN_ON: CaptureShare(self.captured)}, {})

    @property
    def share(self) -> CaptureShare:
        return self.context.shares[DRAWN_ON]

    @property
    def numbers(self) -> list[str]:
        return list(self.context.known)

    def request(self, amount: int) -> None:
        """Open a refund of an amount that is left, as requests and cancellations do."""
        assert 0 < amount <= self.share.left
        number = f"R{len(self.context.known)}"
        row = RefundRow(1, number, *DRAWN_ON, "c", amount, "CNY", RefundState.REQUESTED, self.share)
        self.context.known[number] = row
        self.context.shares[DRAWN_ON] = self.share.after(amount, RefundState.FAILED, RefundState.REQUESTED)

    def report(self, number: str, status: Status) -> RefundEnd | None:
        """Take a report of the provider. Returns the new state; None if the report changes nothing."""
        refund = self.context.known[number]
        if refund.state in (*GONE, status):
            return None
        end = judge(refund, self.context, observed(refund, status))
        self.context.move(refund, end.state)
        self.ends[number] = self.context.ends[number] = end
        self.given_back += refund.amount if end.state in GONE else 0
        return end


def observed(refund: RefundRow, status: Status) -> RefundObserved:
    return RefundObserved(
        refund_no=refund.refund_no,
        status=status,
        amount=refund.amount,
        currency=refund.currency,
        occurred_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def check(history: History) -> None:
    """Check that the books are exact: nothing is lost or negative, and only the excess is above the capture."""
    share, refunds = history.share, history.context.known.values()
    assert share.gone == min(history.given_back, history.captured)
    assert share.pending == sum(refund.amount for refund in refunds if refund.state in PENDING)
    assert share.left == max(0, history.captured - share.gone - share.pending)
    if not share.pending:
        assert share.gone + share.left == history.captured
    excess = sum(end.excess_amount for end in history.ends.values())
    assert excess == max(0, history.given_back - history.captured)
    for number, end in history.ends.items():
        assert (end.state is RefundState.EXCESS) == (end.excess_amount > 0)
        assert 0 <= end.excess_amount <= history.context.known[number].amount


@given(st.integers(1, 10_000), st.data())
def test_refunded_and_left_are_captured_and_an_excess_is_what_the_provider_gave_above_it(
    captured: int, data: st.DataObject
) -> None:
    history = History(captured)
    for _ in range(data.draw(st.integers(0, 20))):
        if history.share.left and (not history.numbers or data.draw(st.booleans())):
            history.request(data.draw(st.integers(1, history.share.left)))
        elif history.numbers:
            before = history.given_back
            number = data.draw(st.sampled_from(history.numbers))
            end = history.report(number, data.draw(st.sampled_from(["succeeded", "failed", "submitted", "unknown"])))
            crossed = history.given_back > max(before, captured)
            assert (end is not None and end.state is RefundState.EXCESS) == crossed, "alerts exactly then"
        check(history)


@given(st.integers(1, 10_000), st.data())
def test_a_provider_that_never_contradicts_itself_gives_no_excess(captured: int, data: st.DataObject) -> None:
    history = History(captured)
    for _ in range(data.draw(st.integers(0, 10))):
        if history.share.left:
            history.request(data.draw(st.integers(1, history.share.left)))
            history.report(history.numbers[-1], data.draw(st.sampled_from(["succeeded", "failed", "submitted"])))
    assert all(end.excess_amount == 0 and not end.unexpected for end in history.ends.values())


def test_a_success_after_its_replacement_succeeded_is_in_excess_by_what_is_not_left() -> None:
    history = History(1000)
    history.request(800)
    history.report("R0", "failed")
    history.request(800)
    history.report("R1", "succeeded")
    assert history.report("R0", "succeeded") == RefundEnd("R0", RefundState.EXCESS, None, 600, unexpected=True)
    assert (history.share.gone, history.share.left) == (1000, 0)


def test_a_late_success_leaves_less_for_a_replacement_that_is_under_way_and_then_that_one_is_in_excess() -> None:
    history = History(1000)
    history.request(800)
    history.report("R0", "failed")
    history.request(800)
    assert history.report("R0", "succeeded") == RefundEnd("R0", RefundState.SUCCEEDED, unexpected=True)
    assert (history.share.gone, history.share.pending, history.share.left) == (800, 800, 0)
    assert history.report("R1", "succeeded") == RefundEnd("R1", RefundState.EXCESS, None, 600)


@st.composite
def shares(draw: st.DrawFn) -> dict[int, CaptureShare]:
    """What one to five orders may give back of one capture that paid all of them."""
    found = {}
    for order_id in range(1, draw(st.integers(1, 5)) + 1):
        amount = draw(st.integers(0, 1000))
        gone = draw(st.integers(0, amount))
        found[order_id] = CaptureShare(amount, gone, draw(st.integers(0, amount)))
    return found


@given(shares(), st.integers(1, 6000))
def test_a_refund_that_names_only_the_capture_is_shared_out_whole_and_in_excess_only_of_all(
    found: dict[int, CaptureShare], amount: int
) -> None:
    parts = share_out(amount, found)
    assert sum(parts.values()) == amount
    assert all(part > 0 for part in parts.values())
    excess = sum(found[order_id].excess_of(part) for order_id, part in parts.items())
    assert excess == max(0, amount - sum(share.amount - share.gone for share in found.values()))
    after = {
        order_id: share.after(parts.get(order_id, 0), RefundState.FAILED, RefundState.SUCCEEDED)
        for order_id, share in found.items()
    }
    assert all(0 <= share.gone <= share.amount for share in after.values())
    if amount <= sum(share.left for share in found.values()):
        assert all(part <= found[order_id].left for order_id, part in parts.items()), "what is under way goes first"


@given(st.integers(0, 2000), st.lists(st.integers(1, 1000), min_size=1, max_size=6), st.data())
def test_what_comes_back_makes_room_for_what_was_in_excess_to_the_minor_unit(
    captured: int, amounts: list[int], data: st.DataObject
) -> None:
    share, gone = CaptureShare(captured), {}
    for key, amount in enumerate(amounts):
        gone[key] = amount, share.excess_of(amount)
        share = share.after(amount, RefundState.FAILED, RefundState.SUCCEEDED)
    returned = data.draw(st.sets(st.sampled_from(sorted(gone))))
    stay = excess_without(captured, gone, returned)
    assert stay.keys() == gone.keys() - returned
    total = sum(gone[key][0] for key in stay)
    assert sum(stay.values()) == max(0, total - captured)
    assert all(0 <= excess <= gone[key][1] for key, excess in stay.items()), "nothing else comes into excess"
