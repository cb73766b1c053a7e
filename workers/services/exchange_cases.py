"""The steps of exchange cases (S1-22), which end with other goods at the buyer.

case                              exchange order                  then
--------------------------------  ------------------------------  ------------------------------------------------
approved                          none                            placed, its stock reserved
approved                          stock is reserved               the goods are awaited; at_approval: it goes out now
approved                          stock is refused                after_sale.rejected
revoked, expired, closed          has its stock                   rejected, its stock free again
revoked                           is out                          refused: the buyer cancels that order first
inspection failed, approve        is out                          refused: reject it, then its buyer owes the money
expired, closed                   is out                          after_sale.unreturned: its buyer owes the money
inspected, all units accepted     has its stock                   goes out once its difference is paid
inspected, some units accepted    has the stock of all            rejected; another is placed for the accepted ones
inspected                         paid, or nothing to pay         after_sale.reshipping; if the goods cost less, the
                                                                  difference goes back
inspected, reshipping             rejected or cancelled           the money of the accepted units goes back
not ended                         none, and it cannot be placed   refused; after the inspection its money goes back
reshipping                        delivered                       after_sale.completed, and the units are replaced; or
                                                                  after_sale.unreturned, if some were refused
reshipping, ended                 units of it are lost            the money of the units that they replaced goes back
unreturned                        rejected or cancelled           after_sale.closed: nothing is owed

An exchange order is out from the moment at which its case has sent it; it may still wait for its difference. When that
is, the policy `exchange_ships` of the first order says: after_inspection, or at_approval. The inspection of a case
whose goods are out decides only what its buyer owes. services/exchange_balances.py says what becomes of the money.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from db.pool import Transaction
from messages.after_sales import AfterSaleApply, CaseCommand
from messages.envelope import Envelope
from messages.replacements import AfterSaleExchangeMoved
from workers.domain.after_sale_policy import ExchangeShips
from workers.domain.after_sales import AfterSaleCase, CaseLine, CaseState, CaseTrigger, CaseType
from workers.domain.codes import Code
from workers.domain.exchanges import STOPPABLE, UNPAID, ExchangeState, exchange_lines, with_exchange, wrong_sku
from workers.domain.order import Order, OrderKind
from workers.domain.refusal import Refusal
from workers.services import after_sales as steps
from workers.services import case_refunds, exchange_balances, returned_goods
from workers.services.after_sales import CaseContext
from workers.services.exchanges import Exchanges, deadline
from workers.store import exchanges, ids, skus

T = CaseTrigger
X = ExchangeState


async def read(
    tx: Transaction, context: CaseContext, order_ids: Sequence[int], bodies: Sequence[AfterSaleApply | CaseCommand]
) -> None:
    """Read what exchanges depend on: nothing if the batch has none.

    `order_ids` has the order of each message: each message may place one exchange order. `bodies` are the new commands.
    """
    applied = [body for body in bodies if isinstance(body, AfterSaleApply) and body.type == "exchange"]
    wanted = {line.wanted_sku_id for body in applied for line in body.lines if line.wanted_sku_id is not None}
    cases = [case for case in context.cases.before.values() if case.type is CaseType.EXCHANGE]
    if not (cases or wanted):
        return
    skus_wanted = {line.wanted_sku_id for case in cases for line in case.lines if line.wanted_sku_id is not None}
    users = [(key, context.book[key].user_id) for key in order_ids if key in context.book]
    taken = await ids.take(tx, [user_id for _, user_id in users])
    spare: dict[int, list[int]] = {}
    for (order_id, _), new in zip(users, taken, strict=True):
        spare.setdefault(order_id, []).append(new)
    current = await exchanges.of_cases(tx, [case.id for case in cases])
    regions = await exchanges.regions(tx, spare)
    catalogue, lists = await skus.read_with_lists(tx, skus_wanted | wanted, set(regions.values()))
    context.exchanges = Exchanges(current, catalogue, spare, lists, regions)


async def write(tx: Transaction, context: CaseContext, now: datetime) -> None:
    """Insert the exchange orders that the batch places, and write what has become of the others."""
    await exchanges.place(tx, context.exchanges.placed, now, deadline(now))
    await exchanges.save(tx, context.exchanges.changed)


def refuse(context: CaseContext, order: Order, kind: CaseType, lines: Sequence[CaseLine]) -> Refusal | None:
    """Return why the goods that a case wants cannot be ordered today, or None.

    What a replacement cost was paid for the goods that it replaces, with another order: a case about it can only
    replace it by the same goods.
    """
    if order.kind is OrderKind.EXCHANGE:
        of = {line.line_no: line.sku_id for line in context.lines[order.id]}
        if any(line.wanted_sku_id != of[line.line_no] for line in lines):
            why = "goods that were sent in exchange are exchanged for the same SKU; their money is the first order's"
            return Refusal(Code.AFTERSALE_LINE_INVALID, why, {"order_id": str(order.id)})
    return not_orderable(context, order, lines) if kind is CaseType.EXCHANGE else None


def refuse_case(context: CaseContext, case: AfterSaleCase) -> Refusal | None:
    """Return why the goods that this case wants cannot be ordered today, or None."""
    return not_orderable(context, context.book[case.order_id], case.lines) if case.type is CaseType.EXCHANGE else None


def not_orderable(context: CaseContext, order: Order, lines: Sequence[CaseLine]) -> Refusal | None:
    """Return why the goods that these lines want cannot be sent, or None: no address is left, or they are not sold."""
    if order.id not in context.exchanges.regions:
        why = "its address was erased or deleted: other goods have nowhere to go, money has"
        return Refusal(Code.ORDER_ADDRESS_MISSING, why, {"order_id": str(order.id)})
    return wrong_sku(lines, order.currency, context.exchanges.skus)


def refuse_end(context: CaseContext, case: AfterSaleCase) -> Refusal | None:
    """Return why the buyer cannot withdraw this case: the other goods are ordered, and go out without it. Or None."""
    exchange = context.exchanges.out(case.id)
    if exchange is None:
        return None
    why = "its other goods are ordered: cancel that order first"
    details = {"case_id": str(case.id), "exchange_order_id": str(exchange.order_id)}
    return Refusal(Code.AFTERSALE_CANNOT_REVOKE, why, details)


def refuse_money(context: CaseContext, case: AfterSaleCase) -> Refusal | None:
    """Return why goods that an inspection refused cannot be paid for: their buyer has, or gets, the others. Or None.

    Money for them would end the case, and with it what the buyer owes, which nobody would have decided. Who gives that
    up closes the unreturned case, where the amount is in sight.
    """
    exchange = context.exchanges.out(case.id)
    if exchange is None:
        return None
    why = "its other goods are ordered: send decision reject, then close it once what the buyer owes is settled"
    details = {"case_id": str(case.id), "state": case.state.value, "exchange_order_id": str(exchange.order_id)}
    return Refusal(Code.AFTERSALE_STATE_INVALID, why, details)


def place(context: CaseContext, case: AfterSaleCase, units: dict[int, int], *, because: Any, now: datetime) -> None:
    """Place the exchange order for these units. The caller has checked that its goods can be ordered."""
    lines = exchange_lines(case, units, context.lines[case.order_id], context.exchanges.terms(case.order_id))
    context.cases.amend(case.id, lines=with_exchange(context.cases[case.id].lines, lines))
    context.exchanges.place(case, lines, because, now)


def go_on(context: CaseContext, case: AfterSaleCase, *, because: Any, now: datetime) -> None:
    """Send the goods for the accepted units of an inspected case, or give their money back if that cannot be.

    If some units were refused, the order that holds the goods of all ends, and another takes its place, unless the
    goods are out.
    """
    exchange = context.exchanges.current.get(case.id)
    accepted = {line.line_no: line.accepted_qty for line in case.lines}
    if context.exchanges.out(case.id) is not None:
        follow_goods(context, case, because, now)
    elif exchange is not None and exchange.state in STOPPABLE and all(accepted[n.line_no] == n.qty for n in case.lines):
        if exchange.state is X.RESERVED:
            context.exchanges.send(case.id, because)
    elif withdrawn(context, case) or refuse_case(context, case) is not None:
        context.exchanges.end(case.id, because)
        case_refunds.refund(context, case, because=because, now=now)
    else:
        context.exchanges.end(case.id, because)
        place(context, case, accepted, because=because, now=now)


def withdrawn(context: CaseContext, case: AfterSaleCase) -> bool:
    """True if the other goods were to go out at the approval, and that order ended: the buyer gets money instead."""
    exchange = context.exchanges.current.get(case.id)
    at_once = context.rules[case.order_id].exchange_ships is ExchangeShips.AT_APPROVAL
    return at_once and exchange is not None and exchange.state is X.ENDED


def follow_goods(context: CaseContext, case: AfterSaleCase, because: Any, now: datetime) -> None:
    """Let an inspected case catch up with its exchange order, which is paid, or has arrived."""
    state = context.exchanges.current[case.id].state
    if state in {X.PAID, X.DELIVERED} and case.allows(T.RESHIPPED):
        steps.move(context, case.id, T.RESHIPPED, because=because, now=now)
        exchange_balances.settle(context, case.id, because=because)
    if state is X.DELIVERED and context.cases[case.id].allows(T.REPLACED):
        exchange_balances.finish(context, case.id, because=because, now=now)


def follow(context: CaseContext, item: Envelope[AfterSaleExchangeMoved], now: datetime) -> None:
    """Let a case follow its exchange order. What does not fit is a repeat, or about an older order of the case."""
    named, state = item.body.exchange_order_id, item.body.state
    exchange = next((one for one in context.exchanges.current.values() if one.order_id == named), None)
    if exchange is None:
        return
    case = context.cases[exchange.case_id]
    if state == "reserved":
        reserved(context, case, item, now)
    elif state == "paid" and exchange.state in UNPAID:
        context.exchanges.become(case.id, X.PAID)
        follow_goods(context, case, item, now)
    elif state in {"delivered", "completed"} and exchange.state is not X.DELIVERED:
        context.exchanges.become(case.id, X.DELIVERED)
        exchange_balances.follow_lost(context, case.id, because=item, now=now)
        follow_goods(context, context.cases[case.id], item, now)
    elif state in {"rejected", "cancelled"} and exchange.state not in {X.DELIVERED, X.ENDED}:
        context.exchanges.become(case.id, X.ENDED)
        stop(context, case, item, now)
    else:
        exchange_balances.follow_lost(context, case.id, because=item, now=now)


def stop(context: CaseContext, case: AfterSaleCase, item: Envelope[AfterSaleExchangeMoved], now: datetime) -> None:
    """Let a case go on whose exchange order sends nothing: what came back is paid, and what did not is not owed."""
    if case.allows(T.STOCK_REFUSED):
        why = item.body.reason_code
        steps.move(context, case.id, T.STOCK_REFUSED, because=item, now=now, reason_code=why)
    elif case.state in {CaseState.INSPECT_PASSED, CaseState.RESHIPPING}:
        case_refunds.refund(context, case, because=item, now=now)
    else:
        exchange_balances.follow_lost(context, case.id, because=item, now=now)


def reserved(context: CaseContext, case: AfterSaleCase, item: Envelope[Any], now: datetime) -> None:
    """Let an approved case wait for its goods once its exchange order got its stock.

    That order goes out now if the goods are back already, or if the policy does not wait for them.
    """
    exchange = context.exchanges.current[case.id]
    if exchange.state is not X.RESERVING:
        return
    context.exchanges.become(case.id, X.RESERVED)
    context.exchanges.reserved.add(exchange.order_id)
    at_once = context.rules[case.order_id].exchange_ships is ExchangeShips.AT_APPROVAL
    if case.state is CaseState.APPROVED:
        returned_goods.await_goods(context, item, case, now)
    if case.state is CaseState.INSPECT_PASSED or at_once:
        context.exchanges.send(case.id, item)
