"""Builders of messages about after-sale cases, and what the tests read of them."""

from itertools import count
from typing import Any

from messages.after_sales import (
    AfterSaleApply,
    AfterSaleCancel,
    AfterSaleClose,
    AfterSaleInspect,
    AfterSaleReceive,
    AfterSaleReopen,
    AfterSaleReview,
    AfterSaleShipBack,
    AppliedLine,
    CaseCommand,
    InspectedLine,
)
from messages.base import Actor
from messages.send_backs import AfterSaleSendBack
from tests.handlers.builders import OPERATOR, user
from tests.handlers.harness import HandlerHarness
from tests.handlers.refund_builders import refund_result

WAREHOUSE = Actor(type="system", id="main")
REQUESTS = count(1)


def apply(order_id: int, *units: tuple[int, int], type: str = "refund_only", **changes: Any) -> AfterSaleApply:
    """An application for (line number, units) of an order."""
    lines = tuple(AppliedLine(line_no=line_no, qty=qty) for line_no, qty in units)
    fields: dict[str, Any] = {
        "request_id": f"as{next(REQUESTS)}",
        "actor": user(),
        "order_id": order_id,
        "type": type,
        "reason_code": "changed_mind",
        "lines": lines,
    }
    return AfterSaleApply(**fields | changes)


def _case(event: dict[str, Any], actor: Actor) -> dict[str, Any]:
    ids = {"order_id": int(event["order_id"]), "case_id": int(event["case_id"])}
    return {"request_id": f"as{next(REQUESTS)}", "actor": actor, **ids}


def review(event: dict[str, Any], decision: str = "approve", **changes: Any) -> AfterSaleReview:
    return AfterSaleReview(**_case(event, OPERATOR) | {"decision": decision} | changes)


def revoke(event: dict[str, Any]) -> AfterSaleCancel:
    return AfterSaleCancel(**_case(event, user()))


def reopen(event: dict[str, Any]) -> AfterSaleReopen:
    return AfterSaleReopen(**_case(event, user()))


def ship_back(event: dict[str, Any], tracking_no: str = "B1") -> AfterSaleShipBack:
    return AfterSaleShipBack(**_case(event, user()), carrier="sf", tracking_no=tracking_no)


def arrive(event: dict[str, Any]) -> AfterSaleReceive:
    return AfterSaleReceive(**_case(event, WAREHOUSE))


def inspect(event: dict[str, Any], *found: tuple[int, int, str]) -> AfterSaleInspect:
    """The inspection of (line number, units, disposition)."""
    lines = tuple(InspectedLine(line_no=no, qty=qty, disposition=to) for no, qty, to in found)  # type: ignore[arg-type]
    return AfterSaleInspect(**_case(event, WAREHOUSE), lines=lines)


def send_back(event: dict[str, Any], warehouse: str = "main", tracking_no: str = "R1") -> AfterSaleSendBack:
    number: dict[str, Any] = {"warehouse": warehouse, "carrier": "sf", "tracking_no": tracking_no}
    return AfterSaleSendBack(**_case(event, WAREHOUSE), **number)


def close(event: dict[str, Any]) -> AfterSaleClose:
    return AfterSaleClose(**_case(event, OPERATOR), reason_code="given_up")


def foreign(command: CaseCommand) -> CaseCommand:
    """The same command by another user."""
    return command.model_copy(update={"actor": user("u2")})


async def end_refund(harness: HandlerHarness, status: str = "succeeded", **changes: object) -> None:
    """Let the refund that was requested last end."""
    await harness.handle(refund_result(harness.events_of("refund.requested")[-1], status, **changes), trusted=True)


def steps(harness: HandlerHarness) -> list[str]:
    """The steps of all cases, as they were announced."""
    return [event["type"][11:-3] for event in harness.events if event["type"].startswith("after_sale.")]


def last(harness: HandlerHarness) -> dict[str, Any]:
    """The newest event of a case."""
    return [event for event in harness.events if event["type"].startswith("after_sale.")][-1]


async def open_case(harness: HandlerHarness, application: AfterSaleApply) -> dict[str, Any]:
    """Open a case, and return its first event."""
    await harness.handle(application)
    opened = harness.events_of("after_sale.requested")
    assert opened, harness.rejections()
    return opened[-1]
