"""Why a command about an after-sale case is refused that its state would allow."""

from datetime import datetime
from typing import Any

from messages.after_sales import (
    AfterSaleApply,
    AfterSaleClose,
    AfterSaleInspect,
    AfterSaleReceive,
    AfterSaleReview,
    CaseCommand,
)
from messages.envelope import Envelope
from messages.roles import Role
from messages.send_backs import AfterSaleSendBack
from workers.domain.after_sale_rules import pick_lines, refuse_step, unclaimable, wrong_reason
from workers.domain.after_sales import AfterSaleCase, CaseLine, CaseState, CaseTrigger, CaseType
from workers.domain.codes import Code
from workers.domain.order import Order
from workers.domain.refusal import Refusal
from workers.services import authorization, exchange_cases
from workers.services.after_sales import CaseContext
from workers.services.refund_refusals import wrong_application

T = CaseTrigger
NOT_FOR_BUYERS = (AfterSaleReview, AfterSaleReceive, AfterSaleInspect, AfterSaleClose, AfterSaleSendBack)


def forbidden(context: CaseContext, item: Envelope[Any], body: CaseCommand) -> Refusal | None:
    """Return why the sender may not decide this, or None: a buyer decides nothing, a warehouse about its own goods."""
    if isinstance(body, NOT_FOR_BUYERS) and body.actor.type == "user":
        return authorization.FORBIDDEN
    if Role.OPERATOR in item.roles:
        return None
    if isinstance(body, AfterSaleSendBack):
        return authorization.another_warehouse(item, body.warehouse)
    if not isinstance(body, AfterSaleReceive | AfterSaleInspect):
        return None
    places = {line.line_no: line.warehouse for line in context.lines[body.order_id]}
    named = [line.line_no for line in body.lines] if isinstance(body, AfterSaleInspect) else list(places)
    own = [line_no for line_no in named if line_no not in places or authorization.works_for(item, places[line_no])]
    enough = len(own) == len(named) if isinstance(body, AfterSaleInspect) else own
    return None if enough else Refusal(Code.AUTH_FORBIDDEN, "the goods belong to another warehouse")


def stepping(
    context: CaseContext, body: CaseCommand, case: AfterSaleCase, trigger: CaseTrigger, now: datetime
) -> Refusal | None:
    """Return why a command that takes one step is refused, or None."""
    refusal = refuse_step(case, trigger)
    if refusal is None and trigger is T.REOPENED:
        return reopening(context, body, case, now)
    if refusal is None and trigger is T.REVOKED:
        return exchange_cases.refuse_end(context, case)
    return refusal


def reopening(context: CaseContext, body: CaseCommand, case: AfterSaleCase, now: datetime) -> Refusal | None:
    """Return why a rejected case cannot be reopened, or None: too late, its goods go back, or others claim them."""
    order = context.book[case.order_id]
    late = unclaimable(order, context.rules[order.id], now, by_buyer=body.actor.type == "user")
    if late is not None:
        return late
    if any(line.sending_qty for line in case.lines):
        why = "its goods go back to the buyer: apply anew once they have left the warehouse"
        return Refusal(Code.AFTERSALE_STATE_INVALID, why, {"case_id": str(case.id), "state": case.state.value})
    claimed = [(line.line_no, line.qty, line.wanted_sku_id) for line in case.lines]
    picked = pick_lines(case.type, claimed, context.lines[order.id], context.free(order.id))
    return picked if isinstance(picked, Refusal) else None


def reviewing(context: CaseContext, body: AfterSaleReview, case: AfterSaleCase) -> Refusal | None:
    """Return why a case cannot be decided like this, or None."""
    left = context.left(case.order_id)
    if body.amount is not None and body.reason_code is None:
        return Refusal(Code.AFTERSALE_REASON_INVALID, "say in reason_code why the amount is not the computed one")
    if body.amount is not None and body.amount > left:
        details = {"requested": body.amount, "left": left, "currency": context.book[case.order_id].currency}
        return Refusal(Code.PAY_REFUND_EXCEEDS, f"{left} can still go back", details)
    if case.state is not CaseState.INSPECT_FAILED:
        refusal = refuse_step(case, T.REJECTED if body.decision == "reject" else T.APPROVED)
        return refusal or (exchange_cases.refuse_case(context, case) if body.decision == "approve" else None)
    if body.decision == "reject":
        return None
    if body.amount is None:
        why = "nothing was accepted: name the amount that goes back, or send decision reject"
        return Refusal(Code.AFTERSALE_STATE_INVALID, why, {"case_id": str(case.id), "state": case.state.value})
    return exchange_cases.refuse_money(context, case)


def pick(context: CaseContext, order: Order, body: AfterSaleApply, now: datetime) -> tuple[CaseLine, ...] | Refusal:
    """Return the lines of a new case of this order, or why it is not opened."""
    rules = context.rules[order.id]
    refusal = wrong_application(body) or unclaimable(order, rules, now, by_buyer=body.actor.type == "user")
    refusal = refusal or wrong_reason(body.reason_code or "", body.evidence, rules)
    if refusal is not None:
        return refusal
    wanted = [(line.line_no, line.qty, line.wanted_sku_id) for line in body.lines]
    picked = pick_lines(CaseType(body.type), wanted, context.lines[order.id], context.free(order.id))
    if isinstance(picked, Refusal):
        return picked
    return exchange_cases.refuse(context, order, CaseType(body.type), picked) or picked
